/**
 * Take home, then erase: the host gets the lesson as a file, and only once all of it is here may the room go.
 *
 * Asked once. What came since the file was made would be lost, so then it is to be made again.
 */

import { endRoom } from '../../room/host.js';
import { byId, fetched, here, toast } from '../../ui/page.js';
import { count } from '../../ui/words.js';

const dialog = byId('stage-takehome');
const [take, erase, told] = [byId('takehome-take'), byId('takehome-erase'), byId('takehome-told')];
const END = '</html>'; // with which a whole file ends

let taken = 0; // events in the file that was made last

take.addEventListener('click', () => attempt(save));
erase.addEventListener('click', () => attempt(end));
byId('takehome-names').addEventListener('change', () => offer(null));

/** Open the dialog. */
export function takeHome() {
  offer(null);
  dialog.showModal();
}

async function attempt(what) {
  take.disabled = erase.disabled = true;
  try {
    await what();
  } catch (error) {
    offer(null, error instanceof TypeError ? 'The file did not arrive whole: try again.' : error.message);
  } finally {
    take.disabled = erase.disabled = false;
  }
}

/** Have the server make the file, see that it is whole, and hand it to the browser. */
async function save() {
  offer(null, 'The server writes the file…');
  const names = byId('takehome-names').checked;
  const answer = await fetch(`/api/rooms/${here.room}/export?${new URLSearchParams({ format: 'html', names })}`);
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  const file = await answer.blob();
  if (!(await file.slice(-END.length - 1).text()).includes(END)) throw new TypeError();
  taken = Number(answer.headers.get('Orders-Events'));
  const name = /filename="(.+?)"/.exec(answer.headers.get('Content-Disposition'))[1];
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  const size = `${Math.ceil(file.size / 1024).toLocaleString('en')} KiB`;
  offer(erase, `${name} arrived whole: ${count(taken, 'event')}, ${size}. Open it from your downloads, then erase the room: nothing of it stays on this server’s disk.`);
}

async function end() {
  const { events } = await fetched(`/api/rooms/${here.room}`);
  if (events !== taken) {
    offer(null, `The room has ${count(events, 'event')} by now, the file ${taken.toLocaleString('en')}: take it home once more.`);
    return;
  }
  await endRoom(here.room);
  dialog.close();
  toast(`Room ${here.room} is erased.`);
}

/** Show what was said, and whether the room may be erased now. */
function offer(button, words = '') {
  told.hidden = !words;
  told.textContent = words;
  erase.hidden = !button;
  take.classList.toggle('primary', !button);
  take.textContent = button ? 'Take home again' : 'Take home';
  button?.focus();
}

/** The lobby: who is in the main room at the moment, and copying. Everything else is plain HTML. */

import { byId, copying, fetched, here, showConnection } from '../ui/page.js';

const EVERY = 5000; // ms between two looks: a lobby may stand open on every phone of a class
const SHOWN = 6; // names; the others are counted

copying();

const room = byId('room');

/** "bob, alice and 3 more are in main." @param {string[]} names */
function present(names) {
  if (names.length === 0) return 'Nobody is in main yet: you would be the first.';
  const listed = names.slice(0, SHOWN);
  const rest = names.length - listed.length;
  const last = rest ? `${rest} more` : listed.pop();
  const all = listed.length ? `${listed.join(', ')} and ${last}` : last;
  return `${all} ${names.length === 1 ? 'is' : 'are'} in main.`;
}

/** Looks whether the server answers, and who is there; only `main` exists for certain. */
async function look() {
  if (document.hidden) return;
  const line = byId('here');
  const inMain = room.value === 'main';
  try {
    if (inMain) {
      const { participants } = await fetched('/api/rooms/main');
      const words = present(participants.map(({ name }) => name));
      if (line.textContent !== words) line.textContent = words;
    } else if (!(await fetch('/healthz')).ok) throw new Error('not healthy');
    line.hidden = !inMain;
    showConnection('open');
    if (here.host) await (await import('./rooms.js')).drawRooms();
  } catch {
    line.hidden = true;
    showConnection('offline', 'The server does not answer');
  }
}

room.addEventListener('change', look);
document.addEventListener('visibilitychange', look);
setInterval(look, EVERY);
look();

/** The rooms of the server, for the host: where they are, and an end for each, which takes two clicks. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, render } from '/static/vendor/lit-html/lit-html.js';
import { endRoom } from '../room/host.js';
import { byId, fetched, toast } from '../ui/page.js';

const SECOND_CLICK = 600; // ms until a room can be erased: a double click is no second one
let asked = null; // the room that would be erased by a second click
let ready = false;
let waiting; // the timer after which it is
let rooms = [];

/** Read the list again, and draw it. */
export async function drawRooms() {
  const answer = await fetched('/api/rooms').catch(() => null);
  if (answer === null) return;
  rooms = answer.rooms.sort((a, b) => b.participants - a.participants || a.room.localeCompare(b.room));
  draw();
}

function draw() {
  render(repeat(rooms, ({ room }) => room, row), byId('rooms'));
}

function row({ room, participants, events, locked }) {
  return html`<tr data-room=${room}>
    <th scope="row"><a href="/stage?room=${room}">${room}</a>${locked ? html` <span class="muted">locked</span>` : ''}</th>
    <td>${participants}</td><td>${events.toLocaleString('en')}</td>
    <td class="row">${asked === room
    ? html`<button type="button" class="no" ?disabled=${!ready} @click=${() => end(room)}>Erase ${room} for good</button>
      <button type="button" @click=${() => ask(null)}>Keep it</button>`
    : html`<button type="button" class="quiet" aria-label="End and erase ${room}" @click=${() => ask(room)}>End and erase…</button>`}</td></tr>`;
}

function ask(room) {
  const before = asked ?? room;
  asked = room;
  ready = false;
  clearTimeout(waiting); // else an earlier one decides
  waiting = setTimeout(() => {
    ready = true;
    draw();
  }, SECOND_CLICK);
  draw();
  // The button that was pressed is gone; the next one to press is the harmless one.
  byId('rooms').querySelector(`[data-room="${before}"] button:last-child`)?.focus();
}

async function end(room) {
  asked = null;
  try {
    await endRoom(room);
    toast(room === 'main' ? 'main was erased, and begins again.' : `${room} was ended and erased.`);
  } catch (error) {
    toast(error.message);
  }
  await drawRooms();
}

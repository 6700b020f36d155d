/** The way in, on the projector: an address, a code to scan, and who has come already. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, render } from '/static/vendor/lit-html/lit-html.js';
import { observe } from '../room/observe.js';
import { byId, here, over, stand } from '../ui/page.js';

const SHOWN = 40; // names; the others are counted

let names = new Set();

/** Who is here after this record. */
function follow(kind, name) {
  if (kind === 'joined') names.add(name);
  else if (kind === 'left' && name === null) names.clear(); // the server started again
  else if (kind === 'left') names.delete(name);
}

function standLocked(locked) {
  if (locked) stand('locked', 'The host has locked the room: nobody new comes in.');
  else over('locked');
}

function draw() {
  const newest = [...names].reverse();
  const count = newest.length;
  byId('here').textContent = count === 0
    ? 'Nobody is here yet.'
    : `${count} ${count === 1 ? 'is' : 'are'} here${count > SHOWN ? `, the last ${SHOWN}:` : ':'}`;
  render(repeat(newest.slice(0, SHOWN), (name) => name, (name) => html`<li>${name}</li>`), byId('names'));
}

const watching = observe({ room: here.room, resume: false }, {
  snapshot({ participants, locked }) {
    names = new Set(participants.map(({ name }) => name));
    standLocked(locked);
    draw();
  },
  missing: draw,
  records(records, skipped) {
    for (const { kind, name, locked } of records) {
      follow(kind, name);
      if (kind === 'locked') standLocked(locked);
    }
    draw();
    if (skipped) watching.restart();
  },
}, { paused: true });

const full = byId('full');
full.hidden = !document.fullscreenEnabled;
full.addEventListener('click', () => document.documentElement.requestFullscreen());
document.addEventListener('fullscreenchange', () => (full.hidden = document.fullscreenElement !== null));

/** Who is in the room, and the host's means: mute, remove, let back in, lock. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { byId, fetched, here, toast } from '../../ui/page.js';
import * as host from '../../room/host.js';

const dialog = byId('stage-people');
const CONCERNS = new Set(['joined', 'left', 'muted', 'kicked', 'locked']);
const DOES = { mute: host.mute, unmute: host.unmute, kick: host.kick, readmit: host.readmit };

/** Wire up the dialog; returns what draws it. @param {import('../show.js').Show} show */
export function usePeople(show) {
  dialog.addEventListener('click', ({ target }) => {
    const button = target.closest('[data-hand]');
    if (button) act(DOES[button.dataset.hand], button.dataset.name);
  });
  byId('stage-lock').addEventListener('change', ({ target }) => act(host.lock, target.checked));
  show.addEventListener('records', ({ detail: { records, skipped } }) => {
    if (dialog.open && (skipped || records.some(({ kind }) => CONCERNS.has(kind)))) draw();
  });
  return draw;
}

async function act(does, what) {
  try {
    await does(what);
  } catch (error) {
    toast(error.message);
  }
  draw();
}

async function draw() {
  const room = await fetched(`/api/rooms/${here.room}`).catch(() => null);
  if (room === null) return;
  byId('stage-lock').checked = room.locked;
  const present = room.participants.map(({ name, muted }) => ({ name, muted, here: true }));
  const known = new Set(present.map(({ name }) => name.toLowerCase()));
  const away = room.muted.filter((name) => !known.has(name)).map((name) => ({ name, muted: true }));
  const removed = room.kicked.map((name) => ({ name, removed: true }));
  const people = [...present, ...away.filter(({ name }) => !room.kicked.includes(name)), ...removed];
  render(html`${repeat(people, ({ name }) => name, row)}
    ${people.length ? nothing : html`<li class="muted">Nobody is here yet: they join at the address above.</li>`}`, byId('stage-people-list'));
}

function row({ name, muted, here: isHere, removed }) {
  const stands = removed ? 'removed' : [muted && 'muted', !isHere && 'not here'].filter(Boolean).join(', ');
  const button = (hand, words, kind = '') => html`<button type="button" class=${kind} data-hand=${hand} data-name=${name}
    aria-label="${words}: ${name}">${words}</button>`;
  return html`<li data-person=${name}><span><b>${name}</b> <span class="muted">${stands}</span></span><span class="row">
    ${removed ? button('readmit', 'Let back in') : muted ? button('unmute', 'Unmute') : button('mute', 'Mute')}
    ${removed ? nothing : button('kick', 'Remove', 'no')}</span></li>`;
}

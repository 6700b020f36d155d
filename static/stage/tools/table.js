/** Beneath the picture: the types with their modes and numbers, and the latest events in words. */

import { live } from '/static/vendor/lit-html/directives/live.js';
import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { MODE_NAMES, modeOf, MODES } from '../../room/modes.js';
import { envelope } from '../../ui/shapes.js';
import { kindOf } from '../../ui/words.js';

const NAMED = 3; // recipients named before they are only counted
const ROWS = 12; // types shown; the log has them all
const LATEST = 7;
/** Always there, so that their modes can be set before the first of them is sent. */
const ORDERS = ['order_placed', 'order_confirmed', 'order_rejected'];

/** Draw the table. `setMode(type, mode)` is null for those who may not. */
export function drawTypes(place, state, setMode) {
  const sent = (type) => state.counts.get(type) ?? 0;
  const seen = [...state.events.values()].map(({ event }) => event.type);
  const others = new Set([...state.counts.keys(), ...state.queues.keys(), ...Object.keys(state.modes), ...seen]);
  for (const type of ['*', ...ORDERS]) others.delete(type);
  const types = [...ORDERS, ...[...others].sort((a, b) => sent(b) - sent(a)).slice(0, ROWS)];
  render(html`
    <caption class="unseen">Types of events, how each is handed on, and how many there are</caption>
    <thead><tr><th scope="col">Type</th><th scope="col">Mode</th><th scope="col">${state.counted ? 'Events' : 'Seen'}</th>
      <th scope="col">Waiting</th><th scope="col">Leased</th><th scope="col">Dead</th></tr></thead>
    <tbody>
      ${repeat(types, (type) => type, (type) => typeRow(state, type, setMode))}
      <tr><th scope="row">all others</th><td>${mode('*', modeOf(state.modes, '*'), setMode)}</td><td colspan="4"></td></tr>
    </tbody>`, place);
}

function typeRow(state, type, setMode) {
  const queue = state.queues.get(type);
  const number = (value) => html`<td>${value ?? '–'}</td>`;
  return html`<tr data-counted=${type}>
    <th scope="row" title=${type}>${type}</th>
    <td>${mode(type, modeOf(state.modes, type), setMode)}</td>
    ${number((state.counts.get(type) ?? 0).toLocaleString('en'))}
    ${number(queue?.ready)}${number(queue?.in_flight)}${number(queue?.dead)}
  </tr>`;
}

function mode(type, current, setMode) {
  if (!setMode) return MODE_NAMES[current] ?? current;
  const label = type === '*' ? 'Mode of all others' : `Mode of ${type}`;
  return html`<select aria-label=${label} .value=${live(current)} @change=${(e) => setMode(type, e.target.value)}>
    ${Object.keys(MODES).map((key) => html`<option value=${key} ?selected=${key === current}>${MODE_NAMES[key]}</option>`)}
  </select>`;
}

/** Draw the latest events, newest first: who sent what, and who received it. */
export function drawLatest(place, state, linkTo) {
  const latest = [...state.events.values()].slice(-LATEST).reverse();
  render(html`
    ${repeat(latest, ({ event }) => event.id, (one) => html`
      <li><a href=${linkTo(one.event.id)} data-latest=${one.event.id} data-event=${one.event.id}>
        ${envelope(kindOf(one.event.type), one.event.data.id)}
        <span><b>${one.event.source}</b> sent <b>${one.event.type}</b><br><span class="muted">${fate(one)}</span></span>
      </a></li>`)}
    ${latest.length ? nothing : html`<li class="muted">What is sent appears here.</li>`}`, place);
}

/** What happened to an event, in a few words. */
function fate({ state, audience, holder, attempt, reason }) {
  if (state === 'ready') return reason ? `Waits again: ${reason}` : 'Waits for someone to take it';
  if (state === 'held') return attempt > 1 ? `${holder} holds it, attempt ${attempt}` : `${holder} holds it`;
  if (state === 'settled') return holder ? `${holder} took it` : 'Taken';
  if (state === 'dead') return reason ? `Dead letter: ${reason}` : 'Dead letter';
  if (state === 'discarded') return 'Discarded';
  if (state === 'parked') return 'Kept at the broker: the room is paused';
  if (!audience) return 'Sent before this page was opened';
  if (!audience.length) return 'Nobody received it';
  const more = audience.length - NAMED;
  return `To ${audience.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

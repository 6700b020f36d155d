/** Beneath the picture: the types with their modes and numbers, and the latest events in words. */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { live } from '/static/vendor/lit-html/directives/live.js';
import { envelope, kindOf } from './shapes.js';
import { modeOf } from './stage-state.js';

const NAMED = 3; // recipients named before they are only counted
const ROWS = 12; // types shown; the log has them all
const LATEST = 7;
const MODES = [['relay', 'Relay'], ['pubsub', 'Publish–subscribe'], ['queue', 'Queue']];

/** Draw the table. `setMode(type, mode)` is null for whoever is not the host. */
export function drawTypes(place, state, setMode) {
  const seen = [...state.events.values()].map(({ event }) => event.type);
  const types = new Set([...state.counts.keys(), ...state.queues.keys(), ...Object.keys(state.modes), ...seen]);
  types.delete('*');
  const sorted = [...types].sort((a, b) => (state.counts.get(b) ?? 0) - (state.counts.get(a) ?? 0)).slice(0, ROWS);
  render(html`
    <thead><tr><th scope="col">Type</th><th scope="col">Mode</th><th scope="col">${state.counted ? 'Events' : 'Events seen'}</th>
      <th scope="col">Waiting</th><th scope="col">Held</th><th scope="col">Dead</th></tr></thead>
    <tbody>
      ${repeat(sorted, (type) => type, (type) => typeRow(state, type, setMode))}
      ${sorted.length ? nothing : html`<tr><td colspan="6" class="muted">No event was sent yet.</td></tr>`}
    </tbody>`, place);
}

function typeRow(state, type, setMode) {
  const queue = state.queues.get(type);
  const number = (value) => html`<td>${value ?? '–'}</td>`;
  return html`<tr data-counted=${type}>
    <th scope="row">${type}</th>
    <td>${mode(type, modeOf(state.modes, type), setMode)}</td>
    ${number((state.counts.get(type) ?? 0).toLocaleString('en'))}
    ${number(queue?.ready)}${number(queue?.in_flight)}${number(queue?.dead)}
  </tr>`;
}

function mode(type, current, setMode) {
  if (!setMode) return MODES.find(([key]) => key === current)?.[1] ?? current;
  return html`<select aria-label="Mode of ${type}" .value=${live(current)} @change=${(e) => setMode(type, e.target.value)}>
    ${MODES.map(([key, words]) => html`<option value=${key} ?selected=${key === current}>${words}</option>`)}
  </select>`;
}

/** Draw the latest events, newest first: who sent what, and who received it. */
export function drawLatest(place, state, linkTo) {
  const latest = [...state.events.values()].slice(-LATEST).reverse();
  render(html`
    ${repeat(latest, ({ event }) => event.id, (one) => html`
      <li><a href=${linkTo(one.event.id)} data-latest=${one.event.id}>
        ${envelope(kindOf(one.event.type), one.event.data.id)}
        <span><b>${one.event.source}</b> sent <b>${one.event.type}</b><br><span class="muted">${fate(one)}</span></span>
      </a></li>`)}
    ${latest.length ? nothing : html`<li class="muted">What is sent appears here.</li>`}`, place);
}

/** What became of an event, in a few words. */
export function fate({ state, audience, holder, attempt, reason }) {
  if (state === 'ready') return reason ? `Waits again: ${reason}` : 'Waits for someone to take it';
  if (state === 'held') return attempt > 1 ? `${holder} holds it, attempt ${attempt}` : `${holder} holds it`;
  if (state === 'settled') return holder ? `${holder} took it` : 'Taken';
  if (state === 'dead') return reason ? `Dead letter: ${reason}` : 'Dead letter';
  if (state === 'discarded') return 'Discarded';
  if (state === 'parked') return 'Held at the broker';
  if (!audience) return 'Sent before this page was opened';
  if (!audience.length) return 'Nobody received it';
  const more = audience.length - NAMED;
  return `To ${audience.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

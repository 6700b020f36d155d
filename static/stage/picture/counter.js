/** The counter in the middle of the picture: what is stored, what waits on it, and the tray beneath. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing } from '/static/vendor/lit-html/lit-html.js';
import { MODE_NAMES } from '../../room/modes.js';
import { withCode } from '../../ui/shapes.js';
import { count, digits, short } from '../../ui/words.js';
import { depth, inState } from '../queue.js';
import { letter } from './figure.js';

const STACKED = 7; // waiting envelopes drawn one by one
const TRAYED = 3;

/**
 * @param {object} state
 * @param {(id: string) => boolean} inAir  whether an event is still on its way
 * @param {number|null} rate  events a second, while it flows
 */
export function counter(state, inAir, rate) {
  const { ready, in_flight: held, dead } = depth(state);
  const hasQueue = state.queues.size > 0 || Object.values(state.modes).includes('queue');
  return html`<div class="stage-counter" ?data-paused=${state.paused} ?data-queue=${hasQueue}>
    <div class="stage-desk">${stack(state, ready, inAir)}</div>
    <div class="stage-front">
      <h2>Broker</h2>
      <p data-total><b>${digits(state.total)}</b> ${state.total === 1 ? 'event' : 'events'}${rate === null ? nothing : html`, <b data-rate>${digits(rate)}/s</b>`}</p>
      ${hasQueue ? html`<p data-waiting=${ready}><b>${digits(ready)}</b> ${ready === 1 ? 'waits' : 'wait'}${held ? html`, <b>${digits(held)}</b> leased` : nothing}</p>` : nothing}
      ${state.paused ? html`<p class="stamp stage-paused">Paused: ${digits(state.parked.length)} kept</p>` : nothing}
    </div>
    ${hasQueue ? tray(state, dead, inAir) : nothing}
  </div>`;
}

/** A message that was refused turned round at the counter: this is why. @param {{name: string, message: string}|null} refused */
export function refusal(refused) {
  return html`<p class="stage-refused" role="status" ?hidden=${!refused}>${refused ? html`<b>${refused.name}</b>: ${withCode(refused.message)}` : nothing}</p>`;
}

/** How many coffees were made and wasted in each mode. @param {object} coffees  see ../coffees.js */
export function coffeesMade({ modes, wasted }) {
  if (!modes.size) return nothing;
  return html`<span class="stage-coffees">${wasted ? html`<b>order ${short(wasted.number)}: ${count(wasted.made, 'coffee')} made, ${wasted.made - 1} wasted</b>` : nothing}<span>Coffees made</span>
    ${[...modes].map(([mode, made]) => html`<span data-coffees=${mode}>${MODE_NAMES[mode]} <b>${digits(made.made)}</b>${made.wasted ? html`, <b class="wasted">${digits(made.wasted)} wasted</b>` : nothing}</span>`)}</span>`;
}

/** How many lie on the counter, drawn or only counted. */
export function stacked(state) {
  const { ready } = depth(state);
  return ready + state.parked.filter((id) => state.events.get(id)?.state === 'parked').length;
}

function stack(state, ready, inAir) {
  const parked = state.parked.map((id) => state.events.get(id)).filter((one) => one?.state === 'parked');
  const waiting = [...parked, ...inState(state, 'ready')];
  const lying = waiting.filter(({ event }) => !inAir(event.id));
  const unknown = Math.max(0, ready + parked.length - waiting.length);
  const drawn = lying.slice(0, STACKED);
  const more = lying.length + unknown - drawn.length;
  if (!drawn.length && !more) return nothing;
  return html`<div class="stage-stack">
    ${repeat(drawn, ({ event }) => event.id, (one) => letter(one, one.state === 'parked' ? 'kept at the broker' : 'waiting'))}
    ${more ? html`<b>+${digits(more)}</b>` : nothing}
  </div>`;
}

function tray(state, dead, inAir) {
  const lying = inState(state, 'dead').filter(({ event }) => !inAir(event.id)).slice(-TRAYED);
  return html`<div class="stage-tray" data-dead=${dead}>
    ${repeat(lying, ({ event }) => event.id, (one) => letter(one, 'a dead letter'))}
    <button type="button" class="stage-tray-count" data-opens="stage-dead" ?disabled=${!dead}>${count(dead, 'dead letter')}</button>
  </div>`;
}

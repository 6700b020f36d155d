/** How the confirmer's page draws its orders: those that wait, and those that were answered. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing } from '/static/vendor/lit-html/lit-html.js';
import { orderNumber } from '../orders/book.js';
import { envelope, lease, withCode } from '../ui/shapes.js';
import { duration, ordinal, reasonWord } from '../ui/words.js';

/** What an order is about, in a few words. */
function about({ data, id }) {
  const number = orderNumber(data.id, id);
  if (data.item === undefined || data.item === null) return `order ${number}`;
  const item = typeof data.item === 'string' ? data.item : JSON.stringify(data.item);
  const quantity = data.quantity === undefined ? 1 : data.quantity;
  return `${typeof quantity === 'number' ? quantity : JSON.stringify(quantity)} × ${item}`;
}

/**
 * @param {import('../orders/waiting.js').Row[]} rows  oldest first
 * @param {{verdict: (row) => object, rejecting: string|null, reasons: string[], now: number, actions: object}} page
 */
export function drawWaiting(rows, page) {
  return repeat(rows, ({ placed }) => placed.id, (row) => drawRow(row, page));
}

function drawRow(row, { verdict, rejecting, reasons, now, actions }) {
  const { placed, key, state, problem, holding, at } = row;
  const says = verdict(row);
  const busy = state === 'answering';
  return html`<li class="order waits" tabindex="0" data-event=${placed.id} data-order=${key} data-state=${state}
    aria-label="${placed.source}: ${about(placed)}">
    ${envelope('placed', placed.data.id)}
    <div class="order-body">
      <div class="row spread"><h3><bdi>${placed.source}</bdi>: ${about(placed)}<span class="unseen">, number ${orderNumber(placed.data.id, placed.id)}</span></h3>
        ${holding?.attempt > 1 ? html`<span class="stamp">${ordinal(holding.attempt)} try</span>` : nothing}
        <span class="small muted">waits ${duration(Math.max(1000, now - at)).replace(/\.\d/, '')}</span></div>
      ${placed.data.note && typeof placed.data.note === 'string' ? html`<p class="note">“${placed.data.note}”</p>` : nothing}
      <p class="small verdict" data-says=${says.type === 'order_confirmed' ? 'yes' : 'no'}>${
        says.type === 'order_confirmed' ? 'Bob’s rules say: confirm.' : `Bob’s rules say: reject. ${says.message}`
      }</p>
      ${problem ? html`<p class="notice small" data-kind="refused">${withCode(problem)}</p>` : nothing}
      ${rejecting === placed.id ? drawReasons(row, says, reasons, actions) : nothing}
    </div>
    <div class="row answer" ?hidden=${rejecting === placed.id}>
      ${holding ? lease(Math.max(0, (holding.until - now) / 1000), holding.of) : nothing}
      <button type="button" class="yes" ?disabled=${busy} @click=${() => actions.confirm(row)}>Confirm</button>
      <button type="button" class="no" ?disabled=${busy} @click=${() => actions.chooseReason(row)}>Reject</button>
      ${holding ? html`<button type="button" class="quiet" ?disabled=${busy} @click=${() => actions.passOn(row)}>Pass on</button>` : nothing}
    </div>
  </li>`;
}

function drawReasons(row, says, reasons, actions) {
  const chosen = says.reason ?? 'other';
  const submit = (event) => {
    event.preventDefault();
    const { reason, message } = event.target.elements;
    const words = message.value.trim() || `${reasonWord(reason.value)}.`;
    actions.rejectAs(row, reason.value, words);
  };
  return html`<form class="reasons" data-rejecting @submit=${submit}>
    <p><label for="reason">Reason</label>
      <select id="reason" name="reason">${[...reasons, 'other'].map(
        (code) => html`<option value=${code} ?selected=${code === chosen}>${reasonWord(code)}</option>`,
      )}</select></p>
    <p><label for="message">In a sentence</label>
      <input id="message" name="message" maxlength="300" .value=${says.message ?? ''}></p>
    <div class="row"><button class="no">Reject the order</button>
      <button type="button" class="quiet" @click=${() => actions.keep()}>Keep it</button></div>
  </form>`;
}

/** @param {import('../orders/waiting.js').Row[]} rows  the latest first */
export function drawDone(rows) {
  return repeat(rows, ({ placed }) => placed.id, (row) => {
    const { placed, state, by, mine, reason } = row;
    return html`<li class="order done" data-event=${placed.id} data-order=${row.key} data-state=${state} data-by=${by}>
      ${envelope(state, placed.data.id)}
      <p><b><bdi>${placed.source}</bdi>: ${about(placed)}</b><br>
        <span class="small"><span class="tone" data-kind=${state}>${state}</span> by ${mine ? 'you' : html`<b>${by}</b>, who was faster`}
          ${reason ? html`<code>${reason}</code>` : nothing}</span></p>
    </li>`;
  });
}

/** How the customer's page draws her orders. */

import { html, nothing } from '/static/vendor/lit-html/lit-html.js';
import { envelope, withCode } from '../ui/shapes.js';
import { clock, duration } from '../ui/words.js';

/** Refusals that say nothing about the order itself: what was refused today may be taken tomorrow. */
const PASSING = new Set(['muted', 'rate_limited', 'room_ended', 'kicked', 'storage_full', 'storage_failed', 'engine_unavailable', 'wrong_source']);

/** One order. @param {import('../orders/mine.js').MyOrder} order  @param {(id: string) => void} again  sends it once more */
export function drawOrder(order, again) {
  const { customer, number, state, id, item, quantity, note, crossed } = order;
  const kind = state === 'confirmed' || state === 'rejected' ? state : 'placed';
  return html`<li class="order" data-event=${order.event} data-order="${customer}/${number}" data-state=${state}>
    ${envelope(kind, id, { unsent: state === 'unsent' })}
    <div class="order-body">
      <div class="row spread"><h3>${item ? `${quantity} × ${item}` : `Order ${number}`}</h3><time class="small muted">${clock(order.at)}</time></div>
      ${note ? html`<p class="note">“${note}”</p>` : nothing}
      ${steps(order)}
      ${order.message ? html`<p class="small why">${withCode(order.message)}</p>` : nothing}
      ${state === 'refused' && PASSING.has(order.reason) ? html`<button type="button" @click=${() => again(order.event)}>Send again<span class="unseen"> order ${number}</span></button>` : nothing}
      ${order.also.length ? html`<p class="small muted">Also answered by ${order.also.join(', ')}.</p>` : nothing}
      <details data-events=${order.event}>
        <summary>What crossed the wire</summary>
        ${crossed.length ? crossed.map((one, i) => wire(one, `wire-${order.event}-${i}`)) : html`<p class="small muted">Fetching…</p>`}
      </details>
    </div>
  </li>`;
}

/** sent → stored → confirmed or rejected, and how long it took. */
function steps({ state, at, stored, answered_at: answered, confirmer, reason }) {
  const took = (since) => (since === null ? '' : duration(since - at));
  if (state === 'refused') {
    return html`<ol class="steps"><li data-step="rejected">refused by the broker <code>${reason}</code></li></ol>`;
  }
  const isAnswered = state === 'confirmed' || state === 'rejected';
  return html`<ol class="steps">
    <li data-step=${state === 'unsent' ? 'next' : 'done'}>${state === 'unsent' ? 'not sent: it goes out when the connection is back' : 'sent'}</li>
    <li data-step=${stored === null ? 'next' : 'done'}>stored ${stored !== null && stored > at ? html`<small>${took(stored)}</small>` : nothing}</li>
    <li data-step=${isAnswered ? state : 'next'}>${
      isAnswered
        ? html`${state} by <b>${confirmer}</b> <small>${took(answered)}</small> ${reason ? html`<code>${reason}</code>` : nothing}`
        : 'waiting for Bob'
    }</li>
  </ol>`;
}

/**
 * One event, sent or got, with a button that copies it (`copying()` of ui/page.js wires it).
 * @param {{way: 'sent'|'got', event: object}} crossed
 * @param {string} id  unique in the page
 */
function wire({ way, event }, id) {
  return html`<figure class="wire" data-way=${way}>
    <figcaption class="row spread">
      <span><b>${way}</b> <code>${event.type}</code></span>
      <button type="button" class="quiet" data-copy=${id}>Copy<span class="unseen"> the ${event.type} event</span></button>
    </figcaption>
    <pre class="code" id=${id} tabindex="0">${JSON.stringify(event, null, 2)}</pre>
  </figure>`;
}

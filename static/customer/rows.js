/** How the customer's page draws her orders. */

import { html, nothing } from '/static/vendor/lit-html/lit-html.js';
import { envelope } from '../ui/shapes.js';
import { clock, duration } from '../ui/page.js';
import { wire } from '../ui/wire.js';

/** One order. @param {import('../orders/mine.js').MyOrder} order */
export function drawOrder(order) {
  const { customer, number, state, data, wire: crossed } = order;
  const kind = state === 'confirmed' || state === 'rejected' ? state : 'placed';
  const what = data.item ? `${data.quantity ?? 1} × ${data.item}` : `Order ${number}`;
  return html`<li class="order" data-order="${customer}/${number}" data-state=${state}>
    ${envelope(kind, data.id, { unsent: state === 'unsent' })}
    <div class="order-body">
      <div class="row spread"><h3>${what}</h3><time class="small muted">${clock(order.placed)}</time></div>
      ${data.note ? html`<p class="note">“${data.note}”</p>` : nothing}
      ${steps(order)}
      ${order.message ? html`<p class="small why">${order.message}</p>` : nothing}
      ${order.also.length ? html`<p class="small muted">Also answered by ${order.also.join(', ')}.</p>` : nothing}
      <details data-events=${order.event}>
        <summary>What crossed the wire</summary>
        ${crossed.length ? crossed.map((one, i) => wire(one, `wire-${order.event}-${i}`)) : html`<p class="small muted">Fetching…</p>`}
      </details>
    </div>
  </li>`;
}

/** sent → stored → confirmed or rejected, and how long it took. */
function steps({ state, placed, stored, answered, by, reason }) {
  const took = (since) => (since === null ? '' : duration(since - placed));
  if (state === 'refused') {
    return html`<ol class="steps"><li data-step="rejected">refused by the broker <code>${reason}</code></li></ol>`;
  }
  const isAnswered = state === 'confirmed' || state === 'rejected';
  return html`<ol class="steps">
    <li data-step=${state === 'unsent' ? 'next' : 'done'}>${state === 'unsent' ? 'not sent: it goes out when the connection is back' : 'sent'}</li>
    <li data-step=${stored === null ? 'next' : 'done'}>stored ${stored !== null && stored > placed ? html`<small>${took(stored)}</small>` : nothing}</li>
    <li data-step=${isAnswered ? state : 'next'}>${
      isAnswered
        ? html`${state} by <b>${by}</b> <small>${took(answered)}</small> ${reason ? html`<code>${reason}</code>` : nothing}`
        : 'waiting for Bob'
    }</li>
  </ol>`;
}

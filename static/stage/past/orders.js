/** Where each order stands, at the moment that is shown. */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { orderKey } from '../../orders/book.js';
import { envelope } from '../../ui/shapes.js';

const SHOWN = 12;
/** What the wire calls placed the pages call stored. */
const STATES = { placed: 'stored', confirmed: 'confirmed', rejected: 'rejected' };

/**
 * @param {HTMLElement} place
 * @param {import('../../orders/book.js').Book} orders
 * @param {boolean} all  whether these are all there were, or the newest
 */
export function drawOrders(place, orders, all) {
  const newest = [...orders.values()].sort((a, b) => b.at - a.at);
  const count = (state) => newest.filter((order) => order.state === state).length;
  render(html`
    <p class="diagram-counts">${all ? nothing : html`<span>Of the newest ${newest.length}:</span>`}${Object.entries(STATES).map(([state, words]) => html`<span><b>${count(state)}</b> ${words}</span> `)}</p>
    <ol>${repeat(newest.slice(0, SHOWN), key, row)}</ol>
    ${newest.length ? nothing : html`<p class="muted">No order was sent yet.</p>`}
  `, place);
}

function key(order) {
  return orderKey(order.customer, order.id, order.event);
}

function row(order) {
  return html`<li data-order=${key(order)} data-state=${STATES[order.state]}>
    <button type="button" data-event=${order.answer ?? order.event}>
      ${envelope(order.state, order.id ?? '')}
      <span><b>${order.customer}</b> <span class="diagram-state">${STATES[order.state]}${order.confirmer ? ` by ${order.confirmer}` : ''}${order.also.length ? `, also by ${order.also.join(', ')}` : ''}</span></span>
    </button></li>`;
}

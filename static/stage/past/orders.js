/** Where each order stands, at the moment that is shown. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { keyOf } from '../../orders/book.js';
import { stateWord } from '../../ui/words.js';
import { envelope } from '../../ui/shapes.js';

const SHOWN = 12;
const STATES = ['placed', 'confirmed', 'rejected'];

/**
 * @param {HTMLElement} place
 * @param {import('../../orders/book.js').Book} book
 * @param {boolean} all  whether these are all there were, or the newest
 */
export function drawOrders(place, book, all) {
  const newest = book.orders().sort((a, b) => b.at - a.at);
  const count = (state) => newest.filter((order) => order.state === state).length;
  render(html`
    <p class="diagram-counts">${all ? nothing : html`<span>Of the newest ${newest.length}:</span>`}${STATES.map((state) => html`<span><b>${count(state)}</b> ${stateWord(state)}</span> `)}</p>
    <ol>${repeat(newest.slice(0, SHOWN), keyOf, row)}</ol>
    ${newest.length ? nothing : html`<p class="muted">No order was sent yet.</p>`}
  `, place);
}

function row(order) {
  return html`<li data-order=${keyOf(order)} data-state=${stateWord(order.state)}>
    <button type="button" data-event=${order.answer ?? order.event}>
      ${envelope(order.state, order.id)}
      <span><b>${order.customer}</b> <span class="diagram-state">${stateWord(order.state)}${order.confirmer ? ` by ${order.confirmer}` : ''}${order.also.length ? `, also by ${order.also.join(', ')}` : ''}</span></span>
    </button></li>`;
}

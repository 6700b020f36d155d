/** The orders of one, or of all, at the moment that is shown: from the same book as on every page. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { Book, keyOf } from '../orders/book.js';
import { envelope } from '../ui/shapes.js';
import { count, duration, numberText, reasonWord, stateWord, visible } from '../ui/words.js';

const SHOWN = 200; // at once; one's own are never so many

export class OrdersOf {
  #recording;
  #whose;
  #place;
  #book = new Book();
  #read = 0; // records that the book has taken in

  /**
   * @param {import('./recording.js').Recording} recording
   * @param {HTMLSelectElement} whose  who is to be chosen
   * @param {HTMLElement} place
   */
  constructor(recording, whose, place) {
    this.#recording = recording;
    this.#whose = whose;
    this.#place = place;
    const customers = new Set(recording.events.filter(({ event }) => event.type === 'order_placed').map(({ event }) => event.source));
    for (const name of [...customers].sort((a, b) => a.length - b.length || a.localeCompare(b))) whose.add(new Option(`those of ${name}`, name));
  }

  /** Draw them as they stood after so many records. */
  draw(moment) {
    const { records } = this.#recording.past;
    if (moment < this.#read) [this.#book, this.#read] = [new Book(), 0];
    for (const { kind, event, at } of records.slice(this.#read, moment)) if (kind === 'event') this.#book.apply(event, at);
    this.#read = moment;
    const whose = this.#whose.value;
    const all = this.#book.placings().filter(({ customer }) => !whose || customer === whose).sort((a, b) => b.at - a.at);
    const shown = all.slice(0, SHOWN);
    render(html`
      ${repeat(shown, ({ event }) => event, row)}
      ${all.length ? nothing : html`<li class="muted">No order was placed until then.</li>`}
      ${all.length > SHOWN ? html`<li class="muted">And ${count(all.length - SHOWN, 'earlier order')}: choose whose you want to see.</li>` : nothing}`, this.#place);
  }
}

function row(order) {
  const { item, quantity, note, state, confirmer, at, answered_at: answered, reason, message, also } = order;
  const what = item === null ? `number ${numberText(order.id) || '–'}` : `${text(quantity)} × ${text(item)}`;
  const took = answered === null ? '' : ` after ${duration(answered - at)}`;
  return html`<li data-order=${keyOf(order)} data-state=${stateWord(state)}>
    <button type="button" data-event=${order.event}>${envelope(state, order.id)}
      <span><b>${order.customer}</b>: ${what}${note ? html` <span class="muted">“${text(note)}”</span>` : nothing}<br>
        <span class="takehome-state">${stateWord(state)}${confirmer ? ` by ${confirmer}${took}` : ', and nobody has answered'}</span>${reason ? html` <span class="muted">${reasonWord(reason)}${message ? `: ${visible(message)}` : ''}</span>` : nothing}
        ${also.length ? html`<span class="muted">; also answered by ${also.join(', ')}</span>` : nothing}</span></button></li>`;
}

/** Whatever was sent, as text. */
function text(value) {
  return visible(typeof value === 'string' ? value : JSON.stringify(value));
}

/**
 * A customer's own orders: a view of the book, with what only her page knows of each: whether it was
 * sent, what the broker said to it, and what crossed the wire.
 *
 * A state goes unsent → sent → stored → confirmed | rejected, or ends as refused by the broker; it never
 * goes back.
 */

import { begun, Book, orderNumber } from './book.js';

/**
 * @typedef {{way: 'sent'|'got', event: object}} Crossed   what crossed the wire
 * @typedef {object} MyOrder   times are epoch milliseconds by the server's clock, or null
 * @property {string} event    the id of its `order_placed`
 * @property {string} customer @property {string} number
 * @property {any} id @property {any} item @property {any} quantity @property {any} note
 * @property {'unsent'|'sent'|'stored'|'refused'|'confirmed'|'rejected'} state
 * @property {number} at   when it was placed @property {number|null} stored @property {number|null} answered_at
 * @property {string|null} confirmer @property {string|null} reason @property {string|null} message
 * @property {string[]} also   who answered after that
 * @property {Crossed[]} crossed
 */

export class MyOrders {
  book = new Book();
  /** What the page knows of the orders it sent or looked up: {event, at, state, stored, reason, message, crossed}. */
  #known = new Map();

  /** An order was placed, and is about to be sent. */
  place(event, at) {
    this.#know(event.id, { event, at, state: 'unsent', crossed: [{ way: 'sent', event }] });
  }

  /** A refused one goes out once more. @returns {object} its event, under the same id */
  again(id, source) {
    const event = { ...this.#known.get(id).event, source };
    this.#know(id, { event, state: 'unsent', reason: null, message: null });
    return event;
  }

  sent(id) {
    if (this.#known.get(id)?.state === 'unsent') this.#know(id, { state: 'sent' });
  }

  /** The broker stored it. @param {object} accepted  its word for that */
  stored(id, accepted, at) {
    const known = this.#known.get(id);
    if (!known) return;
    this.book.apply(known.event, at);
    this.#know(id, { state: 'sent', stored: at });
    this.#got(id, accepted);
  }

  /** The broker did not. @param {object} error  its word for that */
  refused(id, error) {
    const { code, message } = error.data;
    this.#know(id, { state: 'refused', reason: code, message });
    this.#got(id, error);
  }

  /** An event of the log; in relay mode others' orders come, too. @returns {MyOrder|null} ours that it changed */
  heard(event, at) {
    if (event.type === 'order_placed' && !this.has(event.id)) return null;
    const answered = this.#known.get(event.data.event)?.event;
    if (answered) this.book.apply(answered, at); // its answer may come before `accepted`
    const changed = this.book.apply(event, at);
    if (this.has(event.id)) this.#got(event.id, event);
    if (changed) this.#got(changed.event, event);
    return changed && this.#view(changed.event);
  }

  /** What the server knows of her orders. */
  learn(orders) {
    this.book.learn(orders);
  }

  /** The events of an order from before a reload were looked up. */
  lookedUp(id, crossed) {
    this.#know(id, { crossed });
  }

  /** The log is another one now: only what it has not taken yet is still ours. */
  forget() {
    this.book = new Book();
    for (const [id, { event, state, stored }] of this.#known) {
      if (!event || stored || state === 'refused') this.#known.delete(id);
    }
  }

  has(id) {
    return this.#known.has(id) || this.book.placing(id) !== undefined;
  }

  /** Every order, the newest first, as the log has them. @returns {MyOrder[]} */
  list() {
    const unknown = [...this.#known.keys()].filter((id) => !this.book.placing(id));
    const logged = this.book.placings().sort((a, b) => a.at - b.at).map(({ event }) => event);
    return [...logged, ...unknown].map((id) => this.#view(id)).reverse();
  }

  get isEmpty() {
    return !this.#known.size && !this.book.size;
  }

  /** Whether some order still waits for an answer. */
  get isWaiting() {
    return this.list().some(({ state }) => state !== 'confirmed' && state !== 'rejected' && state !== 'refused');
  }

  /** The number to propose next: one more than the highest so far. */
  get nextNumber() {
    return Math.max(0, ...this.list().map(({ id }) => id).filter(Number.isSafeInteger)) + 1;
  }

  #view(id) {
    const known = this.#known.get(id) ?? { crossed: [] };
    const placing = this.book.placing(id);
    const { event, at, state, reason = null, message = null, crossed } = known;
    const number = (one) => orderNumber(one.id, one.event);
    if (!placing) return { ...begun(event, at), number: number({ id: event.data.id, event: id }), state, reason, message, stored: null, crossed };
    const stands = placing.state === 'placed' ? 'stored' : placing.state;
    return { ...placing, number: number(placing), at: Math.min(at ?? placing.at, placing.at), state: stands, stored: known.stored ?? placing.at, crossed };
  }

  #know(id, more) {
    this.#known.set(id, { crossed: [], ...this.#known.get(id), ...more });
  }

  #got(id, event) {
    const { crossed } = this.#known.get(id) ?? {};
    const isNew = crossed && !crossed.some((one) => one.way === 'got' && one.event.id === event.id);
    if (isNew) this.#know(id, { crossed: [...crossed, { way: 'got', event }] });
  }
}

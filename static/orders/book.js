/**
 * The book of orders: what a log says of each `order_placed`, kept once for every page.
 *
 * A *placing* is one `order_placed` with the first answer to it. An *order* is (customer, number): a view
 * of the placings that share both, by the same rules and in the same words as on the server. A table of
 * cases that both are tested with keeps them from drifting apart.
 */

import { ANSWERS } from '../ui/words.js';

const LONGEST_NUMBER = 64; // characters of a key; no sensible number is longer
const MOST = 20; // of `also` and of those waiting behind, so that nobody can swell an order

/**
 * @typedef {{customer: string, event: string, at: number, id: any, item: any, quantity: any, note: any,
 *   state: 'placed'|'confirmed'|'rejected', confirmer: string|null, answer: string|null,
 *   answered_at: number|null, reason: string|null, message: string|null, also: string[]}} Placing
 *   at, answered_at: epoch milliseconds by the server's clock
 * @typedef {Placing & {behind: object[]}} Order
 */

export class Book {
  #placings = new Map(); // event id → Placing; never changed, only replaced
  #numbers = new Map(); // "customer/number" → event ids: those that wait as they came, answered ones last

  /** A book of its own that says the same. */
  copy() {
    const book = new Book();
    book.#placings = new Map(this.#placings);
    book.#numbers = new Map(this.#numbers);
    return book;
  }

  /** Take in an event of the log. @returns {Placing|null} what it changed; null: nothing */
  apply(event, at) {
    if (event.type === 'order_placed') return this.#place(begun(event, at));
    const state = ANSWERS.get(event.type);
    return state ? this.#answer(event, at, state) : null;
  }

  /** Take in what GET /api/rooms/{room}/orders says. @param {Order[]} orders */
  learn(orders) {
    for (const { behind, ...order } of orders) {
      const known = this.#placings.get(order.event);
      if (!known) this.#place(order);
      else if (known.state === 'placed') this.#placings.set(order.event, order);
      for (const { event, at, ...data } of behind) {
        this.#place(begun({ id: event, source: order.customer, data }, at));
      }
    }
  }

  /** Forget all but the newest so many orders. */
  trim(most) {
    for (const [key, events] of this.#numbers) {
      if (this.#numbers.size <= most) return;
      this.#numbers.delete(key);
      for (const event of events) this.#placings.delete(event);
    }
  }

  /** How many orders there are. */
  get size() {
    return this.#numbers.size;
  }

  /** @returns {Placing|undefined} */
  placing(event) {
    return this.#placings.get(event);
  }

  /** Every placing, in the order of the log. @returns {Placing[]} */
  placings() {
    return [...this.#placings.values()];
  }

  /** An order by its key, "alice/5". @returns {Order|undefined} */
  order(key) {
    const placings = this.#under(key);
    if (!placings.length) return undefined;
    const confirmed = placings.find(({ state }) => state === 'confirmed');
    if (confirmed) return { ...confirmed, behind: [] };
    const [first, ...others] = placings.filter(({ state }) => state === 'placed');
    const behind = others.slice(0, MOST).map(({ event, at, id, item, quantity, note }) => ({ event, at, id, item, quantity, note }));
    return { ...(first ?? placings.at(-1)), behind };
  }

  /** Every order, in the order in which their numbers were used first. @returns {Order[]} */
  orders() {
    return [...this.#numbers.keys()].map((key) => this.order(key));
  }

  #under(key) {
    return (this.#numbers.get(key) ?? []).map((event) => this.#placings.get(event));
  }

  #place(placing) {
    if (this.#placings.has(placing.event)) return null;
    const key = keyOf(placing);
    this.#placings.set(placing.event, placing);
    this.#numbers.set(key, [...(this.#numbers.get(key) ?? []), placing.event]);
    return placing;
  }

  #answer(event, at, state) {
    const placing = this.#answered(event);
    if (!placing || placing.answer === event.id) return null;
    const { confirmer, also } = placing;
    if (placing.state !== 'placed') {
      if (event.source === confirmer || also.includes(event.source) || also.length >= MOST) return null;
      return this.#put({ ...placing, also: [...also, event.source] });
    }
    const key = keyOf(placing);
    this.#numbers.set(key, [...this.#numbers.get(key).filter((one) => one !== placing.event), placing.event]);
    const said = (value) => (state === 'rejected' && typeof value === 'string' ? value : null);
    const { reason, message } = event.data;
    return this.#put({
      ...placing, state, confirmer: event.source, answer: event.id, answered_at: at, reason: said(reason), message: said(message),
    });
  }

  #put(placing) {
    this.#placings.set(placing.event, placing);
    return placing;
  }

  /** What an answer is for. One that leaves out `customer` or `event` is for the oldest pending order. */
  #answered({ id: answer, data: { id, customer, event } }) {
    if (customer && event) return this.#under(orderKey(customer, id, event)).find((one) => one.event === event);
    if (this.placings().some((placing) => placing.answer === answer)) return null; // heard before
    const number = orderNumber(id, event ?? '');
    const order = this.orders()
      .filter((one) => one.state === 'placed' && orderNumber(one.id, one.event) === number)
      .filter((one) => !customer || one.customer === customer)
      .sort((a, b) => a.at - b.at)[0];
    if (!order) return null;
    const named = [order, ...order.behind].find((one) => one.event === (event ?? order.event));
    return named && this.#placings.get(named.event);
  }
}

/** The key text of an order's number: its JSON text, and the event's id when there is none. */
export function orderNumber(id, event) {
  if (id === undefined || id === null) return event;
  const text = JSON.stringify(id);
  return [...text].length <= LONGEST_NUMBER ? text : event;
}

/** "alice/5", as `data-order` has it. */
export function orderKey(customer, id, event) {
  return `${customer}/${orderNumber(id, event)}`;
}

/** The key of a placing's or an order's number. */
export function keyOf({ customer, id, event }) {
  return orderKey(customer, id, event);
}

/** A placing that nobody has answered yet. @returns {Placing} */
export function begun({ id: event, source: customer, data }, at) {
  const { id = null, item = null, quantity, note = null } = data;
  const none = { confirmer: null, answer: null, answered_at: null, reason: null, message: null, also: [] };
  return { customer, event, at, id, item, quantity: quantity ?? 1, note, state: 'placed', ...none };
}

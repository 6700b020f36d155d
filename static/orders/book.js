/**
 * Where each order stands: the same fold of the log as the server's, and the same words.
 *
 * An order is (customer, number). A book is a Map from "customer/number" to the order, and is
 * never changed in place: `fold` gives a new one when something changed, else the same.
 */

const LONGEST_NUMBER = 64; // characters of a key; no sensible number is longer
const MOST_BEHIND = 20;

/**
 * @typedef {{event: string, at: number, id: any, item: any, quantity: any, note: any}} Placing
 * @typedef {Placing & {customer: string, state: 'placed'|'confirmed'|'rejected', confirmer: string|null,
 *   answer: string|null, answered_at: number|null, reason: string|null, message: string|null,
 *   also: string[], behind: Placing[]}} Order
 * @typedef {Map<string, Order>} Book
 */

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

/** A book of what GET /api/rooms/{room}/orders told. @param {Order[]} orders @returns {Book} */
export function bookOf(orders) {
  return new Map(orders.map((order) => [orderKey(order.customer, order.id, order.event), order]));
}

/** Every placing that waits for an answer: the pending orders and those behind them. */
export function pending(book) {
  return [...book.values()]
    .filter((order) => order.state === 'placed')
    .flatMap((order) => [order, ...(order.behind ?? [])].map((placing) => ({ ...placing, customer: order.customer })));
}

/** The book after an event. @param {Book} book @returns {Book} */
export function fold(book, event, at) {
  const order =
    event.type === 'order_placed' ? placed(book, event, at)
    : event.type === 'order_confirmed' || event.type === 'order_rejected' ? answered(book, event, at)
    : null;
  if (order === null) return book;
  return new Map(book).set(orderKey(order.customer, order.id, order.event), order);
}

/** @returns {Placing} */
function placing(event, at) {
  const { id = null, item = null, quantity, note = null } = event.data;
  return { event: event.id, at, id, item, quantity: quantity ?? 1, note };
}

function begun(customer, placing) {
  const none = { confirmer: null, answer: null, answered_at: null, reason: null, message: null };
  return { ...placing, customer, state: 'placed', ...none, also: [], behind: [] };
}

function placed(book, event, at) {
  const order = book.get(orderKey(event.source, event.data.id, event.id));
  if (!order || order.state === 'rejected') return begun(event.source, placing(event, at));
  if (order.state !== 'placed' || order.behind.length >= MOST_BEHIND) return null;
  // Our own sight of it and the fetched book may both tell of the same placing.
  if ([order, ...order.behind].some((known) => known.event === event.id)) return null;
  return { ...order, behind: [...order.behind, placing(event, at)] };
}

function answered(book, event, at) {
  const order = answeredOrder(book, event.data, event.id);
  if (!order || order.answer === event.id) return null;
  const names = event.data.event ?? order.event;
  if (names === order.event) return settled(order, event, at);
  const behind = order.behind.find((placing) => placing.event === names);
  if (!behind) return null;
  if (event.type === 'order_confirmed') return settled(begun(order.customer, behind), event, at);
  return { ...order, behind: order.behind.filter((placing) => placing !== behind) };
}

function answeredOrder(book, { id, customer, event }, answer) {
  if (customer && event) return book.get(orderKey(customer, id, event));
  const number = orderNumber(id, event ?? '');
  if ([...book.values()].some((order) => order.answer === answer)) return null; // heard before
  return [...book.values()]
    .filter((order) => order.state === 'placed' && orderNumber(order.id, order.event) === number)
    .filter((order) => !customer || order.customer === customer)
    .sort((a, b) => a.at - b.at)[0];
}

function settled(order, event, at) {
  if (order.state !== 'placed') {
    const known = event.source === order.confirmer || order.also.includes(event.source);
    return known ? null : { ...order, also: [...order.also, event.source] };
  }
  const rejected = event.type === 'order_rejected';
  if (rejected && order.behind.length) {
    const [following, ...behind] = order.behind;
    return { ...begun(order.customer, following), behind };
  }
  return {
    ...order,
    state: rejected ? 'rejected' : 'confirmed',
    confirmer: event.source,
    answer: event.id,
    answered_at: at,
    reason: rejected ? text(event.data.reason) : null,
    message: rejected ? text(event.data.message) : null,
    behind: [],
  };
}

function text(value) {
  return typeof value === 'string' ? value : null;
}

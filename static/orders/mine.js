/**
 * A customer's own orders as her page shows them: a pure reducer.
 *
 * Each order is kept under the id of the event that placed it. Its state goes
 * unsent → sent → stored → confirmed | rejected, or ends as refused by the broker; it never goes back.
 */

import { orderNumber } from './book.js';

const RANK = { unsent: 0, sent: 1, stored: 2, refused: 3, confirmed: 3, rejected: 3 };
const STATES = { order_confirmed: 'confirmed', order_rejected: 'rejected' };

/**
 * @typedef {object} MyOrder   times are epoch milliseconds, or null while it has not come to that
 * @property {string} event    the id of its `order_placed`
 * @property {string} customer
 * @property {string} number
 * @property {object} data     what was ordered
 * @property {'unsent'|'sent'|'stored'|'refused'|'confirmed'|'rejected'} state
 * @property {number} placed @property {number|null} stored @property {number|null} answered
 * @property {string|null} by @property {string|null} reason @property {string|null} message
 * @property {string|null} answer   the id of the answering event
 * @property {string[]} also   who answered after that
 * @property {{way: 'sent'|'got', event: object}[]} wire   what crossed the wire for it
 */

/**
 * @param {Map<string, MyOrder>} orders @returns {Map<string, MyOrder>} newest last
 * @param {object} change  one of
 *   {what: 'placed', event, now}, {what: 'sent', id}, {what: 'stored', id, now, told},
 *   {what: 'refused', id, code, message, told}, {what: 'heard', event, now},
 *   {what: 'known', orders} from the API, {what: 'forgotten'}
 */
export function reduce(orders, change) {
  switch (change.what) {
    case 'placed':
      return put(orders, begun(change.event, change.now));
    case 'sent':
      return update(orders, change.id, (order) => moved(order, 'sent'));
    case 'stored':
      return update(orders, change.id, (order) => ({
        ...moved(order, 'stored'),
        stored: order.stored ?? change.now,
        wire: [...order.wire, { way: 'got', event: change.told }],
      }));
    case 'refused':
      return update(orders, change.id, (order) => ({
        ...moved(order, 'refused'),
        reason: change.code,
        message: change.message,
        wire: [...order.wire, { way: 'got', event: change.told }],
      }));
    case 'heard':
      return heard(orders, change.event, change.now);
    case 'known':
      return change.orders.reduce(known, orders);
    case 'forgotten':
      return new Map();
    default:
      throw new Error(`An unknown change: ${change.what}`);
  }
}

/** The number to propose next: one more than the highest so far. */
export function nextNumber(orders) {
  const used = [...orders.values()].map(({ data }) => data.id).filter(Number.isSafeInteger);
  return Math.max(0, ...used) + 1;
}

/** Whether some order still waits for an answer. */
export function isWaiting(orders) {
  return [...orders.values()].some(({ state }) => RANK[state] < RANK.confirmed);
}

function put(orders, order) {
  return new Map(orders).set(order.event, order);
}

function update(orders, id, change) {
  return orders.has(id) ? put(orders, change(orders.get(id))) : orders;
}

function moved(order, state) {
  return RANK[state] > RANK[order.state] ? { ...order, state } : order;
}

/** @returns {MyOrder} */
function begun(event, now) {
  return {
    event: event.id,
    customer: event.source,
    number: orderNumber(event.data.id, event.id),
    data: event.data,
    state: 'unsent',
    placed: now,
    stored: null,
    answered: null,
    by: null,
    reason: null,
    message: null,
    answer: null,
    also: [],
    wire: [{ way: 'sent', event }],
  };
}

/** An event from the room: the answer to one of ours, or ours come back to us. */
function heard(orders, event, now) {
  const order = orders.get(event.type === 'order_placed' ? event.id : answeredEvent(orders, event));
  if (!order || order.wire.some((crossed) => crossed.event.id === event.id && crossed.way === 'got')) return orders;
  const wire = [...order.wire, { way: 'got', event }];
  const state = STATES[event.type];
  if (!state) return put(orders, { ...moved(order, 'stored'), stored: order.stored ?? now, wire });
  if (order.answer === event.id) return put(orders, { ...order, wire });
  if (order.answer !== null) {
    const isNew = event.source !== order.by && !order.also.includes(event.source);
    return put(orders, { ...order, wire, also: isNew ? [...order.also, event.source] : order.also });
  }
  const { reason = null, message = null } = event.data;
  return put(orders, {
    ...order,
    state,
    wire,
    stored: order.stored ?? now,
    answered: now,
    by: event.source,
    answer: event.id,
    reason: state === 'rejected' && reason !== null ? String(reason) : null,
    message: state === 'rejected' && message !== null ? String(message) : null,
  });
}

/** Which of our orders an answer is for: the one it names, or the oldest pending with that number. */
function answeredEvent(orders, { type, data }) {
  if (!(type in STATES)) return null;
  if (data.event) return data.event;
  const number = orderNumber(data.id, '');
  const waits = (order) => order.number === number && order.answer === null && order.state !== 'refused';
  const mine = [...orders.values()].filter((order) => !data.customer || data.customer === order.customer);
  return mine.filter(waits).sort((a, b) => a.placed - b.placed)[0]?.event;
}

/** Takes in what the API tells of one order of ours, with those that wait behind it. */
function known(orders, told) {
  const placings = [told, ...(told.behind ?? []).map((placing) => ({ ...placing, customer: told.customer, state: 'placed' }))];
  return placings.reduce((all, placing) => {
    const before = all.get(placing.event);
    const state = placing.state === 'placed' ? 'stored' : placing.state;
    if (before && RANK[before.state] >= RANK[state]) return all;
    const { id, item, quantity, note } = placing;
    const data = Object.fromEntries(Object.entries({ id, item, quantity, note }).filter(([, value]) => value != null));
    return put(all, {
      ...(before ?? { ...begun({ id: placing.event, source: placing.customer, data }, placing.at), wire: [] }),
      state,
      stored: before?.stored ?? placing.at,
      answered: placing.answered_at ?? null,
      by: placing.confirmer ?? null,
      reason: placing.reason ?? null,
      message: placing.message ?? null,
      answer: placing.answer ?? null,
      also: placing.also ?? [],
    });
  }, orders);
}

/**
 * Bob's rules, the very same as the server's: whether an order is good, and under which id the
 * answer goes out. A table that both are tested with keeps them from drifting apart.
 */

import { uuid5 } from '../room/ids.js';
import { orderKey, orderNumber } from './book.js';

/**
 * @typedef {{type: 'order_confirmed'}|{type: 'order_rejected', reason: string, message: string}} Answer
 * @typedef {{menu: string[], max_quantity: number, max_note: number}} Limits
 */

/**
 * What Bob says to this `order_placed`, by what the book knows of other orders.
 * @param {{id: string, source: string, data: object}} placed
 * @param {import('./book.js').Book} book
 * @param {Limits} limits
 * @returns {Answer}
 */
export function decide(placed, book, limits) {
  const { id, item, note } = placed.data;
  const quantity = placed.data.quantity ?? 1;
  if (!Number.isInteger(id) || id < 1) {
    const was = id === undefined || id === null ? 'is missing' : `was ${shown(id)}`;
    return rejected('invalid_id', `The order number ${was}: give a whole number from 1, such as 5.`);
  }
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > limits.max_quantity) {
    const wanted = `give a whole number from 1 to ${limits.max_quantity}, or none for 1`;
    return rejected('invalid_quantity', `The quantity was ${shown(quantity)}: ${wanted}.`);
  }
  if (!absent(item) && !limits.menu.includes(item)) {
    const wanted = `choose one that is, such as ${limits.menu[0]}`;
    return rejected('unknown_item', `The item ${shown(item)} is not on the menu: ${wanted}.`);
  }
  if (!absent(note) && (typeof note !== 'string' || [...note].length > limits.max_note)) {
    const was = typeof note === 'string' ? `has ${[...note].length} characters` : `was ${shown(note)}`;
    return rejected('invalid_note', `The note ${was}: give a text of at most ${limits.max_note} characters.`);
  }
  const other = book.order(orderKey(placed.source, id, placed.id));
  if (other && other.event !== placed.id && other.state !== 'rejected') return duplicateOf(placed);
  return { type: 'order_confirmed' };
}

/** The rejection of an order whose number its customer has used already. */
export function duplicateOf(placed) {
  const number = orderNumber(placed.data.id, placed.id);
  return rejected(
    'duplicate_order',
    `${placed.source} has placed an order number ${number} already: take another number.`,
  );
}

/** The id that every careful confirmer gives to this answer, so the journal admits it once. */
export function answerId(room, placed, answer) {
  if (answer.type === 'order_rejected') return uuid5(`orders:${placed.id}/rejected`);
  const number = orderNumber(placed.data.id, placed.id);
  return uuid5(`orders:${room}/${placed.source}/${number}/confirmed`);
}

/** The id of an answer where the event that has its own answers nothing. */
export function idAfter(taken) {
  return uuid5(`orders:${taken}/again`);
}

/** The `data` of the answering event. */
export function answerData(placed, answer) {
  const data = { id: placed.data.id ?? null, customer: placed.source, event: placed.id };
  if (answer.type !== 'order_rejected') return data;
  return { ...data, reason: answer.reason, message: answer.message };
}

/**
 * What a found answer under our own id means (`id_conflict`).
 * @param {object} found   the event that has the id
 * @param {object|null} named  the event that `found` names as the one it answers, if there is one
 * @returns {'answered'|'duplicate'|'squatted'} somebody was faster; the number is taken; somebody sits on the id
 */
export function conflict(placed, answer, found, named) {
  if (found.type !== answer.type) return 'squatted';
  if (found.data.event === placed.id) return 'answered';
  const forThisOrder =
    found.type === 'order_confirmed' &&
    named?.type === 'order_placed' &&
    orderKey(named.source, named.data.id, named.id) === orderKey(placed.source, placed.data.id, placed.id);
  return forThisOrder ? 'duplicate' : 'squatted';
}

function rejected(reason, message) {
  return { type: 'order_rejected', reason, message };
}

function absent(value) {
  return value === undefined || value === null;
}

/** What was sent, as JSON, short enough for a sentence. */
function shown(value) {
  const text = [...JSON.stringify(value)];
  return text.length <= 40 ? text.join('') : `${text.slice(0, 39).join('')}…`;
}

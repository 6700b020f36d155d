/**
 * What a confirmer sees: the orders that wait, and those that were answered. A pure reducer.
 *
 * Each is kept under the id of the event that placed it. The first answer in the order of the log
 * counts, whoever gave it; what we sent ourselves is provisional until the log shows it.
 */

import { orderNumber, pending } from './book.js';

/**
 * @typedef {object} Row
 * @property {object} placed    the `order_placed`
 * @property {number} at        when it came, epoch milliseconds
 * @property {'waiting'|'answering'|'confirmed'|'rejected'} state
 * @property {boolean} mine     whether the answer that counts is ours
 * @property {string|null} by   who answered
 * @property {string|null} reason
 * @property {string|null} problem  why our answer was not taken
 * @property {{until: number, of: number, attempt: number}|null} holding  with `ack=manual`: its lease
 */

const STATES = { order_confirmed: 'confirmed', order_rejected: 'rejected' };

/**
 * @param {Map<string, Row>} rows @returns {Map<string, Row>}
 * @param {object} change  one of
 *   {what: 'placed', event, at, holding?}, {what: 'known', book}, {what: 'answering', id},
 *   {what: 'answered', id, type, by, mine, reason}, {what: 'unanswered', id, problem},
 *   {what: 'released', id}, {what: 'forgotten'}
 */
export function reduce(rows, change) {
  switch (change.what) {
    case 'placed':
      return placed(rows, change);
    case 'known':
      return pending(change.book).reduce((all, placing) => placed(all, { event: eventOf(placing), at: placing.at }), rows);
    case 'answering':
      return update(rows, change.id, { state: 'answering', problem: null });
    case 'answered':
      return answered(rows, change);
    case 'unanswered':
      return isOpen(rows.get(change.id)) ? update(rows, change.id, { state: 'waiting', problem: change.problem }) : rows;
    case 'released':
      return isOpen(rows.get(change.id)) ? without(rows, change.id) : rows;
    case 'forgotten':
      return new Map();
    default:
      throw new Error(`An unknown change: ${change.what}`);
  }
}

/** Those that wait for an answer, oldest first. */
export function waiting(rows) {
  return [...rows.values()].filter(isOpen).sort((a, b) => a.at - b.at);
}

/** Those that were answered, the latest first. */
export function done(rows) {
  return [...rows.values()].filter((row) => !isOpen(row)).reverse();
}

function isOpen(row) {
  return row !== undefined && (row.state === 'waiting' || row.state === 'answering');
}

function placed(rows, { event, at, holding = null }) {
  const before = rows.get(event.id);
  if (before) return holding ? update(rows, event.id, { holding }) : rows;
  const none = { mine: false, by: null, reason: null, problem: null };
  return new Map(rows).set(event.id, { placed: event, at, state: 'waiting', ...none, holding });
}

function answered(rows, { id, type, by, mine, reason = null, seen = false }) {
  const row = rows.get(id);
  // Once the log has shown an answer, later ones change nothing.
  if (!row || row.seen) return rows;
  const rest = without(rows, id); // put last, so that `done` has them in order
  return rest.set(id, { ...row, state: STATES[type], by, mine, reason, problem: null, holding: null, seen });
}

function update(rows, id, changes) {
  return rows.has(id) ? new Map(rows).set(id, { ...rows.get(id), ...changes }) : rows;
}

function without(rows, id) {
  const rest = new Map(rows);
  rest.delete(id);
  return rest;
}

/** The `order_placed` behind what the API tells of an order. */
function eventOf({ event, customer, id, item, quantity, note, at }) {
  const said = Object.entries({ id, item, quantity, note }).filter(([, value]) => value !== null && value !== undefined);
  return { id: event, type: 'order_placed', created: String(at), source: customer, data: Object.fromEntries(said) };
}

/** "alice/5" for a row, as `data-order` has it. @param {Row} row */
export function rowKey({ placed: { id, source, data } }) {
  return `${source}/${orderNumber(data.id, id)}`;
}

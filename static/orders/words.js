/** What the pages call the events and states of an order. */

import { visible } from '../ui/words.js';

/** Where an answer leaves an order. A Map, since any text may come as a type. */
export const ANSWERS = new Map([['order_confirmed', 'confirmed'], ['order_rejected', 'rejected']]);

/** What a page calls the state of an order: what the wire calls placed is stored. */
export const stateWord = (state) => (state === 'placed' ? 'stored' : state);

/** An order's number as it was sent, as text; '' if there is none. */
export function numberText(id) {
  if (id === undefined || id === null) return '';
  return typeof id === 'string' ? id : JSON.stringify(id);
}

/** The order an event is about, `alice/5`, as far as it says so; '' if it is about none. */
export function orderOf({ type, source, data }) {
  if (!type.startsWith('order_')) return '';
  const customer = type === 'order_placed' ? source : data.customer;
  const known = typeof customer === 'string' ? [customer, numberText(data.id)] : [numberText(data.id)];
  return known.filter(Boolean).map(visible).join('/');
}

/** Why an order may be rejected; a reason that is not here stands for itself. */
const REASONS = new Map([
  ['invalid_id', 'The number is wrong'],
  ['invalid_quantity', 'The quantity is wrong'],
  ['unknown_item', 'Not on the menu'],
  ['invalid_note', 'The note is wrong'],
  ['duplicate_order', 'The number is taken'],
  ['other', 'Something else'],
]);

export const reasonWord = (reason) => REASONS.get(reason) ?? reason;

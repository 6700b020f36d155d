// The room as it stood after any number of its records: what time travel and the diagram are made of.
//
// Pure. Records are only ever added at the end; marks along the way keep any moment near at hand.

import { Book } from '../../orders/book.js';
import { rowsOf } from '../diagram/rows.js';
import { advance, begin } from '../state.js';

const BETWEEN = 250; // records from one mark to the next: a mark holds a thousand events
/** Orders that are remembered; then the oldest are forgotten. */
export const ORDERS = 300;
/** After these the room lets go what it held back: who received it then is seen from one record to the next. */
const ALONE = new Set(['paused', 'stepped']);

export class Past {
  /** @param {object} state  how the room stood before the first record (see ../state.js) */
  constructor(state) {
    this.records = [];
    /** what the diagram draws, see ../diagram/rows.js */
    this.rows = [];
    this.marks = [{ count: 0, state, orders: new Book() }];
    this.end = this.marks[0];
  }

  /** How many records there are. */
  get count() {
    return this.records.length;
  }

  /** Add what happened since. */
  append(records) {
    this.records.push(...records);
    while (this.end.count < this.count) {
      this.end = this.#onwards(this.end, this.#next(this.end.count), this.rows);
      if (this.end.count - this.marks.at(-1).count >= BETWEEN) this.marks.push(this.end);
    }
  }

  /** The room and its orders after so many records: {count, state, orders}. */
  at(count) {
    if (count >= this.count) return this.end;
    let moment = this.marks.findLast((mark) => mark.count <= count);
    while (moment.count < count) moment = this.#onwards(moment, Math.min(count, this.#next(moment.count)));
    return moment;
  }

  /** The rows of the diagram up to a moment, the newest `most` of them. */
  rowsUpTo(count, most) {
    let end = this.rows.length;
    if (count < this.count) {
      let low = 0;
      while (low < end) {
        const middle = (low + end) >> 1;
        if (this.rows[middle].count <= count) low = middle + 1;
        else end = middle;
      }
    }
    return this.rows.slice(Math.max(0, end - most), end);
  }

  /** Where the next stretch ends: after the mark's distance, or around a record that stands alone. */
  #next(count) {
    const most = Math.min(this.count, (Math.floor(count / BETWEEN) + 1) * BETWEEN);
    if (ALONE.has(this.records[count].kind)) return count + 1;
    for (let next = count + 1; next < most; next += 1) if (ALONE.has(this.records[next].kind)) return next;
    return most;
  }

  #onwards(moment, upto, rows = null) {
    const stretch = this.records.slice(moment.count, upto);
    const state = advance(moment.state, stretch);
    stretch.forEach((record, index) => rows?.push(...rowsOf(record, moment.count + index + 1, state, moment.state)));
    return { count: upto, state, orders: ordersAfter(moment.orders, stretch) };
  }
}

function ordersAfter(orders, records) {
  const book = orders.copy();
  for (const { kind, event, at } of records) if (kind === 'event') book.apply(event, at);
  book.trim(ORDERS);
  return book;
}

/**
 * How the room stood before the records: what the server tells of it, and what the records give away.
 * @param {object} live  the room as it is (see ../state.js)
 * @param {object} standing  who was there and whether it was paused, see GET …/records
 * @param {object[]} records  all that happened since
 * @param {boolean} earlier   whether anything happened before
 */
export function before(live, standing, records, earlier) {
  const known = (name) => live.participants.get(name);
  const participants = standing.participants.map((one) => (
    known(one.name)?.settledRole ? { ...one, role: known(one.name).role } : one
  ));
  const events = records.filter(({ kind }) => kind === 'event').length;
  return begin({
    room: live.room,
    modes: modesBefore(live.modes, records),
    paused: standing.paused,
    durable: live.durable,
    participants,
    bots: [...live.participants.values()].filter(({ bot }) => bot),
    queues: {},
    counts: earlier ? undefined : {}, // of what was before we know how much, not what
    events: earlier ? Math.max(0, live.total - events) : 0,
  });
}

/** Nobody tells the modes of long ago; the events of that time do. */
export function modesBefore(modes, records) {
  const first = records.findIndex(({ kind }) => kind === 'modes');
  if (first < 0) return modes;
  const before = new Map([['*', 'relay']]);
  for (const { kind, event, mode } of records.slice(0, first)) {
    if (kind === 'event' && mode !== 'relay') before.set(event.type, mode);
  }
  return Object.fromEntries(before);
}

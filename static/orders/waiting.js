/**
 * What a confirmer sees: a view of the book of those orders that came to this page, with what only the page
 * knows of each: whether our answer is on its way, why it was not taken, and how long a queue lets us hold it.
 *
 * The first answer in the order of the log counts, no matter who gave it; what we sent ourselves, or found, is
 * provisional until the log shows it.
 */

import { keyOf } from './book.js';
import { ANSWERS } from '../ui/words.js';

/**
 * @typedef {object} Row
 * @property {object} placed    the `order_placed`
 * @property {string} key       "alice/5"
 * @property {number} at        when it came, epoch milliseconds by the server's clock
 * @property {'waiting'|'answering'|'confirmed'|'rejected'} state
 * @property {boolean} mine     whether the answer that counts is ours
 * @property {string|null} by   who answered
 * @property {string|null} reason
 * @property {string|null} problem  why our answer was not taken
 * @property {{until: number, of: number, attempt: number}|null} holding  with `ack=manual`: its lease
 */

const REMEMBERED = 5000; // orders, of which the oldest answered ones are forgotten

export class Waiting {
  /** What the page knows of each order that came to it: {answering, problem, holding, answer}; the last answered one last. */
  #known = new Map();

  /** @param {import('./book.js').Book} book  @param {() => string} me  our own name */
  constructor(book, me) {
    this.book = book;
    this.me = me;
  }

  /** An order came to us, or comes again with another lease. */
  came(id, holding = null) {
    const known = this.#known.get(id) ?? { answering: false, problem: null, answer: null };
    this.#known.set(id, { ...known, holding: holding ?? known.holding ?? null });
  }

  /** Everything that the book has waiting came to us. */
  cameAll() {
    for (const { event, state } of this.book.placings()) if (state === 'placed') this.came(event);
  }

  /** Our answer is on its way. */
  answering(id) {
    this.#change(id, { answering: true, problem: null });
  }

  /** Our answer was not taken. */
  unanswered(id, problem) {
    this.#change(id, { answering: false, problem });
  }

  /**
   * It was answered just now, so it stands last among those that were. @param {object} event  the answer,
   * though the log may not have shown yet that it is the first
   * @returns {{holding: object|null, answer: object|null}|undefined} what was known of it before
   */
  answered(id, { type, source, data }) {
    const before = this.#known.get(id);
    if (!before) return undefined;
    const answer = { state: ANSWERS.get(type), by: source, reason: data.reason ?? null };
    this.#known.delete(id);
    this.#known.set(id, { ...before, holding: null, answer });
    for (const [oldest, known] of this.#known) {
      if (this.#known.size <= REMEMBERED) break;
      if (!this.#isOpen(oldest, known)) this.#known.delete(oldest);
    }
    return before;
  }

  /** It went to others. */
  released(id) {
    if (this.#known.has(id) && this.#isOpen(id, this.#known.get(id))) this.#known.delete(id);
  }

  /** The log is another one now. */
  forget() {
    this.#known.clear();
  }

  /** @returns {Row|undefined} */
  row(id) {
    const known = this.#known.get(id);
    const placing = this.book.placing(id);
    if (!known || !placing) return undefined;
    const logged = placing.state !== 'placed';
    const answer = logged ? { state: placing.state, by: placing.confirmer, reason: placing.reason } : known.answer;
    const { state, by, reason } = answer ?? { state: known.answering ? 'answering' : 'waiting', by: null, reason: null };
    const { problem, holding } = answer ? { problem: null, holding: null } : known;
    return { placed: eventOf(placing), key: keyOf(placing), at: placing.at, state, by, reason, problem, holding, mine: by === this.me() };
  }

  // A slow phone has thousands of them at each drawing: only those that are asked for become rows.

  /** How many wait for an answer. */
  get waits() {
    return this.#open().length;
  }

  /** Those that wait for an answer, oldest first. @returns {Row[]} */
  open(most = Infinity) {
    return this.#open().slice(0, most).map((id) => this.row(id));
  }

  /** Those that nobody has begun to answer, oldest first. @returns {Row[]} */
  untouched() {
    const isTouched = ({ answering, problem }) => answering || problem !== null;
    return this.#open().filter((id) => !isTouched(this.#known.get(id))).map((id) => this.row(id));
  }

  /** Those that were answered, the latest first. @returns {Row[]} */
  done(most = Infinity) {
    const done = [];
    for (const [id, known] of [...this.#known].reverse()) {
      if (done.length >= most) break;
      if (this.book.placing(id) && !this.#isOpen(id, known)) done.push(this.row(id));
    }
    return done;
  }

  #open() {
    const open = [];
    for (const [id, known] of this.#known) if (this.#isOpen(id, known)) open.push(id);
    return open.sort((a, b) => this.book.placing(a).at - this.book.placing(b).at);
  }

  #isOpen(id, { answer }) {
    return !answer && this.book.placing(id)?.state === 'placed';
  }

  #change(id, changes) {
    if (this.#known.has(id)) this.#known.set(id, { ...this.#known.get(id), ...changes });
  }
}

/** The `order_placed` behind a placing. */
function eventOf({ event, customer, id, item, quantity, note, at }) {
  const said = Object.entries({ id, item, quantity, note }).filter(([, value]) => value !== null);
  return { id: event, type: 'order_placed', created: String(at), source: customer, data: Object.fromEntries(said) };
}

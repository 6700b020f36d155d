/**
 * A confirmer's desk: hears what is placed, gives the answers, settles what a queue handed over.
 *
 * Three sources tell of the same orders: what comes to us as a participant, what the journal knew
 * when we came, and the observers' feed, without which a confirmer would hear no other's answers
 * under publish–subscribe. Each may come first, and all may tell the same thing.
 */

import { Book, orderNumber } from '../orders/book.js';
import { answerData, answerId, conflict, decide, duplicateOf, idAfter } from '../orders/rules.js';
import { Waiting } from '../orders/waiting.js';
import { now } from '../room/connection.js';
import { observe } from '../room/observe.js';
import { Participant } from '../room/participant.js';
import { fetched } from '../ui/page.js';
import { count } from '../ui/words.js';

const PREFETCH = 3; // of a queue: enough to go on without a pause, few enough to leave some to others

/**
 * @typedef {object} Told   what a desk tells its page
 * @property {() => void} changed                    something is to be drawn again
 * @property {(name: string) => void} named          the name the broker gave us
 * @property {(row: object) => void} came            an order was placed
 * @property {(row: object) => void} overtaken       somebody else answered it
 * @property {(words: string) => void} says          a word for the reader
 */

export class Desk {
  /** every order of the room, for the rule about duplicates */
  book = new Book();
  /** those that came to us */
  waiting = new Waiting(this.book, () => this.me.name);
  modes = {};
  auto = false;
  /** our answers on their way, by their own ids */
  #underway = new Map();
  #feed = null;
  /** whether the journal has told where the orders stand, since we came: before that nobody knows what waits */
  looked = false;

  /**
   * @param {{room: string, name: string, session: string|null, rules: object, lease: number, last: string|null}} who
   *   lease: seconds for which a queue lets us hold an event; last: the room's last event when the page was made, or null
   * @param {Told} told
   */
  constructor({ room, name, session, rules, lease, last }, told) {
    this.room = room;
    this.rules = rules;
    this.lease = lease;
    this.told = told;
    const how = { room, name, session, types: 'order_placed', ack: 'manual', prefetch: PREFETCH };
    const early = last && this.#orders().catch(() => null); // asked for while we join: a bad network needs long for either
    this.me = new Participant(how, {
      welcome: (welcome, again) => this.#welcomed(welcome, !again && welcome.last === last ? early : null),
      event: (event) => this.#heard(event),
      accepted: (id, { data }) => this.#stored(id, data.duplicate),
      refused: (id, { data }) => this.#refused(id, data.code, data.message),
      caughtUp: (missed) => missed > 0 && told.says(`Back again: ${count(missed, 'missed event')} caught up.`),
      modes: (modes) => this.#change(() => (this.modes = modes)),
      lost: () => this.#restore({ lost: true }),
      notice: (code, message) => told.says(message),
      down: () => this.#down(),
    });
  }

  /** What Bob's rules say to an order. */
  verdict(row) {
    return decide(row.placed, this.book, this.rules);
  }

  /** Answers an order. The answer's id admits it to the journal once, no matter who confirms. */
  answer(row, how, id = answerId(this.room, row.placed, how)) {
    this.#underway.set(id, { placed: row.placed, how });
    this.#change(() => this.waiting.answering(row.placed.id));
    this.me.send(this.me.envelope(how.type, answerData(row.placed, how), id));
  }

  /** Hands a queue's event back, for another to take. */
  passOn(row) {
    this.me.nack(row.placed.id, `${this.me.name} passed it on`);
    this.#change(() => this.waiting.released(row.placed.id));
  }

  /** The switch: let the rules decide whatever waits. */
  letRulesDecide(on) {
    this.auto = on;
    this.#settle();
  }

  // --- what comes in ----------------------------------------------------------------------------

  /** @param {Promise<object[]|null>|null} early  what the journal knows, if nothing has happened since it was asked */
  #welcomed(welcome, early) {
    this.modes = welcome.modes;
    this.told.named(welcome.name);
    this.looked = false;
    this.#restore({ early });
    this.#feed ??= observe(
      { room: this.room },
      {
        snapshot: (room, again) => {
          this.me.learn(room);
          if (!again && room.last !== welcome.last) this.#restore(); // something happened before we listened
        },
        records: (records, skipped) => (skipped ? this.#restore() : records.forEach((record) => this.#observed(record))),
        lost: () => this.#restore({ lost: true }),
        down: (final) => {
          if (final) this.#feed = null; // the room was gone: it starts over when we are in it again
        },
      },
      { show: false, paused: true },
    );
  }

  get #isQueued() {
    return (this.modes.order_placed ?? this.modes['*']) === 'queue';
  }

  async #orders() {
    return (await fetched(`/api/rooms/${this.room}/orders`)).orders;
  }

  /** What the journal knows, after a reload or when our place in it is lost. */
  async #restore({ lost = false, early = null } = {}) {
    try {
      const orders = (await early) ?? (await this.#orders());
      if (lost) this.#forget();
      const held = this.waiting.open().filter(({ holding }) => holding);
      this.book.learn(orders);
      for (const { placed } of held) {
        if (this.book.placing(placed.id).state !== 'placed') this.me.ack(placed.id); // another answered it
      }
      // In queue mode what waits belongs to whom it is handed; a confirmer sees only that.
      if (!this.#isQueued) this.waiting.cameAll();
    } catch (error) {
      this.told.says(`What waits could not be fetched: ${error.message}`);
    }
    this.looked = true;
    this.#settle();
  }

  #heard(event) {
    const at = now();
    if (event.type !== 'order_placed') return this.#observed({ kind: 'event', event, at });
    this.book.apply(event, at);
    const isDone = this.book.placing(event.id).state !== 'placed';
    if (isDone) return event.attempt && this.me.ack(event.id); // handed over once more, but answered
    const holding = event.attempt
      ? { until: at + this.lease * 1000, of: this.lease, attempt: event.attempt }
      : null;
    this.waiting.came(event.id, holding);
    this.told.came(this.waiting.row(event.id));
    return this.#settle();
  }

  /** A record of the room's journal. */
  #observed({ kind, event, at, name }) {
    if (kind === 'reset') {
      this.#change(() => this.#forget());
    } else if (kind === 'released' && name === this.me.name) {
      this.#change(() => this.waiting.released(event));
    } else if (kind === 'event') {
      const changed = this.book.apply(event, at);
      if (changed?.answer === event.id) this.#answered(changed.event, event);
      this.#settle();
    }
  }

  #forget() {
    this.book = new Book();
    this.waiting = new Waiting(this.book, () => this.me.name);
  }

  /** What we held goes to others now; what we have answered already is on its way all the same. */
  #down() {
    for (const { placed, holding, state } of this.waiting.open()) {
      if (holding && state === 'waiting') this.waiting.released(placed.id);
    }
    this.told.changed();
  }

  /** An order has this answer: the log has shown it, or the broker says that it is there. */
  #answered(id, event) {
    const before = this.waiting.answered(id, event);
    if (!before) return;
    if (before.holding && this.me.joined) this.me.ack(id);
    const row = this.waiting.row(id);
    if (!row.mine && !before.answer) this.told.overtaken(row);
  }

  // --- what happened to our answers ----------------------------------------------------------------

  #stored(id, wasThere) {
    const ours = this.#taken(id);
    if (!ours) return undefined;
    if (wasThere) return this.#contested(id, ours);
    const { placed, how } = ours;
    this.#answered(placed.id, { type: how.type, source: this.me.name, data: answerData(placed, how) });
    return this.#settle();
  }

  #refused(id, code, message) {
    if (code === 'not_held') return undefined; // its lease ran out meanwhile; the answer counts all the same
    const ours = this.#taken(id);
    if (!ours) return this.told.says(message);
    if (code === 'id_conflict') return this.#contested(id, ours);
    return this.#change(() => this.waiting.unanswered(ours.placed.id, message));
  }

  /** The journal had an event with our answer's id already: see what it is. */
  async #contested(id, { placed, how }) {
    try {
      const find = (event) => fetched(`/api/rooms/${this.room}/events/${event}`).then((told) => told.event);
      const found = await find(id);
      const names = found.data.event;
      const named = typeof names === 'string' && names !== placed.id ? await find(names).catch(() => null) : null;
      const row = this.waiting.row(placed.id);
      const means = conflict(placed, how, found, named);
      const counts = means === 'answered' && !(await this.#cameBefore(found, placed));
      const isFirst = id === answerId(this.room, placed, how);
      if (counts) this.#answered(placed.id, found);
      else if (means === 'duplicate') this.answer(row, duplicateOf(placed));
      else this.answer(row, how, isFirst ? idAfter(id) : this.me.envelope(how.type, {}).id);
      this.#settle();
    } catch (error) {
      this.#change(() => this.waiting.unanswered(placed.id, error.message));
    }
  }

  /** Whether an answer stands before its order, which so waits on: both were sent again after a reset. */
  async #cameBefore(answer, placed) {
    const query = new URLSearchParams({ customer: placed.source, number: orderNumber(placed.data.id, placed.id) });
    const { orders } = await fetched(`/api/rooms/${this.room}/orders?${query}`);
    const waiting = orders.filter(({ state }) => state === 'placed').flatMap((order) => [order, ...order.behind]);
    return waiting.some(({ event, at }) => event === placed.id && Number(answer.created) <= at);
  }

  #taken(id) {
    const ours = this.#underway.get(id);
    this.#underway.delete(id);
    return ours;
  }

  // --- and then -----------------------------------------------------------------------------------

  #settle() {
    if (this.auto && this.me.joined && this.looked) {
      for (const row of this.waiting.untouched()) this.answer(row, this.verdict(row));
    }
    this.told.changed();
  }

  #change(change) {
    change();
    this.told.changed();
  }
}

/**
 * What the stage shows: the room as it is, or as it was.
 *
 * The live state goes on underneath while somebody travels in time; only what is shown changes. Others
 * hear of it by events:
 *
 *   begin    {state}                   a fresh snapshot: everything known before is void
 *   records  {records, state, skipped} the room went on; `state` is the live one after them
 *   shown    {state, records, live}    this state is to be drawn; `records` led to it, for what flies
 */

import { advance, begin, recall, recallQueue } from './state.js';

export class Show extends EventTarget {
  /** The live room (see state.js); null until the first snapshot. */
  state = null;
  /** The room as it was, while somebody travels in time; else null. */
  past = null;

  /** How far our clock is ahead of the broker's, in milliseconds: the least that was seen. */
  #ahead = Infinity;

  /** The broker's clock; in the past, the time that is shown. */
  get now() {
    if (!this.live) return this.past.at ?? 0;
    return Date.now() - (Number.isFinite(this.#ahead) ? this.#ahead : 0);
  }

  /** The state that is shown. */
  get shown() {
    return this.past ?? this.state;
  }

  get live() {
    return this.past === null;
  }

  begin(snapshot) {
    const { total = Infinity, coffees } = this.state ?? {};
    this.state = begin(snapshot);
    if (this.state.total >= total) this.state.coffees = coffees; // a lost connection, not a new beginning
    this.#tell('begin', { state: this.state });
    if (this.live) this.#show([]);
  }

  advance(records, skipped = 0) {
    if (!this.state) return;
    this.state = advance(this.state, records);
    if (records.length) this.#hear(records.at(-1).at);
    this.#tell('records', { records, state: this.state, skipped });
    if (this.live) this.#show(records);
  }

  /** The coffees that were made before we came, too. */
  count(coffees) {
    this.state = this.state && { ...this.state, coffees };
    if (this.live && this.state) this.#show([]);
  }

  /** What the log and the queues hold since before we came (GET …/events and …/queue). */
  recall(events, queue) {
    if (!this.state) return;
    this.state = recall(this.state, events);
    if (queue) {
      this.#hear(queue.at);
      this.state = recallQueue(this.state, queue);
    }
    if (this.live) this.#show([]);
  }

  /** Show the room as it was. `records`: the step that led there, if it is to be seen moving. */
  travel(state, records = []) {
    this.past = state;
    this.#show(records);
  }

  /** Back to the room as it is. */
  comeBack() {
    this.past = null;
    if (this.state) this.#show([]);
  }

  #hear(at) {
    this.#ahead = Math.min(this.#ahead, Date.now() - at);
  }

  #show(records) {
    this.#tell('shown', { state: this.shown, records, live: this.live });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

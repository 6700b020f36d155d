/**
 * The past of a room as the file has it: what the stage reads from the journal is all here (see
 * ../stage/past/history.js, whose place it takes). Nothing is added to it, so it tells of nothing.
 */

import { modesBefore, Past } from '../stage/past/past.js';
import { begin } from '../stage/state.js';
import { ANSWERS, clock, dateOf, elapsed } from '../ui/words.js';

export class Recording extends EventTarget {
  /** Everything there was is in the file. */
  earlier = false;

  #explained;
  #reasons;
  #named; // whether times are those of a clock, too
  #events;

  /** @param {object} told  the recording, as the server wrote it */
  constructor({ room, names, modes, bots, records, explained, reasons }) {
    super();
    this.past = new Past(begin({ room, modes: modesBefore(modes, records), bots, counts: {} }));
    this.past.append(records);
    this.#explained = new Map(Object.entries(explained));
    this.#reasons = reasons;
    this.#named = names;
    this.#events = new Map(records.filter(({ kind }) => kind === 'event').map((record) => [record.event.id, record]));
  }

  /** There is nothing further to read. */
  reach() {}

  /** Every event, with when it was stored and its mode. */
  get events() {
    return [...this.#events.values()];
  }

  async learn(id) {
    const record = this.#events.get(id);
    if (!record) return null;
    const { event, at, mode } = record;
    const recipients = this.#reasons[this.#explained.get(id)]
      .flatMap(([received, attempts, why, names]) => names.map((name) => ({ name, received, attempts, why })));
    const answers = this.events.map((one) => one.event).filter((one) => one.data.event === id && ANSWERS.has(one.type));
    return { event, mode, recipients, answers, stored: this.#named ? dateOf({ created: at }) : elapsed(at) };
  }

  clock(ms) {
    return this.#named ? clock(ms) : elapsed(ms);
  }
}

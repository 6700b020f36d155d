/**
 * The room's past: read from the journal over HTTP once, and carried on by the observers' feed.
 *
 * While it is read, what the feed brings is kept; then what the reading had brought already is left out. After
 * a gap (a lost connection, a hidden window, records that were skipped) it is read on from the place where
 * it stopped. Dispatches:
 *
 *   reread  the past was read from another beginning: counts of before mean nothing now
 *   more  {records} more has happened
 */

import { fetched } from '../../ui/page.js';
import { clock } from '../../ui/words.js';
import { begin } from '../state.js';
import { before, Past } from './past.js';

const PAGE = 1000;
const NEAR = 2000; // records that are read at first
const FAR = 20_000; // and when somebody goes back in time
const MOST = 10_000; // kept at most, some 24 MB, unless somebody went further back; then it is read again
/** What the feed tells beside the journal. */
const ASIDE = new Set(['bots', 'journal', 'refused', 'slow']);

export class History extends EventTarget {
  /** @type {Past | null} */
  past = null;
  /** Is there more before the first record? */
  earlier = false;

  /** Done once the past is read that the room had when we came, if it could be read. */
  begun;

  #show;
  #room;
  #path;
  #place = { base: 'start', between: 0 }; // of the last record: so many after that event
  #reading = 0; // counts readings: what an older one brings is dropped
  #kept = null; // what the feed brought since the reading began; null: nothing is being read
  #behind = true; // records are missing: they are read before the feed goes on
  #read = new Set(); // what was read, as text, while the feed may still bring the same

  /** @param {string} room  @param {import('../show.js').Show} show */
  constructor(room, show) {
    super();
    this.#show = show;
    this.#room = room;
    this.#path = `/api/rooms/${room}/records`;
    show.addEventListener('begin', () => (this.past ? this.#readOn() : this.#readLatest(NEAR)));
    show.addEventListener('records', ({ detail: { records, skipped } }) => this.#hear(records, skipped));
    document.addEventListener('visibilitychange', () => !document.hidden && this.#behind && this.past && this.#readOn());
    this.begun = show.state ? this.#readLatest(NEAR) : null;
  }

  /** Read the whole past, as far as one can go. */
  async reach() {
    if (this.earlier && this.past.count < FAR) await this.#readLatest(FAR);
  }

  /** What is known of an event now, see ../../event/panel.js; null: the log does not have it. */
  async learn(id) {
    const { learn } = await import('../../event/panel.js'); // the stage comes up without it
    return learn(this.#room, id).catch(() => null);
  }

  /** Where an event can be looked at. */
  link(id) {
    return new URL(`/log?${new URLSearchParams({ room: this.#room, event: id })}`, location.href).href;
  }

  /** A moment as a reader of the stage sees it. @param {number} ms */
  clock(ms) {
    return clock(ms);
  }

  #hear(records, skipped) {
    const journaled = records.filter(({ kind }) => !ASIDE.has(kind));
    if (journaled.some(({ kind }) => kind === 'reset')) this.#readLatest(NEAR);
    else if (this.#kept) this.#kept.push(...journaled);
    else if (document.hidden) this.#behind = true;
    else if (this.#behind || skipped) this.#readOn();
    else this.#add(journaled);
    if (this.past?.count > MOST && this.#show.live && !this.#kept) this.#readLatest(NEAR);
  }

  /** Add what the feed brought, but for what was read already: both are in the order of the journal. */
  #add(records) {
    const first = records.findIndex((record) => !this.#read.has(JSON.stringify(record)));
    if (first < 0) return;
    this.#read.clear();
    this.#append(records.slice(first));
  }

  #append(records) {
    this.past.append(records);
    for (const { kind, event } of records) {
      const { base, between } = this.#place;
      this.#place = kind === 'event' ? { base: event.id, between: 0 } : { base, between: between + 1 };
    }
    this.dispatchEvent(new CustomEvent('more', { detail: { records } }));
  }

  /** Read the newest records, and begin with them. */
  async #readLatest(latest) {
    await this.#reads(async (isStale) => {
      const { state } = this.#show;
      const isEmpty = !state.total && !state.participants.size; // there may be no such room yet
      const found = isEmpty ? null : await this.#pages({ latest });
      if (isStale()) return [];
      const records = found?.records ?? [];
      this.past = new Past(found ? before(state, found.standing, records, found.earlier) : blank(state));
      this.past.append(records);
      this.earlier = found?.earlier ?? false;
      this.#place = placeOf(found?.next ?? 'start');
      this.dispatchEvent(new Event('reread'));
      if (!found) throw new Error('nothing was read');
      return records;
    });
  }

  /** Read what happened since. */
  async #readOn() {
    await this.#reads(async (isStale) => {
      const { records } = await this.#pages({ after: `${this.#place.base}~${this.#place.between}` });
      if (isStale()) return [];
      if (records.length) this.#append(records);
      return records;
    });
  }

  /** Let the feed wait while something is read. */
  async #reads(reading) {
    const mine = ++this.#reading;
    this.#kept ??= [];
    let read = null;
    let error = null;
    try {
      read = await reading(() => mine !== this.#reading);
    } catch (wrong) {
      error = wrong; // the server is away, and the feed says when it is back; or our place is gone
    }
    if (mine !== this.#reading) return;
    const kept = this.#kept;
    this.#kept = null;
    this.#behind = read === null;
    if (error?.code === 'unknown_event' || error?.code === 'unknown_position') await this.#readLatest(NEAR);
    if (!read) return;
    this.#read = new Set(read.slice(-PAGE).map((record) => JSON.stringify(record)));
    this.#add(kept);
  }

  /** All pages from there on, as one. */
  async #pages(query) {
    const first = await this.#page(query);
    let page = first;
    while (page.more) {
      page = await this.#page({ after: page.next });
      first.records.push(...page.records);
    }
    return { ...first, next: page.next };
  }

  #page(query) {
    return fetched(`${this.#path}?${new URLSearchParams({ limit: PAGE, ...query })}`);
  }
}

/** A place as the server writes it: "start", or an event's id; and "~3" for so many records after it. */
function placeOf(text) {
  const [base, between = 0] = text.split('~');
  return { base, between: Number(between) };
}

/** A room in which nothing has happened yet. */
function blank({ room, modes }) {
  return begin({ room, modes, counts: {} });
}

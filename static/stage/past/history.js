/**
 * The room's past, read from the journal over HTTP and kept up to date.
 *
 * The picture lives on the observers' feed; what is told of the past has one source, the journal, so it is in
 * order and whole, also after a lost connection. Tells by events:
 *
 *   anew  the past was read anew: counts of before mean nothing now
 *   more  {records} more has happened
 */

import { before, Past } from './past.js';
import { begin } from '../state.js';
import { fetched } from '../../ui/page.js';

const PAGE = 1000;
const NEAR = 2000; // records that are read at first
const FAR = 20_000; // and when somebody goes back in time
const MOST = 40_000; // kept at most; then it is read anew
const PAUSE = 200; // ms between two questions, however much happens

export class History extends EventTarget {
  /** @type {Past | null} */
  past = null;
  /** Is there more before the first record? */
  earlier = false;

  #show;
  #path;
  #next = 'start';
  #reading = 0; // counts readings from the beginning: what an older one brings is dropped
  #isReading = false; // meanwhile nobody goes on from the old place, which may be gone
  #wanted = false;
  #following = false;

  /** @param {string} room  @param {import('../show.js').Show} show */
  constructor(room, show) {
    super();
    this.#show = show;
    this.#path = `/api/rooms/${room}/records`;
    show.addEventListener('begin', () => (this.past ? this.#wake() : this.read(NEAR)));
    show.addEventListener('records', ({ detail: { records } }) => {
      if (records.some(({ kind }) => kind === 'reset')) this.read(NEAR);
      else this.#wake();
    });
    document.addEventListener('visibilitychange', () => this.#wake());
  }

  /** Read the whole past, as far as one can go. */
  async reach() {
    if (this.earlier && this.past.count < FAR) await this.read(FAR);
  }

  /** Read the newest records anew. */
  async read(latest) {
    const mine = ++this.#reading;
    this.#isReading = true;
    const found = await this.#read(latest).catch(() => null); // no server: the feed says when it is back
    if (mine !== this.#reading) return;
    this.#isReading = false;
    const { state, records = [], earlier = false, next = 'start' } = found ?? { state: blank(this.#show.state) };
    this.past = new Past(state);
    this.past.append(records);
    this.earlier = earlier;
    this.#next = next;
    this.dispatchEvent(new Event('anew'));
    if (found) this.#wake();
  }

  async #read(latest) {
    const { state } = this.#show;
    if (!state.total && !state.participants.size) return null; // there may be no such room yet
    const records = [];
    let page = await this.#page({ latest });
    const { standing, earlier } = page;
    records.push(...page.records);
    while (page.more) {
      page = await this.#page({ after: page.next });
      records.push(...page.records);
    }
    return { state: before(this.#show.state, standing, records, earlier), records, earlier, next: page.next };
  }

  #page(query) {
    return fetched(`${this.#path}?${new URLSearchParams({ limit: PAGE, ...query })}`);
  }

  #wake() {
    if (document.hidden || !this.past || this.#isReading) return;
    this.#wanted = true;
    if (!this.#following) this.#follow();
  }

  async #follow() {
    this.#following = true;
    while (this.#wanted && !document.hidden && !this.#isReading) {
      this.#wanted = false;
      await this.#goOn().catch((error) => {
        if (error.code === 'unknown_event' || error.code === 'unknown_position') return this.read(NEAR);
        return null; // the server is away: the feed says when it is back
      });
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.#following = false;
  }

  async #goOn() {
    const mine = this.#reading;
    let page;
    do {
      page = await this.#page({ after: this.#next });
      if (mine !== this.#reading) return;
      this.#next = page.next;
      if (!page.records.length) break;
      this.past.append(page.records);
      this.dispatchEvent(new CustomEvent('more', { detail: { records: page.records } }));
    } while (page.more);
    if (this.past.count > MOST && this.#show.live) await this.read(NEAR);
  }
}

/** A room in which nothing has happened yet. */
function blank({ room, modes }) {
  return begin({ room, modes, counts: {} });
}

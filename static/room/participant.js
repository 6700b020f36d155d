/**
 * A participant in a room, as protocol §2–§4 has it: sends events, hears events, never twice.
 *
 * What is sent stays in the outbox until the broker has accepted or refused it. After a lost
 * connection the outbox goes out again: an event keeps its id, so the broker knows a repeat.
 */

import { byId, here, over, stand, standPaused } from '../ui/page.js';
import { hear, HEARTBEAT, Link, now, socketAddress } from './connection.js';
import { uuid } from './ids.js';

/** Notices that stand until they are over: under which key. */
const STANDING = new Map([['going_down', 'going_down'], ['journal_away', 'journal']]);
const LETTER = 2000; // ms after which we ask for our letter, at least; at most twice as many
const REMEMBERED = 5000; // ids of events that were shown; older ones cannot come again

/**
 * @typedef {{id: string, type: string, created: string, source: string, data: object, attempt?: number}} Envelope
 *
 * @typedef {object} Hearing   what a page wants to hear; each part may be missing
 * @property {(welcome: object, again: boolean) => void} [welcome]  joined; again: after a lost connection
 * @property {(event: Envelope) => void} [event]          someone's event, each once (a new attempt of a queue again)
 * @property {(id: string) => void} [sent]                ours is on its way (again, after a lost connection)
 * @property {(id: string, accepted: Envelope) => void} [accepted]  ours is stored
 * @property {(id: string|null, error: Envelope) => void} [refused]  it is not, or a command was wrong
 * @property {(count: number) => void} [caughtUp]         so many missed events came before this
 * @property {() => void} [lost]                          what was missed is not known: fetch again
 * @property {(code: string, message: string) => void} [notice]  a word from the broker that does not stand at the top of the page
 * @property {(modes: object) => void} [modes]            the dispatch modes changed
 * @property {(final: string|null) => void} [down]        the connection went
 */

export class Participant {
  #asking = null; // for our letter

  /**
   * @param {{room: string, name: string, session?: string|null, types?: string, ack?: string, prefetch?: number}} who
   * @param {Hearing} hearing
   */
  constructor(who, hearing) {
    this.who = who;
    this.hearing = hearing;
    this.name = who.name;
    /** the last event of the log this page knows; where it goes on after a lost connection */
    this.last = null;
    this.joined = false;
    /** What the broker has not answered: its text, and when it went out, by our own clock. @type {Map<string, {text: string, at: number|null}>} */
    this.outbox = new Map();
    this.shown = new Set();
    this.asked = false; // whether there was a question
    this.link = new Link({
      address: () => this.#address(),
      text: (text) => this.#heard(JSON.parse(text)),
      owed: () => this.outbox.values().next().value?.at ?? null,
      down: (final) => {
        this.joined = false;
        if (final) for (const key of ['paused', 'muted']) over(key); // no longer ours
        this.#tell('down', final);
      },
    });
  }

  /** Our envelope, not yet sent. @returns {Envelope} */
  envelope(type, data, id = uuid()) {
    return { id, type, created: String(now()), source: this.name, data };
  }

  /**
   * Sends an event, or keeps it for when the connection is back (`sent` tells when it went).
   * @returns {boolean} true: it is on its way; false: not sent yet
   */
  send(event) {
    this.outbox.set(event.id, { text: JSON.stringify(event), at: null });
    return this.#sendNow(event.id);
  }

  /** Settles a queue delivery (`ack=manual`). */
  ack(id) {
    return this.#command('broker.ack', { event: id });
  }

  /** Hands a queue delivery back (`ack=manual`). */
  nack(id, reason) {
    return this.#command('broker.nack', { event: id, reason });
  }

  close() {
    this.link.close();
  }

  #command(type, data) {
    return this.link.send(JSON.stringify({ type, data }));
  }

  #address() {
    return socketAddress('/ws', { ...this.who, name: this.name, after: this.last, heartbeat: HEARTBEAT });
  }

  #tell(what, ...facts) {
    this.hearing[what]?.(...facts);
  }

  #heard(event) {
    const { type, data } = event;
    if (type.startsWith('broker.')) hear(Number(event.created));
    if (type === 'broker.welcome') this.#welcomed(data);
    else if (type === 'broker.accepted') this.#answered(data.event, 'accepted', event);
    else if (type === 'broker.error') this.#wrong(event);
    else if (type === 'broker.caught_up') this.#tell('caughtUp', data.events);
    else if (type === 'broker.notice') this.#noticed(data);
    else if (type === 'broker.modes') this.#tell('modes', data.modes);
    else if (!type.startsWith('broker.')) this.#event(event);
  }

  #welcomed(welcome) {
    const again = this.last !== null;
    this.joined = true;
    this.name = welcome.name;
    this.last ??= welcome.last ?? 'start';
    this.link.isIn();
    over('journal'); // should it be away, that comes next
    this.#tell('welcome', welcome, again);
    this.#learnLetter();
    for (const id of this.outbox.keys()) this.#sendNow(id);
    if (this.asked) this.#question();
  }

  /** The host asks, or it goes on: what shows it comes with the first question. */
  #question() {
    this.asked = true;
    import('../question/phone.js').then(({ look }) => look(this.who.session), () => (this.asked = false));
  }

  /** How the room stands, as GET /api/rooms/{room} has it: the page says whether it is paused, and we are muted. */
  learn({ paused, participants }) {
    standPaused(paused);
    this.#mute(participants.find(({ name }) => name === this.name)?.muted);
  }

  #mute(isMuted) {
    if (isMuted) stand('muted', 'The host has muted you: what you send is refused. You can send it again later.');
    else over('muted');
  }

  #sendNow(id) {
    const waits = this.outbox.get(id);
    if (!this.joined || !waits || !this.link.send(waits.text)) return false;
    waits.at = Date.now();
    this.#tell('sent', id);
    return true;
  }

  #answered(id, what, ...facts) {
    this.outbox.delete(id);
    this.#tell(what, id, ...facts);
  }

  #wrong(error) {
    const { code, event = null, message } = error.data;
    if (!this.joined) this.link.why = message; // and it closes: the page says so at its top
    if (code === 'unknown_position') {
      this.last = null;
      this.shown.clear(); // the room has begun again, and what was sent again is new
      this.#tell('lost');
    } else if (code === 'rate_limited' && this.outbox.has(event)) {
      setTimeout(() => this.#sendNow(event), 1000);
    } else if (this.joined) this.#answered(event, 'refused', error);
  }

  #noticed({ code, message }) {
    if (code === 'reset') {
      this.last = 'start';
      this.shown.clear();
      this.outbox.clear();
      this.#tell('lost');
      this.#learnLetter();
    }
    if (code === 'question' || (code === 'reset' && this.asked)) this.#question();
    if (code === 'paused' || code === 'resumed') standPaused(code === 'paused');
    else if (code === 'muted' || code === 'unmuted') this.#mute(code === 'muted');
    else if (STANDING.has(code)) stand(STANDING.get(code), message);
    else if (code === 'journal_back') over('journal');
    if (code !== 'paused' && code !== 'muted' && code !== 'question' && !STANDING.has(code)) this.#tell('notice', code, message);
  }

  /** The letter that stands for us in the file that a class takes home can wait until all are in. */
  #learnLetter() {
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => import('./letter.js').then(({ learn }) => learn(this), () => {}), LETTER * (1 + Math.random()));
  }

  #event(event) {
    // A queue gives out old events too, so only what comes in the order of the log moves our place.
    if (event.attempt === undefined) this.last = event.id;
    if (this.shown.has(event.id) && event.attempt === undefined) return;
    this.shown.add(event.id);
    if (this.shown.size > REMEMBERED) this.shown.delete(this.shown.values().next().value);
    this.#tell('event', event);
  }
}

// --- who this tab is in its room: its name, and a secret by which it is known again

/** The broker may give us another name: a reload keeps it. */
export function renamed(name) {
  const key = sessionKey();
  here.name = name;
  byId('me').textContent = name;
  const url = new URL(location.href);
  url.searchParams.set('name', name);
  history.replaceState(null, '', url);
  document.querySelector('[data-wire]').search = url.search;
  remember(sessionKey(), recall(key));
}

/** A secret of this tab, by which the broker knows us again after a reload; null: none can be kept. */
export function session() {
  const key = sessionKey();
  return recall(key) ?? remember(key, uuid());
}

function sessionKey() {
  return `orders ${document.body.dataset.page} ${here.room} ${here.name}`;
}

function recall(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null; // it may be forbidden
  }
}

function remember(key, value) {
  try {
    if (value !== null) sessionStorage.setItem(key, value);
    return value;
  } catch {
    return null;
  }
}

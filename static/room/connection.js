/**
 * One WebSocket that comes back by itself. Everything live on our pages stands on `Link`; what a
 * participant needs beyond it (events, ids, what was accepted or refused) is in `participant.js`.
 *
 * partysocket does the reconnecting; its offline queue stays off, for it would send again what the
 * server may already have. The pauses are ours, because each close code asks for its own.
 */

import ReconnectingWebSocket from '/static/vendor/partysocket/ws.js';
import { over, showConnection, stand } from '../ui/page.js';

/** After these the server wants no reconnecting: what happened, for a person, and how to undo it. */
const FINAL = new Map([
  [1000, ['Closed', 'Join again']],
  [4000, ['Open in another tab', 'Use it here']],
  [4003, ['The host removed you', 'Join again']],
  [4005, ['The address is wrong', 'Try again']],
]);
const ENDED = ['The host ended the room', 'Join again'];

/** Seconds to wait at least after a close code, and how many more by chance. */
const PAUSES = new Map([[1001, [0, 5]], [4002, [10, 2]], [4004, [30, 10]]]);

const LONGEST = 5; // seconds between two tries, once several have failed
const TRIES = 2; // that fail before the page says more than "trying again"

/** Seconds. A browser hides pings, so the server is asked to say something when it has been silent for so long. */
export const HEARTBEAT = 5;
const DOUBT = 8; // of silence, before the page no longer says that it is connected
const GONE = 14; // of silence, or without an answer, before it reconnects
const LATE = 4; // without an answer to what was sent

/**
 * @typedef {object} LinkOptions
 * @property {() => string} address   the URL to connect to, asked again for every try
 * @property {(text: string) => void} text   called with each message
 * @property {() => void} [up]        the socket has opened
 * @property {(final: string|null) => boolean|void} [down]  it was lost; with a sentence if for good; true: nothing is wrong
 * @property {() => number|null} [owed]  since when an answer is awaited, in epoch milliseconds by our own clock
 * @property {boolean} [show]  false: the header tells of another connection, not of this one
 */

export class Link {
  /** @param {LinkOptions} options */
  constructor({ address, text, up = () => {}, down = () => {}, owed = () => null, show = true }) {
    this.failures = 0;
    this.pause = 0;
    this.final = null;
    this.why = null; // what the server said was wrong, before it closed
    this.words = null; // what the header says while the server has let us in
    this.owed = owed;
    this.show = show;
    this.wake = () => {};
    this.socket = new ReconnectingWebSocket(() => this.#wait().then(address), null, {
      maxEnqueuedMessages: 0,
      minReconnectionDelay: 0,
      maxReconnectionDelay: 0,
      connectionTimeout: 10_000,
      shouldReconnectOnClose: (closing) => this.#closed(closing),
    });
    this.socket.addEventListener('open', () => {
      this.#heard = this.#opened = Date.now();
      up();
    });
    this.socket.addEventListener('message', ({ data }) => {
      this.#heard = Date.now();
      this.#listen();
      text(data);
    });
    this.socket.addEventListener('close', () => this.#lost(down(this.final?.[0] ?? null)));
    const listening = setInterval(() => this.#listen(), 1000);
    this.#listeners.signal.addEventListener('abort', () => clearInterval(listening));
    const { signal } = this.#listeners;
    document.addEventListener('visibilitychange', () => this.#listen(), { signal });
    for (const change of ['online', 'offline']) addEventListener(change, () => this.#suspect(), { signal });
  }

  #heard = 0; // when the server said something last, by our own clock
  #opened = 0;
  #listeners = new AbortController();

  /** The server has let us in. @param {string} words  what the header says then */
  isIn(words = 'Connected') {
    this.failures = 0;
    this.why = null;
    this.words = words;
    this.#tell('open', words);
    if (this.show) for (const key of ['connection', 'going_down']) over(key);
  }

  /** Sends a message if the socket is open; false: it was not sent, and will not be. */
  send(text) {
    return this.socket.readyState === WebSocket.OPEN && this.socket.send(text);
  }

  /** Lets go of the socket, if any, and reconnects at once, unless the server closed it for good. */
  retry() {
    if (this.final !== null) return;
    this.socket.reconnect(1000);
    this.pause = 0;
    this.wake();
  }

  /** Come back though the server closed it for good: the reader asked for it. */
  again() {
    this.final = null;
    this.#tell('connecting');
    this.retry();
  }

  close() {
    this.final = FINAL.get(1000);
    this.#listeners.abort();
    this.socket.close(1000);
  }

  /** Are we still connected? A socket may be dead for minutes before a browser says so. */
  #listen() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const now = Date.now();
    const silent = (now - this.#heard) / 1000;
    const owed = (now - Math.max(this.owed() ?? now, this.#opened)) / 1000;
    if (silent > GONE || owed > GONE) this.retry();
    else if (silent > DOUBT) this.#tell('connecting', 'No word from the server');
    else if (owed > LATE) this.#tell('connecting', 'No answer yet');
    else if (this.words !== null) this.#tell('open', this.words);
  }

  /** The network changed: the server has a few seconds to say something. */
  #suspect() {
    this.#heard = Math.min(this.#heard, Date.now() - DOUBT * 1000 - 1);
    this.#listen();
    this.wake();
  }

  #lost(isNothing) {
    this.words = null;
    if (isNothing || !this.show) return;
    const [words, action] = this.final ?? ['Offline, trying again', 'Try now'];
    showConnection('offline', words);
    if (this.final) stand('connection', this.why ?? `${words}.`, { [action]: () => this.again() });
    else if (this.why) stand('connection', `${this.why} This page tries again by itself.`, { [action]: () => this.wake() });
    else if (this.failures > TRIES) {
      stand('connection', 'The server does not answer. This page tries again by itself, and forgets nothing.', { [action]: () => this.wake() });
    }
  }

  #tell(state, words) {
    if (this.show) showConnection(state, words);
  }

  #wait() {
    return new Promise((resolve) => {
      this.wake = resolve; // ends the pause early
      setTimeout(resolve, this.pause * 1000);
    });
  }

  /** Decides whether to come back, and when. partysocket's own events carry no code of the server. */
  #closed(closing) {
    const code = closing instanceof globalThis.CloseEvent ? closing.code : 1006;
    if (FINAL.has(code)) {
      this.final = closing.reason === 'room_ended' ? ENDED : FINAL.get(code);
      return false;
    }
    const [least, more] = PAUSES.get(code) ?? [0, Math.min(LONGEST, 0.5 * 2 ** this.failures)];
    this.failures += 1;
    this.pause = least + more * Math.random();
    return true;
  }
}

// --- the server's clock: our own may be hours off ---------------------------------------------

let ahead = Infinity; // ms that ours is ahead of the server's: the least that was seen, for messages take time

hear(Number(globalThis.document?.body.dataset.now)); // when the page was made

/** The server said something at that time. @param {number} at  epoch milliseconds */
export function hear(at) {
  if (Number.isFinite(at)) ahead = Math.min(ahead, Date.now() - at);
}

/** What time it is at the server, in epoch milliseconds. */
export const now = () => Date.now() - (Number.isFinite(ahead) ? ahead : 0);

/** A WebSocket address on this server: `socketAddress('/ws', {room: 'main'})`; null values are left out. */
export function socketAddress(path, parameters) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) url.searchParams.set(key, value);
  }
  return url.href;
}

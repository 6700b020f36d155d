/**
 * One WebSocket that comes back by itself. Everything live on our pages stands on `Link`; what a
 * participant needs beyond it (events, ids, what was accepted or refused) is in `participant.js`.
 *
 * partysocket does the reconnecting; its offline queue stays off, for it would send again what the
 * server may already have. The pauses are ours, because each close code asks for its own.
 */

import ReconnectingWebSocket from '/static/vendor/partysocket/ws.js';
import { say } from '../ui/page.js';

/** After these the server wants no reconnecting: what happened, for a person. */
const FINAL = new Map([
  [1000, 'Closed'],
  [4000, 'Open in another tab'],
  [4003, 'The host removed you'],
  [4005, 'The address is wrong'],
]);

/** Seconds to wait at least after a close code, and how many more by chance. */
const PAUSES = new Map([[1001, [0, 5]], [4002, [10, 2]], [4004, [30, 10]]]);

const LONGEST = 5; // seconds between two tries, once several have failed

/**
 * @typedef {object} LinkOptions
 * @property {() => string} address   the URL to connect to, asked anew for every try
 * @property {(text: string) => void} text   called with each message
 * @property {() => void} [up]        the socket has opened
 * @property {(final: string|null) => void} [down]  it was lost; with a sentence if for good
 * @property {boolean} [show]  false: the header tells of another connection, not of this one
 */

export class Link {
  /** @param {LinkOptions} options */
  constructor({ address, text, up = () => {}, down = () => {}, show = true }) {
    this.failures = 0;
    this.pause = 0;
    this.final = null;
    this.wake = () => {};
    if (show) showConnection('connecting');
    this.socket = new ReconnectingWebSocket(() => this.#wait().then(address), null, {
      maxEnqueuedMessages: 0,
      minReconnectionDelay: 0,
      maxReconnectionDelay: 0,
      connectionTimeout: 10_000,
      shouldReconnectOnClose: (closing) => this.#closed(closing),
    });
    this.socket.addEventListener('open', () => {
      this.failures = 0;
      up();
    });
    this.socket.addEventListener('message', ({ data }) => text(data));
    this.socket.addEventListener('close', () => {
      if (show) showConnection('offline', this.final ?? 'Offline, trying again');
      down(this.final);
    });
    addEventListener('online', () => this.wake());
  }

  /** Sends a message if the socket is open; false: it was not sent, and will not be. */
  send(text) {
    return this.socket.readyState === WebSocket.OPEN && this.socket.send(text);
  }

  /** Lets go of the socket, if any, and connects anew at once, unless the server closed it for good. */
  retry() {
    if (this.final !== null) return;
    this.socket.reconnect(1000);
    this.pause = 0;
    this.wake();
  }

  close() {
    this.final = FINAL.get(1000);
    this.socket.close(1000);
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
      this.final = FINAL.get(code);
      return false;
    }
    const [least, more] = PAUSES.get(code) ?? [0, Math.min(LONGEST, 0.5 * 2 ** this.failures)];
    this.failures += 1;
    this.pause = least + more * Math.random();
    return true;
  }
}

/**
 * Shows how the page is connected: `body[data-connection]` and the words in the header.
 * @param {'connecting'|'open'|'offline'} state
 */
export function showConnection(state, words = null) {
  document.body.dataset.connection = state;
  say('connection', words ?? { connecting: 'Connecting…', open: 'Connected', offline: 'Offline' }[state]);
}

/** A WebSocket address on this server: `socketAddress('/ws', {room: 'main'})`; null values are left out. */
export function socketAddress(path, parameters) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) url.searchParams.set(key, value);
  }
  return url.href;
}

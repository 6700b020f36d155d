/** Small things every page needs: who and where we are, words to the reader, copying, fetching. */

import { coded } from './words.js';

/** What the server rendered into the page: its room and the visitor's name. */
export const here = {
  room: document.body.dataset.room,
  name: document.body.dataset.name,
  host: document.body.dataset.host === 'true',
};

delete document.documentElement.dataset.loading; // the script is here: now the font may come, see tokens.css

/** The element of that id; its absence is our mistake, so it is thrown. */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}`);
  return element;
}

/** Calls `draw` before the next picture, however often it is asked to: a burst of a hundred events is one drawing. */
export function oncePerFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** Puts a style sheet into the page that is wanted only now; resolves once it is there, or cannot be had. */
export function dress(href) {
  return new Promise((resolve) => {
    document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href, onload: resolve, onerror: resolve }));
  });
}

/** JSON the server put into the page: `<script type="application/json" id="…">`. */
export function given(id) {
  return JSON.parse(byId(id).textContent);
}

/** Puts words, with their `code`, into `[data-says="…"]`, which screen readers announce. */
export function say(where, words) {
  const place = document.querySelector(`[data-says="${where}"]`);
  if (place !== null && place.textContent !== coded(words).join('')) place.replaceChildren(...coded(words, code));
}

const code = (text) => Object.assign(document.createElement('code'), { textContent: text });

const standing = new Map();

/**
 * A notice that stands at the top of the page until it is over: what is so, with its `code`, and what the reader can do about it.
 * @param {string} key  one notice a key
 * @param {Record<string, () => void>} actions  what buttons do, by their words; where nothing can be done, one puts it out of sight
 */
export function stand(key, words, actions = { Hide: () => { standing.get(key).notice.hidden = true; } }) {
  if (standing.get(key)?.words === words) return;
  over(key);
  const notice = Object.assign(document.createElement('p'), { className: 'notice' });
  const said = document.createElement('span');
  said.append(...coded(words, code));
  notice.append(said);
  for (const [label, act] of Object.entries(actions)) {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: label });
    button.addEventListener('click', act);
    notice.append(' ', button);
  }
  notice.dataset.stands = key;
  standing.set(key, { words, notice });
  byId('standing').append(notice);
}

/** The notice of that key stands no longer. */
export function over(key) {
  standing.get(key)?.notice.remove();
  standing.delete(key);
}

/** Whether the host holds the room's events. */
export function standPaused(paused) {
  if (paused) stand('paused', 'The host has paused the room: what is sent now is stored, and goes on its way later.');
  else over('paused');
}

const CONNECTION = new Map([['connecting', 'Connecting…'], ['open', 'Connected']]);

/**
 * Shows how the page is connected: `body[data-connection]` and the words in the header.
 * @param {'connecting'|'open'|'offline'} state
 */
export function showConnection(state, words = CONNECTION.get(state)) {
  document.body.dataset.connection = state;
  say('connection', words);
}

let clearing;

/** A word at the foot of the page, gone after a while. */
export function toast(words) {
  say('toast', words);
  clearTimeout(clearing);
  clearing = setTimeout(() => say('toast', ''), 6000);
}

/** Copies text, also over plain HTTP, where browsers offer no clipboard; false: they refused both ways. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'unseen';
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    before?.focus?.();
    return copied;
  }
}

/** Makes every `[data-copy="id of an element"]` in the page copy that element's text. */
export function copying() {
  document.addEventListener('click', async (click) => {
    const button = click.target.closest?.('[data-copy]');
    if (!button) return;
    const copied = await copy(byId(button.dataset.copy).textContent.trim());
    toast(copied ? 'Copied.' : 'Your browser refused: mark the text and copy it yourself.');
  });
}

const PATIENCE = 30_000; // ms for an answer; on a slow network the longest takes some seconds

/** GET as JSON. Throws an Error with the server's own sentence, and its `code` and `status`. */
export async function fetched(path, headers = {}) {
  const answer = await fetch(path, { headers: { accept: 'application/json', ...headers }, signal: AbortSignal.timeout(PATIENCE) }).catch(unanswered);
  const body = await answer.json().catch(answer.ok ? unanswered : () => null);
  if (answer.ok) return body;
  const { code = 'http', message = `The server answered ${answer.status}.` } = body?.error ?? {};
  throw Object.assign(new Error(message), { code, status: answer.status });
}

function unanswered() {
  throw new Error('The server did not answer. Does it still run, and is this device on its network?');
}

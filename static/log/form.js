/** The filter's form: what it asks for, what it suggests, and the exports that follow it. */

import { html, render } from '/static/vendor/lit-html/lit-html.js';
import { byId } from '../ui/page.js';
import { FIELDS, query } from './filter.js';

const SUGGESTED = 200; // names and types offered while filtering
const TYPING = 200; // ms of silence after which what was typed is asked for

const form = byId('log-filter');
const known = new Map([['types', new Set()], ['sources', new Set()]]);

/** Offer a word in the lists under the fields: `types` or `sources`. */
export function suggest(what, word) {
  const words = known.get(what);
  if (words.has(word) || words.size >= SUGGESTED) return;
  words.add(word);
  render([...words].sort().map((one) => html`<option value=${one}></option>`), byId(`log-${what}`));
}

/** Show a filter in the fields, and in the addresses of the exports. @param {string} events the log's address */
export function fillForm(filter, events) {
  for (const field of FIELDS) {
    if (form.elements[field].value.trim() !== filter[field]) form.elements[field].value = filter[field];
  }
  for (const link of byId('log-export').querySelectorAll('a')) {
    link.href = `${events}?${query(filter, { format: link.dataset.format })}`;
  }
}

/**
 * Wire the form. @param {(filter: object) => void} changed  called with the filter that was asked for
 * @param {() => void} leave  Enter was pressed: the reader wants to go on to what was found
 */
export function listenToForm(changed, leave) {
  let waiting;
  const soon = (ms) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => changed(asked()), ms);
  };
  form.addEventListener('input', () => soon(TYPING));
  form.addEventListener('reset', () => soon(0));
  form.addEventListener('submit', (submit) => submit.preventDefault());
  form.addEventListener('keydown', (key) => key.key === 'Enter' && key.target.matches('input') && leave());
  for (const type of ['order_placed', 'order_confirmed', 'order_rejected']) suggest('types', type);
}

function asked() {
  return Object.fromEntries(FIELDS.map((field) => [field, form.elements[field].value.trim()]));
}

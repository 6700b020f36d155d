/** Kinds of events, orders, numbers, times and foreign text as a reader sees them. Pure. */

const SEALED = new Set(['placed', 'confirmed', 'rejected']);

/** What an event of that type looks like: placed, confirmed, rejected, broker or other. */
export function kindOf(type) {
  if (type.startsWith('broker.')) return 'broker';
  const kind = type.startsWith('order_') ? type.slice('order_'.length) : 'other';
  return SEALED.has(kind) ? kind : 'other';
}

/** Has an event of this kind a seal on its envelope? */
export const isSealed = (kind) => SEALED.has(kind);

/** An order's number as it stands on an envelope: whatever was sent, six characters at most. */
export function short(number) {
  const text = typeof number === 'string' ? number : number === undefined || number === null ? '' : JSON.stringify(number);
  return text.length > 6 ? `${text.slice(0, 5)}…` : text;
}

/** 1st, 2nd, 3rd, 4th, 11th. */
export function ordinal(number) {
  const teens = number % 100 > 10 && number % 100 < 14;
  const ending = teens ? undefined : ['th', 'st', 'nd', 'rd'][number % 10];
  return `${number}${ending ?? 'th'}`;
}

/** "2,000": a number of things. */
export const digits = (number) => number.toLocaleString('en');

/** "1 event", "2,000 events". */
export function count(number, one, many = `${one}s`) {
  return `${digits(number)} ${number === 1 ? one : many}`;
}

/** 14:03:07 in the reader's own time. @param {number} ms */
export function clock(ms) {
  return new Date(ms).toTimeString().slice(0, 8);
}

/** 1:03:07 after a beginning. @param {number} ms */
export function elapsed(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (number) => String(number).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** How long something took: "38 ms", "4.2 s", "3 min". @param {number} ms */
export function duration(ms) {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

/** Characters that hide themselves or turn the text around; JSON may say them as \u202e just as well. */
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The text with every unseen character written out. */
export function visible(text) {
  return text.replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The parts of a sentence, of which `code` makes those that stand in backticks. */
export const coded = (words, code = (text) => text) => words.split(/`([^`]+)`/).map((part, at) => (at % 2 ? code(part) : part));

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A name or number to stand within other words: one that runs from right to left leaves a digit beside it where it is. */
export function isolated(text) {
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}

/** When an event was created, by the word of the one who stamped it, so it may be absurd: its `created` as the reader's time of day with milliseconds. */
export function timeOf({ created }) {
  const date = new Date(Number(created));
  if (Number.isNaN(date.getTime())) return visible(created);
  return `${clock(date.getTime())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** The same with its date. */
export function dateOf({ created }) {
  const date = new Date(Number(created));
  return Number.isNaN(date.getTime()) ? visible(created) : `${date.toLocaleDateString()}, ${timeOf({ created })}`;
}

// --- orders -----------------------------------------------------------------------------------------

/** Where an answer leaves an order. A Map, since any text may come as a type. */
export const ANSWERS = new Map([['order_confirmed', 'confirmed'], ['order_rejected', 'rejected']]);

/** What a page calls the state of an order: what the wire calls placed is stored. */
export const stateWord = (state) => (state === 'placed' ? 'stored' : state);

/** An order's number as it was sent, as text; '' if there is none. */
export function numberText(id) {
  if (id === undefined || id === null) return '';
  return typeof id === 'string' ? id : JSON.stringify(id);
}

/** The order an event is about, `alice/5`, as far as it says so; '' if it is about none. */
export function orderOf({ type, source, data }) {
  if (!type.startsWith('order_')) return '';
  const customer = type === 'order_placed' ? source : data.customer;
  const known = typeof customer === 'string' ? [customer, numberText(data.id)] : [numberText(data.id)];
  return known.filter(Boolean).map((one) => isolated(visible(one))).join('/');
}

/** Why an order may be rejected; a reason that is not here stands for itself. */
const REASONS = new Map([
  ['invalid_id', 'The number is wrong'],
  ['invalid_quantity', 'The quantity is wrong'],
  ['unknown_item', 'Not on the menu'],
  ['invalid_note', 'The note is wrong'],
  ['duplicate_order', 'The number is taken'],
  ['other', 'Something else'],
]);

export const reasonWord = (reason) => REASONS.get(reason) ?? reason;

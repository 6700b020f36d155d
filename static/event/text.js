/** How an event reads: when it was created. It is the word of whoever stamped it, so it may be absurd. Pure. */

import { clock, visible } from '../ui/words.js';

/** `created` as the reader's time of day with milliseconds. */
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

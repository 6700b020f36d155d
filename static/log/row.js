/** How an event reads in the log: its time, the order it belongs to, its data; as text and as a row. */

import { html, nothing } from '/static/vendor/lit-html/lit-html.js';
import { envelope, kindOf } from '../ui/shapes.js';

const LONGEST = 400; // characters of data in a row; the whole is one click away

/** Characters that hide themselves or turn the text around; JSON may say them as \u202e just as well. */
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The text with every unseen character written out. */
export function visible(text) {
  return text.replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Who placed the order an event is about, and its number as it was sent: `alice/5`; '' if it is about none. */
export function orderOf({ type, source, data }) {
  if (!type.startsWith('order_')) return '';
  const customer = type === 'order_placed' ? source : data.customer;
  const number = data.id === undefined ? null : typeof data.id === 'string' ? data.id : JSON.stringify(data.id);
  return [customer, number].filter((part) => typeof part === 'string').map(visible).join('/');
}

/** `created` as the reader's time of day with milliseconds; it is the sender's clock, so it may be absurd. */
export function timeOf({ created }) {
  const date = new Date(Number(created));
  if (Number.isNaN(date.getTime())) return visible(created);
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** The same with its date. */
export function dateOf({ created }) {
  const date = new Date(Number(created));
  return Number.isNaN(date.getTime()) ? visible(created) : `${date.toLocaleDateString()}, ${timeOf({ created })}`;
}

/** The time with its milliseconds apart, which a narrow list leaves out. */
function clockOf(event) {
  const [time, millis] = timeOf(event).split('.');
  return html`${time}${millis ? html`<span class="log-millis">.${millis}</span>` : nothing}`;
}

/** One row of the log. @param {{index: number, chosen: boolean, opened: boolean}} place */
export function row(event, { index, chosen, opened }) {
  const data = visible(JSON.stringify(event.data));
  return html`<div role="row" class="log-row" id="row-${event.id}" aria-rowindex=${index + 2}
    aria-selected=${chosen} data-event=${event.id} data-type=${event.type} ?data-opened=${opened}>
    <span role="gridcell" class="log-time mono" title=${dateOf(event)}>${clockOf(event)}</span>
    <span role="gridcell" class="log-type">${envelope(kindOf(event.type), event.data.id)}<b>${event.type}</b></span>
    <span role="gridcell" class="log-source">${event.source}</span>
    <span role="gridcell" class="log-order mono">${orderOf(event)}</span>
    <span role="gridcell" class="log-data mono"><bdi>${data.slice(0, LONGEST)}</bdi></span>
  </div>`;
}

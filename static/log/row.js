/** How an event reads in the log: its time, its type, the order it belongs to, its data. */

import { html } from '/static/vendor/lit-html/lit-html.js';
import { envelope } from '../ui/shapes.js';
import { dateOf, kindOf, orderOf, timeOf, visible } from '../ui/words.js';
import { around, found } from './filter.js';

const LONGEST = 400; // characters of data in a row; the whole is one click away

/** The time with its milliseconds apart, which a narrow list leaves out. */
function clockOf(event) {
  const [time, millis] = timeOf(event).split('.');
  return html`${time}${millis ? html`<span class="log-millis">.${millis}</span>` : ''}`;
}

/** The text with what was searched for marked. */
function marked(text, wanted) {
  const [before, hit, after] = found(text, wanted);
  return hit ? html`${before}<mark>${hit}</mark>${after}` : text;
}

/** One row of the log. @param {{index: number, chosen: boolean, opened: boolean, wanted: string}} place  wanted: the text searched for */
export function row(event, { index, chosen, opened, wanted }) {
  const data = around(visible(JSON.stringify(event.data)), wanted);
  return html`<div role="row" class="log-row" id="row-${event.id}" aria-rowindex=${index + 2}
    aria-selected=${chosen} data-event=${event.id} data-type=${event.type} ?data-opened=${opened}>
    <span role="gridcell" class="log-time mono" title=${dateOf(event)}>${clockOf(event)}</span>
    <span role="gridcell" class="log-type">${envelope(kindOf(event.type), event.data.id)}<b>${marked(event.type, wanted)}</b></span>
    <span role="gridcell" class="log-source">${marked(event.source, wanted)}</span>
    <span role="gridcell" class="log-order mono">${orderOf(event)}</span>
    <span role="gridcell" class="log-data mono"><bdi>${marked(data.slice(0, LONGEST), wanted)}</bdi></span>
  </div>`;
}

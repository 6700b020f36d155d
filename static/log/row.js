/** How an event reads in the log: its time, its type, the order it belongs to, its data. */

import { html } from '/static/vendor/lit-html/lit-html.js';
import { dateOf, timeOf } from '../event/text.js';
import { orderOf } from '../orders/words.js';
import { envelope } from '../ui/shapes.js';
import { kindOf, visible } from '../ui/words.js';

const LONGEST = 400; // characters of data in a row; the whole is one click away

/** The time with its milliseconds apart, which a narrow list leaves out. */
function clockOf(event) {
  const [time, millis] = timeOf(event).split('.');
  return html`${time}${millis ? html`<span class="log-millis">.${millis}</span>` : ''}`;
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

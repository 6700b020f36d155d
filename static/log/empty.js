/** What the log says when it has nothing to show: why, and what to do next. */

import { html } from '/static/vendor/lit-html/lit-html.js';
import { here } from '../ui/page.js';
import { isEmpty } from './filter.js';

/** @param {object} window  what the page holds of the log (see window.js) */
export function nothingHere(window, filter) {
  if (window.older) return html`<p class="empty">Searching older events…</p>`;
  if (!isEmpty(filter)) {
    return drawn(html`No event of this room matches. What comes is watched too.<br>
      <button type="reset" form="log-filter" class="quiet">Show every event</button>`);
  }
  const customer = `/customer?${new URLSearchParams({ room: here.room })}`;
  return drawn(html`Nothing has been sent in this room yet.<br><a class="button" href=${customer}>Place the first order</a>`);
}

function drawn(words) {
  return html`<div class="empty">
    <svg viewBox="0 0 60 40" stroke="currentColor" fill="none" aria-hidden="true"><use href="#envelope"></use></svg>
    <p>${words}</p>
  </div>`;
}

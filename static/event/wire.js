/** Envelopes as they crossed the wire: JSON to look at and to copy. */

import { html } from '/static/vendor/lit-html/lit-html.js';

/**
 * One event, sent or got, with a button that copies it (`copying()` of ui/page.js wires it).
 * @param {{way: 'sent'|'got', event: object}} crossed
 * @param {string} id  unique in the page
 */
export function wire({ way, event }, id) {
  return html`<figure class="wire" data-way=${way}>
    <figcaption class="row spread">
      <span><b>${way}</b> <code>${event.type}</code></span>
      <button type="button" class="quiet" data-copy=${id}>Copy<span class="unseen"> the ${event.type} event</span></button>
    </figcaption>
    <pre class="code" id=${id} tabindex="0">${JSON.stringify(event, null, 2)}</pre>
  </figure>`;
}

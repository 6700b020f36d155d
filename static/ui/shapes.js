/**
 * Envelopes, participants and leases, and sentences with code, drawn by script; templates/parts/shapes.html draws the same into a page.
 * Their lines are in templates/parts/shapes.svg alone.
 */

import { html, nothing, svg } from '/static/vendor/lit-html/lit-html.js';
import { coded, isSealed, short } from './words.js';

/** An envelope: 3:2, the order's number, and a seal with + ✓ or ✕. */
export function envelope(kind, number, { unsent = false } = {}) {
  const text = short(number);
  const sealed = isSealed(kind);
  return html`<svg class="envelope" data-kind=${kind} viewBox="0 0 60 40" aria-hidden="true" ?data-unsent=${unsent}>
    <use href="#envelope"></use><text x=${sealed ? 19 : 30} y="35" data-digits=${text.length}>${text}</text>
    ${sealed ? svg`<use href="#seal-${kind}" x="37" y="17" width="24" height="24"></use>` : nothing}
  </svg>`;
}

/** The seal of a kind of events, by itself. @param {string} words  what it says to those who hear it */
export function seal(kind, words) {
  return html`<svg class="stage-seal tone" data-kind=${kind} viewBox="0 0 24 24" role="img" aria-label=${words}><use href="#seal-${kind}"></use></svg>`;
}

/** A participant's shape. @param {'customer'|'confirmer'|'other'} role */
export function shape(role, { bot = false, offline = false, slow = false } = {}) {
  return html`<svg class="shape" data-role=${role} viewBox="0 0 24 24" aria-hidden="true"
    ?data-offline=${offline} ?data-slow=${slow}><use href="#${role}${bot ? '-bot' : ''}"></use></svg>`;
}

/** A lease: a ring that empties clockwise, with the seconds left. */
export function lease(seconds, of) {
  const left = Math.max(0, Math.min(100, (100 * seconds) / of));
  return html`<svg class="lease" viewBox="0 0 40 40" role="img" aria-label="${Math.ceil(seconds)} s left">
    <circle cx="20" cy="20" r="16"></circle>
    <circle class="left" cx="20" cy="20" r="16" pathLength="100" stroke-dasharray="${left} 100"
      transform="rotate(-90 20 20)"></circle>
    <text x="20" y="24.5">${Math.ceil(seconds)}</text>
  </svg>`;
}

/** A sentence of the server, with what stands in backticks as code. */
export const withCode = (words) => coded(words, (text) => html`<code>${text}</code>`);

/** The lines of a shape for a canvas: its paths, in the order in which they are drawn. @param {string} id  as in shapes.svg */
export function paths(id) {
  return [...document.querySelectorAll(`#${id} > path`)].map((one) => new Path2D(one.getAttribute('d')));
}

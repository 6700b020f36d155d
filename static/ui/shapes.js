/** The shapes of templates/shapes.html, drawn from script: the same symbols, the same markup. */

import { html, nothing, svg } from '/static/vendor/lit-html/lit-html.js';

const SEALED = new Set(['placed', 'confirmed', 'rejected']);

/** What an event of that type looks like: placed, confirmed, rejected, broker or other. */
export function kindOf(type) {
  if (type.startsWith('broker.')) return 'broker';
  const kind = type.startsWith('order_') ? type.slice('order_'.length) : 'other';
  return SEALED.has(kind) ? kind : 'other';
}

/** An order's number as it stands on an envelope: whatever was sent, six characters at most. */
export function short(number) {
  const text = typeof number === 'string' ? number : number === undefined ? '' : JSON.stringify(number);
  return text.length > 6 ? `${text.slice(0, 5)}…` : text;
}

/** An envelope: 3:2, the order's number, and a seal with + ✓ or ✕. */
export function envelope(kind, number, { unsent = false } = {}) {
  const text = short(number);
  const sealed = SEALED.has(kind);
  return html`<svg class="envelope" data-kind=${kind} viewBox="0 0 60 40" aria-hidden="true" ?data-unsent=${unsent}>
    <use href="#envelope" width="60" height="40"></use>
    <text x=${sealed ? 20 : 30} y="33" data-digits=${text.length}>${text}</text>
    ${sealed ? seal(kind) : nothing}
  </svg>`;
}

function seal(kind) {
  return svg`<circle class="seal" cx="49" cy="29" r="11"></circle>
    <use class="glyph" href="#glyph-${kind}" x="40" y="20" width="18" height="18"></use>`;
}

/** A participant's shape. @param {'customer'|'confirmer'|'other'} role */
export function shape(role, { bot = false, offline = false, slow = false } = {}) {
  return html`<svg class="shape" data-role=${role} viewBox="-1 -1 26 26" aria-hidden="true"
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

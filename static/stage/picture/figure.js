/** One figure of the picture: a participant, or a group of them, with what it holds and how it fares. */

import { html, nothing } from '/static/vendor/lit-html/lit-html.js';
import { envelope, seal, shape } from '../../ui/shapes.js';
import { isSealed, kindOf, ordinal } from '../../ui/words.js';

/**
 * @param {object} one  a participant or a group (see groups.js)
 * @param {{held: object[], flow: object|null, dense: boolean, naive: boolean, mayKill: boolean}} more
 *   held: the events that lie with it; flow: {sends, gets} a second while it flows; dense: there is room
 *   for a number only
 */
export function figure(one, { held, flow, dense, naive, mayKill }) {
  const number = one.group ? one.count : dense && flow && !held.length ? `${flow.gets || flow.sends}/s` : null;
  return html`<li class="stage-figure" data-participant=${one.group ? nothing : one.name} data-figure=${one.name}
    data-group=${one.group ? one.role : nothing} data-role=${one.role} data-online=${one.online}
    ?data-slow=${one.slow} ?data-bot=${one.bot}>
    <span class="stage-shape">
      ${shape(one.role, { bot: one.bot, offline: !one.online, slow: one.slow })}
      ${number === null ? nothing : html`<b class="stage-many">${number}</b>`}
      ${one.slow ? html`<svg class="stage-slow" viewBox="0 0 24 24" aria-hidden="true"><use href="#slow"></use></svg>` : nothing}
      ${held.length ? holding(held) : nothing}
      ${mayKill ? html`<button type="button" class="stage-kill" data-does="kill" data-name=${one.name} aria-label="Kill ${one.name}">Kill</button>` : nothing}
    </span>
    <b>${one.group ?? one.name}</b>
    <span class="stage-caption">${caption(one, held, flow, naive)}</span>
  </li>`;
}

/** An event that can be clicked to ask why. */
export function letter({ event, state }, words) {
  const kind = state === 'dead' ? 'dead' : kindOf(event.type);
  const number = event.data.id === undefined ? '' : ` ${event.data.id}`;
  return html`<button type="button" class="stage-letter" data-event=${event.id} tabindex="-1"
    aria-label="${event.type}${number} from ${event.source}${words ? `, ${words}` : ''}">${envelope(kind, event.data.id)}</button>`;
}

/** The seconds and the ring are kept up by `keepLeases`: nothing here is bound to them. */
function holding(held) {
  const [oldest] = held;
  return html`
    ${oldest.lease ? html`<svg class="lease stage-lease" viewBox="0 0 40 40" aria-hidden="true" data-until=${until(oldest)} data-of=${oldest.lease}>
      <circle cx="20" cy="20" r="18"></circle>
      <circle class="left" cx="20" cy="20" r="18" pathLength="100" transform="rotate(-90 20 20)"></circle>
    </svg>` : nothing}
    <span class="stage-holding">${letter(oldest, 'leased')}${held.length > 1 ? html`<b>+${held.length - 1}</b>` : nothing}</span>`;
}

function caption(one, held, flow, naive) {
  if (one.group) return grouped(one, flow);
  if (!one.online) return 'offline';
  if (held.length) {
    const [{ attempt, lease }] = held;
    return html`${lease ? html`<span class="stage-left" data-until=${until(held[0])}></span>` : nothing}
      ${attempt > 1 ? html`<span class="stamp">${ordinal(attempt)} try</span>` : nothing}`;
  }
  if (one.slow) return 'slow';
  if (flow?.sends || flow?.gets) return rates(flow);
  if (one.inFlight) return `holds ${one.inFlight}`;
  if (naive) return 'naive';
  return one.types.includes('*') ? nothing : html`gets ${one.types.map(wanted)}`;
}

function grouped({ offline, inFlight, slow }, flow) {
  const words = [flow ? rates(flow) : '', inFlight ? `holds ${inFlight}` : '', slow ? 'some slow' : '', offline ? `${offline} offline` : ''];
  return words.filter(Boolean).map((one, index) => [index ? ', ' : '', one]);
}

function rates({ sends, gets }) {
  const number = (value) => value.toLocaleString('en');
  return [sends ? `sends ${number(sends)}/s` : '', gets ? `gets ${number(gets)}/s` : ''].filter(Boolean).join(', ');
}

/** A type somebody subscribed to: its seal if it has one, else its name. */
function wanted(type) {
  const kind = kindOf(type);
  return isSealed(kind) ? seal(kind, type) : html`<span>${type}</span> `;
}

const until = ({ handedAt, lease }) => handedAt + lease * 1000;

/** Let every lease in there show what is left of it at that time (milliseconds of the broker's clock). */
export function keepLeases(root, now) {
  for (const ring of root.querySelectorAll('.stage-lease')) {
    const part = Math.max(0, Math.min(100, (Number(ring.dataset.until) - now) / Number(ring.dataset.of) / 10));
    ring.lastElementChild.setAttribute('stroke-dasharray', `${part} 100`);
  }
  for (const words of root.querySelectorAll('.stage-left')) {
    const said = `lease ${Math.max(0, Math.ceil((Number(words.dataset.until) - now) / 1000))} s`;
    if (words.textContent !== said) words.textContent = said;
  }
}

/** One figure of the picture: a participant, or a group of them, with what it holds and how it fares. */

import { html, nothing } from '/static/vendor/lit-html/lit-html.js';
import { envelope, seal, shape } from '../../ui/shapes.js';
import { count, digits, isSealed, kindOf, ordinal } from '../../ui/words.js';

/**
 * @param {object} one  a participant or a group (see places.js)
 * @param {{tier: string, wide: boolean, held: object[], flow: object|null, way: string|null, bot: object|null, mayKill: boolean}} more
 *   tier: how large its place is; wide: whether it has room for two rates; held: the events that lie with it; flow: {sends, gets} a second while it
 *   flows; way: 'from', 'to' or 'none', how the event that is explained came by; bot: {delay, naive} of one that the host sent in
 */
export function figure(one, { tier, wide, held, flow, way, bot, mayKill }) {
  return html`<li class="stage-figure" data-participant=${one.group ? nothing : one.name} data-figure=${one.name} data-tier=${tier}
    data-group=${one.group ? one.role : nothing} data-role=${one.role} data-online=${one.online} data-way=${way ?? nothing}
    ?data-slow=${one.slow} ?data-bot=${one.bot} ?data-leases=${Boolean(held[0]?.lease)}>
    <span class="stage-shape">
      ${shape(one.role, { bot: one.bot, offline: !one.online, slow: one.slow })}
      ${one.slow ? html`<svg class="stage-slow" viewBox="0 0 24 24" aria-hidden="true"><use href="#slow"></use></svg>` : nothing}
      ${held.length ? holding(held, bot) : nothing}
      ${mayKill ? html`<button type="button" class="stage-kill" data-does="kill" data-name=${one.name} aria-label="Kill ${one.name}">Kill</button>` : nothing}
    </span>
    <b>${one.group ? `${one.more ? '+' : ''}${count(one.count, one.role, one.group)}` : one.name}</b>
    <span class="stage-caption">${caption(one, { wide, held, flow, bot })}</span>
  </li>`;
}

/** An event that can be clicked to ask why. */
export function letter({ event, state }, words) {
  const kind = state === 'dead' ? 'dead' : kindOf(event.type);
  const number = event.data.id === undefined ? '' : ` ${event.data.id}`;
  return html`<button type="button" class="stage-letter" data-event=${event.id} tabindex="-1"
    aria-label="${event.type}${number} from ${event.source}${words ? `, ${words}` : ''}">${envelope(kind, event.data.id)}</button>`;
}

/** Lease and thinking are two arcs; both, and their words, are kept up by `keepLeases`: nothing here is bound to them. */
function holding(held, bot) {
  const [oldest] = held;
  return html`
    ${oldest.lease ? arc(18.6, 'stage-lease', until(oldest), oldest.lease) : nothing}
    ${bot?.delay && oldest.lease ? arc(16, 'stage-thinks', oldest.handedAt + bot.delay * 1000, bot.delay) : nothing}
    ${bot?.delay && oldest.lease ? html`<i class="stage-dots" aria-hidden="true"><i></i><i></i><i></i></i>` : nothing}
    <span class="stage-holding">${held.length > 1 ? html`<b>+${held.length - 1}</b>` : nothing}${letter(oldest, 'leased')}</span>
    ${oldest.attempt > 1 ? html`<span class="stamp">${ordinal(oldest.attempt)} try</span>` : nothing}`;
}

function arc(radius, name, end, of) {
  return html`<svg class="lease stage-arc ${name}" viewBox="0 0 40 40" aria-hidden="true" data-until=${end} data-of=${of}>
    <circle cx="20" cy="20" r=${radius}></circle>
    <circle class="left" cx="20" cy="20" r=${radius} pathLength="100" transform="rotate(-90 20 20)"></circle>
  </svg>`;
}

/** One thing about everyone: how they fare, else what they do, else what they asked for. */
function caption(one, { wide, held, flow, bot }) {
  if (one.group) return grouped(one, flow);
  if (!one.online) return 'offline';
  if (held[0]?.lease) return html`<span class="stage-left" data-until=${until(held[0])} data-thinks=${bot ? held[0].handedAt + bot.delay * 1000 : 0}></span>`;
  if (one.slow) return 'slow';
  if (flow?.sends || flow?.gets) return rates(!wide && flow.gets ? { gets: flow.gets } : flow); // as much as its place has room for
  if (bot?.naive) return 'naive';
  return one.types.includes('*') ? nothing : html`wants ${one.types.map(wanted)}`;
}

function grouped({ offline, inFlight, slow }, flow) {
  const words = [flow ? rates(flow) : '', inFlight ? `leases ${inFlight}` : '', slow ? 'some slow' : '', offline ? `${offline} offline` : ''];
  return words.filter(Boolean).map((one, index) => [index ? ', ' : '', one]);
}

function rates({ sends, gets }) {
  return [sends ? `sends ${digits(sends)}/s` : '', gets ? `gets ${digits(gets)}/s` : ''].filter(Boolean).join(', ');
}

/** A type somebody subscribed to: its seal if it has one, else its name. */
function wanted(type) {
  const kind = kindOf(type);
  return isSealed(kind) ? seal(kind, type) : html`<span>${type}</span> `;
}

const until = ({ handedAt, lease }) => handedAt + lease * 1000;

/** Let every arc in there show what is left of it at that time (milliseconds of the broker's clock). */
export function keepLeases(root, now) {
  for (const ring of root.querySelectorAll('.stage-arc')) {
    const part = Math.max(0, Math.min(100, (Number(ring.dataset.until) - now) / Number(ring.dataset.of) / 10));
    ring.lastElementChild.setAttribute('stroke-dasharray', `${part} 100`);
  }
  for (const words of root.querySelectorAll('.stage-left')) {
    const { until: end, thinks } = words.dataset;
    const said = `lease ${Math.max(0, Math.ceil((Number(end) - now) / 1000))} s`;
    if (words.textContent !== said) words.textContent = said;
    words.toggleAttribute('data-thinking', Number(thinks) > now);
  }
}

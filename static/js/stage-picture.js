/**
 * The room as a picture: the counter in the middle, everyone at their place around it.
 *
 * Drawing is idempotent: the same state draws the same picture, as often as one likes. Motion is
 * not drawn here (see stage-flights.js); it only needs to know where everyone stands.
 */

import { html, nothing, render, svg } from '/static/vendor/lit-html/lit-html.js';
import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { envelope, kindOf, shape } from './shapes.js';
import { layout, settle } from './stage-places.js';
import { depth, inState } from './stage-queue.js';
import { present } from './stage-state.js';

const STACKED = 7; // waiting envelopes drawn one by one
const ALONE = {
  customer: ['Nobody is ordering yet.', 'Be Alice'],
  confirmer: ['Nobody is confirming yet.', 'Be Bob'],
};

export class Picture {
  /**
   * @param {HTMLElement} root
   * @param {{customer: string, confirmer: string}} links  where one becomes Alice or Bob
   */
  constructor(root, links) {
    this.root = root;
    this.links = links;
    this.settled = new Map();
    this.state = null;
    new ResizeObserver(() => this.state && this.draw(this.state)).observe(root);
  }

  /** Draw this state (see stage-state.js). */
  draw(state) {
    this.state = state;
    const people = [...state.participants.values()];
    const { clientWidth: width, clientHeight: height } = this.root;
    this.layout = layout(width, height, people.length);
    this.settled = settle(this.settled, people, this.layout);
    const placed = people.filter((one) => this.settled.has(one.name));
    render(html`
      <svg class="stage-lines" aria-hidden="true">${placed.filter((one) => one.online).map((one) => this.#line(one))}</svg>
      <ul class="stage-people" aria-label="Participants">
        ${repeat(placed, (one) => one.name, figure)}
      </ul>
      ${this.#counter(state)}
      ${Object.keys(ALONE).filter((role) => !present(state, role).length).map((role) => this.#alone(role, placed))}
      ${placed.length < people.length ? html`<p class="stage-more">and ${people.length - placed.length} more</p>` : nothing}
    `, this.root);
    this.#put(placed);
  }

  /** Where somebody stands, or null; the middle of their shape. */
  where(name) {
    const settled = this.settled.get(name);
    const place = settled && this.layout?.places.get(settled.key);
    return place ? { x: place.x, y: place.y - 18 * this.layout.scale } : null;
  }

  /** Where events rest: the top of the counter. */
  get desk() {
    const { x, y, height } = this.layout.counter;
    return { x, y: y - height / 2 };
  }

  /** Where events come from whose sender is not in the picture: from outside, over HTTP perhaps. */
  get door() {
    return { x: this.layout.counter.x, y: -40 };
  }

  #line({ name }) {
    const { x, y } = this.where(name);
    const { counter } = this.layout;
    return svg`<line x1=${x} y1=${y} x2=${counter.x} y2=${counter.y}></line>`;
  }

  #counter(state) {
    const { ready, in_flight: held, dead } = depth(state);
    const queue = state.queues.size || Object.values(state.modes).includes('queue');
    return html`<div class="stage-counter">
      <div class="stage-desk">${stack(inState(state, 'ready'), ready)}</div>
      <div class="stage-front">
        <h2>Broker</h2>
        <p><b>${state.total.toLocaleString('en')}</b> stored</p>
        ${queue ? html`<p data-waiting=${ready}><b>${ready}</b> ${ready === 1 ? 'waits' : 'wait'}${held ? `, ${held} held` : ''}</p>` : nothing}
        ${state.paused ? html`<p class="stamp">Paused: ${state.parked.length} held back</p>` : nothing}
      </div>
      ${queue ? html`<p class="stage-tray" data-dead=${dead}>${dead} ${dead === 1 ? 'dead letter' : 'dead letters'}</p>` : nothing}
    </div>`;
  }

  #alone(role, placed) {
    if (placed.some((one) => one.role === role)) return nothing;
    const [sentence, action] = ALONE[role];
    return html`<div class="stage-alone" data-side=${role}>
      ${shape(role, { offline: true })}<p>${sentence}</p><a class="button" href=${this.links[role]}>${action}</a>
    </div>`;
  }

  /** Positions are set by script: the policy of the page forbids style attributes. */
  #put(placed) {
    const { counter, scale } = this.layout;
    this.root.style.setProperty('--scale', scale);
    this.root.toggleAttribute('data-dense', this.layout.dense);
    const box = this.root.querySelector('.stage-counter');
    box.style.transform = `translate(${counter.x - counter.width / 2}px, ${counter.y - counter.height / 2}px)`;
    box.style.width = `${counter.width}px`;
    box.style.height = `${counter.height}px`;
    const figures = this.root.querySelectorAll('[data-participant]');
    placed.forEach((one, index) => {
      const { x, y } = this.layout.places.get(this.settled.get(one.name).key);
      figures[index].style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    });
  }
}

function figure(one) {
  return html`<li class="stage-figure" data-participant=${one.name} data-role=${one.role} data-online=${one.online}>
    ${shape(one.role, { bot: one.bot, offline: !one.online })}
    <b>${one.name}</b>
    <span class="stage-caption">${caption(one)}</span>
  </li>`;
}

function caption({ online, inFlight, types }) {
  if (!online) return 'offline';
  if (inFlight) return `holds ${inFlight}`;
  return types.includes('*') ? nothing : types.map(wanted);
}

/** A type somebody subscribed to: its seal if it has one, else its name. */
function wanted(type) {
  const kind = kindOf(type);
  if (!type.startsWith('order_') || kind === 'other') return html`<span>${type}</span> `;
  return html`<svg class="stage-seal tone" data-kind=${kind} viewBox="0 0 24 24" role="img" aria-label=${type}>
    <circle cx="12" cy="12" r="11"></circle><use href="#glyph-${kind}" x="3" y="3" width="18" height="18"></use>
  </svg>`;
}

function stack(waiting, ready) {
  if (!ready) return nothing;
  const drawn = Array.from({ length: Math.min(STACKED, ready) }, (_, index) => waiting[index]?.event);
  return html`<div class="stage-stack" aria-hidden="true">
    ${drawn.map((event) => envelope(kindOf(event?.type ?? 'order_placed'), event?.data.id ?? ''))}
    ${ready > STACKED ? html`<b>+${ready - STACKED}</b>` : nothing}
  </div>`;
}

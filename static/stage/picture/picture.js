/**
 * The room as a picture: the counter in the middle, everyone at their place around it.
 *
 * Drawing is idempotent: the same state draws the same picture, as often as one likes. Motion is
 * not drawn here (see ../flights/flights.js); it only needs to know where everyone stands.
 */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render, svg } from '/static/vendor/lit-html/lit-html.js';
import { shape } from '../../ui/shapes.js';
import { inState } from '../queue.js';
import { present } from '../state.js';
import { counter, stacked } from './counter.js';
import { figure, keepLeases } from './figure.js';
import { FAREWELL, gather, NAMED } from './groups.js';
import { layout, settle } from './places.js';

const ALONE = {
  customer: ['Nobody is ordering yet.', 'Be Alice'],
  confirmer: ['Nobody is confirming yet.', 'Be Bob'],
};
const KEPT = 250; // ms between two looks at the leases
const LETTER = { width: 60, least: 36 };

export class Picture {
  /**
   * @param {HTMLElement} root
   * @param {{links: {customer: string, confirmer: string}, host: boolean, now: () => number}} how
   *   links: where one becomes Alice or Bob; now: the time by the broker's clock
   */
  constructor(root, { links, host, now }) {
    this.root = root;
    this.links = links;
    this.host = host;
    this.now = now;
    this.settled = new Map();
    this.groups = new Map();
    this.state = null;
    /** Set by whoever lets envelopes fly. */
    this.inAir = () => false;
    this.flows = () => null; // {rate, of: Map name → {sends, gets}} while it flows
    new ResizeObserver(() => this.state && this.draw(this.state)).observe(root);
    setInterval(() => this.#tick(), KEPT);
  }

  /** Draw this state (see ../state.js). `live`: it is the room as it is now. */
  draw(state, { live = true } = {}) {
    this.state = state;
    this.live = live;
    const { clientWidth: width, clientHeight: height } = this.root;
    const fitted = (people) => layout(width, height, people.length, Math.max(sided(people, 'customer'), sided(people, 'confirmer')));
    const now = this.now();
    const full = fitted([...state.participants.values()].filter((one) => one.online || now - one.left < FAREWELL));
    const { figures, groups, away } = gather(state.participants, full.places.size, now);
    this.away = away;
    this.groups = groups;
    const next = groups.size ? fitted(figures) : full;
    // Smaller or larger figures move anyway: then everyone may stand on the right side.
    if (this.layout && this.layout.dense !== next.dense) this.settled = new Map();
    this.layout = next;
    this.settled = settle(this.settled, figures, this.layout);
    this.stacked = stacked(state);
    const placed = figures.filter((one) => this.settled.has(one.name));
    render(this.#whole(state, placed, figures.length - placed.length), this.root);
    this.#put(placed);
    keepLeases(this.root, this.now());
  }

  /** Leases run down, and who left is drawn for a while only. */
  #tick() {
    keepLeases(this.root, this.now());
    if (this.state && gather(this.state.participants, NAMED, this.now()).away !== this.away) this.draw(this.state, { live: this.live });
  }

  #whole(state, placed, more) {
    const flows = this.flows();
    const held = heldBy(state, this.groups, this.inAir);
    const naive = new Set(state.bots.filter((bot) => bot.naive).map(({ name }) => name));
    const sent = new Set(state.bots.map(({ name }) => name));
    const told = (one) => ({
      held: one.online ? (held.get(one.name) ?? []) : [],
      flow: flows?.of.get(one.name) ?? null,
      dense: this.layout.dense,
      naive: naive.has(one.name),
      mayKill: this.host && this.live && one.online && sent.has(one.name),
    });
    return html`
      <svg class="stage-lines" aria-hidden="true">${placed.filter((one) => one.online).map((one) => this.#line(one))}</svg>
      <ul class="stage-people" aria-label="Participants">
        ${repeat(placed, (one) => one.name, (one) => figure(one, told(one)))}
      </ul>
      ${counter(state, this.inAir, flows?.rate ?? null)}
      ${Object.keys(ALONE).filter((role) => !present(state, role).length).map((role) => this.#alone(role, placed))}
      ${more || this.away ? html`<p class="stage-more">${[more ? `and ${more} more` : '', this.away ? `${this.away} offline` : ''].filter(Boolean).join(', ')}</p>` : nothing}`;
  }

  // --- where things are, for what flies ------------------------------------------------------

  get scale() {
    return this.layout?.scale ?? 1;
  }

  /** How wide an envelope is. */
  get letter() {
    return Math.max(LETTER.least, Math.round(LETTER.width * this.scale));
  }

  /** Where somebody stands, or null; the middle of their shape, or of their group's. */
  where(name) {
    const settled = this.settled.get(this.groups.get(name) ?? name);
    const place = settled && this.layout?.places.get(settled.key);
    return place ? { x: place.x, y: place.y - 27 * this.layout.scale } : null;
  }

  /** The top of the counter. */
  get desk() {
    const { x, y, height } = this.layout.counter;
    return { x, y: y - height / 2 };
  }

  /** Where the line from there meets the counter. */
  edge({ x, y }) {
    const { counter } = this.layout;
    const [across, down] = [x - counter.x, y - counter.y];
    const part = Math.min(1, counter.width / 2 / Math.abs(across || 1), counter.height / 2 / Math.abs(down || 1));
    return { x: counter.x + across * part, y: counter.y + down * part };
  }

  /** Where an envelope rests on the counter; several at once lie side by side, above those that wait. */
  rest(slot = 0) {
    const { x, y } = this.desk;
    const step = slot % 7;
    const aside = Math.ceil(step / 2) * (step % 2 ? 1 : -1);
    return { x: x + aside * this.letter * 1.2, y: y - this.letter * (this.stacked ? 1.15 : 0.4) };
  }

  /** Where dead letters lie. */
  get tray() {
    const { x, y, height } = this.layout.counter;
    return { x, y: y + height / 2 - 16 * this.scale };
  }

  /** Where events come from whose sender is not in the picture: from outside, over HTTP perhaps. */
  get door() {
    return { x: this.layout.counter.x, y: -40 };
  }

  /** The figures with their numbers: participants, or groups in their stead. */
  counted(state) {
    const { figures } = gather(state.participants, this.layout?.places.size, this.now());
    return new Map(figures.map((one) => [one.name, one]));
  }

  #line({ name }) {
    const { x, y } = this.where(name);
    const { counter } = this.layout;
    return svg`<line x1=${x} y1=${y} x2=${counter.x} y2=${counter.y}></line>`;
  }

  #alone(role, placed) {
    const side = role === 'customer' ? 'left' : 'right';
    if (placed.some((one) => one.role === role || this.settled.get(one.name).key.startsWith(side))) return nothing;
    const [sentence, action] = ALONE[role];
    const mayBot = role === 'confirmer' && this.host && this.live;
    return html`<div class="stage-alone" data-side=${role}>
      ${shape(role, { offline: true })}<p>${sentence}</p>
      <p class="stage-alone-does">${mayBot ? html`<button type="button" data-does="bot">Send in a bot</button>` : nothing}
        <a class="button" href=${this.links[role]}>${action}</a></p>
    </div>`;
  }

  /** Positions are set by script: the policy of the page forbids style attributes. */
  #put(placed) {
    const { counter, scale } = this.layout;
    this.root.style.setProperty('--scale', scale);
    this.root.toggleAttribute('data-dense', this.layout.dense);
    const box = this.root.querySelector('.stage-counter');
    set(box, 'transform', `translate(${counter.x - counter.width / 2}px, ${counter.y - counter.height / 2}px)`);
    set(box, 'width', `${counter.width}px`);
    set(box, 'height', `${counter.height}px`);
    const figures = this.root.querySelectorAll('[data-figure]');
    placed.forEach((one, index) => {
      const { x, y } = this.layout.places.get(this.settled.get(one.name).key);
      set(figures[index], 'transform', `translate(${x}px, ${y}px) translate(-50%, -50%)`);
    });
  }
}

function sided(people, role) {
  return people.filter((one) => one.role === role).length;
}

/** Only what has changed is written: writing a style costs, even the same one. */
function set(element, property, value) {
  const key = `put${property}`;
  if (element[key] === value) return;
  element[key] = value;
  element.style[property] = value;
}

/** What lies with whom: Map name of the figure → events, the oldest first. */
function heldBy(state, groups, inAir) {
  const held = new Map();
  for (const one of inState(state, 'held')) {
    if (!one.holder || inAir(one.event.id)) continue;
    const name = groups.get(one.holder) ?? one.holder;
    held.set(name, [...(held.get(name) ?? []), one]);
  }
  return held;
}

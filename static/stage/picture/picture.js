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
import { coffeesMade, counter, refusal, stacked } from './counter.js';
import { figure, keepLeases } from './figure.js';
import { arrange } from './places.js';

const ALONE = {
  customer: ['Nobody is ordering yet.', 'Be Alice'],
  confirmer: ['Nobody is confirming yet.', 'Be Bob'],
};
const KEPT = 250; // ms between two looks at the leases
const REFUSED = 8000; // ms that the sentence to a refused message stays
const READ = 3000; // ms that it stays whatever else is refused
const WIDE = 310; // units: "sends 120/s, gets 360/s"
const LETTER = { width: 84, crowded: 64, least: 30 };

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
    this.state = null;
    /** Who stands where, see places.js; null until the first drawing. */
    this.layout = null;
    /** Set by what lets envelopes fly. */
    this.inAir = () => false;
    /** The event that is explained: {type, number, from, to: [names of those who received it]}; null: none is. */
    this.way = null;
    this.flows = () => null; // {rate, of: Map name → {sends, gets}} while it flows
    new ResizeObserver(() => this.state && this.draw(this.state, { live: this.live })).observe(root);
    setInterval(() => this.#tick(), KEPT);
  }

  /** Draw this state (see ../state.js). `live`: it is the room as it is now. */
  draw(state, { live = true } = {}) {
    this.state = state;
    this.live = live;
    this.layout = this.#arranged();
    this.stacked = stacked(state);
    this.refused = this.#refusal();
    render(this.#whole(state), this.root);
    this.#put();
    keepLeases(this.root, this.now());
  }

  #arranged() {
    const { clientWidth: width, clientHeight: height } = this.root;
    return arrange(this.state.participants, width, height, this.layout?.keys, this.now());
  }

  /** The sentence to a message that was refused just now, or null. */
  #refusal() {
    const { refused } = this.state;
    const age = this.now() - (this.refused?.at ?? Infinity);
    if (refused && age >= 0 && age < READ) return this.refused; // of many, each that is shown can be read, and heard
    return refused && this.now() - refused.at < REFUSED ? refused : null;
  }

  /** Leases run down; who left, who acted and what was refused is drawn for a while only. */
  #tick() {
    if (document.hidden || !this.state) return;
    keepLeases(this.root, this.now());
    const { figures, away } = this.#arranged();
    const others = figures.length !== this.layout.figures.length || figures.some(({ name }, at) => name !== this.layout.figures[at].name);
    if (others || away !== this.layout.away || this.#refusal() !== this.refused) this.draw(this.state, { live: this.live });
  }

  #whole(state) {
    const { figures, groups, places, away } = this.layout;
    const flows = this.flows();
    const held = heldBy(state, groups, this.inAir);
    const bots = new Map(state.bots.map((bot) => [bot.name, bot]));
    const told = (one) => ({
      tier: places.get(one.name).tier,
      wide: places.get(one.name).width > WIDE * this.scale,
      held: one.online ? (held.get(one.name) ?? []) : [],
      flow: flows?.of.get(one.name) ?? null,
      way: this.way && this.#wayOf(one.name, this.way),
      bot: bots.get(one.name) ?? null,
      mayKill: this.host && this.live && one.online && bots.has(one.name),
    });
    return html`
      <svg class="stage-lines" aria-hidden="true">${figures.filter((one) => one.online).map((one) => this.#line(one))}</svg>
      <ul class="stage-people" aria-label="Participants">
        ${repeat(figures, (one) => one.name, (one) => figure(one, told(one)))}
      </ul>
      ${refusal(this.refused)}
      ${counter(state, this.inAir, flows?.rate ?? null)}
      ${Object.keys(ALONE).filter((role) => !present(state, role).length).map((role) => this.#alone(role))}
      <div class="stage-foot"><span>${away ? `${away} offline` : nothing}</span>${coffeesMade(state.coffees)}</div>`;
  }

  #wayOf(figure, { from, to }) {
    if (to.some((name) => this.figureOf(name) === figure)) return 'to';
    return this.figureOf(from) === figure ? 'from' : 'none';
  }

  // --- where things are, for what flies ------------------------------------------------------

  get scale() {
    return this.layout?.scale ?? 1;
  }

  /** How wide an envelope is that flies. */
  get letter() {
    return Math.max(LETTER.least, Math.round((this.layout?.crowded ? LETTER.crowded : LETTER.width) * this.scale));
  }

  /** Which figure somebody is: their own, or their group's. */
  figureOf(name) {
    return this.layout?.groups.get(name) ?? name;
  }

  /** Where somebody stands, or null; the middle of their shape, or of their group's. */
  where(name) {
    return this.place(name)?.shape ?? null;
  }

  /** The place of somebody, see places.js; undefined: they have none. */
  place(name) {
    return this.layout?.places.get(this.figureOf(name));
  }

  /** How far what flies, and what is drawn about a figure, keeps from the middle of its shape. */
  around(name) {
    return (this.place(name)?.tier === 'large' ? 64 : 48) * this.scale;
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
    return { x: x + aside * this.letter * 1.2, y: y - this.letter * (this.stacked ? 1.15 : 0.42) };
  }

  /** Where dead letters lie. */
  get tray() {
    const { x, y, height } = this.layout.counter;
    return { x, y: y + height / 2 + 28 * this.scale };
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

  #alone(role) {
    if (this.layout.figures.some((one) => one.role === role)) return nothing;
    const [sentence, action] = ALONE[role];
    const mayBot = role === 'confirmer' && this.host && this.live;
    return html`<div class="stage-alone" data-side=${role}>
      ${shape(role, { offline: true })}<p>${sentence}</p>
      <p class="stage-alone-does">${mayBot ? html`<button type="button" data-does="bot">Send in a bot</button>` : nothing}
        ${this.links[role] ? html`<a class="button" href=${this.links[role]}>${action}</a>` : nothing}</p>
    </div>`;
  }

  /** Positions are set by script: the policy of the page forbids style attributes. */
  #put() {
    const { counter, scale, figures, places } = this.layout;
    this.root.style.setProperty('--scale', scale);
    const box = this.root.querySelector('.stage-counter');
    set(box, 'transform', `translate(${counter.x - counter.width / 2}px, ${counter.y - counter.height / 2}px)`);
    set(box, 'width', `${counter.width}px`);
    set(box, 'height', `${counter.height}px`);
    const drawn = this.root.querySelectorAll('[data-figure]');
    figures.forEach(({ name }, index) => {
      const { x, y, width } = places.get(name);
      set(drawn[index], 'width', `${width}px`);
      set(drawn[index], 'transform', `translate(${x}px, ${y}px) translate(-50%, -50%)`);
    });
  }
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

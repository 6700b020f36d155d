/**
 * What moves on the stage: an envelope from its sender to the counter, a rest, and on to exactly
 * those who received it. Everything here follows from records; nothing here is state.
 *
 * Where motion is not wanted, trails show the same ways. Where so much happens that single envelopes
 * would be a blur, only the counts move; flows with rates are drawn by whoever comes next.
 */

import { render } from '/static/vendor/lit-html/lit-html.js';
import { envelope, kindOf } from './shapes.js';

const EASE = 'cubic-bezier(.2, 0, 0, 1)';
const TIMES = { in: 260, rest: 180, ring: 200, out: 340, back: 480, drop: 320, trail: 1200 };
const BLUR = 20; // events a second above which single envelopes are not drawn

export class Flights {
  /** @param {HTMLElement} layer  @param {import('./stage-picture.js').Picture} picture */
  constructor(layer, picture) {
    this.layer = layer;
    this.picture = picture;
    /** Map event id → when its envelope rests at the counter */
    this.landing = new Map();
    this.recent = [];
    this.still = matchMedia('(prefers-reduced-motion: reduce)');
  }

  /** Show what these records did. `state` is the room after them. */
  show(records, state) {
    if (document.hidden || this.#tooMuch(records)) return;
    for (const record of records) this.#show(record, state);
  }

  #tooMuch(records) {
    const now = performance.now();
    const events = records.filter(({ kind }) => kind === 'event').length;
    this.recent = this.recent.filter(({ at }) => now - at < 1000);
    if (events) this.recent.push({ at: now, events });
    return this.recent.reduce((sum, batch) => sum + batch.events, 0) > BLUR;
  }

  #show(record, state) {
    if (record.kind === 'event') {
      this.#arrive(record.event, state.events.get(record.event.id)?.audience ?? []);
      return;
    }
    const event = state.events.get(record.event)?.event;
    if (!event) return;
    const { desk } = this.picture;
    if (record.kind === 'handed') this.#hand(event, record.name);
    if (record.kind === 'released') this.#fly(event, this.picture.where(record.name), desk, TIMES.back);
    if (record.kind === 'dead') this.#fly(event, desk, { x: desk.x, y: desk.y + 220 }, TIMES.drop);
  }

  async #arrive(event, audience) {
    const from = this.picture.where(event.source) ?? this.picture.door;
    const landed = this.#fly(event, from, this.picture.desk, TIMES.in, TIMES.rest);
    this.landing.set(event.id, landed);
    await landed;
    this.landing.delete(event.id);
    for (const name of audience) this.#fly(event, this.picture.desk, this.picture.where(name), TIMES.out);
  }

  async #hand(event, name) {
    await this.landing.get(event.id);
    this.#ring(name);
    await pause(TIMES.ring);
    await this.#fly(event, this.picture.desk, this.picture.where(name), TIMES.out);
  }

  #ring(name) {
    const figure = this.picture.root.querySelector(`[data-participant="${CSS.escape(name)}"]`);
    if (!figure) return;
    figure.dataset.chosen = '';
    setTimeout(() => delete figure.dataset.chosen, TIMES.ring + TIMES.out + TIMES.rest);
  }

  /** Fly an envelope; resolves when it has come to rest. */
  async #fly(event, from, to, duration, rest = 0) {
    if (!from || !to) return;
    if (this.still.matches) {
      this.#trail(event, from, to);
      return;
    }
    const flying = document.createElement('div');
    flying.className = 'stage-flight';
    render(envelope(kindOf(event.type), event.data.id), flying);
    this.layer.append(flying);
    const at = ({ x, y }) => `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    const motion = flying.animate([{ transform: at(from) }, { transform: at(to) }], { duration, easing: EASE, fill: 'forwards' });
    await motion.finished.catch(() => {});
    if (rest) await pause(rest);
    flying.remove();
  }

  /** Without motion: a line that stays for a moment. */
  #trail(event, from, to) {
    const trail = document.createElement('div');
    trail.className = 'stage-trail tone';
    trail.dataset.kind = kindOf(event.type);
    const [x, y] = [to.x - from.x, to.y - from.y];
    trail.style.width = `${Math.hypot(x, y)}px`;
    trail.style.transform = `translate(${from.x}px, ${from.y}px) rotate(${Math.atan2(y, x)}rad)`;
    this.layer.append(trail);
    setTimeout(() => trail.remove(), TIMES.trail);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

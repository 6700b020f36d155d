/**
 * What moves on the stage, drawn on a canvas over the picture: envelopes from their sender to the
 * counter and on to exactly those who received them. Everything here follows from records (see
 * motion.js); nothing here is state.
 *
 * A canvas, because forty recipients of fifteen events a second are six hundred envelopes: as elements
 * of the page each would be made, laid out and thrown away.
 *
 * What has arrived leaves its number with the recipient and a trail that fades. Where motion is not wanted,
 * trails and numbers are all there is. Where so much happens that single envelopes would be a blur, dots run
 * along the lines, and the rates stand at the figures.
 *
 * `data-flown` counts the ways that were drawn, one for each recipient, whether alone, in a "×12" or in a flow;
 * `data-flying` tells how many moves are under way, and `data-drawn` as what: 'envelopes', 'trails' or 'flows'.
 */

import { arrivals, DESK, Motion, wayGone, ways } from './motion.js';
import { Pen } from './pen.js';
import { Rates } from './rates.js';

const TRAIL = 3000; // ms that a trail fades
const TRAILS = 200; // at once; the oldest go first
const LONGEST_FRAME = 100; // ms; after a longer one (a hidden window) the clock goes on from there
const LOOK = 250; // ms between two looks at the rates while it flows
const APART = 0.2; // of the way: before that, what leaves the counter for several groups lies one on another
const ASIDE = 7; // units between the line and what flows along it, one way and the other

export class Flights {
  /**
   * @param {HTMLCanvasElement} canvas  over the picture, as large as it
   * @param {import('../picture/picture.js').Picture} picture
   * @param {() => void} landed  called when something has landed, so that the picture shows it lying there
   */
  constructor(canvas, picture, landed) {
    this.canvas = canvas;
    this.pen = new Pen(canvas, picture);
    this.picture = picture;
    this.landed = landed;
    this.motion = new Motion();
    this.rates = new Rates();
    /** {rate, of: Map name of a figure → {sends, gets}}, a second; null: single envelopes are drawn */
    this.flows = null;
    this.speed = 1;
    this.still = matchMedia('(prefers-reduced-motion: reduce)');
    this.#time = 0;
    new ResizeObserver(() => {
      this.pen.fit();
      this.wake();
    }).observe(canvas);
    picture.inAir = (id) => this.inAir(id);
    picture.flows = () => this.flows;
  }

  #time; // the picture's own clock
  #last = 0; // when it was last moved on
  #looked = 0;
  #frame = 0;
  #trails = [];
  #state = null;
  #landing = Infinity;

  /** Is this event in the air, so that the picture should not show it lying anywhere yet? */
  inAir(id) {
    return this.motion.inAir(id, this.#time);
  }

  /**
   * What the show shows moves from now on.
   * @param {import('../show.js').Show} show
   * @param {(state: object) => void} drawFigures  called first where somebody joined, who may be the sender
   * @param {(state: object, before: object|null, records: object[]) => void} shown  called once it moves
   */
  follow(show, drawFigures, shown) {
    let before = null;
    show.addEventListener('shown', ({ detail: { state, records } }) => {
      if (records.length && before) {
        if (records.some(({ kind }) => kind === 'joined')) drawFigures(state);
        this.show(records, before, state);
      } else {
        this.stop();
      }
      shown(state, before, records);
      before = state;
    });
  }

  /** Show what these records did. @param {object} before @param {object} after  the states around them */
  show(records, before, after) {
    this.#state = after;
    this.rates.count(records.filter(({ kind }) => kind === 'event').length, performance.now());
    if (document.hidden || records.some(({ kind }) => kind === 'reset')) return this.stop();
    const how = { rate: this.rates.perSecond(performance.now()), figureOf: (name) => this.picture.figureOf(name) };
    const motion = this.rates.flowing || this.still.matches ? new Motion() : this.motion;
    const planned = motion.plan(records, before, after, this.#time, how);
    if (this.still.matches && !this.rates.flowing) for (const move of planned) this.#leave(move, performance.now());
    this.canvas.dataset.flown = Number(this.canvas.dataset.flown ?? 0) + ways(planned);
    this.wake();
  }

  /** Everything lies where it belongs. */
  stop() {
    this.motion.stop();
    this.#trails = [];
    this.#landing = Infinity;
  }

  /** Draw what has changed. */
  wake() {
    if (this.#frame) return;
    this.#last = performance.now();
    this.#frame = requestAnimationFrame((now) => this.#draw(now));
  }

  #draw(now) {
    this.#time += Math.min(LONGEST_FRAME, Math.max(0, now - this.#last)) * this.speed;
    this.#last = now;
    this.pen.clear();
    const moves = this.motion.at(this.#time, (landed) => this.#leave(landed, now));
    const flowing = this.rates.flowing && this.#state !== null;
    if (flowing) this.#flow(now);
    else this.flows = null;
    this.#drawTrails(now);
    if (this.picture.way) this.#drawWay(this.picture.way);
    else this.#drawNumbers();
    this.#drawMoves(moves);
    this.#tell(flowing, moves.length || this.#trails.length);
    this.#land();
    const more = flowing || this.motion.moves.length || this.#trails.length;
    this.#frame = more ? requestAnimationFrame((next) => this.#draw(next)) : 0;
  }

  #tell(flowing, flying) {
    const drawn = flowing ? 'flows' : this.still.matches ? 'trails' : 'envelopes';
    if (this.canvas.dataset.drawn !== drawn) {
      this.canvas.dataset.drawn = drawn;
      this.landed(); // the rates come to the figures, or leave them
    }
    const said = String(flying);
    if (this.canvas.dataset.flying !== said) this.canvas.dataset.flying = said;
  }

  /** When the first of those under way has ended, the picture is drawn again: it lies there now. */
  #land() {
    if (this.#time >= this.#landing) this.landed();
    this.#landing = this.motion.moves.reduce((first, { end, lies }) => (lies ? Math.min(first, end) : first), Infinity);
  }

  // --- envelopes -----------------------------------------------------------------------------

  #drawMoves(moves) {
    const slots = new Map();
    for (const { leg, id } of moves) {
      if ((leg === 'rest' || leg === 'ring' || leg === 'in') && !slots.has(id)) slots.set(id, slots.size);
    }
    for (const move of moves) {
      const from = this.pen.spot(move.from, slots.get(move.id));
      const to = this.pen.spot(move.leg === 'ring' ? DESK : move.to, slots.get(move.id));
      if (!from || !to) continue;
      const gone = wayGone(move, this.#time);
      const x = from.x + (to.x - from.x) * gone;
      const y = from.y + (to.y - from.y) * gone;
      this.pen.envelope(move, x, y);
      if (move.many > 1 && gone > APART) this.pen.times(move, x, y);
      if (move.leg === 'rest') this.pen.tick(x, y, slots.size > 1 ? '✓' : '✓ stored');
      if (move.leg === 'ring') this.pen.ring(move.to);
    }
  }

  // --- what is left behind ---------------------------------------------------------------------

  #leave(move, now) {
    if (move.leg === 'rest' || move.leg === 'ring' || this.rates.flowing) return;
    this.#trails.push({ ...move, left: now });
    if (this.#trails.length > TRAILS) this.#trails.shift();
  }

  #drawTrails(now) {
    this.#trails = this.#trails.filter(({ left }) => now - left < TRAIL);
    for (const trail of this.#trails) {
      const alpha = 0.6 * (1 - (now - trail.left) / TRAIL);
      this.pen.line(...this.pen.ends(trail), this.pen.sprites.tone(trail.type), 3, alpha);
    }
  }

  /** What arrived last, beside each figure, on the side of the counter. */
  #drawNumbers() {
    const placeOf = (name) => this.picture.place(name);
    for (const beside of arrivals(this.#trails, this.#state?.events, placeOf).values()) {
      beside.forEach((trail, rank) => this.pen.beside(trail.to, trail, rank - (beside.length - 1) / 2));
    }
  }

  /** The way of the event that is explained, as long as it is: to the counter, and on to each who received it. */
  #drawWay({ type, number, from, to }) {
    const how = [this.pen.sprites.tone(type), Math.max(3, 7 * this.picture.scale)];
    this.pen.line(...this.pen.ends({ from, to: DESK }), ...how);
    const figures = new Map(); // figure → how many
    for (const figure of to.map((name) => this.picture.figureOf(name))) figures.set(figure, (figures.get(figure) ?? 0) + 1);
    for (const name of figures.keys()) this.pen.line(...this.pen.ends({ from: DESK, to: name }), ...how);
    for (const [name, many] of figures) this.pen.beside(name, { type, number, many });
  }

  // --- flows ---------------------------------------------------------------------------------

  #flow(now) {
    if (now - this.#looked > LOOK) {
      this.#looked = now;
      this.flows = {
        rate: this.rates.perSecond(now),
        of: this.rates.flows(this.#state.participants, now, (name) => this.picture.figureOf(name)),
      };
      this.landed();
    }
    this.rates.count(0, now);
    const run = this.still.matches ? 0 : this.#time / 8;
    const aside = ASIDE * this.picture.scale;
    for (const [name, { sends, gets }] of this.flows.of) {
      if (!this.picture.place(name)) continue; // just come, and not drawn yet
      const [near, edge] = this.pen.ends({ from: name, to: DESK });
      this.pen.dots(near, edge, sends, run, this.pen.sprites.colour('placed'), -aside);
      this.pen.dots(edge, near, gets, run, this.pen.sprites.colour('broker'), aside);
    }
  }
}

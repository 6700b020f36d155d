// What flies, from where to where, and when. Pure: records in, moves out; the clock is an argument.
//
//     event     in (1 s) → rest at the counter with a tick (0.6 s) → out to each recipient at once (1 s)
//     handed    its taker is ringed (0.5 s) → out
//     released  back from its holder
//     dead      back from its holder → down into the tray
//     retried   up from the tray
//     refused   to the counter, and back to its sender
//     joined    with `after`: what it missed, as one
//
// What one event does happens one after the other: a move begins when the last of its event has ended.
// Those who share a figure (a pile of hundreds) share one move, and `many` says how many they are: so there
// are never more moves at once than figures times the few events of two seconds, and nothing is left out.
// Times are milliseconds of the picture's own clock, which slow motion slows; they are those of calm.

import { wants } from '../state.js';

export const TIMES = { in: 1000, rest: 600, ring: 500, out: 1000, back: 1000, drop: 600, rise: 600 };
/** Up to so many events a second each takes its time; above, it is shorter in proportion, to a fifth at most. */
const CALM = 2;
const SHORTEST = 0.2;
const NUMBERS = { large: 3, middle: 1, pile: 2 }; // of what arrived last, beside a figure of each size
export const DESK = Symbol('desk');
export const TRAY = Symbol('tray');
const LYING = new Set(['ready', 'held', 'parked', 'dead']);

export class Motion {
  /**
   * {id, type, number, leg, from, to, many, start, end, lies}; from and to: a name, DESK or TRAY; many: how
   * many recipients it stands for; lies: whether the picture shows the event lying somewhere, once it has landed
   */
  moves = [];
  #free = new Map();
  #pace = 1;
  #figureOf;

  /**
   * Plan what these records show; returns the moves that are new. `before` and `after` are the room's states
   * around them; rate: events a second; figureOf: name → the figure that stands for it.
   */
  plan(records, before, after, now, { rate = 0, figureOf = (name) => name } = {}) {
    this.#pace = Math.max(SHORTEST, Math.min(1, CALM / (rate || 1)));
    this.#figureOf = figureOf;
    const known = this.moves.length;
    for (const record of records) STEPS.get(record.kind)?.call(this, record, before, after, now);
    const planned = this.moves.slice(known);
    for (const move of planned) move.lies = LYING.has(after.events.get(move.id)?.state);
    return planned;
  }

  /** The moves under way at that time; those that have ended are forgotten, and `landed` hears of each. */
  at(now, landed = () => {}) {
    for (const move of this.moves) if (move.end <= now) landed(move);
    this.moves = this.moves.filter(({ end }) => end > now);
    for (const [id, free] of this.#free) if (free <= now) this.#free.delete(id);
    return this.moves.filter(({ start }) => start <= now);
  }

  /** Is this event still on its way, at that time? */
  inAir(id, now) {
    return (this.#free.get(id) ?? 0) > now;
  }

  stop() {
    this.moves = [];
    this.#free.clear();
  }

  /** One leg of an event's way, to one place or several; begins when the one before has ended. */
  add(event, leg, from, to, now, many = 1) {
    const start = Math.max(now, this.#free.get(event.id) ?? 0);
    const end = start + TIMES[leg] * this.#pace;
    const common = { id: event.id, type: event.type, number: event.data?.id, leg, from, start, end };
    const figures = new Map();
    for (const one of Array.isArray(to) ? to : [to]) {
      const figure = typeof one === 'symbol' ? one : this.#figureOf(one);
      const known = figures.get(figure);
      if (known) known.many += 1;
      else figures.set(figure, { ...common, to: one, many });
    }
    this.moves.push(...figures.values());
    this.#free.set(event.id, end);
  }
}

/** How much of its way a move has gone at that time, 0 to 1: quick away, gentle to rest, near to cubic-bezier(.2, 0, 0, 1). */
export function wayGone({ start, end }, now) {
  const part = Math.min(1, Math.max(0, (now - start) / (end - start)));
  return part < 0.15 ? 4.6 * part * part : 1 - 0.8965 * (1 - (part - 0.15) / 0.85) ** 4;
}

/** How many ways from one to another these moves stand for: resting and being ringed is none. */
export function ways(moves) {
  return moves.reduce((sum, { leg, many }) => sum + (leg === 'rest' || leg === 'ring' ? 0 : many), 0);
}

/**
 * What arrived last at each place: Map place → moves, the newest first. What somebody holds lies with them already.
 * @param {object[]} moves  that have landed, the oldest first  @param {Map<string, object>} events  as in the state
 * @param {(name: string) => {tier: string}|undefined} placeOf
 */
export function arrivals(moves, events, placeOf) {
  const arrived = new Map();
  for (const move of moves.toReversed()) {
    const known = events?.get(move.id);
    const isHeld = known?.state === 'held' && known.holder === move.to;
    const place = typeof move.to === 'symbol' || move.type === 'refused' || isHeld ? null : placeOf(move.to);
    if (!place) continue;
    const there = arrived.get(place) ?? arrived.set(place, []).get(place);
    if (there.length < NUMBERS[place.tier]) there.push(move);
  }
  return arrived;
}

const STEPS = new Map(Object.entries({
  event({ event }, before, after, now) {
    const known = after.events.get(event.id);
    this.add(event, 'in', event.source, DESK, now);
    this.add(event, 'rest', DESK, DESK, now);
    if (known?.state === 'sent') this.add(event, 'out', DESK, known.audience ?? [], now);
  },
  handed({ event: id, name }, before, after, now) {
    const event = find(id, before, after);
    if (!event) return;
    this.add(event, 'ring', DESK, name, now);
    this.add(event, 'out', DESK, name, now);
  },
  released({ event: id, name }, before, after, now) {
    const event = find(id, before, after);
    if (event) this.add(event, 'back', name, DESK, now);
  },
  dead({ event: id }, before, after, now) {
    const event = find(id, before, after);
    if (!event) return;
    const holder = before?.events.get(id)?.holder;
    if (holder) this.add(event, 'back', holder, DESK, now);
    this.add(event, 'drop', DESK, TRAY, now);
  },
  refused({ name, at }, before, after, now) {
    const event = { id: `refused ${name} ${at}`, type: 'refused', data: { id: '!' } };
    this.add(event, 'in', name, DESK, now);
    this.add(event, 'back', DESK, name, now);
  },
  joined({ name, after: cameBack }, before, after, now) {
    const left = before?.participants.get(name)?.left;
    if (!cameBack || !left) return;
    const { types } = after.participants.get(name);
    const missed = [...after.events.values()].filter(({ event, mode, at, state }) => (
      state === 'sent' && at >= left && (mode === 'relay' || wants(types, event.type))
    ));
    if (missed.length) this.add(missed.at(-1).event, 'out', DESK, name, now, missed.length);
  },
  retried({ event: id }, before, after, now) {
    const event = find(id, before, after);
    if (event) this.add(event, 'rise', TRAY, DESK, now);
  },
  stepped({ event: id }, before, after, now) {
    letGo.call(this, id, before, after, now);
  },
  paused({ paused }, before, after, now) {
    if (!paused) for (const id of before?.parked ?? []) letGo.call(this, id, before, after, now);
  },
}));

/** Held at the broker until now: on to those who receive it. */
function letGo(id, before, after, now) {
  const known = after.events.get(id);
  if (before?.events.get(id)?.state !== 'parked' || known?.state !== 'sent') return;
  this.add(known.event, 'out', DESK, known.audience ?? [], now);
}

function find(id, before, after) {
  return (after.events.get(id) ?? before?.events.get(id))?.event;
}

// What flies, from where to where, and when. Pure: records in, moves out; the clock is an argument.
//
//     event     in (260) → rest at the counter with a tick (180) → out to each recipient at once (340)
//     handed    its taker is ringed (200) → out (340)
//     released  back from its holder (480)
//     dead      back from its holder (480) → down into the tray (320)
//     retried   up from the tray (320)
//
// What one event does happens one after the other: a move begins when the last of its event has ended.
// Times are milliseconds of the picture's own clock, which slow motion slows.

export const TIMES = { in: 260, rest: 180, ring: 200, out: 340, back: 480, drop: 320, rise: 320 };
export const DESK = Symbol('desk');
export const TRAY = Symbol('tray');
/** More than this at once would be a blur, and slow. */
const MOST = 2000;
const LYING = new Set(['ready', 'held', 'parked', 'dead']);

export class Motion {
  /**
   * {id, type, number, leg, from, to, start, end, lies}; from and to: a name, DESK or TRAY; lies: whether
   * the picture shows the event lying somewhere, once it has landed
   */
  moves = [];
  #free = new Map();

  /** Plan what these records show. `before` and `after` are the room's states around them. */
  plan(records, before, after, now) {
    for (const record of records) {
      const step = STEPS.get(record.kind);
      if (!step || this.moves.length >= MOST) continue;
      const known = this.moves.length;
      step.call(this, record, before, after, now);
      for (const move of this.moves.slice(known)) move.lies = LYING.has(after.events.get(move.id)?.state);
    }
  }

  /** The moves under way at that time; those that have ended are forgotten. */
  at(now) {
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
  add(event, leg, from, to, now) {
    const start = Math.max(now, this.#free.get(event.id) ?? 0);
    const end = start + TIMES[leg];
    const common = { id: event.id, type: event.type, number: event.data.id, leg, from, start, end };
    for (const one of Array.isArray(to) ? to : [to]) this.moves.push({ ...common, to: one });
    this.#free.set(event.id, end);
  }
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

// The room as the journal tells it: records in, state out.
//
// Pure: no clock, no network, no document. The only time is a record's `at`, so the same records always
// give the same picture, whether they come live or are read again later.
//
// What waits in queues is told in queue.js. In relay and pubsub nothing is stored per recipient:
// who received an event follows from who was there, and is worked out here (`audience`).

import { modeOf } from '../room/modes.js';
import { confirmed, none } from './coffees.js';
import { count, COUNTED, LEADS_TO, move } from './queue.js';

/** How many events are remembered one by one; waiting, held and dead ones always are. */
const REMEMBERED = 1000;
/** How many participants that left are still shown or counted, and for how long (milliseconds of journal time). */
const GHOSTS = 500;
const GHOST_TIME = 600_000;

/**
 * The state that a snapshot (the answer of GET /api/rooms/{room}) describes.
 *
 * participants: Map name → {name, role, bot, slow, types, ack, echo, since, online, left, acted, sent, delivered, inFlight};
 *               acted: when it last sent something or was handed work
 * queues:       Map type → {ready, in_flight, dead}
 * counts:       Map type → how many events; `total` of all types
 * events:       Map id → {event, mode, at, state, audience: [name] | null, holder, attempt, lease, handedAt, reason}
 * parked:       ids held at the broker while the room is paused, oldest first
 * coffees:      what was made and wasted, see coffees.js
 * refused:      the message that was refused last, {name, code, message, at}, or null
 * bots:         those that the host sent in, {name, delay, naive}
 * at:           when the last record was written, in milliseconds of the broker's clock
 * read:         how many records were applied, by which who came later is told from who came before
 * uncertain:    a record spoke of an event we cannot place; a fresh snapshot puts it right
 */
export function begin(snapshot) {
  const bots = snapshot.bots ?? [];
  const named = new Set(bots.map(({ name }) => name));
  const people = (snapshot.participants ?? []).map((one) => participant(one, named.has(one.name)));
  return {
    room: snapshot.room,
    modes: { ...snapshot.modes },
    paused: Boolean(snapshot.paused),
    locked: Boolean(snapshot.locked),
    durable: Boolean(snapshot.durable),
    participants: new Map(people.map((one) => [one.name, one])),
    queues: new Map(Object.entries(snapshot.queues ?? {}).map(([type, queue]) => [type, { ...queue }])),
    counts: new Map(Object.entries(snapshot.counts ?? {})),
    /** the snapshot told how many events of each type there are; else they are counted from now on */
    counted: Boolean(snapshot.counts),
    total: snapshot.events ?? 0,
    last: snapshot.last ?? null,
    events: new Map(),
    parked: [],
    coffees: none(),
    refused: null,
    bots,
    uncertain: false,
    at: null,
    read: 0,
  };
}

/** The state after these records, in order. The state given is left as it was. */
export function advance(state, records) {
  const draft = {
    ...state,
    participants: new Map(state.participants),
    queues: new Map(state.queues),
    counts: new Map(state.counts),
    events: new Map(state.events),
    own: new Set(), // participants that this draft may change: copies of its own
  };
  for (const record of records) {
    draft.read += 1;
    APPLY.get(record.kind)?.(draft, record);
  }
  delete draft.own;
  draft.at = records.at(-1)?.at ?? draft.at;
  forget(draft, draft.at ?? 0);
  return draft;
}

/** Teach the state events that are older than it, so that records about them find their type. */
export function recall(state, events) {
  const known = events
    .filter((event) => !state.events.has(event.id))
    .map((event) => [event.id, entry(event, modeOf(state.modes, event.type), null, 'known')]);
  return { ...state, events: new Map([...known, ...state.events]) };
}

/**
 * Teach the state what waits, is held and is dead since before it (the answer of GET …/queue). The
 * numbers of the queues are in the snapshot already; here are the events themselves.
 */
export function recallQueue(state, { queued, parked, at }) {
  const events = new Map(state.events);
  const isNew = (id) => ['known', undefined].includes(events.get(id)?.state);
  for (const { event, state: stands, name, attempt, reason, lease, left } of queued) {
    if (!isNew(event.id)) continue;
    const handedAt = lease === null ? null : at - (lease - left) * 1000;
    const more = { holder: name, attempt, reason, lease, handedAt, recalled: true };
    events.set(event.id, { ...entry(event, 'queue', null, stands), ...more });
  }
  for (const { event, mode } of parked) {
    if (isNew(event.id)) events.set(event.id, { ...entry(event, mode, null, 'parked'), recalled: true });
  }
  const held = parked.map(({ event }) => event.id).filter((id) => !state.parked.includes(id));
  return { ...state, events, parked: state.paused ? [...held, ...state.parked] : state.parked };
}

/** Does a subscription (exact types, `*`, or a prefix with a star) want this type? */
export function wants(types, type) {
  return types.some((one) => (one.endsWith('*') ? type.startsWith(one.slice(0, -1)) : one === type));
}

/** What part somebody plays, from what they subscribed to and, more tellingly, what they sent. */
export function roleOf(types, sent = null) {
  if (sent === 'order_placed') return 'customer';
  if (sent === 'order_confirmed' || sent === 'order_rejected') return 'confirmer';
  if (types.includes('order_placed')) return 'confirmer';
  if (types.includes('order_confirmed') || types.includes('order_rejected')) return 'customer';
  return 'other';
}

/** The participants that are connected, of a role if one is given. */
export function present(state, role = null) {
  return [...state.participants.values()].filter((one) => one.online && (!role || one.role === role));
}

const APPLY = new Map(Object.entries({
  event(draft, { event, mode, at }) {
    const before = draft.events.get(event.id);
    if (before && !before.recalled) return;
    const waits = mode === 'queue' ? 'ready' : draft.paused ? 'parked' : 'sent';
    const audience = waits === 'sent' ? audienceOf(draft, event, mode) : null;
    draft.events.set(event.id, { ...entry(event, mode, at, waits, audience), read: draft.read });
    draft.counts.set(event.type, (draft.counts.get(event.type) ?? 0) + 1);
    draft.total += 1;
    draft.last = event.id;
    if (draft.paused && !draft.parked.includes(event.id)) draft.parked = [...draft.parked, event.id];
    if (waits === 'ready') count(draft, event.type, 'ready', 1);
    deliver(draft, audience);
    if (event.type === 'order_confirmed') draft.coffees = confirmed(draft.coffees, event, draft);
    change(draft, event.source, (sender) => {
      if (!sender.settledRole) sender.role = roleOf(sender.types, event.type);
      sender.settledRole ||= roleOf([], event.type) !== 'other';
      sender.sent += 1;
      sender.acted = at;
    });
  },
  joined(draft, record) {
    // An unnamed participant takes the name of the first `source` it sends: the same one, called otherwise.
    const before = draft.participants.get(record.was ?? record.name);
    if (record.was) draft.participants.delete(record.was);
    const bot = Boolean(before?.bot) || draft.bots.some(({ name }) => name === record.name);
    const one = participant({ ...record, since: record.at }, bot, before);
    draft.participants.set(record.name, { ...one, read: draft.read });
    draft.own.add(record.name);
  },
  left(draft, { name, at }) {
    const leaving = name === null ? present(draft).map((one) => one.name) : [name];
    for (const one of leaving) change(draft, one, (gone) => Object.assign(gone, { online: false, left: at, inFlight: 0, slow: false }));
  },
  subscribed(draft, { name, types }) {
    change(draft, name, (one) => Object.assign(one, { types, role: one.settledRole ? one.role : roleOf(types) }));
  },
  modes(draft, { modes }) {
    draft.modes = { ...modes };
  },
  handed(draft, record) {
    const { event: id, name, attempt, lease, at } = record;
    // ack=auto: handing it to the socket settles it, so there is no lease to wait for.
    const auto = lease === null || lease === undefined;
    const before = draft.events.get(id);
    if (before?.recalled && before.holder === name && before.attempt === attempt) return; // told already
    const moved = move(draft, record, auto ? 'settled' : 'held', { holder: name, attempt, lease, handedAt: at });
    change(draft, name, (one) => {
      one.inFlight += Number(moved && !auto);
      one.delivered += 1;
      one.acted = at;
    });
    draft.parked = draft.parked.filter((one) => one !== id);
  },
  bots(draft, { bots }) {
    draft.bots = bots;
    for (const { name } of bots) change(draft, name, (one) => { one.bot = true; });
  },
  slow(draft, { names }) {
    for (const { name, slow } of draft.participants.values()) {
      if (slow !== names.includes(name)) change(draft, name, (one) => { one.slow = !slow; });
    }
  },
  refused(draft, { name, code, message, at }) {
    draft.refused = { name, code, message, at };
  },
  settled: letGo,
  released: letGo,
  dead: letGo,
  retried: (draft, record) => move(draft, record, 'ready', { holder: null, attempt: 0 }),
  discarded: (draft, record) => move(draft, record, 'discarded'),
  paused(draft, { paused }) {
    draft.paused = paused;
    if (!paused) while (draft.parked.length) letNext(draft);
  },
  stepped: (draft, record) => letNext(draft, record),
  locked(draft, { locked }) {
    draft.locked = locked;
  },
  reset(draft) {
    Object.assign(draft, { queues: new Map(), counts: new Map(), events: new Map(), parked: [] });
    Object.assign(draft, { total: 0, last: null, uncertain: false, coffees: none(), refused: null });
    for (const name of draft.participants.keys()) change(draft, name, (one) => Object.assign(one, { sent: 0, delivered: 0, inFlight: 0 }));
  },
}));

/** settled, released, dead: its holder has it no longer. */
function letGo(draft, record) {
  const before = draft.events.get(record.event);
  const holder = record.name ?? before?.holder;
  const reason = record.reason ?? null;
  const after = record.kind === 'settled' ? {} : { holder: null, reason };
  if (record.attempt !== undefined) after.attempt = record.attempt; // given back with another: it does not count
  if (!move(draft, record, LEADS_TO.get(record.kind), after)) return;
  if (before && before.state !== 'held' && before.state !== 'known') return;
  change(draft, holder, (one) => { one.inFlight = Math.max(0, one.inFlight - 1); });
}

function letNext(draft, record = {}) {
  const id = record.event ?? draft.parked[0];
  draft.parked = draft.parked.filter((one) => one !== id);
  const waiting = draft.events.get(id);
  if (waiting?.state !== 'parked') return;
  const audience = audienceOf(draft, waiting.event, waiting.mode, waiting.read);
  draft.events.set(id, { ...waiting, state: 'sent', audience });
  deliver(draft, audience);
}

/** Who receives an event in relay or pubsub: who is there, was there when it came, and in pubsub wants it. */
function audienceOf(draft, event, mode, accepted = Infinity) {
  return present(draft)
    .filter((one) => one.read < accepted)
    .filter((one) => mode === 'relay' || wants(one.types, event.type))
    .filter((one) => one.echo || one.name !== event.source)
    .map((one) => one.name);
}

function deliver(draft, names) {
  for (const name of names ?? []) change(draft, name, (one) => { one.delivered += 1; });
}

/** Change a participant: once copied it is the draft's own, so that an event to hundreds copies nobody twice. */
function change(draft, name, how) {
  const before = draft.participants.get(name);
  if (!before) return;
  const one = draft.own.has(name) ? before : { ...before };
  if (one !== before) draft.participants.set(name, one);
  draft.own.add(name);
  how(one);
}

function entry(event, mode, at, state, audience = null) {
  return {
    event, mode, at, state, audience,
    holder: null, attempt: 0, lease: null, handedAt: null, reason: null, read: 0,
  };
}

function participant(one, bot, before = null) {
  const types = one.types ?? ['*'];
  // The broker tells a part only once it knows it from what somebody sent.
  const told = one.role && one.role !== 'other' ? one.role : null;
  const role = told ?? (before?.settledRole ? before.role : roleOf(types));
  return {
    name: one.name, role, settledRole: Boolean(told || before?.settledRole), bot, types, slow: Boolean(one.slow),
    ack: one.ack ?? 'auto', echo: one.echo ?? true, since: one.since ?? null, online: true, left: null, acted: before?.acted ?? -Infinity,
    sent: before?.sent ?? 0, delivered: one.delivered ?? before?.delivered ?? 0, inFlight: one.in_flight ?? 0,
    read: 0,
  };
}

/** Keep the memory bounded: old events that are done with, and those who left long ago, go. */
function forget(draft, now) {
  if (draft.events.size > REMEMBERED) {
    let surplus = draft.events.size - REMEMBERED;
    for (const [id, { state }] of draft.events) {
      if (surplus <= 0) break;
      if (COUNTED.has(state) || state === 'parked') continue;
      draft.events.delete(id);
      surplus -= 1;
    }
  }
  const gone = [...draft.participants.values()].filter((one) => !one.online).sort((a, b) => b.left - a.left);
  gone.forEach((one, rank) => {
    const nameless = /^guest-\d+$/.test(one.name);
    if (nameless || rank >= GHOSTS || now - one.left > GHOST_TIME) draft.participants.delete(one.name);
  });
}

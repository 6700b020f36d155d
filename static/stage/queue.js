// An event's way through a queue, and the numbers that follow from it. Pure but for the draft it is given.
//
//     event → ready ──handed──▶ held ──settled──▶ settled
//               ▲                │ └────dead────▶ dead ──discarded──▶ discarded
//               └────released────┘                 │
//               └────────────────retried───────────┘
//
// Handed with ack=auto (no lease) settles at once.

/** Which number of a queue an event in this state counts towards. */
export const COUNTED = new Map([['ready', 'ready'], ['held', 'in_flight'], ['dead', 'dead']]);
/** Where a record finds an event we never saw ourselves, because it was there before us. */
const FOUND = new Map(Object.entries({
  handed: 'ready', settled: 'held', released: 'held', dead: 'held', retried: 'dead', discarded: 'dead',
}));
export const LEADS_TO = new Map(Object.entries({
  handed: 'held', settled: 'settled', released: 'ready', dead: 'dead', retried: 'ready', discarded: 'discarded',
}));

/** How many events wait, are held and are dead, over all queues. */
export function depth(state) {
  const sum = { ready: 0, in_flight: 0, dead: 0 };
  for (const queue of state.queues.values()) for (const key of Object.keys(sum)) sum[key] += queue[key] ?? 0;
  return sum;
}

/** The events we know that are in this state of the queue, oldest first. */
export function inState(state, wanted) {
  return [...state.events.values()].filter((one) => one.state === wanted);
}

/** Move an event to a state of the queue and keep the numbers true; false if it was there already. */
export function move(draft, record, to, more = {}) {
  const before = draft.events.get(record.event);
  const type = record.type ?? before?.event.type ?? onlyQueue(draft);
  if (!type) {
    draft.uncertain = true;
    return false;
  }
  const from = !before || before.state === 'known' ? FOUND.get(record.kind) : before.state;
  if (before && before.state === to && to !== 'held') return false;
  count(draft, type, from, -1);
  count(draft, type, to, 1);
  if (before) draft.events.set(record.event, { ...before, mode: 'queue', state: to, ...more });
  return true;
}

/** With one queue in the room there is no doubt which one an unknown event came from. */
function onlyQueue(draft) {
  return draft.queues.size === 1 ? draft.queues.keys().next().value : null;
}

/** Count an event in, or out of, the number of its queue's state. */
export function count(draft, type, state, step) {
  const key = COUNTED.get(state);
  if (!key) return;
  const queue = draft.queues.get(type) ?? { ready: 0, in_flight: 0, dead: 0 };
  draft.queues.set(type, { ...queue, [key]: Math.max(0, queue[key] + step) });
}

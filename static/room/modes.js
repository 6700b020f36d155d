// The three modes as one big switch: what each position sets, and what it says. Pure.
//
// The switch shows what the room's modes are, not what was clicked: it moves when the broker says so.

/** What people call each mode, and a room whose types have several. */
export const MODE_NAMES = { relay: 'Relay', pubsub: 'Publish–subscribe', queue: 'Queue', mixed: 'Each type its own mode' };

/** What each position of the switch sets; types that it does not name follow `*`. */
export const MODES = {
  relay: { '*': 'relay' },
  pubsub: { '*': 'pubsub' },
  queue: { '*': 'pubsub', order_placed: 'queue' },
};

export const SENTENCES = {
  relay: 'Everyone in the room receives every event.',
  pubsub: 'Each receives only the types they asked for.',
  queue: 'Each order goes to exactly one; answers go to those who asked.',
  mixed: 'Each type goes its own way: see the table.',
};

/** What a mode means for one type; said as it is chosen in the table. */
const OF_TYPE = new Map([
  ['relay', 'everyone in the room receives it.'],
  ['pubsub', 'those who subscribed to it receive it.'],
  ['queue', 'exactly one takes it; it waits until someone can.'],
]);

/** @param {string} type  an event's type, or `*` */
function sentenceOf(type, mode) {
  return `${type === '*' ? 'All other types' : type}: ${OF_TYPE.get(mode)}`;
}

/** Which position the modes of a room are; `mixed` if they are none of the three. */
export function position(modes) {
  const same = (one) => JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(modes).sort());
  return Object.entries(MODES).find(([, one]) => same(one))?.at(0) ?? 'mixed';
}

/** The mode of a type in a room: its own, else that of `*`. */
export function modeOf(modes, type) {
  return new Map(Object.entries(modes)).get(type) ?? modes['*'] ?? 'relay';
}

/** The change that brings a room to a position: types with a mode of their own follow `*` again. */
export function change(modes, wanted) {
  const cleared = Object.fromEntries(Object.keys(modes).map((type) => [type, null]));
  return { ...cleared, ...new Map(Object.entries(MODES)).get(wanted) };
}

/** The sentence that changes to the modes of single types leave standing; null: that of the position. */
export function sentenceAfter(before, after) {
  const types = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const own = (modes, type) => Object.entries(modes).find(([key]) => key === type)?.at(1);
  const changed = types.filter((type) => own(before, type) !== own(after, type));
  if (changed.length !== 1 || position(after) !== 'mixed') return null;
  const [type] = changed;
  return sentenceOf(type, modeOf(after, type));
}

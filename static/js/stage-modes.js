// The three modes as one big switch: what each position sets, and what it says. Pure.
//
// The switch shows what the room's modes are, not what was clicked: it moves when the broker says so.

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

/** Which position the modes of a room are; `mixed` if they are none of the three. */
export function position(modes) {
  const same = (one) => JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(modes).sort());
  return Object.keys(MODES).find((key) => same(MODES[key])) ?? 'mixed';
}

/** The change that brings a room to a position: types with a mode of their own follow `*` again. */
export function change(modes, wanted) {
  const cleared = Object.fromEntries(Object.keys(modes).map((type) => [type, null]));
  return { ...cleared, ...MODES[wanted] };
}

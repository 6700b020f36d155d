// Who has a lane in the sequence diagram, where, and from when to when they were there. Pure.

import { BROKER } from './rows.js';

/** The lane of those for whom there is no room. */
export const OTHERS = '…';
const SIDES = { customer: 0, broker: 1, confirmer: 2, other: 3 };

/**
 * The lanes for these rows, from left to right: customers, the broker, confirmers, others; each in the order
 * of coming, so that nobody moves when somebody joins at the end.
 * @param {object[]} rows   see rows.js
 * @param {object} state    the room after them
 * @param {number} most     how many lanes there is room for
 * @returns {{name: string, role: string, bot: boolean, online: boolean, count: number}[]}
 *   count: for how many a lane stands
 */
export function lanesOf(rows, state, most) {
  const people = [...state.participants.values()];
  const known = new Set(people.map(({ name }) => name));
  const gone = [...new Set(rows.flatMap(({ from, to }) => [from, ...to]))]
    .filter((name) => name && name !== BROKER && !known.has(name))
    .map((name) => ({ name, role: roleIn(rows, name), bot: false, online: false }));
  const everyone = [...gone, ...people].map(({ name, role, bot, online }) => ({ name, role, bot, online, count: 1 }));
  const kept = everyone.length < most ? everyone : busiest(everyone, rows, most - 2);
  const lanes = [...kept, { name: BROKER, role: 'broker', bot: false, online: true, count: 1 }];
  lanes.sort((a, b) => SIDES[a.role] - SIDES[b.role]);
  const left = everyone.length - kept.length;
  return left ? [...lanes, { name: OTHERS, role: 'other', bot: false, online: true, count: left }] : lanes;
}

/** Those who did something last come first; they keep their order among themselves. */
function busiest(everyone, rows, most) {
  const last = new Map();
  rows.forEach(({ from, to }, index) => {
    last.set(from, index + rows.length);
    if (to.length === 1) last.set(to[0], index + rows.length);
    else for (const name of to) if (!last.has(name)) last.set(name, 0);
  });
  const rank = ({ name, online }) => last.get(name) ?? (online ? -1 : -2);
  const chosen = new Set([...everyone].sort((a, b) => rank(b) - rank(a)).slice(0, Math.max(0, most)));
  return everyone.filter((one) => chosen.has(one));
}

function roleIn(rows, name) {
  const sent = rows.find(({ kind, from }) => kind === 'said' && from === name);
  if (!sent) return 'other';
  return sent.tone === 'placed' ? 'customer' : sent.tone === 'other' ? 'other' : 'confirmer';
}

/**
 * From which row to which somebody was there: [[first, last], …]; -1: since before, rows.length: they still are.
 * What the rows do not tell of follows from how it is in the end.
 */
export function stays(rows, { name, online }) {
  if (name === BROKER || name === OTHERS) return [[-1, rows.length]];
  const spans = [];
  let until = online ? rows.length : null;
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const row = rows[index];
    if ((row.went && row.from === name) || row.all) until ??= index;
    else if (row.came && row.from === name && until !== null) {
      spans.unshift([index, until]);
      until = null;
    } else if (until === null && isIn(row, name)) until = index; // it was, though we did not hear it leave
  }
  if (until !== null) spans.unshift([-1, until]);
  return spans;
}

function isIn(row, name) {
  return row.from === name || row.to.includes(name);
}

/** The rows as a Mermaid sequence diagram. */
export function mermaid(rows, lanes) {
  const ids = new Map(lanes.map(({ name }, index) => [name, name === BROKER ? BROKER : `p${index}`]));
  const lines = ['sequenceDiagram'];
  for (const { name, role, count } of lanes) {
    const shown = name === OTHERS ? `${count} more` : name;
    const who = role === 'customer' ? 'actor' : 'participant';
    lines.push(`    ${who} ${ids.get(name)} as ${plain(shown)}`);
  }
  const id = (name) => ids.get(name) ?? ids.get(OTHERS);
  for (const { from, to, words, again } of rows) {
    if (from === null) lines.push(`    Note over ${id(lanes[0].name)},${id(lanes.at(-1).name)}: ${plain(words)}`);
    else if (!to.length) lines.push(`    Note over ${id(from)}: ${plain(words)}`);
    const arrow = again ? '-->>' : '->>';
    for (const one of new Set(to.map(id))) lines.push(`    ${id(from)}${arrow}${one}: ${plain(words)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Text that Mermaid takes for nothing but text. */
function plain(text) {
  return text.replace(/[#;<>&"{}\\%\n\r]/g, (sign) => (sign < ' ' ? ' ' : `#${sign.codePointAt(0)};`));
}

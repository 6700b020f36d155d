// The sequence diagram as data: what each record draws, in the order of the journal. Pure.
//
// A row: {key, count, at, kind, event, from, to, words, again, tone}
//   key    unique           count  how many records have happened with it
//   kind   said | given | handed | settled | released | note | band
//   event  the id of the event it is about, or null
//   from   whose lane it starts at; null: a band over all
//   to     whose lanes it reaches; empty: a note at `from`
//   again  whether it is a repeat or a return: drawn dashed
//   tone   what kind of event: placed, confirmed, rejected, other

import { MODE_NAMES, position } from '../../room/modes.js';
import { isolated, isSealed, kindOf, numberText, orderOf, ordinal } from '../../ui/words.js';

export const BROKER = 'broker';
const LONGEST = 60; // characters of a label

/**
 * What a record draws.
 * @param {number} count  how many records have happened with it
 * @param {object} after  the room after it, and perhaps a few more  @param {object} before  and before
 */
export function rowsOf(record, count, after, before) {
  const drawn = DRAW.get(record.kind)?.(record, after, before) ?? [];
  return drawn.map((row, index) => ({
    key: `${count}.${index}`, count, at: record.at, event: null, from: null, to: [], again: false, tone: 'other', ...row,
    words: cut(row.words),
  }));
}

const DRAW = new Map(Object.entries({
  event({ event, mode }, after) {
    const about = { event: event.id, tone: toneOf(event.type) };
    const said = { kind: 'said', ...about, from: event.source, to: [BROKER], words: saidOf(event) };
    const entry = after.events.get(event.id);
    if (mode === 'queue') return [said];
    if (!entry?.audience) return [said]; // held at the broker: it goes on later
    return [said, given(entry)];
  },
  handed(record, after) {
    const { name, attempt } = record;
    const words = attempt > 1 ? `again, to ${isolated(name)}: ${ordinal(attempt)} try` : `to ${isolated(name)} alone`;
    return [about('handed', record, after, { from: BROKER, to: [name], again: attempt > 1, words })];
  },
  settled: (record, after) => [about('settled', record, after, { from: record.name, to: [BROKER], words: 'done' })],
  released: (record, after) => [
    about('released', record, after, { from: record.name, to: [BROKER], again: true, words: `back: ${record.reason}` }),
  ],
  dead: (record, after) => [about('note', record, after, { from: BROKER, words: `dead letter: ${record.reason}` })],
  retried: (record, after) => [about('note', record, after, { from: BROKER, words: 'the host lets it try again' })],
  discarded: (record, after) => [about('note', record, after, { from: BROKER, words: 'the host discarded it' })],
  fault: (record, after) => (record.name === null
    ? [{ kind: 'band', words: record.words }]
    : [about('note', record, after, { from: record.name, words: `fault: ${record.words}` })]),
  verdict: ({ stage, verdict, failure }) => [{ kind: 'band', words: `Stage ${stage}: ${failure ? `failed, ${failure.came}` : verdict}` }],
  joined: ({ name, was, after }) => [{ kind: 'note', from: name, words: arrival(name, was, after), came: true }],
  left: ({ name }) => (name === null
    ? [{ kind: 'band', words: 'The server started again', all: true }]
    : [{ kind: 'note', from: name, words: 'left', went: true }]),
  subscribed: ({ name, types }) => [{ kind: 'note', from: name, words: `asks for ${types.join(', ') || 'nothing'}` }],
  modes: ({ modes }) => [{ kind: 'band', words: MODE_NAMES[position(modes)] }],
  paused: ({ paused }, after, before) => [
    { kind: 'band', words: paused ? 'Paused: events stay at the broker' : 'Resumed' }, ...freed(after, before),
  ],
  stepped: (record, after, before) => freed(after, before),
}));

/** `was`: its name before; `after`: whether it asked for what it missed. */
function arrival(name, was, after) {
  if (was) return was === name ? 'is here' : `was ${isolated(was)}`; // a guest took a name, or the room was cleared
  return after ? 'is back, and catches up' : 'joined';
}

/** What was held at the broker before, and was let go now. */
function freed(after, before) {
  return before.parked
    .map((id) => after.events.get(id))
    .filter((entry) => entry?.audience && !after.parked.includes(entry.event.id))
    .map(given);
}

function given({ event, mode, audience }) {
  const one = audience.length === 1 ? isolated(audience[0]) : '';
  const who = mode === 'relay' ? (one ? `all: ${one}` : `all ${audience.length} here`)
    : one ? `${one}, who asked` : `the ${audience.length} who asked`;
  const nobody = mode === 'relay' ? 'to nobody: no one is here' : 'to nobody: no one asked for it';
  const words = `${labelOf(event)} ${audience.length ? `to ${who}` : nobody}`.trim();
  return { kind: audience.length ? 'given' : 'note', event: event.id, tone: toneOf(event.type), from: BROKER, to: audience, words };
}

function about(kind, record, after, row) {
  const event = after.events.get(record.event)?.event;
  const words = `${event ? labelOf(event) : ''} ${row.words}`.trim();
  return { kind, event: record.event, tone: toneOf(event?.type), ...row, words };
}

function toneOf(type = '') {
  return isSealed(kindOf(type)) ? kindOf(type) : 'other';
}

/** "order_placed 5": whose it is, its arrow says; an answer names the customer. */
function saidOf(event) {
  return `${event.type} ${event.type === 'order_placed' ? isolated(numberText(event.data.id)) : labelOf(event)}`.trim();
}

/** "alice/5", or the number alone of what is no order. */
function labelOf(event) {
  return orderOf(event) || isolated(numberText(event.data.id));
}

function cut(words) {
  const text = words.replace(/\s+/g, ' ');
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

/** A row as a sentence, for those who hear it. */
export function sentence({ kind, from, to, words }) {
  if (kind === 'band') return words;
  if (!to.length) return `${from}: ${words}`;
  if (kind === 'said') return `${from} sent ${words}`;
  if (kind === 'given') return to.length > 1 ? `${from}: ${words}: ${to.join(', ')}` : `${from}: ${words}`;
  return `${from} to ${to[0]}: ${words}`;
}

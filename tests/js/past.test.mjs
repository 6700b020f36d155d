import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lanesOf, mermaid, stays } from '../../static/stage/diagram/lanes.js';
import { elapsed, ordinal } from '../../static/ui/words.js';
import { sentence } from '../../static/stage/diagram/rows.js';
import { before, Past } from '../../static/stage/past/past.js';
import { advance, begin, present } from '../../static/stage/state.js';

const EMPTY = begin({ room: 'main', modes: { '*': 'relay' }, counts: {} });
let clock = 1000;

const joined = (name, types = ['*'], more = {}) => ({ kind: 'joined', at: clock++, name, types, ack: 'auto', echo: true, ...more });
const left = (name) => ({ kind: 'left', at: clock++, name });
const sent = (id, source = 'alice', mode = 'relay', type = 'order_placed', data = { id: 5 }) =>
  ({ kind: 'event', at: clock++, mode, event: { id, type, created: '1', source, data } });
const about = (kind, event, more = {}) => ({ kind, at: clock++, event, ...more });
const handed = (event, name, attempt = 1) => about('handed', event, { name, attempt, lease: 30 });
const paused = (is) => ({ kind: 'paused', at: clock++, paused: is });

function pastOf(...records) {
  const past = new Past(EMPTY);
  past.append(records);
  return past;
}
const drawn = (past) => past.rows.map(({ kind, from, to, words }) => [kind, from, to.join(' '), words]);

test('the room and its orders stand at any moment as they stood then', () => {
  const past = pastOf(
    joined('alice'), joined('bob', ['order_placed']), sent('e1', 'alice', 'relay', 'order_placed', { id: 1 }),
    sent('e2', 'bob', 'relay', 'order_confirmed', { id: 1, customer: 'alice', event: 'e1' }), left('bob'),
  );
  const told = [0, 1, 2, 3, 4, 5].map((count) => {
    const { state, orders } = past.at(count);
    return [present(state).length, state.total, orders.order('alice/1')?.state ?? '-'].join(' ');
  });
  assert.deepEqual(told, ['0 0 -', '1 0 -', '2 0 -', '2 1 placed', '2 2 confirmed', '1 2 confirmed']);
});

test('what a long past tells of any moment is what reading it from the start tells', () => {
  const records = [joined('alice'), joined('bob', ['order_placed'])];
  for (let i = 0; i < 400; i += 1) {
    records.push(sent(`e${i}`, 'alice', i % 3 ? 'queue' : 'pubsub', 'order_placed', { id: i }));
    if (i % 3) records.push(handed(`e${i}`, 'bob'), about('settled', `e${i}`, { name: 'bob' }));
    if (i % 70 === 0) records.push(paused(true), sent(`p${i}`), about('stepped', `p${i}`), paused(false));
  }
  const past = new Past(EMPTY);
  for (let i = 0; i < records.length; i += 37) past.append(records.slice(i, i + 37)); // as they come, in pages
  const whole = pastOf(...records);
  assert.ok(records.length > 900 && past.marks.length > 3);
  assert.deepEqual(drawn(past), drawn(whole));
  for (const count of [0, 1, 249, 250, 251, 555, records.length]) {
    const straight = advance(EMPTY, records.slice(0, count));
    const { state } = past.at(count);
    assert.deepEqual([...state.events.keys()], [...straight.events.keys()], `${count}`);
    assert.deepEqual(state.queues, straight.queues);
    assert.deepEqual(state.participants, straight.participants);
  }
});

test('an event is drawn to the broker, and on to those who received it', () => {
  const past = pastOf(joined('alice', ['tea']), joined('bob'), joined('eve', ['tea']), sent('e1'), sent('e2', 'alice', 'pubsub'));
  assert.deepEqual(drawn(past).slice(3), [
    ['said', 'alice', 'broker', 'order_placed 5'], ['given', 'broker', 'alice bob eve', 'alice/5 to all 3 here'],
    ['said', 'alice', 'broker', 'order_placed 5'], ['given', 'broker', 'bob', 'alice/5 to bob, who asked'],
  ]);
});

test('a fault is drawn where it happened', () => {
  const fault = (name, step, words, event = null) => ({ kind: 'fault', at: clock++, id: 'f', name, fault: 'lose_ack', step, words, event });
  const past = pastOf(
    joined('bob'), fault('bob', 'set', 'the next ack it sends will be lost'), sent('e1', 'alice', 'queue'),
    fault('bob', 'happened', 'its ack was lost on the way', 'e1'), fault(null, 'lifted', 'all faults are away'),
  );
  assert.deepEqual(drawn(past).filter(([kind]) => kind !== 'said').slice(1), [
    ['note', 'bob', '', 'fault: the next ack it sends will be lost'],
    ['note', 'bob', '', 'alice/5 fault: its ack was lost on the way'], ['band', null, '', 'all faults are away'],
  ]);
});

test('a bot that dies holding an order is drawn as it was: back, left, and again to another', () => {
  const past = pastOf(
    joined('bob'), joined('bob-2'), sent('e1', 'alice', 'queue'), handed('e1', 'bob'),
    about('released', 'e1', { name: 'bob', reason: 'its connection was lost' }), left('bob'),
    handed('e1', 'bob-2', 2), about('settled', 'e1', { name: 'bob-2' }),
  );
  assert.deepEqual(drawn(past).slice(2), [
    ['said', 'alice', 'broker', 'order_placed 5'], ['handed', 'broker', 'bob', 'alice/5 to bob alone'],
    ['released', 'bob', 'broker', 'alice/5 back: its connection was lost'], ['note', 'bob', '', 'left'],
    ['handed', 'broker', 'bob-2', 'alice/5 again, to bob-2: 2nd try'], ['settled', 'bob-2', 'broker', 'alice/5 done'],
  ]);
  assert.deepEqual(past.rows.filter(({ again }) => again).map(({ kind }) => kind), ['released', 'handed']);
});

test('what was held at the broker is drawn when it was let go, to those who received it then', () => {
  const past = pastOf(
    joined('bob'), paused(true), sent('e1'), sent('e2'), about('stepped', 'e1'), left('bob'), joined('eve'), paused(false),
  );
  assert.deepEqual(drawn(past).slice(2), [
    ['said', 'alice', 'broker', 'order_placed 5'], ['said', 'alice', 'broker', 'order_placed 5'],
    ['given', 'broker', 'bob', 'alice/5 to all: bob'], ['note', 'bob', '', 'left'], ['note', 'eve', '', 'joined'],
    ['band', null, '', 'Resumed'], ['note', 'broker', '', 'alice/5 to nobody: no one is here'],
  ]);
});

test('who comes is drawn as what they are: new, back, or a guest with a name now', () => {
  const past = pastOf(joined('guest-1'), joined('bob', ['*'], { was: 'guest-1' }), joined('eve', ['*'], { after: true }), joined('eve', ['*'], { was: 'eve' }));
  assert.deepEqual(past.rows.map(({ from, words }) => `${from} ${words}`), [
    'guest-1 joined', 'bob was guest-1', 'eve is back, and catches up', 'eve is here',
  ]);
});

test('the rows up to a moment are those that had been drawn by then', () => {
  const past = pastOf(joined('bob'), sent('e1'), sent('e2'), sent('e3'));
  assert.deepEqual([0, 1, 2, 4].map((count) => past.rowsUpTo(count, 100).length), [0, 1, 3, 7]);
  assert.deepEqual(past.rowsUpTo(3, 2).map(({ event }) => event), ['e2', 'e2']);
});

test('customers stand left of the broker, confirmers right, and who left long ago is not forgotten', () => {
  const past = pastOf(joined('bob', ['order_placed']), joined('alice'), sent('e1'), sent('e2', 'zoe'));
  const lanes = lanesOf(past.rows, past.end.state, 20);
  assert.deepEqual(lanes.map(({ name }) => name), ['zoe', 'alice', 'broker', 'bob']);
  assert.deepEqual(lanes.map(({ online }) => online), [false, true, true, true]);
});

test('where there is no room for all, those who did nothing share a lane', () => {
  const crowd = Array.from({ length: 30 }, (_, n) => joined(`p${n}`));
  const past = pastOf(...crowd, ...Array.from({ length: 3 }, (_, n) => sent(`e${n}`, 'p7')));
  const lanes = lanesOf(past.rows.slice(-6), past.end.state, 6);
  assert.equal(lanes.length, 6);
  assert.ok(lanes.some(({ name }) => name === 'p7'));
  assert.equal(lanes.at(-1).count, 26);
});

test('a lane is solid from coming to going, and again from coming back', () => {
  const past = pastOf(sent('e1'), joined('bob'), left('bob'), sent('e2'), joined('bob'), sent('e3'));
  const [bob] = lanesOf(past.rows, past.end.state, 9).filter(({ name }) => name === 'bob');
  assert.deepEqual(stays(past.rows, bob), [[2, 3], [6, 9]]);
  const gone = pastOf(joined('bob'), sent('e1'), left(null));
  assert.deepEqual(stays(gone.rows, { name: 'bob', online: false }), [[0, 3]]);
});

test('how the room stood before the records follows from what is told of it and from them', () => {
  const live = begin({ room: 'main', modes: { '*': 'queue' }, events: 5, bots: [{ name: 'bob' }], participants: [
    { name: 'alice', types: ['*'], role: 'customer' }, { name: 'bob', types: ['*'] },
  ] });
  const standing = { paused: true, participants: [{ name: 'alice', types: ['tea'], ack: 'auto', echo: true, since: 3 }] };
  const records = [sent('e1', 'alice', 'pubsub', 'tea'), { kind: 'modes', at: 9, modes: { '*': 'queue' } }, sent('e2')];
  const state = before(live, standing, records, true);
  assert.deepEqual([state.modes, state.paused, state.total, state.counted], [{ '*': 'relay', tea: 'pubsub' }, true, 3, false]);
  assert.equal(state.participants.get('alice').role, 'customer');
  assert.deepEqual(before(live, standing, records.slice(2), true).modes, { '*': 'queue' }, 'never changed since');
  assert.deepEqual([before(live, standing, records, false).total, before(live, standing, records, false).counted], [0, true]);
});

test('the diagram as Mermaid has every arrow, dashes for repeats, and hostile text is nothing but text', () => {
  const past = pastOf(
    joined('bob'), sent('e1', 'alice', 'queue'), handed('e1', 'bob'),
    about('released', 'e1', { name: 'bob', reason: 'x;end\n#<b>' }), handed('e1', 'bob', 2),
    { kind: 'modes', at: 1, modes: { '*': 'pubsub' } },
  );
  const lanes = lanesOf(past.rows, past.end.state, 9);
  assert.equal(mermaid(past.rows, lanes), [
    'sequenceDiagram', '    actor p0 as alice', '    participant broker as broker', '    participant p2 as bob',
    '    Note over p2: joined', '    p0->>broker: order_placed 5', '    broker->>p2: alice/5 to bob alone',
    '    p2-->>broker: alice/5 back: x#59;end #35;#60;b#62;', '    broker-->>p2: alice/5 again, to bob: 2nd try',
    '    Note over p0,p2: Publish–subscribe', '',
  ].join('\n'));
});

test('rows can be heard, and tries are counted as people do', () => {
  const past = pastOf(joined('bob'), sent('e1'), { kind: 'modes', at: 1, modes: { '*': 'relay' } });
  assert.deepEqual(past.rows.map(sentence), [
    'bob: joined', 'alice sent order_placed 5', 'broker: alice/5 to all: bob', 'Relay',
  ]);
  assert.deepEqual([1, 2, 3, 4, 11, 12, 21].map(ordinal), ['1st', '2nd', '3rd', '4th', '11th', '12th', '21st']);
});

test('an order number may be anything, and a label stays short', () => {
  const past = pastOf(joined('bob'), sent('e1', 'alice', 'relay', 'order_placed', { id: 'x'.repeat(500) }), sent('e2', 'a', 'relay', 'tea', {}));
  for (const { words } of past.rows) assert.ok(words.length <= 60);
  assert.equal(past.rows.at(-2).words, 'tea');
});

test('time after a beginning is counted in hours, minutes and seconds', () => {
  assert.deepEqual([0, 999, 61_000, 3_599_900, 36_000_000].map(elapsed), ['0:00:00', '0:00:00', '0:01:01', '0:59:59', '10:00:00']);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { arrivals, DESK, Motion, TIMES, TRAY, wayGone, ways } from '../../static/stage/flights/motion.js';
import { Rates } from '../../static/stage/flights/rates.js';
import { advance, begin, recallQueue } from '../../static/stage/state.js';

const SNAPSHOT = { room: 'main', modes: { '*': 'relay' }, participants: [], queues: {}, events: 0, last: null };
const joined = (name, types = ['*']) => ({ kind: 'joined', at: 1, name, types, ack: 'manual', echo: false });
const sent = (id, mode = 'relay') =>
  ({ kind: 'event', at: 2, mode, event: { id, type: 'order_placed', created: '1', source: 'alice', data: { id: 5 } } });

/** What is planned for these records, after those before. */
function planned(before, records, now = 0) {
  const from = advance(begin(SNAPSHOT), before);
  const motion = new Motion();
  motion.plan(records, from, advance(from, records), now);
  return motion;
}
const legs = (motion) => motion.moves.map(({ leg, from, to }) => [leg, from, to]);

test('an event flies in, rests, and goes out to all who receive it at once', () => {
  const motion = planned([joined('alice'), joined('bob'), joined('eve')], [sent('e1')]);
  assert.deepEqual(legs(motion), [
    ['in', 'alice', DESK], ['rest', DESK, DESK], ['out', DESK, 'bob'], ['out', DESK, 'eve'],
  ]);
  const [coming, rest, bob, eve] = motion.moves;
  assert.deepEqual([coming.start, rest.start, bob.start], [0, TIMES.in, TIMES.in + TIMES.rest]);
  assert.equal(bob.start, eve.start);
});

test('in queue mode the one who takes it is ringed before the flight, which waits for the landing', () => {
  const handed = { kind: 'handed', at: 3, event: 'e1', name: 'bob', attempt: 1, lease: 30 };
  const motion = planned([joined('alice'), joined('bob')], [sent('e1', 'queue'), handed]);
  assert.deepEqual(legs(motion).map(([leg]) => leg), ['in', 'rest', 'ring', 'out']);
  const [, rest, ring, out] = motion.moves;
  assert.deepEqual([ring.start, out.start], [rest.end, ring.end]);
  assert.ok(motion.inAir('e1', out.end - 1) && !motion.inAir('e1', out.end));
});

test('a lease that runs out flies back from its holder, and the last one drops into the tray', () => {
  const held = [joined('alice'), joined('bob'), sent('e1', 'queue'), { kind: 'handed', at: 3, event: 'e1', name: 'bob', attempt: 1, lease: 3 }];
  const released = { kind: 'released', at: 4, event: 'e1', name: 'bob', reason: 'the lease ran out' };
  assert.deepEqual(legs(planned(held, [released])), [['back', 'bob', DESK]]);
  const dead = { kind: 'dead', at: 4, event: 'e1', attempts: 1, reason: 'the lease ran out' };
  assert.deepEqual(legs(planned(held, [dead])), [['back', 'bob', DESK], ['drop', DESK, TRAY]]);
  assert.deepEqual(legs(planned([...held, dead], [{ kind: 'retried', at: 5, event: 'e1' }])), [['rise', TRAY, DESK]]);
});

test('what is held at the broker goes out when it is let go, one by one or all', () => {
  const paused = { kind: 'paused', at: 2, paused: true };
  const before = [joined('alice'), joined('bob'), paused, sent('e1'), sent('e2')];
  assert.deepEqual(legs(planned(before.slice(0, 3), [sent('e1')])).map(([leg]) => leg), ['in', 'rest']);
  const stepped = planned(before, [{ kind: 'stepped', at: 3, event: 'e1' }]);
  assert.deepEqual(stepped.moves.map(({ id, leg, to }) => [id, leg, to]), [['e1', 'out', 'bob']]);
  const resumed = planned(before, [{ kind: 'paused', at: 3, paused: false }]);
  assert.deepEqual(resumed.moves.map(({ id, to }) => [id, to]), [['e1', 'bob'], ['e2', 'bob']]);
});

test('moves that have ended are forgotten', () => {
  const motion = planned([joined('alice'), joined('bob')], [sent('e1')]);
  assert.equal(motion.at(TIMES.in - 1).length, 1);
  assert.equal(motion.at(10_000).length, 0);
  assert.equal(motion.moves.length, 0);
});

test('above twenty events a second it flows, and not at the edge back and forth', () => {
  const rates = new Rates();
  rates.count(20, 0);
  assert.equal(rates.flowing, false);
  rates.count(1, 10);
  assert.equal(rates.flowing, true);
  rates.count(18, 1005);
  assert.equal(rates.flowing, true, '19 in the last second');
  rates.count(0, 2400);
  assert.equal(rates.flowing, true, 'a pause for breath');
  rates.count(0, 2600);
  assert.equal(rates.flowing, false);
});

test('rates tell what each sends and gets a second', () => {
  const rates = new Rates();
  rates.count(40, 0);
  const people = (sent, delivered) => new Map([['bob', { name: 'bob', sent, delivered }]]);
  rates.flows(people(0, 100), 0);
  assert.deepEqual(rates.flows(people(5, 150), 500).get('bob'), { sends: 10, gets: 100 });
});

test('the rates of a group are those of the people in it now, even after somebody joins it or gets a face of their own', () => {
  const rates = new Rates();
  rates.count(40, 0);
  const people = (delivered) => new Map(['bob', 'eve'].map((name) => [name, { name, sent: 0, delivered }]));
  const figureOf = (alone) => (name) => (name === alone ? name : 'all');
  rates.flows(people(100), 0, figureOf('eve'));
  assert.deepEqual(rates.flows(people(110), 1000, figureOf()), new Map([['all', { sends: 0, gets: 20 }]]));
  assert.equal(rates.flows(people(120), 1250, figureOf('bob')).get('all').gets, 16);
});

test('those who share a figure share a move, which says how many they are: nobody is left out', () => {
  const crowd = Array.from({ length: 300 }, (_, n) => joined(`c-${n}`));
  const from = advance(begin(SNAPSHOT), [joined('alice'), ...crowd]);
  const motion = new Motion();
  const records = Array.from({ length: 20 }, (_, n) => sent(`e${n}`));
  const figureOf = (name) => (name === 'alice' || name === 'c-7' ? name : 'all customers');
  const planned = motion.plan(records, from, advance(from, records), 0, { rate: 20, figureOf });
  assert.equal(planned.length, 20 * 4, 'in, rest, to c-7 and to all others');
  assert.deepEqual(planned.filter(({ leg }) => leg === 'out').slice(0, 2).map(({ many }) => many), [299, 1]);
  assert.equal(ways(planned), 20 * (1 + 300));
});

test('what happens fast is shown fast, in proportion, and never faster than can be seen', () => {
  const at = (rate) => {
    const motion = new Motion();
    const from = advance(begin(SNAPSHOT), [joined('alice'), joined('bob')]);
    return motion.plan([sent('e1')], from, advance(from, [sent('e1')]), 0, { rate })[0].end;
  };
  assert.deepEqual([0, 2, 4, 20].map(at), [TIMES.in, TIMES.in, TIMES.in / 2, TIMES.in / 5]);
});

test('a refused message flies to the counter and back to its sender', () => {
  const refused = { kind: 'refused', at: 3, name: 'alice', code: 'invalid_json', message: 'Not JSON.' };
  assert.deepEqual(legs(planned([joined('alice')], [refused])), [['in', 'alice', DESK], ['back', DESK, 'alice']]);
});

test('what somebody missed flies to them as one when they come back', () => {
  const before = [joined('alice'), joined('bob'), { kind: 'left', at: 1, name: 'bob' }, sent('e1'), sent('e2')];
  const back = planned(before, [{ ...joined('bob'), after: true }]);
  assert.deepEqual(back.moves.map(({ leg, to, many }) => [leg, to, many]), [['out', 'bob', 2]]);
  assert.deepEqual(planned(before, [joined('bob')]).moves, [], 'who did not ask for it gets nothing');
});

test('a page that comes later is told what waits, is held and is dead, and counts nothing twice', () => {
  const event = (id) => ({ id, type: 'order_placed', created: '1', source: 'alice', data: {} });
  const queues = { order_placed: { ready: 1, in_flight: 1, dead: 0 } };
  let state = begin({ ...SNAPSHOT, queues, participants: [{ name: 'bob', types: ['*'], in_flight: 1 }] });
  state = recallQueue(state, {
    at: 50_000, parked: [],
    queued: [
      { event: event('e1'), state: 'held', name: 'bob', attempt: 2, reason: null, lease: 30, left: 10 },
      { event: event('e2'), state: 'ready', name: null, attempt: 0, reason: null, lease: null, left: null },
    ],
  });
  assert.equal(state.events.get('e1').handedAt, 30_000);
  state = advance(state, [
    { kind: 'handed', at: 2, event: 'e1', name: 'bob', attempt: 2, lease: 30 }, // on its way when we asked
    { kind: 'settled', at: 3, event: 'e1', name: 'bob' },
  ]);
  assert.deepEqual(state.queues.get('order_placed'), { ready: 1, in_flight: 0, dead: 0 });
  assert.equal(state.participants.get('bob').inFlight, 0);
});

test('bots and slow participants are known by what the feed tells of them', () => {
  let state = advance(begin(SNAPSHOT), [
    { kind: 'bots', at: 1, bots: [{ name: 'bob', delay: 2, naive: true }] }, joined('bob'), joined('eve'),
    { kind: 'slow', at: 2, names: ['eve'] },
  ]);
  assert.deepEqual([state.participants.get('bob').bot, state.participants.get('eve').slow], [true, true]);
  state = advance(state, [{ kind: 'slow', at: 3, names: [] }]);
  assert.equal(state.participants.get('eve').slow, false);
});

test('a move is quick away and gentle to rest, and never turns back', () => {
  const gone = Array.from({ length: 13 }, (_, step) => wayGone({ start: 100, end: 1100 }, step * 100));
  assert.deepEqual([gone[0], gone[12]], [0, 1]);
  assert.ok(gone.every((part, step) => step === 0 || part >= gone[step - 1]));
  assert.ok(gone[6] > 0.8, 'most of the way is behind it at half of the time');
});

test('what arrived lies beside each recipient, the newest first, but not what they hold: that is drawn with them', () => {
  const places = { bob: { tier: 'large' }, 'bob-2': { tier: 'middle' } };
  const landed = (id, to, type = 'order_placed') => ({ id, to, type });
  const moves = [landed('1', 'bob'), landed('2', 'bob'), landed('2', 'bob-2'), landed('3', 'bob-2'), landed('4', DESK), landed('5', 'bob', 'refused')];
  const beside = (events) => [...arrivals(moves, events, (name) => places[name])].map(([{ tier }, all]) => [tier, all.map(({ id }) => id)]);
  assert.deepEqual(beside(null), [['middle', ['3']], ['large', ['2', '1']]]);
  const held = new Map([['2', { state: 'held', holder: 'bob' }], ['3', { state: 'settled', holder: 'bob-2' }]]);
  assert.deepEqual(beside(held), [['middle', ['3']], ['large', ['1']]]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { depth, inState } from '../../static/stage/queue.js';
import { advance, begin, present, recall, roleOf, wants } from '../../static/stage/state.js';

const SNAPSHOT = { room: 'main', modes: { '*': 'relay' }, participants: [], queues: {}, events: 0, last: null };
let clock = 1000;

const joined = (name, types = ['*'], more = {}) =>
  ({ kind: 'joined', at: clock++, name, types, ack: 'auto', echo: true, ...more });
const left = (name) => ({ kind: 'left', at: clock++, name });
const sent = (id, source = 'alice', mode = 'relay', type = 'order_placed', data = { id: 5 }) =>
  ({ kind: 'event', at: clock++, mode, event: { id, type, created: '1', source, data } });
const about = (kind, event, more = {}) => ({ kind, at: clock++, event, ...more });
const handed = (event, name, more = {}) => about('handed', event, { name, attempt: 1, lease: 30, ...more });
const after = (...records) => advance(begin(SNAPSHOT), records);

test('in relay everyone who is there receives an event, whatever they subscribed to', () => {
  const state = after(joined('alice'), joined('bob', ['order_confirmed']), sent('e1'), joined('late'));
  assert.deepEqual(state.events.get('e1').audience, ['alice', 'bob']);
});

test('in pubsub only those whose subscription wants the type receive it', () => {
  const state = after(
    joined('alice', ['order_confirmed']), joined('bob', ['order_*']), joined('eve', ['tea']),
    sent('e1', 'alice', 'pubsub'),
  );
  assert.deepEqual(state.events.get('e1').audience, ['bob']);
});

test('a sender without echo does not receive its own event', () => {
  const state = after(joined('alice', ['*'], { echo: false }), joined('bob'), sent('e1'));
  assert.deepEqual(state.events.get('e1').audience, ['bob']);
});

test('the state that was given stays as it was', () => {
  const before = after(joined('alice'), sent('e1', 'alice', 'queue'));
  const copy = structuredClone(before);
  advance(before, [handed('e1', 'bob'), left('alice'), sent('e2')]);
  assert.deepEqual(before, copy);
});

test('someone who leaves is shown as gone and comes back as the same person', () => {
  let state = after(joined('bob', ['order_placed']), left('bob'));
  assert.equal(state.participants.get('bob').online, false);
  state = advance(state, [joined('bob', ['order_placed'])]);
  assert.equal(state.participants.get('bob').online, true);
  assert.equal(state.participants.size, 1);
});

test('a restart of the server is everyone leaving', () => {
  const state = after(joined('alice'), joined('bob'), left(null));
  assert.equal(present(state).length, 0);
  assert.equal(state.participants.size, 2);
});

test('unnamed guests who leave are forgotten, and so are others after ten minutes', () => {
  let state = after(joined('guest-1'), joined('bob'), left('guest-1'), left('bob'));
  assert.deepEqual([...state.participants.keys()], ['bob']);
  clock += 601_000;
  state = advance(state, [joined('alice')]);
  assert.deepEqual([...state.participants.keys()], ['alice']);
});

test('a guest that takes a name by its first event is one participant, not two', () => {
  const state = after(joined('guest-1'), joined('alice', ['*'], { was: 'guest-1' }));
  assert.deepEqual([...state.participants.keys()], ['alice']);
});

test('what one sends tells the part one plays, and outlives a later subscription', () => {
  let state = after(joined('alice'), joined('bob', ['order_placed']), sent('e1'));
  assert.equal(state.participants.get('alice').role, 'customer');
  assert.equal(state.participants.get('bob').role, 'confirmer');
  state = advance(state, [about('subscribed', undefined, { name: 'alice', types: ['order_placed'] })]);
  assert.equal(state.participants.get('alice').role, 'customer');
  assert.equal(roleOf(['*']), 'other');
});

test('a snapshot tells the part of those who sent something; the others are known by what they want', () => {
  const state = begin({
    ...SNAPSHOT,
    participants: [
      { name: 'alice', types: ['*'], role: 'customer' },
      { name: 'bob', types: ['order_placed'], role: 'other' },
    ],
  });
  assert.deepEqual(present(state).map((one) => one.role), ['customer', 'confirmer']);
});

test('an event in queue mode waits, is held, and is settled', () => {
  let state = after(joined('bob'), sent('e1', 'alice', 'queue'), sent('e2', 'alice', 'queue'));
  assert.deepEqual(depth(state), { ready: 2, in_flight: 0, dead: 0 });
  state = advance(state, [handed('e1', 'bob')]);
  assert.deepEqual(depth(state), { ready: 1, in_flight: 1, dead: 0 });
  assert.equal(state.events.get('e1').holder, 'bob');
  assert.equal(state.participants.get('bob').inFlight, 1);
  state = advance(state, [about('settled', 'e1', { name: 'bob' })]);
  assert.deepEqual(depth(state), { ready: 1, in_flight: 0, dead: 0 });
  assert.equal(state.participants.get('bob').inFlight, 0);
});

test('handed with ack=auto is settled at once, and a settled record after it changes nothing', () => {
  const state = after(
    joined('bob'), sent('e1', 'alice', 'queue'), handed('e1', 'bob', { lease: null }),
    about('settled', 'e1', { name: 'bob' }),
  );
  assert.deepEqual(depth(state), { ready: 0, in_flight: 0, dead: 0 });
  assert.equal(state.participants.get('bob').delivered, 1);
});

test('a lease that runs out makes an event wait again; after the last attempt it is dead until retried', () => {
  let state = after(
    joined('bob'), sent('e1', 'alice', 'queue'), handed('e1', 'bob'),
    about('released', 'e1', { name: 'bob', reason: 'lease' }),
  );
  assert.deepEqual(inState(state, 'ready').map((one) => one.event.id), ['e1']);
  state = advance(state, [handed('e1', 'bob', { attempt: 2 })]);
  assert.equal(state.events.get('e1').attempt, 2);
  state = advance(state, [about('dead', 'e1', { attempts: 2, reason: 'lease' })]);
  assert.deepEqual(depth(state), { ready: 0, in_flight: 0, dead: 1 });
  assert.equal(state.participants.get('bob').inFlight, 0);
  state = advance(state, [about('retried', 'e1')]);
  assert.deepEqual(depth(state), { ready: 1, in_flight: 0, dead: 0 });
});

test('events that waited before we came are counted down from the numbers of the snapshot', () => {
  const queues = { order_placed: { ready: 3, in_flight: 0, dead: 0 } };
  let state = begin({ ...SNAPSHOT, queues });
  state = advance(state, [joined('bob'), handed('old', 'bob', { lease: null })]);
  assert.equal(depth(state).ready, 2);
  assert.equal(state.uncertain, false);
});

test('a record about an event of an unknown queue makes the state uncertain instead of wrong', () => {
  const queues = { tea: { ready: 1, in_flight: 0, dead: 0 }, order_placed: { ready: 1, in_flight: 0, dead: 0 } };
  const state = advance(begin({ ...SNAPSHOT, queues }), [handed('old', 'bob')]);
  assert.equal(state.uncertain, true);
  assert.equal(depth(state).ready, 2);
});

test('what the log recalls gives a later record its type and counts nothing twice', () => {
  const queues = { tea: { ready: 1, in_flight: 0, dead: 0 }, order_placed: { ready: 1, in_flight: 0, dead: 0 } };
  let state = begin({ ...SNAPSHOT, queues, events: 2 });
  state = recall(state, [{ id: 'old', type: 'tea', created: '1', source: 'alice', data: {} }]);
  state = advance(state, [handed('old', 'bob', { lease: null })]);
  assert.deepEqual([state.queues.get('tea').ready, state.queues.get('order_placed').ready], [0, 1]);
  assert.equal(state.total, 2);
});

test('counts go on from the snapshot, per type and in all', () => {
  let state = begin({ ...SNAPSHOT, events: 7, counts: { order_placed: 7 } });
  state = advance(state, [sent('e1'), sent('e1'), sent('e2', 'bob', 'relay', 'tea')]);
  assert.deepEqual([state.total, state.counts.get('order_placed'), state.counts.get('tea')], [9, 8, 1]);
});

test('while the room is paused events stay at the broker; a step lets one go, resuming the rest', () => {
  let state = after(
    joined('bob'), about('paused', undefined, { paused: true }), sent('e1'), sent('e2'), sent('e3'), joined('late'),
  );
  assert.deepEqual(state.parked, ['e1', 'e2', 'e3']);
  assert.equal(state.events.get('e1').audience, null);
  state = advance(state, [about('stepped', 'e1')]);
  assert.deepEqual(state.events.get('e1').audience, ['bob'], 'who joined later does not receive it');
  state = advance(state, [about('paused', undefined, { paused: false })]);
  assert.deepEqual(state.parked, []);
  assert.deepEqual(state.events.get('e3').audience, ['bob']);
});

test('a reset is a new beginning with the same people', () => {
  const state = after(joined('bob'), sent('e1', 'alice', 'queue'), about('reset', undefined));
  assert.deepEqual([state.total, state.events.size, depth(state).ready, present(state).length], [0, 0, 0, 1]);
});

test('ten thousand events leave a bounded memory that still knows what waits', () => {
  let state = after(sent('waits', 'alice', 'queue'));
  for (let i = 0; i < 20; i += 1) {
    state = advance(state, Array.from({ length: 500 }, (_, n) => sent(`e${i}-${n}`)));
  }
  assert.equal(state.total, 10_001);
  assert.ok(state.events.size <= 1000);
  assert.ok(state.events.has('waits'));
});

test('subscriptions are exact types, a star, or a prefix with a star', () => {
  assert.ok(wants(['*'], 'tea') && wants(['order_*'], 'order_placed') && wants(['tea'], 'tea'));
  assert.ok(!wants(['order_*'], 'tea') && !wants(['order'], 'order_placed') && !wants([], 'tea'));
});

test('each confirmation is a coffee made, the second of one order a coffee wasted, counted for each mode', () => {
  const answer = (id, about, number, source = 'bob') => ({
    kind: 'event', at: 9, mode: 'pubsub',
    event: { id, type: 'order_confirmed', created: '1', source, data: { id: number, customer: 'alice', event: about } },
  });
  const placed = (id, number, mode) => ({
    kind: 'event', at: 8, mode, event: { id, type: 'order_placed', created: '1', source: 'alice', data: { id: number } },
  });
  const history = [
    joined('alice'), joined('bob'), joined('bob-2'),
    placed('p5', 5, 'pubsub'), answer('c1', 'p5', 5), answer('c2', 'p5', 5, 'bob-2'),
    placed('p6', 6, 'queue'), answer('c3', 'p6', 6),
  ];
  const { coffees } = recall(after(...history), history.flatMap(({ event }) => event ?? [])); // told again: counted once
  assert.deepEqual(Object.fromEntries(coffees.modes), { pubsub: { made: 2, wasted: 1 }, queue: { made: 1, wasted: 0 } });
  assert.equal(recall(after(joined('bob')), history.flatMap(({ event }) => event ?? [])).coffees.modes.size, 0, 'nobody told the mode');
  assert.deepEqual([coffees.wasted.number, coffees.wasted.made], [5, 2]);
  assert.equal(after(joined('bob'), answer('c1', 'p5', 5), { kind: 'reset', at: 9 }).coffees.modes.size, 0);
});

test('an event to hundreds leaves the state before it as it was', () => {
  const before = after(joined('alice'), joined('bob'));
  const then = advance(before, [sent('e1'), sent('e2')]);
  assert.deepEqual([before.participants.get('bob').delivered, then.participants.get('bob').delivered], [0, 2]);
  assert.deepEqual([before.participants.get('alice').sent, then.participants.get('alice').sent], [0, 2]);
});

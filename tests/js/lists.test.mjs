/** What the customer's and the confirmer's page make of what they hear: two pure reducers. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWaiting, nextNumber, reduce as mine } from '../../static/orders/mine.js';
import { done, reduce as rowsAfter, rowKey, waiting } from '../../static/orders/waiting.js';

const event = (id, type, source, data) => ({ id, type, created: '1', source, data });
const placed = event('p', 'order_placed', 'alice', { id: 5, item: 'espresso' });
const about = { id: 5, customer: 'alice', event: 'p' };
const yes = event('c', 'order_confirmed', 'bob', about);
const no = event('r', 'order_rejected', 'carl', { ...about, reason: 'other', message: 'No.' });
const told = event('t', 'broker.accepted', 'broker', { event: 'p' });

const play = (...changes) => changes.reduce(mine, new Map());
const put = { what: 'placed', event: placed, now: 100 };
const sent = { what: 'sent', id: 'p' };
const stored = { what: 'stored', id: 'p', now: 110, told };
const heard = (event, now = 200) => ({ what: 'heard', event, now });

test('an order goes from unsent to sent to stored to confirmed, with its times', () => {
  const states = [[put], [put, sent], [put, sent, stored], [put, sent, stored, heard(yes)]].map(
    (changes) => play(...changes).get('p').state,
  );
  assert.deepEqual(states, ['unsent', 'sent', 'stored', 'confirmed']);
  const { placed: at, stored: kept, answered, by } = play(put, sent, stored, heard(yes)).get('p');
  assert.deepEqual([at, kept, answered, by], [100, 110, 200, 'bob']);
});

test('an order never goes back, whatever comes late or again', () => {
  const { state, stored: kept } = play(put, heard(yes), stored, sent).get('p');
  assert.deepEqual([state, kept], ['confirmed', 200]);
});

test('the first answer counts, and a later one is noted once', () => {
  const order = play(put, sent, stored, heard(yes), heard(no), heard({ ...no, id: 'r2' })).get('p');
  assert.deepEqual([order.state, order.by, order.also], ['confirmed', 'bob', ['carl']]);
});

test('an answer heard twice is shown once', () => {
  const order = play(put, heard(yes), heard(yes)).get('p');
  assert.equal(order.wire.filter(({ event }) => event.id === 'c').length, 1);
  assert.deepEqual(order.also, []);
});

test('an answer without event is for the oldest pending order of that number', () => {
  const second = { ...put, event: { ...placed, id: 'q' }, now: 150 };
  const bare = event('c', 'order_confirmed', 'bob', { id: 5 });
  const orders = play(put, second, heard(bare), heard({ ...bare, id: 'c2' }));
  assert.deepEqual([...orders.values()].map(({ state, answer }) => [state, answer]), [['confirmed', 'c'], ['confirmed', 'c2']]);
});

test('answers to others change nothing', () => {
  const orders = play(put);
  assert.equal(mine(orders, heard(event('x', 'order_confirmed', 'bob', { id: 5, customer: 'ann', event: 'z' }))), orders);
  assert.equal(mine(orders, heard(event('y', 'order_confirmed', 'bob', { id: 5, customer: 'ann' }))), orders);
});

test('a refusal by the broker ends it with the code and the sentence', () => {
  const order = play(put, sent, { what: 'refused', id: 'p', code: 'name_taken', message: 'In use.', told }).get('p');
  assert.deepEqual([order.state, order.reason, order.message], ['refused', 'name_taken', 'In use.']);
});

test('what the API knows is taken in, and never takes an order back', () => {
  const known = { customer: 'alice', id: 5, event: 'p', at: 90, item: 'espresso', quantity: 1, note: null, state: 'placed', also: [], behind: [{ event: 'q', at: 95, id: 5, quantity: 2 }] };
  const orders = play({ what: 'known', orders: [known] });
  assert.deepEqual([...orders.values()].map(({ event, state }) => [event, state]), [['p', 'stored'], ['q', 'stored']]);
  const after = play(put, heard(yes), { what: 'known', orders: [known] });
  assert.equal(after.get('p').state, 'confirmed');
  const answered = { ...known, behind: [], state: 'rejected', confirmer: 'bob', answer: 'r', answered_at: 99, reason: 'other', message: 'No.' };
  assert.deepEqual(play(put, stored, { what: 'known', orders: [answered] }).get('p').by, 'bob');
});

test('the number proposed is one more than the highest', () => {
  const order = (id) => ({ what: 'placed', event: event(`p${id}`, 'order_placed', 'alice', { id }), now: 1 });
  assert.equal(nextNumber(new Map()), 1);
  assert.equal(nextNumber(play(order(3), order(7), order('x'), order(2.5))), 8);
});

test('something waits until everything is answered or refused', () => {
  assert.equal(isWaiting(new Map()), false);
  assert.equal(isWaiting(play(put)), true);
  assert.equal(isWaiting(play(put, heard(no))), false);
});

const rows = (...changes) => changes.reduce(rowsAfter, new Map());
const row = (id, at, number = 5) => ({ what: 'placed', event: event(id, 'order_placed', 'alice', { id: number }), at });
const answered = (by, mine, seen) => ({ what: 'answered', id: 'p', type: 'order_confirmed', by, mine, seen });

test('what waits stands oldest first, however it came', () => {
  assert.deepEqual(waiting(rows(row('b', 2), row('a', 1), row('c', 3), row('a', 9))).map(({ placed }) => placed.id), ['a', 'b', 'c']);
});

test('our own answer is provisional until the log shows who was first', () => {
  const ours = rows(row('p', 1), { what: 'answering', id: 'p' }, answered('bob', true, false));
  assert.deepEqual([waiting(ours).length, done(ours)[0].by], [0, 'bob']);
  const corrected = rowsAfter(ours, answered('carl', false, true));
  assert.deepEqual([done(corrected)[0].by, done(corrected)[0].mine], ['carl', false]);
  assert.equal(done(rowsAfter(corrected, answered('bob', true, true)))[0].by, 'carl');
});

test('an answer that was not taken leaves the order waiting, and says why', () => {
  const after = rows(row('p', 1), { what: 'answering', id: 'p' }, { what: 'unanswered', id: 'p', problem: 'No.' });
  assert.deepEqual([waiting(after)[0].state, waiting(after)[0].problem], ['waiting', 'No.']);
});

test('an order let go is gone, but one that was answered stays', () => {
  assert.equal(rows(row('p', 1), { what: 'released', id: 'p' }).size, 0);
  assert.equal(rows(row('p', 1), answered('bob', true, true), { what: 'released', id: 'p' }).size, 1);
});

test('a book of pending orders becomes rows, each known by customer and number', () => {
  const order = { customer: 'alice', id: 5, event: 'p', at: 1, item: null, quantity: 1, note: null, state: 'placed', behind: [] };
  const after = rows({ what: 'known', book: new Map([['alice/5', order], ['x', { ...order, event: 'x', state: 'confirmed' }]]) });
  assert.deepEqual(waiting(after).map(rowKey), ['alice/5']);
  assert.deepEqual(waiting(after)[0].placed.data, { id: 5, quantity: 1 });
});

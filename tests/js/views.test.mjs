/** What the customer's and the confirmer's page make of what they hear: two views of one book. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Book } from '../../static/orders/book.js';
import { MyOrders } from '../../static/orders/mine.js';
import { Waiting } from '../../static/orders/waiting.js';

const event = (id, type, source, data) => ({ id, type, created: '1', source, data });
const placed = event('p', 'order_placed', 'alice', { id: 5, item: 'espresso' });
const about = { id: 5, customer: 'alice', event: 'p' };
const yes = event('c', 'order_confirmed', 'bob', about);
const no = event('r', 'order_rejected', 'carl', { ...about, reason: 'other', message: 'No.' });
const accepted = event('t', 'broker.accepted', 'broker', { event: 'p' });

const put = (mine) => mine.place(placed, 100);
const sent = (mine) => mine.sent('p');
const stored = (mine) => mine.stored('p', accepted, 110);
const heard = (event, at = 200) => (mine) => mine.heard(event, at);
const after = (...steps) => steps.reduce((mine, step) => (step(mine), mine), new MyOrders());
const order = (mine, id = 'p') => mine.list().find(({ event }) => event === id);

test('an order goes from unsent to sent to stored to confirmed, with its times', () => {
  const states = [[put], [put, sent], [put, sent, stored], [put, sent, stored, heard(yes)]].map(
    (steps) => order(after(...steps)).state,
  );
  assert.deepEqual(states, ['unsent', 'sent', 'stored', 'confirmed']);
  const { at, stored: kept, answered_at: answered, confirmer } = order(after(put, sent, stored, heard(yes)));
  assert.deepEqual([at, kept, answered, confirmer], [100, 110, 200, 'bob']);
});

test('an order never goes back, whatever comes late or again', () => {
  assert.equal(order(after(put, sent, heard(yes), stored, sent)).state, 'confirmed');
});

test('the first answer counts, and a later one is noted once', () => {
  const { state, confirmer, also } = order(after(put, sent, stored, heard(yes), heard(no), heard({ ...no, id: 'r2' })));
  assert.deepEqual([state, confirmer, also], ['confirmed', 'bob', ['carl']]);
});

test('an answer heard twice is shown once', () => {
  const { crossed, also } = order(after(put, stored, heard(yes), heard(yes)));
  assert.equal(crossed.filter(({ event }) => event.id === 'c').length, 1);
  assert.deepEqual(also, []);
});

test('an answer without event is for the oldest pending order of that number', () => {
  const bare = event('c', 'order_confirmed', 'bob', { id: 5 });
  const mine = after(put, stored, (mine) => mine.place({ ...placed, id: 'q' }, 150), (mine) => mine.stored('q', accepted, 160), heard(bare));
  assert.deepEqual(mine.list().map(({ event, state }) => [event, state]), [['q', 'stored'], ['p', 'confirmed']]);
});

test('a second order of the same number has its own answer', () => {
  const second = { ...placed, id: 'q' };
  const taken = event('r', 'order_rejected', 'bob', { ...about, event: 'q', reason: 'duplicate_order', message: 'Taken.' });
  const mine = after(put, stored, (mine) => mine.place(second, 150), (mine) => mine.stored('q', accepted, 160), heard(yes), heard(taken));
  assert.deepEqual(mine.list().map(({ state, message }) => [state, message]), [['rejected', 'Taken.'], ['confirmed', null]]);
});

test('answers to others, and their orders, change nothing', () => {
  const mine = after(put, stored);
  const before = mine.list();
  assert.equal(mine.heard(event('x', 'order_confirmed', 'bob', { id: 5, customer: 'ann', event: 'z' }), 1), null);
  assert.equal(mine.heard(event('y', 'order_confirmed', 'bob', { id: 5, customer: 'ann' }), 1), null);
  assert.equal(mine.heard(event('o', 'order_placed', 'ann', { id: 5 }), 1), null);
  assert.deepEqual(mine.list(), before);
});

test('an answer that names another customer than the order has is no answer to it', () => {
  const mine = after(put, stored, heard(event('x', 'order_confirmed', 'eve', { id: 1, event: 'p' })));
  assert.equal(order(mine).state, 'stored');
});

test('a type that every object has a property of leaves the orders as they are', () => {
  for (const type of ['constructor', 'toString', '__proto__']) {
    assert.equal(order(after(put, stored, heard(event('x', type, 'eve', about)))).state, 'stored');
  }
});

test('a refusal by the broker ends it with the code and the sentence', () => {
  const error = event('t', 'broker.error', 'broker', { event: 'p', code: 'name_taken', message: 'In use.' });
  const { state, reason, message } = order(after(put, sent, (mine) => mine.refused('p', error)));
  assert.deepEqual([state, reason, message], ['refused', 'name_taken', 'In use.']);
});

test('what the API knows is taken in, and never takes an order back', () => {
  const none = { confirmer: null, answer: null, answered_at: null, reason: null, message: null, also: [] };
  const known = { customer: 'alice', id: 5, event: 'p', at: 90, item: 'espresso', quantity: 1, note: null, state: 'placed', ...none,
    behind: [{ event: 'q', at: 95, id: 5, item: null, quantity: 2, note: null }] };
  const learn = (order) => (mine) => mine.learn([order]);
  assert.deepEqual(after(learn(known)).list().map(({ event, state }) => [event, state]), [['q', 'stored'], ['p', 'stored']]);
  assert.equal(order(after(put, stored, heard(yes), learn(known))).state, 'confirmed');
  const answered = { ...known, behind: [], state: 'rejected', confirmer: 'bob', answer: 'r', answered_at: 99, reason: 'other', message: 'No.' };
  assert.equal(order(after(put, stored, learn(answered))).confirmer, 'bob');
});

test('when the log is another one, what was not stored yet is still ours', () => {
  const mine = after(put, stored, (mine) => mine.place({ ...placed, id: 'q' }, 150), (mine) => mine.lookedUp('z', []), (mine) => mine.forget());
  assert.deepEqual(mine.list().map(({ event, state }) => [event, state]), [['q', 'unsent']]);
});

test('the number proposed is one more than the highest', () => {
  const number = (id) => (mine) => mine.place(event(`p${id}`, 'order_placed', 'alice', { id }), 1);
  assert.equal(new MyOrders().nextNumber, 1);
  assert.equal(after(number(3), number(7), number('x'), number(2.5)).nextNumber, 8);
});

test('something waits until everything is answered or refused', () => {
  assert.equal(new MyOrders().isWaiting, false);
  assert.equal(after(put).isWaiting, true);
  assert.equal(after(put, stored, heard(no)).isWaiting, false);
});

/** A confirmer's view of a log: orders [id, at], each of which came to us. */
function view(...orders) {
  const waiting = new Waiting(new Book(), () => 'bob');
  for (const [id, at] of orders) {
    waiting.book.apply(event(id, 'order_placed', 'alice', { id: 5 }), at);
    waiting.came(id);
  }
  return waiting;
}

test('what waits stands oldest first, however it came', () => {
  assert.deepEqual(view(['b', 2], ['a', 1], ['c', 3], ['a', 9]).open().map(({ placed }) => placed.id), ['a', 'b', 'c']);
});

test('our own answer is provisional until the log shows who was first', () => {
  const waiting = view(['p', 1]);
  waiting.answering('p');
  waiting.answered('p', yes);
  assert.deepEqual([waiting.open().length, waiting.done()[0].by, waiting.done()[0].mine], [0, 'bob', true]);
  waiting.book.apply({ ...no, data: { ...about } }, 2);
  assert.deepEqual([waiting.done()[0].by, waiting.done()[0].mine], ['carl', false]);
  waiting.book.apply(yes, 3);
  assert.equal(waiting.done()[0].by, 'carl');
});

test('those that were answered stand latest first', () => {
  const waiting = view(['p', 1], ['q', 2]);
  for (const id of ['q', 'p']) waiting.answered(id, { ...yes, id: `c${id}`, data: { ...about, event: id } });
  assert.deepEqual(waiting.done().map(({ placed }) => placed.id), ['p', 'q']);
});

test('an answer that was not taken leaves the order waiting, and says why', () => {
  const waiting = view(['p', 1]);
  waiting.answering('p');
  assert.equal(waiting.open()[0].state, 'answering');
  waiting.unanswered('p', 'No.');
  assert.deepEqual([waiting.open()[0].state, waiting.open()[0].problem], ['waiting', 'No.']);
});

test('of thousands only so many become rows, those begun or not taken are not begun again, and the oldest answered go', () => {
  const waiting = view(...Array.from({ length: 5001 }, (_, n) => [`p${n}`, n]));
  waiting.answering('p0');
  waiting.unanswered('p1', 'No.');
  assert.deepEqual([waiting.waits, waiting.open(2).map(({ placed }) => placed.id)], [5001, ['p0', 'p1']]);
  assert.deepEqual([waiting.untouched().length, waiting.untouched()[0].placed.id], [4999, 'p2']);
  for (const id of ['p7', 'p8']) waiting.answered(id, { ...yes, id: `c${id}`, data: { ...about, event: id } });
  assert.deepEqual(waiting.done(1).map(({ placed }) => placed.id), ['p8']);
  assert.deepEqual([waiting.waits, waiting.row('p7'), waiting.row('p3')?.state], [4999, undefined, 'waiting']);
});

test('an order let go is gone, but one that was answered stays', () => {
  const waiting = view(['p', 1], ['q', 2]);
  waiting.answered('q', { ...yes, data: { ...about, event: 'q' } });
  waiting.released('p');
  waiting.released('q');
  assert.deepEqual([waiting.open().length, waiting.done().length], [0, 1]);
});

test('what the book has waiting becomes rows, each known by customer and number', () => {
  const waiting = view();
  waiting.book.apply(placed, 1);
  assert.equal(waiting.open().length, 0, 'it did not come to us');
  waiting.cameAll();
  assert.deepEqual(waiting.open().map(({ key }) => key), ['alice/5']);
  assert.deepEqual(waiting.open()[0].placed.data, { id: 5, item: 'espresso', quantity: 1 });
});

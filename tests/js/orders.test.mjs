/** The fold and Bob's rules of the pages say what the server's say: the same table holds both. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { sha1, uuid, uuid5 } from '../../static/room/ids.js';
import { Book, orderNumber } from '../../static/orders/book.js';
import { answerData, answerId, conflict, decide, idAfter } from '../../static/orders/rules.js';

const table = JSON.parse(readFileSync(new URL('../data/bobs-rules.json', import.meta.url), 'utf8'));
const menu = readFileSync(new URL('../../orders/domain/menu.py', import.meta.url), 'utf8').match(/"[a-z ]+"(?=,\n)/g).map((item) => item.slice(1, -1));
const limits = { menu, max_quantity: 100, max_note: 200 };

const apply = (book, events, at = (i) => i + 1) => (events.forEach((event, i) => book.apply(event, at(i))), book);
const folded = (events) => apply(new Book(), events);

for (const { case: name, before, placed, answer, id } of table.decide) {
  test(`Bob decides: ${name}`, () => {
    const said = decide(placed, folded(before), limits);
    assert.deepEqual(said, answer);
    assert.equal(answerId('main', placed, said), id);
  });
}

for (const { case: name, events, orders } of table.fold) {
  test(`the fold: ${name}`, () => {
    assert.deepEqual(folded(events).orders(), orders);
  });

  test(`what a book takes in changes no copy of it: ${name}`, () => {
    const book = new Book();
    for (const event of events) {
      const copy = book.copy();
      const before = structuredClone([copy.orders(), copy.placings()]);
      book.apply(event, 1);
      assert.deepEqual([copy.orders(), copy.placings()], before);
    }
  });

  test(`what the API says of a room is taken in as it was said: ${name}`, () => {
    const book = new Book();
    book.learn(orders);
    book.learn(orders);
    assert.deepEqual(book.orders(), orders);
  });

  test(`an event that comes twice changes nothing more: ${name}`, () => {
    const twice = apply(folded(events), events, () => 99);
    assert.deepEqual(twice.orders(), folded(events).orders());
  });
}

test('SHA-1 is the same as that of OpenSSL at every length around a block', () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Array.from({ length }, (_, i) => (i * 37 + length) & 0xff);
    const expected = createHash('sha1').update(Buffer.from(bytes)).digest('hex');
    assert.equal(Buffer.from(sha1(bytes)).toString('hex'), expected, `${length} bytes`);
  }
});

test('a name outside ASCII has the UUID that Python gives it', () => {
  assert.equal(uuid5('orders:main/élodie/5/confirmed'), 'e1cde1d9-dd4a-5c2b-806b-02bbcd850dbc');
  assert.equal(idAfter(uuid5('orders:main/alice/5/confirmed')), '3e7456a6-2aaa-515a-b69c-c39319b809e0');
});

test('random ids are UUIDs of version 4, and differ', () => {
  const ids = Array.from({ length: 100 }, uuid);
  assert.equal(new Set(ids).size, 100);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('a number is its JSON text, and the id of the event where that is missing or too long', () => {
  assert.deepEqual([5, '5', null, undefined, 'x'.repeat(62), 'x'.repeat(63)].map((id) => orderNumber(id, 'e')),
    ['5', '"5"', 'e', 'e', `"${'x'.repeat(62)}"`, 'e']);
});

test('what waits are the pending orders and those behind them', () => {
  const { events } = table.fold.find((row) => row.case === 'a second one waits behind');
  const book = new Book();
  book.learn(folded(events).orders());
  assert.deepEqual(book.placings().map(({ customer, event, state }) => [customer, event, state]),
    events.map(({ source, id }) => [source, id, 'placed']));
});

test('an answer found under our id is told apart: faster, duplicate, squatted', () => {
  const event = (id, type, source, data) => ({ id, type, source, data });
  const placed = event('p2', 'order_placed', 'alice', { id: 5 });
  const first = event('p1', 'order_placed', 'alice', { id: 5 });
  const yes = { type: 'order_confirmed' };
  const no = { type: 'order_rejected', reason: 'other', message: 'No.' };
  const confirmed = (data) => event('c', 'order_confirmed', 'bob', data);
  assert.equal(conflict(placed, yes, confirmed({ id: 5, customer: 'alice', event: 'p2' }), null), 'answered');
  assert.equal(conflict(placed, yes, confirmed({ id: 5, customer: 'alice', event: 'p1' }), first), 'duplicate');
  assert.equal(conflict(placed, yes, confirmed({ id: 5, customer: 'alice', event: 'p1' }), null), 'squatted');
  assert.equal(conflict(placed, yes, confirmed({}), null), 'squatted');
  const others = event('p1', 'order_placed', 'ann', { id: 5 });
  assert.equal(conflict(placed, yes, confirmed({ event: 'p1' }), others), 'squatted');
  assert.equal(conflict(placed, yes, event('c', 'order_rejected', 'eve', { event: 'p2' }), null), 'squatted');
  assert.equal(conflict(placed, no, event('c', 'order_rejected', 'eve', { event: 'p2' }), null), 'answered');
  assert.equal(conflict(placed, no, event('c', 'order_rejected', 'eve', { event: 'p1' }), first), 'squatted');
});

test('an answer says which order it is for', () => {
  const placed = { id: 'p', source: 'alice', data: { item: 'mint tea' } };
  assert.deepEqual(answerData(placed, { type: 'order_confirmed' }), { id: null, customer: 'alice', event: 'p' });
});

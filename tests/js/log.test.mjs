import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isEmpty, matches, query, readFilter, writeAddress } from '../../static/log/filter.js';
import {
  addNewer, addOlder, around, arrive, canRelease, EMPTY, fromEnd, fromStart, KEEP, KEEP_BACK, release,
} from '../../static/log/window.js';

const event = (id, more = {}) =>
  ({ id: String(id), type: 'order_placed', created: '1', source: 'alice', data: { id }, ...more });
const run = (first, last) => Array.from({ length: last - first + 1 }, (_, n) => event(first + n));
const numbers = (window) => window.events.map((one) => Number(one.id));

test('live events join the end while the reader follows', () => {
  const window = arrive(fromEnd({ events: run(1, 3), previous: null }), run(4, 5), true);
  assert.deepEqual(numbers(window), [1, 2, 3, 4, 5]);
  assert.equal(window.fresh, 0);
});

test('an event in both the first page and the live feed is shown once', () => {
  const window = arrive(fromEnd({ events: run(1, 3), previous: null }), run(2, 4), true);
  assert.deepEqual(numbers(window), [1, 2, 3, 4]);
});

test('paused, events are counted and kept back; released, none is lost or twice', () => {
  let window = fromEnd({ events: run(1, 3), previous: null });
  window = arrive(window, run(4, 6), false);
  window = arrive(window, run(6, 7), false);
  assert.deepEqual([numbers(window), window.fresh], [[1, 2, 3], 4]);
  assert.ok(canRelease(window));
  assert.deepEqual(numbers(release(window)), [1, 2, 3, 4, 5, 6, 7]);
});

test('more than can be kept back are still counted, and the newest page must be asked for', () => {
  const window = arrive(fromEnd({ events: run(1, 3), previous: null }), run(4, KEEP_BACK + 4), false);
  assert.equal(window.fresh, KEEP_BACK + 1);
  assert.equal(canRelease(window), false);
});

test('older pages go in front, until the beginning', () => {
  let window = fromEnd({ events: run(51, 100), previous: '51' });
  window = addOlder(window, { events: run(1, 50), previous: null });
  assert.deepEqual(numbers(window), numbers({ events: run(1, 100) }));
  assert.equal(window.older, null);
});

test('reading far back lets the newest go, and they can be had again', () => {
  let window = fromEnd({ events: run(KEEP + 1, 2 * KEEP), previous: String(KEEP + 1) });
  window = addOlder(window, { events: run(KEEP - 99, KEEP), previous: String(KEEP - 99) });
  assert.equal(window.events.length, KEEP);
  assert.equal(window.newer, String(2 * KEEP - 100));
  window = addNewer(window, { events: run(2 * KEEP - 99, 2 * KEEP), next: null });
  assert.deepEqual([window.newer, window.back], [String(2 * KEEP), []], 'live ones may have come: once more');
  window = addNewer(window, { events: [], next: null });
  assert.equal(window.newer, null);
  assert.equal(numbers(window).at(-1), 2 * KEEP);
});

test('following for long lets the oldest go', () => {
  const window = arrive(fromEnd({ events: run(1, KEEP), previous: null }), run(KEEP + 1, KEEP + 10), true);
  assert.deepEqual([window.events.length, window.older], [KEEP, '11']);
});

test('from an old event one comes back to the live end without a gap', () => {
  let window = around(event(5), { events: run(1, 4), previous: null }, { events: run(6, 8), next: '8' });
  window = arrive(window, run(12, 13), true);
  assert.deepEqual([numbers(window), window.fresh], [[1, 2, 3, 4, 5, 6, 7, 8], 2]);
  window = addNewer(window, { events: run(9, 12), next: null });
  assert.deepEqual(numbers(window), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  assert.deepEqual([window.newer, window.fresh], [null, 0]);
});

test('the first page of a long log has newer ones behind it', () => {
  assert.equal(fromStart({ events: run(1, 3), next: '3' }).newer, '3');
  assert.deepEqual(numbers(EMPTY), []);
});

test('a filter goes into the address and comes back from it', () => {
  const filter = { type: 'order_placed', source: 'alice', text: 'tea & cake' };
  const address = writeAddress('?room=r1', filter, 'e1');
  assert.deepEqual(readFilter(address), filter);
  assert.match(address, /room=r1/);
  assert.match(address, /event=e1/);
  assert.equal(writeAddress(address, { type: '', source: '', text: '' }, null), '?room=r1');
});

test('the server is asked only for what was chosen', () => {
  assert.equal(query({ type: '', source: 'alice', text: '' }, { before: 'end', limit: 500 }), 'source=alice&before=end&limit=500');
  assert.ok(isEmpty(readFilter('?room=main')));
});

test('what comes is filtered by type, source and text like what is there', () => {
  const tea = event(1, { type: 'tea.made', source: 'eve', data: { note: 'Darjeeling' } });
  assert.ok(matches({ type: '', source: '', text: '' }, tea));
  assert.ok(matches({ type: 'tea.made', source: 'eve', text: 'dARJ' }, tea));
  assert.ok(!matches({ type: 'tea', source: '', text: '' }, tea));
  assert.ok(!matches({ type: '', source: 'ev', text: '' }, tea));
  assert.ok(!matches({ type: '', source: '', text: 'coffee' }, tea));
});

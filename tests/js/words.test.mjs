/** Names as the pages write them beside numbers. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsOf } from '../../static/stage/diagram/rows.js';
import { coded, orderOf } from '../../static/ui/words.js';

const placed = (source) => ({ id: 'p', type: 'order_placed', source, data: { id: 1 } });

test('an order of who writes from right to left has its number where all others have it', () => {
  assert.equal(orderOf(placed('محمد')), '\u2068محمد\u2069/1');
  assert.equal(orderOf(placed('نور-2')), '\u2068نور-2\u2069/1');
  assert.equal(orderOf(placed('Łukasz')), 'Łukasz/1');
});

test('the diagram says so, too, and whose turn it was', () => {
  const after = { events: new Map([['p', { event: placed('محمد') }]]) };
  const [{ words }] = rowsOf({ kind: 'handed', event: 'p', name: 'ליאור', attempt: 2, at: 1 }, 1, after, after);
  assert.equal(words, '\u2068محمد\u2069/1 again, to \u2068ליאור\u2069: 2nd try');
});

test('what stands in backticks is code, and a single one is itself', () => {
  assert.deepEqual(coded('`x` is not JSON', (text) => ({ text })), ['', { text: 'x' }, ' is not JSON']);
  assert.equal(coded('A ` alone').join(''), 'A ` alone');
});

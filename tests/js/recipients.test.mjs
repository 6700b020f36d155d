/** Why an event was received, grouped by reason. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grouped, split } from '../../static/event/recipients.js';

const one = (name, received, why, attempts = 1) => ({ name, received, attempts, why });

test('those who share a reason are one group, and who received it comes first', () => {
  const groups = grouped([
    one('dora', false, 'Joined later.', 0), one('alice', true, 'Relay.'), one('eve', false, 'Joined later.', 0), one('ben', true, 'Relay.'),
  ]);
  assert.deepEqual(groups.map(({ received, names }) => [received, names]), [[true, ['alice', 'ben']], [false, ['dora', 'eve']]]);
});

test('who was handed it more often stands apart', () => {
  assert.equal(grouped([one('bob', true, 'Took it.', 2), one('bob-2', true, 'Took it.', 1)]).length, 2);
});

test('a few names are said, many are counted, and never only one of them', () => {
  const names = Array.from({ length: 30 }, (_, n) => `p${n}`);
  assert.deepEqual([split(names).shown.length, split(names).more.length], [5, 25]);
  assert.deepEqual([split(names.slice(0, 6)).shown.length, split(names.slice(0, 6)).more.length], [6, 0]);
});

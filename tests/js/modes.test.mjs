import assert from 'node:assert/strict';
import { test } from 'node:test';

import { change, MODES, position, SENTENCES } from '../../static/room/modes.js';

/** The modes of a room after a PUT, as the contract has it: named types are set, null removes one. */
const put = (modes, changes) =>
  Object.fromEntries(Object.entries({ ...modes, ...changes }).filter(([, mode]) => mode !== null));

test('the switch shows the position that the modes are, in whatever order they stand', () => {
  for (const [key, modes] of Object.entries(MODES)) assert.equal(position(modes), key);
  assert.equal(position({ order_placed: 'queue', '*': 'pubsub' }), 'queue');
  assert.equal(position({ '*': 'relay', tea: 'queue' }), 'mixed');
});

test('from any modes each position is reached by one change', () => {
  const starts = [...Object.values(MODES), { '*': 'queue', tea: 'relay', order_placed: 'pubsub' }];
  for (const start of starts) {
    for (const wanted of Object.keys(MODES)) assert.equal(position(put(start, change(start, wanted))), wanted);
  }
});

test('each sentence has at most fourteen words', () => {
  for (const sentence of Object.values(SENTENCES)) assert.ok(sentence.split(' ').length <= 14, sentence);
});

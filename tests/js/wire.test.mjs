import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bitsOf, fields, gist, rows, sentence } from '../../static/wire/fields.js';

const order = '{"type":"order_placed","data":{"id":5}}';
const base = { number: 1, at: 0, from: 'client', fin: true, rsv: 0, opcode: 1, kind: 'text', masked: true, key: '01020304', length: 39, form: 7, head: '81a701020304', raw: 'ff'.repeat(39), text: order, cut: 0 };
const large = { ...base, from: 'server', masked: false, key: null, length: 65536, form: 64, head: '817f0000000000010000' };

test('the fields are all bits of the header, in their order', () => {
  for (const frame of [base, large, { ...base, length: 300, form: 16, head: '81fe012c01020304' }]) {
    assert.equal(fields(frame).map(({ bits }) => bits).join(''), bitsOf(frame.head));
  }
  const names = fields(base).map(({ name, bits }) => [name, bits]);
  assert.deepEqual(names.slice(0, 5), [['FIN', '1'], ['RSV 1–3', '000'], ['opcode', '0001'], ['MASK', '1'], ['length', '0100111']]);
  assert.match(fields(large).at(-1).words, /65,536 bytes/);
  assert.match(fields(large)[4].words, /^127: the next 64 bits/);
});

test('a ruler has rows of the same width, and the beginning of the payload in the last', () => {
  for (const width of [16, 32]) {
    for (const frame of [base, large]) {
      const all = rows(frame, width);
      for (const row of all) assert.equal(row.reduce((sum, { bits }) => sum + bits.length, 0), width);
      assert.equal(all.at(-1).at(-1).name, 'payload');
    }
  }
  const empty = rows({ ...base, length: 0, raw: '', head: '898001020304' });
  assert.equal(empty.flat().map(({ bits }) => bits).join('').length, 48);
});

test('what is hidden has no bits', () => {
  const hidden = rows({ ...base, raw: '••'.repeat(39) }).flat().filter(({ name }) => name === 'payload');
  assert.ok(hidden.every(({ bits }) => /^•+$/u.test(bits)));
});

test('the list says the type of an event, the text of any other, and the code of a close', () => {
  assert.equal(gist(base), 'order_placed');
  assert.equal(gist({ ...base, text: '{"id":"1","data":{},"type": "constructor"}' }), 'constructor');
  assert.equal(gist({ ...base, text: 'Hello Server!' }), 'Hello Server!');
  assert.equal(gist({ ...base, kind: 'close', close: { code: 1001, words: 'going away', reason: '' } }), '1001 going away');
  assert.equal(gist({ ...base, kind: 'binary', text: undefined }), '39 bytes');
});

test('a frame is told in a sentence, whatever it is', () => {
  assert.equal(sentence(base, 'alice'), 'alice sends text in UTF-8: the whole message in one frame.');
  assert.match(sentence({ ...base, fin: false }, 'alice'), /the first part of a message/);
  assert.match(sentence({ ...base, kind: 'continuation', opcode: 0, continues: 'text' }, 'alice'), /the last part of a text/);
  assert.match(sentence({ ...base, kind: 'continuation', opcode: 0 }, 'alice'), /began before you looked/);
  assert.match(sentence({ ...base, kind: 'reserved', opcode: 3 }, 'alice'), /1002/);
  assert.match(sentence({ ...base, from: 'server', kind: 'close', close: { code: 4003, words: 'removed by the host', reason: 'bye' } }, 'alice'), /^The server closes the connection: 4003, removed by the host \(“bye”\)/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { layout, settle } from '../../static/stage/picture/places.js';

const SIZES = [[1920, 570], [1280, 380], [1024, 500], [360, 420]];
const people = (count, role) =>
  Array.from({ length: count }, (_, n) => ({ name: `${role}-${n}`, role, online: true }));

for (const [width, height] of SIZES) {
  test(`at ${width}×${height} no two places overlap, none lies on the counter or outside`, () => {
    const { counter, places, scale } = layout(width, height);
    const boxes = [...places.values()].map(({ x, y }) => ({ x, y, width: 176 * scale, height: 114 * scale }));
    assert.ok(boxes.length >= 2);
    for (const one of boxes) {
      assert.ok(one.x - one.width / 2 >= -1 && one.x + one.width / 2 <= width + 1, 'beside the picture');
      assert.ok(one.y - one.height / 2 >= -1 && one.y + one.height / 2 <= height + 1, 'above or below it');
      for (const other of [counter, ...boxes.filter((box) => box !== one)]) {
        const apart = Math.abs(one.x - other.x) >= (one.width + other.width) / 2 - 1
          || Math.abs(one.y - other.y) >= (one.height + other.height) / 2 - 1;
        assert.ok(apart, `${JSON.stringify(one)} lies on ${JSON.stringify(other)}`);
      }
    }
  });
}

test('sixty people have a place on a projector', () => {
  const all = [...people(30, 'customer'), ...people(20, 'confirmer'), ...people(10, 'other')];
  assert.equal(settle(new Map(), all, layout(1920, 570, all.length)).size, 60);
});

test('customers stand at the left, confirmers at the right, others below', () => {
  const here = layout(1920, 570);
  const all = [...people(2, 'customer'), ...people(2, 'confirmer'), ...people(1, 'other')];
  const settled = settle(new Map(), all, here);
  const x = (name) => here.places.get(settled.get(name).key).x;
  assert.ok(x('customer-0') < here.counter.x && x('customer-1') < here.counter.x);
  assert.ok(x('confirmer-0') > here.counter.x && x('confirmer-1') > here.counter.x);
  assert.ok(here.places.get(settled.get('other-0').key).y > here.counter.y);
});

test('nobody moves when someone joins or leaves, and a newcomer takes the free place', () => {
  const here = layout(1920, 570);
  const [first, second, third] = people(3, 'customer');
  const before = settle(new Map(), [first, second], here);
  const after = settle(before, [second, third], here);
  assert.deepEqual(after.get(second.name), before.get(second.name));
  assert.equal(after.get(third.name).key, before.get(first.name).key);
});

test('who turns out to be a customer goes over to the customers', () => {
  const here = layout(1920, 570);
  const [one] = people(1, 'other');
  const before = settle(new Map(), [one], here);
  const after = settle(before, [{ ...one, role: 'customer' }], here);
  assert.ok(here.places.get(after.get(one.name).key).x < here.counter.x);
});

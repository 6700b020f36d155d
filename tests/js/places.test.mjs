import assert from 'node:assert/strict';
import { test } from 'node:test';

import { arrange, FACED, FAREWELL } from '../../static/stage/picture/places.js';

const SIZES = [[1888, 805], [1888, 400], [1334, 568], [1334, 300], [992, 568], [328, 420], [328, 340], [288, 268]];
const COUNTS = [0, 1, 3, 6, 7, 12, 20, 21, 60, 300, 500];
const ROLES = ['customer', 'confirmer', 'other'];
const person = (name, role, more = {}) => (
  [name, { name, role, online: true, left: null, acted: 0, inFlight: 0, sent: 1, delivered: 2, ...more }]
);
const people = (...counts) => new Map(ROLES.flatMap((role, which) => (
  Array.from({ length: counts[which] ?? 0 }, (_, n) => person(`${role}-${n}`, role))
)));
const high = ({ tier }, scale) => (tier === 'large' ? 208 : 148) * scale;

for (const [width, height] of SIZES) {
  test(`at ${width}×${height} no place lies on another, on the counter, outside or with the other role`, () => {
    for (const count of COUNTS) {
      const { counter, figures, places, scale } = arrange(people(count, count, Math.ceil(count / 10)), width, height, new Map(), 1);
      const boxes = figures.map((one) => ({ ...places.get(one.name), role: one.role }));
      for (const one of boxes) {
        const [wide, tall] = [one.width, high(one, scale)];
        assert.ok(one.x - wide / 2 >= -1 && one.x + wide / 2 <= width + 1, `${count}: beside the picture`);
        if (one.role === 'customer') assert.ok(one.x + wide / 2 <= width / 3 + 1, `${count}: a customer in the middle`);
        if (one.role === 'confirmer') assert.ok(one.x - wide / 2 >= (2 * width) / 3 - 1, `${count}: a confirmer in the middle`);
        for (const other of [{ ...counter, tall: counter.height }, ...boxes.filter((box) => box !== one)]) {
          const apart = Math.abs(one.x - other.x) >= (wide + other.width) / 2 - 1
            || Math.abs(one.y - other.y) >= (tall + (other.tall ?? high(other, scale))) / 2 - 1;
          assert.ok(apart, `${count}: ${JSON.stringify(one)} lies on ${JSON.stringify(other)}`);
        }
      }
      const shown = figures.reduce((sum, one) => sum + (one.group ? one.count : 1), 0);
      assert.equal(shown, 2 * count + Math.ceil(count / 10), 'everyone is drawn or counted');
    }
  });
}

test('on a projector six stand large, twenty a little smaller, and of more those have faces who act', () => {
  const tiers = (count) => [...new Set([...arrange(people(count), 1888, 805, new Map(), FACED).places.values()].map(({ tier }) => tier))];
  assert.deepEqual([1, 6, 7, 20, 21].map(tiers), [['large'], ['large'], ['middle'], ['middle'], ['pile']]);
  const all = people(40);
  all.set(...person('customer-3', 'customer', { acted: 5000 }));
  const { figures, groups } = arrange(all, 1888, 805, new Map(), FACED + 4000);
  assert.deepEqual(figures.map(({ name }) => name), ['customer-3', 'all customers']);
  assert.deepEqual([figures[1].count, figures[1].more, groups.get('customer-4'), groups.has('customer-3')], [39, true, 'all customers', false]);
});

test('nobody moves when someone joins or leaves while the grid has room, and a newcomer takes the free place', () => {
  const first = arrange(people(4), 1888, 805);
  const all = people(6);
  all.delete('customer-1');
  const next = arrange(all, 1888, 805, first.keys);
  for (const name of ['customer-0', 'customer-2', 'customer-3']) assert.deepEqual(next.places.get(name), first.places.get(name));
  assert.ok([next.keys.get('customer-4'), next.keys.get('customer-5')].includes(first.keys.get('customer-1')));
});

test('a face stays where it is while others come and go', () => {
  const at = (acted) => new Map([...people(60)].map(([name, one]) => [name, { ...one, acted: acted(name) }]));
  const first = arrange(at((name) => (name === 'customer-7' ? 1000 : -Infinity)), 1888, 805, new Map(), 2000);
  const next = arrange(at((name) => (name === 'customer-7' ? 1000 : 3000)), 1888, 805, first.keys, 4000);
  assert.deepEqual(next.places.get('customer-7'), first.places.get('customer-7'));
  assert.equal(next.figures.length, 13, 'twelve faces and the rest');
});

test('where a band has taken the height, those who only listen stand beside the counter', () => {
  const { counter, places } = arrange(people(3, 2, 1), 1334, 160);
  const { x, y, width } = places.get('other-0');
  assert.ok(x - width / 2 >= counter.x + counter.width / 2 && x + width / 2 <= (2 * 1334) / 3 + 1, 'beside it');
  assert.ok(y > 0 && y < 160, 'within the picture');
  assert.equal(Math.round(arrange(people(3, 2, 0), 1334, 160).counter.x), 667, 'without them it is in the middle');
});

test('on a screen that is tall a few stand larger than many', () => {
  const scale = (count, height) => arrange(people(count), 992, height).scale;
  assert.ok(scale(3, 568) > scale(13, 568));
  assert.equal(scale(3, 420), scale(13, 420));
});

test('one, two and three stand evenly about the middle', () => {
  const heights = (count) => [...arrange(people(count), 1888, 805).places.values()].map(({ y }) => y);
  const middle = heights(1)[0];
  for (const count of [2, 3]) assert.ok(Math.abs(heights(count).reduce((sum, y) => sum + y, 0) / count - middle) < 1);
});

test('who left is drawn for a while, and then only counted', () => {
  const all = new Map([person('alice', 'customer'), person('ben', 'customer', { online: false, left: 5000 })]);
  const at = (now) => arrange(all, 1888, 805, new Map(), now);
  assert.deepEqual(at(4999 + FAREWELL).figures.map(({ name }) => name), ['alice', 'ben']);
  assert.deepEqual([at(5000 + FAREWELL).figures.map(({ name }) => name), at(5000 + FAREWELL).away], [['alice'], 1]);
});

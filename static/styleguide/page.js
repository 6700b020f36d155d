/** The style guide: the lists that other pages draw from script, here with orders made up. */

import { render } from '/static/vendor/lit-html/lit-html.js';
import { drawDone, drawWaiting } from '../confirmer/rows.js';
import { drawOrder } from '../customer/rows.js';
import { reduce as mine } from '../orders/mine.js';
import { decide } from '../orders/rules.js';
import { byId, copying, given } from '../ui/page.js';
import { done, reduce, waiting } from '../orders/waiting.js';

const MORNING = Date.UTC(2026, 0, 5, 9, 30);
const { rules, reasons } = given('rules');

/** An event with an id that is easy to tell. */
function event(n, type, source, data) {
  const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  return { id, type, created: String(MORNING + n), source, data };
}

const good = event(1, 'order_placed', 'alice', { id: 5, item: 'espresso', quantity: 2, note: 'No sugar, please' });
const bad = event(2, 'order_placed', 'alice', { id: 0, item: 'apple pie', quantity: 1 });
const bare = event(3, 'order_placed', 'alice', { id: 7 });
const late = event(4, 'order_placed', 'alice', { id: 8, item: 'mint tea', quantity: 1 });
const loud = event(5, 'order_placed', 'alice', { id: 9, item: 'lemonade', quantity: 100 });
const about = ({ id, source, data }) => ({ id: data.id, customer: source, event: id });
const yes = event(11, 'order_confirmed', 'bob', about(good));
const also = event(12, 'order_confirmed', 'bob-2', about(good));
const { reason, message } = decide(bad, new Map(), rules);
const no = event(13, 'order_rejected', 'bob', { ...about(bad), reason, message });
const told = event(14, 'broker.accepted', 'broker', { event: good.id });

const placed = [good, bad, bare, late, loud].map((one, i) => ({ what: 'placed', event: one, now: MORNING + i }));
const orders = [
  ...placed,
  { what: 'sent', id: good.id },
  { what: 'stored', id: good.id, now: MORNING + 12, told },
  { what: 'heard', event: yes, now: MORNING + 1350 },
  { what: 'heard', event: also, now: MORNING + 1800 },
  { what: 'stored', id: bad.id, now: MORNING + 15, told },
  { what: 'heard', event: no, now: MORNING + 900 },
  { what: 'stored', id: bare.id, now: MORNING + 20, told },
  { what: 'refused', id: loud.id, code: 'name_taken', message: 'alice is in use in this room.', told },
].reduce(mine, new Map());
render([...orders.values()].reverse().map(drawOrder), byId('mine'));

const rows = [
  { what: 'placed', event: good, at: MORNING, holding: { until: MORNING + 60_000 + 21_000, of: 30, attempt: 2 } },
  { what: 'placed', event: bad, at: MORNING + 1 },
  { what: 'placed', event: bare, at: MORNING + 2 },
  { what: 'placed', event: late, at: MORNING + 3 },
  { what: 'placed', event: loud, at: MORNING + 4 },
  { what: 'unanswered', id: bare.id, problem: 'You sent too many events at once: wait a second.' },
  { what: 'answered', id: late.id, type: 'order_confirmed', by: 'bob', mine: true },
  { what: 'answered', id: loud.id, type: 'order_rejected', by: 'carla', mine: false, reason: 'unknown_item' },
].reduce(reduce, new Map());
const nothing = () => {};
const actions = { confirm: nothing, rejectAs: nothing, chooseReason: nothing, keep: nothing, passOn: nothing };
const page = { verdict: (row) => decide(row.placed, new Map(), rules), reasons, now: MORNING + 60_000, actions };
render(drawWaiting(waiting(rows), { ...page, rejecting: bad.id }), byId('waiting'));
render(drawDone(done(rows)), byId('answered'));

copying();
document.querySelector('.themes').addEventListener('change', ({ target }) => {
  if (target.value) document.documentElement.dataset.theme = target.value;
  else delete document.documentElement.dataset.theme;
});

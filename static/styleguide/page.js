/** The style guide: the lists that other pages draw from script, here with orders made up. */

import { render } from '/static/vendor/lit-html/lit-html.js';
import { drawDone, drawWaiting } from '../confirmer/rows.js';
import { drawOrder } from '../customer/rows.js';
import { Book } from '../orders/book.js';
import { MyOrders } from '../orders/mine.js';
import { decide } from '../orders/rules.js';
import { Waiting } from '../orders/waiting.js';
import { drawRounds } from '../question/rounds.js';
import { byId, copying, given } from '../ui/page.js';

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
const { reason, message } = decide(bad, new Book(), rules);
const no = event(13, 'order_rejected', 'bob', { ...about(bad), reason, message });
const answer = (n, of, data) => event(n, `broker.${data.code ? 'error' : 'accepted'}`, 'broker', { event: of.id, ...data });

const mine = new MyOrders();
[good, bad, bare, late, loud].forEach((one, i) => mine.place(one, MORNING + i));
for (const one of [good, bad, bare]) mine.sent(one.id);
mine.stored(good.id, answer(14, good, {}), MORNING + 12);
mine.stored(bad.id, answer(15, bad, {}), MORNING + 15);
mine.stored(bare.id, answer(16, bare, {}), MORNING + 20);
mine.heard(yes, MORNING + 1350);
mine.heard(also, MORNING + 1800);
mine.heard(no, MORNING + 900);
mine.refused(loud.id, answer(17, loud, { code: 'name_taken', message: 'alice is in use in this room.' }));
render(mine.list().map(drawOrder), byId('mine'));

const book = new Book();
const waiting = new Waiting(book, () => 'bob');
[good, bad, bare, late, loud].forEach((one, i) => {
  book.apply(one, MORNING + i);
  waiting.came(one.id);
});
waiting.came(good.id, { until: MORNING + 60_000 + 21_000, of: 30, attempt: 2 });
waiting.unanswered(bare.id, 'You sent too many events at once: wait a second.');
waiting.answered(late.id, event(18, 'order_confirmed', 'bob', about(late)));
waiting.answered(loud.id, event(19, 'order_rejected', 'carla', { ...about(loud), reason: 'unknown_item' }));
const nothing = () => {};
const actions = { confirm: nothing, rejectAs: nothing, chooseReason: nothing, keep: nothing, passOn: nothing };
const page = { verdict: (row) => decide(row.placed, new Book(), rules), reasons, now: MORNING + 60_000, actions };
render(drawWaiting(waiting.open(), { ...page, rejecting: bad.id }), byId('waiting'));
render(drawDone(waiting.done()), byId('answered'));

const choices = [{ choice: 'once', text: 'Confirmed once' }, { choice: 'more', text: 'Confirmed more than once' }, { choice: 'waits', text: 'It waits' }];
render(drawRounds({ choices, votes: [{ once: 17, more: 6, waits: 2 }, { once: 5, more: 19, waits: 0 }], truth: 'more' }), byId('rounds'));

copying();
document.querySelector('.themes').addEventListener('change', ({ target }) => {
  if (target.value) document.documentElement.dataset.theme = target.value;
  else delete document.documentElement.dataset.theme;
});

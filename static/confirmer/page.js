/** The confirmer's page: Bob by hand. What waits, what his rules would say, and two buttons. */

import { render } from '/static/vendor/lit-html/lit-html.js';
import { now } from '../room/connection.js';
import { renamed, session } from '../room/participant.js';
import { byId, copying, given, here, oncePerFrame, say, toast } from '../ui/page.js';
import { count, isolated, orderOf } from '../ui/words.js';
import { Desk } from './desk.js';
import { drawDone, drawWaiting } from './rows.js';

const SHOWN = 100; // of those that wait, the oldest: a slow phone would need seconds to draw thousands
const SHOWN_DONE = 30;
const SILENCE = 3000; // ms between two sentences to those who listen

const { rules, reasons, lease, last } = given('rules');
const list = byId('waiting');
const answered = byId('answered');

let rejecting = null; // the id of the order whose reason is being chosen
const draw = oncePerFrame(drawNow);

const desk = new Desk(
  { room: here.room, name: here.name, session: session(), rules, lease, last },
  {
    changed: draw,
    named: renamed,
    came,
    overtaken,
    says: toast,
  },
);

const actions = {
  confirm: (row) => desk.answer(row, { type: 'order_confirmed' }),
  passOn: (row) => desk.passOn(row),
  rejectAs: (row, reason, message) => {
    rejecting = null;
    desk.answer(row, { type: 'order_rejected', reason, message });
    focusOn('[data-event]');
  },
  chooseReason: (row) => {
    rejecting = row.placed.id;
    drawNow();
    focusOn('[data-rejecting] select');
  },
  keep: () => {
    const id = rejecting;
    rejecting = null;
    drawNow();
    focusOn(`[data-event="${id}"]`);
  },
};

copying();
byId('auto').addEventListener('change', ({ target }) => desk.letRulesDecide(target.checked));
document.addEventListener('keydown', pressed);
setInterval(draw, 1000); // for how long each has waited, and what is left of each lease
list.replaceChildren();
drawNow();

const unsaid = [];
let speaking = false;

/** Says that an order came; of many within a few seconds one sentence. */
function came(row) {
  unsaid.push(row);
  if (!speaking) speak();
}

function speak() {
  const last = unsaid.at(-1);
  speaking = last !== undefined;
  if (!speaking) return;
  const words = `${last.placed.source} placed order ${last.key.split('/')[1]}.`;
  say('orders', unsaid.length === 1 ? words : `${unsaid.length} orders came. The last: ${words}`);
  unsaid.length = 0;
  setTimeout(speak, SILENCE);
}

/** Somebody else answered. It is worth a word where our reader was about to do so. */
function overtaken(row) {
  const { id } = row.placed;
  const focused = document.activeElement?.closest('[data-event]')?.dataset.event;
  if (id === focused || id === rejecting) toast(`${isolated(row.by)} was faster: ${orderOf(row.placed)} is ${row.state}.`);
  if (id === rejecting) rejecting = null;
}

function focusOn(selector) {
  list.querySelector(selector)?.focus();
}

/** On an order that has the focus: c confirms, r rejects, arrows move. */
function pressed(key) {
  const element = key.target.closest?.('#waiting > [data-event]');
  const row = desk.waiting.row(element?.dataset.event);
  if (key.key === 'Escape' && rejecting) return actions.keep();
  if (!row || key.target.matches('input, select') || key.ctrlKey || key.metaKey || key.altKey) return;
  if (key.key === 'c' && row.state === 'waiting') confirmAndGoOn(element, row);
  else if (key.key === 'r' && row.state === 'waiting') actions.chooseReason(row);
  else if (key.key === 'ArrowDown') element.nextElementSibling?.focus();
  else if (key.key === 'ArrowUp') element.previousElementSibling?.focus();
  else return;
  key.preventDefault();
}

/** Confirms, and hands the focus on to the order that follows. */
function confirmAndGoOn(element, row) {
  const following = element.nextElementSibling ?? element.previousElementSibling;
  actions.confirm(row);
  following?.focus();
}

function drawNow() {
  const { waits } = desk.waiting;
  const ready = desk.waiting.done(SHOWN_DONE);
  byId('empty').hidden = waits > 0 || !desk.looked;
  byId('count').textContent = waits ? String(waits) : '';
  byId('answered-title').hidden = ready.length === 0;
  byId('more').hidden = waits <= SHOWN;
  byId('more').textContent = `${count(waits - SHOWN, 'more order')} behind these.`;
  render(drawWaiting(desk.waiting.open(SHOWN), { verdict: (row) => desk.verdict(row), rejecting, reasons, now: now(), actions }), list);
  render(drawDone(ready), answered);
}

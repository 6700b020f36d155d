/** The confirmer's page: Bob by hand. What waits, what his rules would say, and two buttons. */

import { render } from '/static/vendor/lit-html/lit-html.js';
import { drawDone, drawWaiting } from './confirmer-rows.js';
import { observe } from './observe.js';
import { bookOf, fold } from './orders.js';
import { Participant } from './participant.js';
import { answerData, answerId, conflict, decide, duplicateOf } from './rules.js';
import { byId, copying, fetched, given, here, say, toast } from './ui.js';
import { done, reduce, rowKey, waiting } from './waiting.js';

const SHOWN_DONE = 30;

const { rules: limits, reasons } = given('rules');
const queue = byId('waiting');
const answered = byId('answered');
const auto = byId('auto');

let rows = new Map();
/** @type {import('./orders.js').Book} every order of the room, for the rule about duplicates */
let book = new Map();
let modes = {};
let rejecting = null; // the id of the order whose reason is being chosen
/** @type {Map<string, {placed: object, answer: object}>} our answers on their way, by their own ids */
const underway = new Map();

const me = new Participant(
  { room: here.room, name: here.name, types: 'order_placed' },
  {
    welcome: (welcome, again) => welcomed(welcome, again),
    event: (event) => heard(event, Date.now()),
    accepted: (id) => stored(id),
    refused: (id, code, message) => refused(id, code, message),
    caughtUp: (count) => count > 0 && toast(`Back again: ${count} missed ${count === 1 ? 'event' : 'events'} caught up.`),
    modes: (now) => {
      modes = now;
      draw();
    },
    lost: () => restore({ anew: true }),
    notice: (code, message) => toast(message),
    down: (final) => final && toast(final),
  },
);

// Under publish–subscribe a confirmer hears no other's answers; the observers' feed tells of them.
observe(
  { room: here.room },
  { records: (records, skipped) => (skipped ? restore() : records.forEach(observed)), lost: () => restore({ anew: true }) },
  { show: false },
);

// --- what comes in ----------------------------------------------------------------------------

function welcomed(welcome, again) {
  modes = welcome.modes;
  here.name = welcome.name;
  byId('me').textContent = welcome.name;
  const url = new URL(location.href);
  url.searchParams.set('name', welcome.name);
  history.replaceState(null, '', url);
  if (!again) restore();
}

function isQueued() {
  return (modes.order_placed ?? modes['*']) === 'queue';
}

/** What the journal knows, after a reload or when our place in it is lost. */
async function restore({ anew = false } = {}) {
  try {
    const told = await fetched(`/api/rooms/${here.room}/orders`);
    if (anew) rows = reduce(rows, { what: 'forgotten' });
    book = bookOf(told.orders);
    // In queue mode what waits belongs to whom it is given; a confirmer sees only that.
    if (!isQueued()) rows = reduce(rows, { what: 'known', book });
    settled();
  } catch (error) {
    toast(`What waits could not be fetched: ${error.message}`);
  }
}

function heard(event, at) {
  if (event.type === 'order_placed') {
    book = fold(book, event, at);
    rows = reduce(rows, { what: 'placed', event, at, holding: null });
    say('orders', `${event.source} placed order ${rowKey({ placed: event }).split('/')[1]}.`);
  }
  settled();
}

/** A record of the room's journal: whoever answered, everyone hears of it here. */
function observed({ kind, event, at }) {
  if (kind === 'reset') {
    rows = new Map();
    book = new Map();
  }
  if (kind !== 'event') return draw();
  book = fold(book, event, at);
  if (event.type === 'order_confirmed' || event.type === 'order_rejected') {
    answeredBy(event, { seen: true });
  }
  settled();
}

/** Marks the order that an answer is for, if it is one that waits here. */
function answeredBy(event, { seen = false } = {}) {
  const { customer, reason = null } = event.data;
  const id = event.data.event ?? oldestWaiting(event.data.id, customer);
  const row = rows.get(id);
  const mine = event.source === me.name;
  rows = reduce(rows, { what: 'answered', id, type: event.type, by: event.source, mine, reason, seen });
  const atIt = row?.state === 'answering' || rejecting === id || document.activeElement?.closest('[data-event]')?.dataset.event === id;
  if (!mine && row?.by === null && atIt) toast(`${event.source} was faster: ${rowKey(row)} is ${rows.get(id).state}.`);
}

function oldestWaiting(number, customer) {
  const fits = ({ placed }) => placed.data.id === number && (!customer || placed.source === customer);
  return waiting(rows).find(fits)?.placed.id;
}

// --- what goes out ----------------------------------------------------------------------------

/** Answers an order; the answer's id admits it to the journal once, whoever confirms. */
function answer(row, how, id = answerId(here.room, row.placed, how)) {
  rejecting = null;
  underway.set(id, { placed: row.placed, answer: how });
  rows = reduce(rows, { what: 'answering', id: row.placed.id });
  me.send(me.envelope(how.type, answerData(row.placed, how), id));
  draw();
}

function stored(id) {
  const ours = underway.get(id);
  underway.delete(id);
  if (!ours) return;
  const { placed, answer: how } = ours;
  answeredBy({ type: how.type, source: me.name, data: answerData(placed, how) });
  settled();
}

async function refused(id, code, message) {
  const ours = underway.get(id);
  underway.delete(id);
  if (!ours) return toast(message);
  if (code === 'id_conflict') return contested(id, ours).catch((error) => unanswered(ours, error.message));
  return unanswered(ours, message);
}

function unanswered({ placed }, problem) {
  rows = reduce(rows, { what: 'unanswered', id: placed.id, problem });
  draw();
}

/** The journal has an event with our answer's id already: see what it is (protocol §6). */
async function contested(id, { placed, answer: how }) {
  const path = `/api/rooms/${here.room}/events/`;
  const { event: found } = await fetched(path + id);
  const names = typeof found.data.event === 'string' ? found.data.event : null;
  const named = names === null || names === placed.id ? null : await fetched(path + names).then(({ event }) => event, () => null);
  const row = rows.get(placed.id);
  const means = conflict(placed, how, found, named);
  if (means === 'answered') answeredBy(found);
  else if (means === 'duplicate') answer(row, duplicateOf(placed));
  else answer(row, how, me.envelope(how.type, {}).id);
  settled();
}

function settled() {
  answerByRules();
  draw();
}

/** The switch: let the rules decide whatever waits. */
function answerByRules() {
  if (!auto.checked || !me.joined) return;
  for (const row of waiting(rows)) {
    if (row.state === 'waiting' && row.problem === null) answer(row, decide(row.placed, book, limits));
  }
}

// --- hands and eyes ---------------------------------------------------------------------------

const actions = {
  confirm: (row) => answer(row, { type: 'order_confirmed' }),
  rejectAs: (row, reason, message) => answer(row, { type: 'order_rejected', reason, message }),
  chooseReason: (row) => {
    rejecting = row.placed.id;
    draw();
    queue.querySelector('[data-rejecting] select')?.focus();
  },
  keep: () => {
    const id = rejecting;
    rejecting = null;
    draw();
    queue.querySelector(`[data-event="${id}"]`)?.focus();
  },
};

/** On an order that has the focus: c confirms, r rejects, arrows move. */
function pressed(key) {
  const element = key.target.closest?.('#waiting > [data-event]');
  const row = rows.get(element?.dataset.event);
  if (key.key === 'Escape' && rejecting) return actions.keep();
  if (!row || key.target.matches('input, select') || key.ctrlKey || key.metaKey || key.altKey) return;
  if (key.key === 'c' && row.state === 'waiting') next(element, () => actions.confirm(row));
  else if (key.key === 'r' && row.state === 'waiting') actions.chooseReason(row);
  else if (key.key === 'ArrowDown') element.nextElementSibling?.focus();
  else if (key.key === 'ArrowUp') element.previousElementSibling?.focus();
  else return;
  key.preventDefault();
}

/** Acts, and hands the focus on to the order that follows. */
function next(element, act) {
  const following = element.nextElementSibling ?? element.previousElementSibling;
  act();
  following?.focus();
}

function draw() {
  const open = waiting(rows);
  const answeredRows = done(rows).slice(0, SHOWN_DONE);
  byId('empty').hidden = open.length > 0;
  byId('count').textContent = open.length ? String(open.length) : '';
  byId('answered-title').hidden = answeredRows.length === 0;
  const verdict = (row) => decide(row.placed, book, limits);
  render(drawWaiting(open, { verdict, rejecting, reasons, now: Date.now(), actions }), queue);
  render(drawDone(answeredRows), answered);
}

copying();
auto.addEventListener('change', answerByRules);
document.addEventListener('keydown', pressed);
setInterval(draw, 1000); // for how long each has waited
queue.replaceChildren();
answered.replaceChildren();
draw();

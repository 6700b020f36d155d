/** The log page: every event of the room as it is stored, and all that were. */

import { nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { drawEvent, drawMissing, learn } from '../event/panel.js';
import { observe } from '../room/observe.js';
import { areOn, bind, turn } from '../ui/keys.js';
import { byId, copy, fetched, here, toast } from '../ui/page.js';
import { count } from '../ui/words.js';
import { nothingHere } from './empty.js';
import { isEmpty, matches, query, readFilter, writeAddress } from './filter.js';
import { fillForm, listenToForm, suggest } from './form.js';
import { LogList } from './list.js';
import { addNewer, addOlder, around, arrive, canRelease, EMPTY, fromEnd, fromStart, release } from './window.js';

const PAGE = 500; // events asked for at once
const AGAIN = 3000; // ms until an end is asked for again, after it could not be had
const EVENTS = `/api/rooms/${here.room}/events`;

let filter = readFilter(location.search);
let log = EMPTY;
let total = 0;
let paused = false;
let opened = null; // what is known of the opened event
let place = 0; // counts jumps, so that an answer to an earlier one is not taken for this one's
let jumping = null; // the jump whose answer is awaited
const asking = new Set(); // the ends, older and newer, that are asked for more
let arrivedMeanwhile = [];

const grid = byId('log-grid');
const panel = byId('log-event');
const form = byId('log-filter');
const list = new LogList(grid, { open, close, near, jump, scrolled });

const following = () => !paused && list.atTop && log.newer === null;
const ask = (more) => fetched(`${EVENTS}?${query(filter, { limit: PAGE, ...more })}`);

// --- what is there ------------------------------------------------------------------------

/** Go somewhere in the log: what `reading` promises becomes the window, and live events join behind it. */
async function goTo(reading, then = () => {}) {
  const mine = ++place;
  jumping = mine;
  arrivedMeanwhile = [];
  try {
    const window = await reading();
    if (mine !== place) return;
    log = arrive(window, arrivedMeanwhile, true);
    jumping = null;
    drawNow(true);
    then();
  } catch (error) {
    if (mine === place) jumping = null;
    toast(error.message);
  }
}

const toEnd = () => goTo(async () => fromEnd(await ask({ before: 'end' })));
const toStart = () => goTo(async () => fromStart(await ask({ after: 'start' })), () => {
  grid.scrollTop = grid.scrollHeight;
});
const toEvent = (event) => goTo(
  async () => around(event, ...await Promise.all([ask({ before: event.id }), ask({ after: event.id })])),
  () => list.reveal(event.id, true),
);

async function jump(end) {
  if (end === 'older' && log.older === null) grid.scrollTop = grid.scrollHeight;
  else if (end === 'older') await toStart();
  else if (log.newer === null) grid.scrollTop = 0;
  else await toEnd();
}

/** The reader nears an end of the window that is no end of the log. */
async function near(end) {
  if (asking.has(end) || jumping) return;
  asking.add(end);
  const mine = place;
  const page = await ask(end === 'older' ? { before: log.older } : { after: log.newer }).catch(({ message }) => void toast(message));
  asking.delete(end);
  if (page && mine === place) {
    log = end === 'older' ? addOlder(log, page) : addNewer(log, page);
    draw(false);
  } else setTimeout(() => list.draw(), page ? 0 : AGAIN); // asks again if the reader is still there
}

// --- what comes ---------------------------------------------------------------------------

observe({ room: here.room }, {
  snapshot(snapshot, again) {
    total = snapshot.events;
    for (const { name } of snapshot.participants) suggest('sources', name);
    // After a lost connection the feed brings what was missed. Who follows is shown the newest page
    // all the same: should the room have been cleared meanwhile, nobody would say so.
    if (!again) begin();
    else if (following()) toEnd();
    else drawAround();
  },
  records(records, skipped, counted) {
    const events = records.filter(({ kind }) => kind === 'event').map(({ event }) => event);
    total += events.length - counted;
    if (skipped) countAgain();
    if (records.some(({ kind }) => kind === 'reset')) total = events.length;
    if (skipped || records.some(({ kind }) => kind === 'reset')) toEnd();
    else take(events);
    const about = opened?.event.id;
    if (about && records.some(({ kind, event }) => (kind === 'event' ? event.data.event : event) === about)) relearn();
  },
  lost: toEnd,
  missing: drawAround,
}, { paused: true });

/** Some were left out: the server knows how many events there are. */
async function countAgain() {
  const room = await fetched(`/api/rooms/${here.room}`).catch(() => null);
  if (room) total = room.events;
  drawAround();
}

function take(events) {
  for (const { type, source } of events) suggest('types', type), suggest('sources', source);
  const wanted = events.filter((event) => matches(filter, event));
  if (jumping) arrivedMeanwhile.push(...wanted);
  else if (wanted.length) {
    const follow = following();
    log = arrive(log, wanted, follow);
    draw(follow);
    return;
  }
  drawAround();
}

function scrolled() {
  if (log.fresh && list.atTop && !paused) showFresh();
}

/** Show what was kept back while the reader looked elsewhere. */
function showFresh() {
  paused = false;
  if (canRelease(log)) {
    log = release(log);
    grid.scrollTop = 0;
    draw(true);
  } else toEnd();
}

// --- drawing: at most once a frame ----------------------------------------------------------

let drawing = null;

function draw(follow) {
  drawing = follow && (drawing ?? true);
  requestAnimationFrame(() => {
    if (drawing !== null) drawNow(drawing);
  });
}

function drawNow(follow) {
  drawing = null;
  drawAround();
  list.wanted = filter.text;
  list.show(log, follow);
}

function drawAround() {
  const size = log.events.length;
  const more = log.older || log.newer ? '+' : '';
  byId('log-count').textContent = isEmpty(filter) ? count(total, 'event') : `${size}${more} of ${count(total, 'event')}`;
  const fresh = byId('log-fresh');
  fresh.hidden = !log.fresh && !paused;
  fresh.textContent = `${paused ? 'Paused. ' : ''}${count(log.fresh, 'new event')}`;
  byId('log-pause').textContent = paused ? 'Resume' : 'Pause';
  grid.hidden = !size;
  render(size || jumping ? nothing : nothingHere(log, filter), byId('log-empty'));
}

// --- an opened event ------------------------------------------------------------------------

async function open(id) {
  list.opened = id;
  keepAddress();
  const inLog = log.events.find((event) => event.id === id);
  if (inLog && opened?.event.id !== id) showEvent({ event: inLog, isKnown: false });
  const learned = await learn(here.room, id, inLog).catch(() => null);
  if (list.opened !== id) return null;
  if (learned) showEvent(learned);
  else showMissing(id);
  return learned;
}

function showEvent(learned) {
  opened = learned;
  panel.hidden = false;
  drawEvent(panel, learned, {
    open, close,
    copy: () => say(copy(JSON.stringify(learned.event, null, 2))),
    link: () => say(copy(location.href)),
  });
  list.draw();
}

function showMissing(id) {
  opened = null;
  panel.hidden = false;
  drawMissing(panel, id, { close });
}

function close() {
  if (!list.opened) return;
  opened = list.opened = null;
  panel.hidden = true;
  keepAddress();
  list.draw();
  grid.focus();
}

let learning = null;

/** Something happened to the opened event: tell it again, but not twenty times a second. */
function relearn() {
  learning ??= setTimeout(() => {
    learning = null;
    if (opened) open(opened.event.id);
  }, 300);
}

async function say(copied) {
  toast(await copied ? 'Copied.' : 'Your browser refused: mark the text and copy it yourself.');
}

// --- filter, pause, keys --------------------------------------------------------------------

function keepAddress() {
  history.replaceState(null, '', location.pathname + writeAddress(location.search, filter, list.opened));
}

function filtered(wanted) {
  filter = wanted;
  fillForm(filter, EVENTS);
  keepAddress();
  toEnd();
}

/** The first snapshot: the newest page, or the event that the address names with what lies around it. */
async function begin() {
  const wanted = new URLSearchParams(location.search).get('event');
  const learned = wanted && await open(wanted);
  if (learned && matches(filter, learned.event)) await toEvent(learned.event);
  else await toEnd();
}

fillForm(filter, EVENTS);
listenToForm(filtered, () => grid.focus());
byId('log-fresh').addEventListener('click', showFresh);
byId('log-pause').addEventListener('click', () => {
  paused = !paused;
  if (!paused && log.fresh) showFresh();
  drawAround();
});
document.addEventListener('keydown', (key) => {
  const typing = key.target.closest('input, textarea, select');
  if (key.key === 'Escape' && (typing || panel.contains(key.target))) (list.opened ? close() : grid.focus());
});
bind('/', 'Search', () => form.elements.text.select());
const keysOn = byId('log-keys-on');
keysOn.checked = areOn();
keysOn.addEventListener('change', () => turn(keysOn.checked));

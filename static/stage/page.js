/** The stage: the room as a picture on the projector. Watches; takes part in nothing. */

import { change, MODE_NAMES, position, SENTENCES, sentenceAfter } from '../room/modes.js';
import { observe } from '../room/observe.js';
import { bind } from '../ui/keys.js';
import { byId, fetched, here, oncePerFrame, toast } from '../ui/page.js';
import { count } from '../ui/words.js';
import { useBands } from './bands.js';
import { loadLater } from './later.js';
import { Flights } from './flights/flights.js';
import { useLesson } from './lesson/lesson.js';
import { Picture } from './picture/picture.js';
import { Show } from './show.js';
import { present } from './state.js';
import { setModes } from '../room/host.js';

const RECALLED = 50; // events of the past that the stage asks for
const UNCERTAIN = 2000; // ms between two fresh snapshots, however often the state is in doubt
const CALM = 150; // ms between two drawings of the tables: who reads is not faster

const show = new Show();
const { customer, confirmer } = byId('stage-picture').dataset;
const picture = new Picture(byId('stage-picture'), { links: { customer, confirmer }, host: here.host, now: () => show.now });
const drawSoon = oncePerFrame(draw);
const flights = new Flights(byId('stage-flights'), picture, drawSoon);
const switches = [...document.querySelectorAll('input[name="mode"]')];

// --- what happens --------------------------------------------------------------------------

let restarting = null;
const observer = observe({ room: here.room, resume: false }, {
  snapshot(snapshot) {
    flights.stop();
    show.begin(snapshot);
    remember(snapshot);
  },
  missing: () => show.begin({ room: here.room, modes: { '*': 'relay' } }),
  records(records, skipped) {
    show.advance(records, skipped);
    if (skipped || show.state?.uncertain) restart();
  },
});

/** The past: what lies on the counter and with whom, and the latest events. */
async function remember({ events, paused, queues }) {
  if (!events) return;
  const room = `/api/rooms/${here.room}`;
  const waits = paused || Object.values(queues).some(({ ready, in_flight: held, dead }) => ready || held || dead);
  const [log, queue] = await Promise.all([
    fetched(`${room}/events?before=end&limit=${RECALLED}`).catch(() => null),
    waits ? fetched(`${room}/queue`).catch(() => null) : null,
  ]);
  if (log) show.recall(log.events, queue);
}

/** Records were left out, or spoke of what we do not know: a fresh snapshot puts the picture right. */
function restart() {
  restarting ??= setTimeout(() => {
    restarting = null;
    observer.restart();
  }, UNCERTAIN);
}

// --- drawing: at most once a frame -----------------------------------------------------------

let tabled = 0; // when the tables were drawn last
let later = null;
let sentence = null; // about the mode of a type that was set last; null: that of the switch

flights.follow(show, drawPicture, (state, before, records) => {
  if (before && records.some(({ kind }) => kind === 'modes')) sentence = sentenceAfter(before.modes, state.modes);
  drawSoon();
});

function draw() {
  const state = show.shown;
  if (!state) return;
  const now = performance.now();
  const calm = now - tabled > CALM;
  if (calm || !flights.flows) drawPicture(state); // while it flows the canvas moves, and the rest is calm
  if (calm) drawWords(state, now);
  else later ??= setTimeout(drawSoon, CALM);
}

function drawPicture(state) {
  picture.draw(state, { live: show.live });
}

function drawWords(state, now) {
  clearTimeout(later);
  later = null;
  tabled = now;
  const mayAct = here.host && show.live;
  document.body.toggleAttribute('data-past', !show.live);
  if (document.body.dataset.band === 'table') drawTable(state, mayAct);
  const people = present(state).length;
  write(byId('stage-count'), count(people, 'participant') + (state.locked ? ', locked' : ''));
  const mode = position(state.modes);
  byId('stage-modes').disabled = !mayAct;
  for (const one of switches) one.checked = one.value === mode;
  write(byId('stage-sentence'), (mode === 'mixed' && sentence) || SENTENCES[mode]);
}

async function drawTable(state, mayAct) {
  const { drawLatest, drawTypes } = await import('./tools/table.js'); // when it is first asked for
  drawTypes(byId('stage-types'), state, mayAct ? (type, mode) => set({ [type]: mode }) : null);
  drawLatest(byId('stage-latest'), state, linkTo);
}

function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function linkTo(id) {
  return `/log?${new URLSearchParams({ room: here.room, event: id })}`;
}

// --- the host's hand, and keys ---------------------------------------------------------------

async function set(modes) {
  try {
    await setModes(modes);
  } catch (error) {
    toast(error.message);
    drawSoon();
  }
}

function turnTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
  flights.wake();
  drawSoon();
}

for (const one of switches) {
  one.addEventListener('change', () => show.state && set(change(show.state.modes, one.value)));
}
switches.forEach(({ value }, index) => {
  const words = `Switch to ${MODE_NAMES[value]}`;
  bind(String(index + 1), words, () => set(change(show.state.modes, value)), {
    when: () => here.host && show.live && show.state !== null,
  });
});
byId('stage-speed').addEventListener('change', ({ target }) => { flights.speed = Number(target.value); });
bind('d', 'Light or dark', turnTheme);
byId('stage-theme').addEventListener('click', turnTheme);
useLesson(show);
const opened = loadLater(show, (way) => {
  picture.way = way;
  flights.wake();
  drawSoon();
});
useBands((band) => {
  opened(band);
  drawSoon();
});

/** The stage: the room as a picture on the projector. Watches; takes part in nothing. */

import { observe } from './observe.js';
import { Flights } from './stage-flights.js';
import { setModes } from './stage-host.js';
import { change, position, SENTENCES } from './stage-modes.js';
import { Picture } from './stage-picture.js';
import { advance, begin, present, recall } from './stage-state.js';
import { drawLatest, drawTypes } from './stage-table.js';
import { byId, fetched, here, toast } from './ui.js';

const RECALLED = 50; // events of the past that the stage asks for
const UNCERTAIN = 2000; // ms between two fresh snapshots, however often the state is in doubt

const picture = new Picture(byId('stage-picture'), byId('stage-picture').dataset);
const flights = new Flights(byId('stage-flights'), picture);
const keys = { 1: 'relay', 2: 'pubsub', 3: 'queue' };
const switches = [...document.querySelectorAll('input[name="mode"]')];
let state = null;
let drawing = false;
let mending = null;

// --- what happens --------------------------------------------------------------------------

const observer = observe({ room: here.room, resume: false }, {
  snapshot(snapshot) {
    state = begin(snapshot);
    draw();
    if (snapshot.events) remember();
  },
  missing() {
    state = begin({ room: here.room, modes: { '*': 'relay' } });
    draw();
  },
  records(records, skipped) {
    if (!state) return;
    state = advance(state, records);
    drawSoon();
    if (records.some(({ kind }) => kind === 'joined')) drawNow(); // a newcomer may be the sender
    flights.show(records, state);
    if (skipped || state.uncertain) mend();
  },
});

/** The latest events of the past: what is waiting among them gets its number, and the list its lines. */
async function remember() {
  const page = await fetched(`/api/rooms/${here.room}/events?before=end&limit=${RECALLED}`).catch(() => null);
  if (!page || !state) return;
  state = recall(state, page.events);
  drawSoon();
}

/** Records were left out, or spoke of what we do not know: a fresh snapshot puts the picture right. */
function mend() {
  mending ??= setTimeout(() => {
    mending = null;
    observer.restart();
  }, UNCERTAIN);
}

// --- drawing: at most once a frame -----------------------------------------------------------

function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(drawNow);
}

function drawNow() {
  drawing = false;
  if (state) draw();
}

function draw() {
  picture.draw(state);
  drawTypes(byId('stage-types'), state, here.host ? (type, mode) => set({ [type]: mode }) : null);
  drawLatest(byId('stage-latest'), state, linkTo);
  const people = present(state).length;
  byId('stage-count').textContent = `${people} ${people === 1 ? 'participant' : 'participants'}`;
  const mode = position(state.modes);
  for (const one of switches) one.checked = one.value === mode;
  const sentence = byId('stage-sentence');
  if (sentence.textContent !== SENTENCES[mode]) sentence.textContent = SENTENCES[mode];
}

function linkTo(id) {
  return `/log?${new URLSearchParams({ room: here.room, event: id })}`;
}

// --- the host's hand, and keys ---------------------------------------------------------------

async function set(modes) {
  try {
    await setModes(here.room, modes);
  } catch (error) {
    toast(error.message);
    draw();
  }
}

for (const one of switches) {
  one.addEventListener('change', () => state && set(change(state.modes, one.value)));
}

function turnTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
}

byId('stage-theme').addEventListener('click', turnTheme);
document.addEventListener('keydown', (key) => {
  if (key.altKey || key.ctrlKey || key.metaKey || key.target.closest('input:not([type="radio"]), select, textarea')) return;
  if (key.key === 'd') turnTheme();
  else if (key.key in keys && here.host && state) set(change(state.modes, keys[key.key]));
  else return;
  key.preventDefault();
});

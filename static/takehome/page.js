/**
 * The lesson again, from one file and without a server: the stage's picture, diagram and *why*, over the
 * records that the file holds. Also: each one's own orders, and what the class was asked.
 */

import { MODE_NAMES, position, SENTENCES } from '../room/modes.js';
import { askForThePast } from '../stage/bands.js';
import { Flights } from '../stage/flights/flights.js';
import { Picture } from '../stage/picture/picture.js';
import { Show } from '../stage/show.js';
import { tell } from '../stage/story.js';
import { bind } from '../ui/keys.js';
import { byId, given, oncePerFrame } from '../ui/page.js';
import { count, duration } from '../ui/words.js';
import { OrdersOf } from './orders.js';
import { drawQuestions } from './questions.js';
import { Recording } from './recording.js';

/** A room in which nothing is live: its end is a moment like any other, and time stands still at it. */
class Replay extends Show {
  get now() {
    return this.shown?.at ?? 0;
  }
}

const told = given('recording');
const recording = new Recording(told);
const { past } = recording;
const show = new Replay();
show.state = past.end.state;
const picture = new Picture(byId('stage-picture'), { links: {}, host: false, now: () => show.now });
const drawSoon = oncePerFrame(draw);
const flights = new Flights(byId('stage-flights'), picture, drawSoon);
const orders = new OrdersOf(recording, byId('takehome-whose'), byId('takehome-orders'));

flights.follow(show, drawPicture, drawSoon);

function draw() {
  const state = show.shown;
  drawPicture(state);
  const mode = position(state.modes);
  byId('takehome-mode').textContent = MODE_NAMES[mode];
  byId('takehome-sentence').textContent = SENTENCES[mode];
  document.body.toggleAttribute('data-past', !show.live);
  byId('takehome-moment').hidden = show.live;
  const moment = state.read; // how many records led there
  caption(moment);
  orders.draw(moment);
}

function drawPicture(state) {
  picture.draw(state, { live: false });
}

// --- around it -----------------------------------------------------------------------------------

/** What was opened comes into sight: on a phone, and from the orders, it is elsewhere on the page. */
new MutationObserver(() => byId('stage-explain').scrollIntoView({ block: 'nearest' }))
  .observe(byId('stage-explain'), { subtree: true, attributeFilter: ['data-explains', 'hidden'] });

const usual = byId('takehome-caption').textContent;

/** The lesson's caption at that moment. */
function caption(moment) {
  const scene = past.records.slice(0, moment).findLast(({ kind }) => kind === 'scene')?.scene;
  byId('takehome-caption').textContent = (!show.live && told.captions[scene]) || usual;
}

function about() {
  const { records } = past;
  const people = new Set(records.filter(({ kind }) => kind === 'joined').map(({ name }) => name));
  const took = duration(records.at(-1).at - records[0].at);
  const day = told.names ? `${new Date(records[0].at).toLocaleDateString()} · ` : '';
  return `${day}${count(people.size, 'participant')} · ${count(recording.events.length, 'event')} · ${took}`;
}

function turnTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  drawSoon();
}

byId('time-live').textContent = 'The end';
byId('takehome-about').textContent = about();
byId('takehome-theme').addEventListener('click', turnTheme);
byId('takehome-whose').addEventListener('change', drawSoon);
bind('d', 'Light or dark', turnTheme);
drawQuestions(byId('takehome-questions'), told.questions);
const story = tell(show, recording, (way) => {
  picture.way = way;
  flights.wake();
  drawSoon();
});
askForThePast(show, (what) => what(story));
story.draw();
show.comeBack();
if (past.records.at(-1).kind === 'left') { // begin where somebody is still there
  byId('time-slider').value = past.records.findLastIndex(({ kind }) => kind !== 'left') + 1;
  byId('time-slider').dispatchEvent(new Event('input'));
}

/**
 * The host's hand on the stage: hold and let go, bots, dead letters, clearing the room; and what everyone
 * may: the help. What has `data-does` does it, wherever it stands on the page (see ../later.js).
 */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { areOn, keys, turn } from '../../ui/keys.js';
import { byId, here, toast } from '../../ui/page.js';
import { envelope } from '../../ui/shapes.js';
import { inState } from '../queue.js';
import * as host from '../../room/host.js';
import { useFaults } from './faults.js';
import { usePeople } from './people.js';

const NAMES = { ' ': 'space', ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓' };

const CALM = 150; // ms between two drawings: who reads is not faster
const DOES = {
  hold: () => host.hold(),
  step: () => host.step(),
  resume: () => host.resume(),
  bot: () => host.sendBot(delay(), false),
  naive: () => host.sendBot(delay(), true),
  kill: ({ name }) => host.killBot(name),
  retry: ({ id }) => host.retry(id),
  discard: ({ id }) => host.discard(id),
  clear: () => host.clear(),
};

const delay = () => Number(byId('stage-delay').value);

/**
 * Called once. Returns what the host does: {act, open, press, faults}. act: what, with {name} or {id}; open: a
 * dialog by its id; press: what a button asks for by its `data-`, and the dialog it is in or null; faults: see faults.js
 * @param {import('../show.js').Show} show
 */
export function useTools(show) {
  const drawPeople = usePeople(show);
  let later = null;
  const draw = () => {
    later = null;
    if (show.shown) drawTools(show.shown, show.live);
  };

  function open(id) {
    if (id === 'stage-help') drawHelp();
    if (id === 'stage-people') drawPeople();
    byId(id).showModal();
  }

  function press({ opens, closes, does, ...data }, dialog) {
    if (opens) open(opens);
    if (closes !== undefined) dialog.close();
    if (does) act(does, data);
  }

  byId('stage-keys-on').checked = areOn();
  byId('stage-keys-on').addEventListener('change', ({ target }) => turn(target.checked));
  show.addEventListener('shown', () => { later ??= setTimeout(draw, CALM); });
  draw();
  return { act, open, press, faults: here.host ? useFaults() : null };
}

async function act(what, data = {}) {
  try {
    await DOES[what](data);
  } catch (error) {
    toast(error.message);
  }
}

/** Draw what depends on the room. `live`: it is the room as it is now, so there is something to do. */
function drawTools(state, live) {
  const tools = byId('stage-tools');
  tools.disabled = !here.host || !live;
  const hold = byId('stage-hold');
  hold.dataset.does = state.paused ? 'step' : 'hold';
  const words = state.paused ? 'Let one go' : 'Pause';
  if (hold.firstElementChild.textContent !== words) hold.firstElementChild.textContent = words;
  byId('stage-resume').disabled = !state.paused;
  byId('stage-kill').disabled = !state.bots.length;
  drawBots(state);
  drawDead(state, here.host && live);
}

function drawBots(state) {
  const list = byId('stage-bots-list');
  render(html`${repeat(state.bots, ({ name }) => name, ({ name, naive, delay: seconds }) => {
    const holds = state.participants.get(name)?.inFlight ?? 0;
    const doing = holds ? `holds ${holds}` : state.participants.get(name)?.online ? 'holds nothing' : 'is coming';
    return html`<li><span><b>${name}</b> <span class="muted">${naive ? 'naive, ' : ''}thinks ${seconds} s, ${doing}</span></span>
      <button type="button" class="no" data-does="kill" data-name=${name} aria-label="Kill ${name}">Kill</button></li>`;
  })}${state.bots.length ? nothing : html`<li class="muted">No bot is at work.</li>`}`, list);
}

function drawDead(state, mayAct) {
  const dead = inState(state, 'dead').slice(0, 50);
  render(html`${repeat(dead, ({ event }) => event.id, ({ event, reason }) => html`
    <li><span class="stage-dead-letter">${envelope('dead', event.data.id)}<span><b>${event.type}</b> from <b>${event.source}</b><br>
      <span class="muted">${reason}</span></span></span>
      <span class="row"><button type="button" data-event=${event.id}>Why?</button>
      <button type="button" data-does="retry" data-id=${event.id} ?disabled=${!mayAct}>Retry</button>
      <button type="button" class="no" data-does="discard" data-id=${event.id} ?disabled=${!mayAct}>Discard</button></span></li>`)}
    ${dead.length ? nothing : html`<li class="muted">There is none.</li>`}`, byId('stage-dead-list'));
}

function drawHelp() {
  const shown = keys().filter(({ words }) => words);
  render(shown.map(({ key, words }) => html`<div><dt><kbd>${NAMES[key] ?? key}</kbd></dt><dd>${words}</dd></div>`), byId('stage-keys'));
}

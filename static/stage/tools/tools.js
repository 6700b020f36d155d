/**
 * The host's hand on the stage: hold and let go, bots, dead letters, clearing the room; and what
 * everyone may: the speed of the picture, the help.
 *
 * Whatever bears `data-does` does it, wherever it stands on the page.
 */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { areOn, bind, keys, turn } from '../../ui/keys.js';
import { byId, here, toast } from '../../ui/page.js';
import { envelope } from '../../ui/shapes.js';
import { inState } from '../queue.js';
import * as host from '../../room/host.js';

const NAMES = { ' ': 'space', ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓' };

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

/** Wire everything up. @param {{show: import('../show.js').Show, speed: (factor: number) => void}} what */
export function useTools({ show, speed }) {
  document.addEventListener('click', (click) => {
    const button = click.target.closest('[data-does], [data-opens], [data-closes]');
    if (!button || button.disabled) return;
    if (click.detail) button.blur(); // by mouse: the space bar is for letting events go, not for this again
    if (button.dataset.opens) open(button.dataset.opens);
    if (button.dataset.closes !== undefined) button.closest('dialog').close();
    if (button.dataset.does) act(button.dataset.does, button.dataset);
  });
  byId('stage-speed').addEventListener('change', ({ target }) => speed(Number(target.value)));
  const mayAct = () => here.host && show.live && show.state !== null;
  bind(' ', 'Pause: events stay at the broker; then let one go', () => act(show.state.paused ? 'step' : 'hold'), { when: mayAct });
  bind('r', 'Resume: let all go', () => act('resume'), { when: () => mayAct() && show.state.paused });
  bind('?', 'This help', () => open('stage-help'));
  byId('stage-keys-on').checked = areOn();
  byId('stage-keys-on').addEventListener('change', ({ target }) => turn(target.checked));
}

async function act(what, data = {}) {
  try {
    await DOES[what](data);
  } catch (error) {
    toast(error.message);
  }
}

function open(id) {
  if (id === 'stage-help') drawHelp();
  byId(id).showModal();
}

/** Draw what depends on the room. `live`: it is the room as it is now, so there is something to do. */
export function drawTools(state, live) {
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

/** Exercises: a room of one's own, the stages, and what came of each check. */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { byId, copying, fetched, here, toast } from '../ui/page.js';
import { withCode } from '../ui/shapes.js';

const KEPT = 'orders exercise';
const LOOK = 500; // ms between two looks while a check runs
const CALM = 3000; // ms between two looks otherwise: a check may have been asked for in a terminal
const LINES = ['sent', 'expected', 'came', 'hint'];

let mine = kept();
let looking;

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

function keep(exercise) {
  mine = exercise;
  try {
    if (exercise) localStorage.setItem(KEPT, JSON.stringify(exercise));
    else localStorage.removeItem(KEPT);
  } catch {
    toast('This browser keeps nothing: note your address.');
  }
  draw(null);
  look();
}

async function ask(path, body) {
  const headers = { 'content-type': 'application/json', ...(mine && { 'Orders-Session': mine.session }) };
  const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const told = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(told?.error?.message ?? `The server answered ${answer.status}.`);
  return told;
}

/** How it stands, now and again. */
async function look() {
  clearTimeout(looking);
  if (!mine) return;
  const asked = mine;
  let stands = null;
  try {
    stands = await fetched(`/api/exercises/${mine.room}`);
  } catch (error) {
    if (error.status === 404) { // the room is gone
      toast('Your room was ended: begin another.');
      keep(null);
      return;
    }
  }
  if (asked !== mine) return;
  if (stands) draw(stands);
  looking = setTimeout(look, stands?.running ? LOOK : CALM);
}

function draw(stands) {
  byId('begin').hidden = mine !== null;
  byId('mine').hidden = mine === null;
  if (mine) {
    byId('address').textContent = mine.url;
    byId('log').href = `/log?room=${mine.room}`;
    byId('starters').href = `/starters?room=${mine.room}`;
    byId('zip').href = `/starters.zip?room=${mine.room}`;
  }
  const running = stands?.running;
  for (const button of document.querySelectorAll('[data-check]')) button.disabled = !mine || Boolean(running);
  byId('running').textContent = !running ? ''
    : running.ahead ? `${running.ahead} before you` : 'Your program is being checked …';
  const verdicts = new Map(stands?.stages.map((one) => [one.stage, one]));
  for (const place of document.querySelectorAll('[data-stage]')) drawStage(place, verdicts.get(Number(place.dataset.stage)));
}

function drawStage(place, one) {
  const verdict = one?.verdict ?? '';
  if (place.dataset.verdict !== verdict && verdict === 'failed') place.querySelector('details').open = true;
  place.dataset.verdict = verdict;
  place.querySelector('.exercise-verdict').textContent = verdict === 'passed' ? '✓ passed' : verdict;
  render(html`
    ${one?.failure ? html`<div class="notice" data-kind="refused">
      <dl>${LINES.map((line) => html`<dt>${line}</dt><dd>${withCode(one.failure[line])}</dd>`)}</dl>
      <a href=${one.link}>See the diagram of it</a></div>` : nothing}
    ${one?.reason ? html`<p class="notice">${withCode(one.reason)}</p>` : nothing}`, place.querySelector('.exercise-failure'));
}

byId('begin').addEventListener('submit', async (submitted) => {
  submitted.preventDefault();
  try {
    keep(await ask('/api/exercises', { name: byId('begin-name').value.trim().replace(/\s+/g, '-') }));
  } catch (error) {
    toast(error.message);
  }
});
byId('begin-name').value = here.name;
byId('again').addEventListener('click', () => keep(null));
document.addEventListener('click', async ({ target }) => {
  const check = target.closest?.('[data-check]')?.dataset.check;
  const hint = target.closest?.('[data-hint]');
  if (hint) {
    const hidden = hint.closest('li').querySelectorAll('.exercise-hints [hidden]');
    if (hidden.length) hidden[0].hidden = false;
    hint.disabled = hidden.length < 2;
    hint.textContent = hint.disabled ? 'That is all' : 'Another hint';
  }
  if (!check || !mine) return;
  try {
    await ask(`/api/exercises/${mine.room}/check`, { stage: Number(check) });
    look();
  } catch (error) {
    toast(error.message);
  }
});
copying();
draw(null);
look();

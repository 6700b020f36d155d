/** The board: a row a student, a dot a stage, live. Failures and names only where the host shows them. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { bind } from '../ui/keys.js';
import { byId, fetched, toast } from '../ui/page.js';

const LOOK = 1000; // ms between two looks
const NEW = 4000; // ms that a stage just passed is ringed
const STAGES = 12;
const ROWS = 20; // in a column
const HEADS = html`<li class="board-heads" aria-hidden="true"><b></b>${Array.from({ length: STAGES }, (_, index) => html`<i>${index + 1}</i>`)}</li>`;

let exercises = [];
let first = true;
const passedAt = new Map(); // 'room stage' → when it was first seen to be passed

async function look() {
  try {
    ({ exercises } = await fetched('/api/exercises'));
    for (const { room, stages } of exercises) {
      for (const { stage, verdict } of stages) {
        const key = `${room} ${stage}`;
        if (verdict === 'passed' && !passedAt.has(key)) passedAt.set(key, first ? -NEW : performance.now());
      }
    }
    first = false;
    draw();
  } catch (error) {
    toast(error.message);
  }
  setTimeout(look, LOOK);
}

function draw() {
  const names = byId('names').checked;
  const failures = byId('failures').checked;
  byId('none').hidden = exercises.length > 0;
  render(repeat(exercises, ({ room }) => room, (one, index) => html`${index % ROWS ? nothing : HEADS}
    ${row(one, names ? one.name : `student ${index + 1}`, failures)}`), byId('board'));
}

function row({ room, stages, running }, name, failures) {
  const verdicts = new Map(stages.map((one) => [one.stage, one]));
  const failed = stages.find(({ verdict }) => verdict === 'failed');
  const passed = stages.filter(({ verdict }) => verdict === 'passed').length;
  return html`<li aria-label="${name}: ${passed} of ${STAGES} passed"><b>${name}</b>
    ${failures && failed ? html`<small>${failed.stage}: ${failed.failure.came}</small>` : nothing}
    ${Array.from({ length: STAGES }, (_, index) => {
      const verdict = verdicts.get(index + 1)?.verdict;
      const isNew = performance.now() - (passedAt.get(`${room} ${index + 1}`) ?? -NEW) < NEW;
      return html`<i class=${isNew ? 'board-new' : ''} data-verdict=${verdict ?? nothing}
        ?data-running=${!verdict && running && index < running.stage}></i>`;
    })}</li>`;
}

function turn(id) {
  byId(id).checked = !byId(id).checked;
  draw();
}

bind('n', 'Show names, or hide them', () => turn('names'));
bind('f', 'Show failures, or hide them', () => turn('failures'));
for (const id of ['names', 'failures']) byId(id).addEventListener('change', draw);
look();

/**
 * The class predicts: the host asks, closes, asks once again, lets go and shows what was right. A band of
 * the stage, which opens wherever a question is; loaded when it is first wanted.
 */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { askClass, moveQuestion } from '../../room/host.js';
import { drawRounds } from '../../question/rounds.js';
import { byId, dress, fetched, here, toast } from '../../ui/page.js';

const CONCERNS = new Set(['asked', 'answered', 'closed', 'revealed', 'reset']);
const CALM = 250; // ms between two looks, while a class answers
const SHOWN = 20; // orders that one may ask about: the newest
const path = `/api/rooms/${here.room}`;

/** Called once. @param {import('../show.js').Show} show */
export async function useQuestions(show) {
  await Promise.all([dress('/static/question/question.css'), dress('/static/stage/ask/ask.css')]);
  const band = byId('stage-ask-band');
  let question = null; // the latest, as the API has it; null: nothing is asked
  let pending = []; // orders that one may ask about
  let looking = null;
  let acting = false;

  /** How the question stands; a band opens for one that is asked. */
  async function look() {
    const told = await fetched(`${path}/questions`).catch(() => null);
    if (told === null) return;
    const before = question;
    const latest = told.questions.at(-1) ?? null;
    question = latest && (latest.state !== 'revealed' || latest.id === before?.id) ? latest : null;
    if (!question && here.host) {
      const { orders = [] } = await fetched(`${path}/orders?state=placed`).catch(() => ({}));
      const numbered = orders.filter(({ id }) => id !== undefined && id !== null);
      pending = numbered.slice(-SHOWN).map(({ customer, id }) => `${customer}/${JSON.stringify(id)}`);
    }
    draw();
    const isNew = question && question.id !== before?.id;
    if (isNew && document.body.dataset.band !== 'ask') document.querySelector('[data-shows="ask"]').click();
  }

  async function act(how) {
    if (acting || !show.live) return;
    acting = true;
    draw();
    try {
      question = await how();
    } catch (error) {
      toast(error.message);
    }
    acting = false;
    await look();
    band.querySelector('.primary')?.focus();
  }

  const ask = (kind) => act(() => askClass(kind, kind === 'outcome' ? byId('stage-ask-order').value : ''));
  const move = (step) => act(() => moveQuestion(question.id, step));
  const another = () => {
    question = null;
    return act(async () => null);
  };

  /** What may be done now, the likeliest first: words, and what is done. */
  function steps() {
    if (!question) {
      const both = [['Who receives it?', () => ask('receivers')], ['What becomes of it?', () => ask('outcome')]];
      return document.body.dataset.asks === 'outcome' ? both.reverse() : both;
    }
    const reveal = ['Let go, and reveal', () => move('reveal')];
    if (question.state === 'open') return [['Close the vote', () => move('close')]];
    if (question.state === 'closed') return question.round === 1 ? [['Vote again', () => move('again')], reveal] : [reveal];
    const next = ['Ask another', another];
    return question.so_far ? [['Look again', () => move('reveal')], next] : [next];
  }

  function draw() {
    render(html`<div class="ask-says">${question ? drawQuestion(question) : html`<h2>Ask the class what will happen.</h2>
        <p>Events are held until you reveal; everyone answers on a phone.</p>`}</div>
      <div class="ask-steps">${here.host ? drawSteps() : nothing}
        <button type="button" class="quiet" data-shows="ask">Close <kbd>Esc</kbd></button></div>`, band);
  }

  function drawSteps() {
    return html`${steps().map(([words, does], index) => html`<button type="button" class=${index ? '' : 'primary'} ?disabled=${acting}
        @click=${does}>${words}${index ? nothing : html` <kbd>a</kbd>`}</button>`)}
      ${question ? nothing : html`<label>of <select id="stage-ask-order"><option value="">the next order</option>
        ${pending.map((order) => html`<option>${order}</option>`)}</select></label>`}
      ${question?.state === 'revealed' ? html`<a href="${path}/questions?format=csv" download="questions-${here.room}.csv">All answers as CSV</a>` : nothing}`;
  }

  show.addEventListener('records', ({ detail: { records, skipped } }) => {
    if (skipped || records.some(({ kind }) => CONCERNS.has(kind))) {
      looking ??= setTimeout(() => {
        looking = null;
        look();
      }, CALM);
    }
  });
  show.addEventListener('begin', look);
  await look();
  return { next: () => here.host && steps()[0][1]() };
}

function drawQuestion(question) {
  const { text, state, round, choices, answers, votes, why } = question;
  const answered = html`<p class="ask-count"><b>${answers}</b> ${answers === 1 ? 'answer' : 'answers'}${round === 2 ? ', second vote' : ''}</p>`;
  if (!votes) {
    return html`<h2>${text}</h2>${answered}
      <ul class="ask-choices">${choices.map((each) => html`<li>${each.text}</li>`)}</ul>
      ${state === 'closed' ? html`<p>The round is over.</p>` : nothing}`;
  }
  const says = state === 'revealed' ? html`<p class="ask-why">${why}</p>`
    : html`<p class="ask-why">${round === 1 ? 'Talk it over with your neighbour: why?' : 'Now look: what happens?'}</p>`;
  return html`<h2>${text}</h2>${says}${drawRounds(question)}`;
}

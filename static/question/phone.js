/**
 * A question of the host on a participant's page: the choices over the whole screen, one tap, one answer
 * a round. Loaded when the first question is there; told by the server whenever there is news.
 */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { dress, fetched, here, over, stand } from '../ui/page.js';
import { withCode } from '../ui/shapes.js';
import { drawRounds } from './rounds.js';

const path = `/api/rooms/${here.room}/questions`;
const dialog = Object.assign(document.createElement('dialog'), { className: 'question', id: 'question' });
dialog.setAttribute('aria-labelledby', 'question-text');

let session = null;
let question = null; // the one that is shown, as the API has it
let sent = null; // what was tapped, until the server has said something to it
let wrong = ''; // why it was not taken
const tapped = new Map(); // question and round → the words of what was answered on this page

const key = () => `${question.id} ${question.round}`;
const dressed = dress('/static/question/question.css');

/** There is news, or we are back: look how the question stands. @param {string|null} ours  this tab's session */
export async function look(ours) {
  session = ours;
  const told = await fetched(path, session ? { 'Orders-Session': session } : {}).catch(() => null);
  if (told === null) return; // the page says by itself that the server is away; it looks again when it is back
  await dressed;
  const latest = told.questions.at(-1) ?? null;
  const before = question;
  const isNews = latest?.id !== before?.id || latest?.round !== before?.round;
  if (isNews) wrong = '';
  question = latest && (latest.state !== 'revealed' || latest.id === before?.id) ? latest : null;
  if (!question) return leave();
  draw();
  if (question.state === 'open' && isNews && !dialog.open) open();
  remind();
}

function open() {
  if (!dialog.isConnected) {
    document.body.append(dialog);
    dialog.addEventListener('close', remind);
  }
  dialog.showModal();
  over('question');
}

function leave() {
  dialog.close();
  over('question');
}

/** Who went back to the page finds the question again. */
function remind() {
  if (dialog.open || question?.state !== 'open' || question.answered) over('question');
  else stand('question', `The host asks: ${question.text}`, { Answer: open });
}

async function answer({ choice, text }) {
  sent = choice;
  wrong = '';
  draw();
  const headers = { 'content-type': 'application/json', ...(session && { 'Orders-Session': session }) };
  const body = JSON.stringify({ choice, round: question.round });
  const told = await fetch(`${path}/${question.id}/answers`, { method: 'POST', headers, body }).catch(() => null);
  const error = told?.ok ? null : (await told?.json().catch(() => null))?.error;
  sent = null;
  if (told?.ok) tapped.set(key(), text);
  if (told?.ok || error?.code === 'already_answered') question.answered = true;
  else wrong = error?.message ?? 'The server does not answer. Tap again.';
  draw();
  if (error) look(session);
}

function draw() {
  render(html`<form method="dialog">
    <h2 id="question-text" tabindex="-1" autofocus>${question.text}</h2>
    <div role="status" class="question-says">${says()}</div>
    ${question.state === 'open' && !question.answered ? html`<div class="question-choices">${question.choices.map(drawChoice)}</div>` : nothing}
    ${question.state === 'revealed' ? drawRounds(question) : nothing}
    <button class="quiet">Back to my page</button>
  </form>`, dialog);
}

function drawChoice(one) {
  return html`<button type="button" data-choice=${one.choice} ?disabled=${sent !== null} ?data-sent=${sent === one.choice}
    @click=${() => answer(one)}>${one.text}</button>`;
}

function says() {
  const mine = tapped.get(key());
  if (wrong) return html`<p class="notice" data-kind="refused">${withCode(wrong)}</p>`;
  if (question.state === 'revealed') return html`<p><b>${question.why}</b></p>`;
  if (question.state === 'closed') {
    return html`<p><b>The round is over.</b> ${question.round === 1 ? 'Talk it over with your neighbour: why?' : 'Look up: now it happens.'}</p>`;
  }
  if (question.answered) return html`<p><b>${mine ? `You said: ${mine}.` : 'You have answered.'}</b> Wait until all have.</p>`;
  return html`<p>${question.round === 2 ? 'Once more, now that you have talked. ' : ''}One tap. Nobody sees who answered what.</p>`;
}

/** What the class was asked: both rounds beside each other, and what turned out to be true. */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { drawRounds } from '../question/rounds.js';
import { visible } from '../ui/words.js';

/** @param {HTMLElement} part  @param {object[]} questions  as GET /api/rooms/{room}/questions has them */
export function drawQuestions(part, questions) {
  part.hidden = questions.length === 0;
  render(questions.map(question), part.querySelector('ol'));
}

function question(asked) {
  const { text, truth, why = '' } = asked;
  return html`<li>
    <h3>${text}</h3>
    ${drawRounds(asked)}
    ${truth === null ? html`<p class="muted">No event came to tell.</p>` : why ? html`<p class="muted">${visible(why)}</p>` : nothing}</li>`;
}

/** What the class was asked: both rounds beside each other, and what turned out to be true. */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { visible } from '../ui/words.js';

/** @param {HTMLElement} part  @param {object[]} questions  as GET /api/rooms/{room}/questions has them */
export function drawQuestions(part, questions) {
  part.hidden = questions.length === 0;
  render(questions.map(question), part.querySelector('ol'));
}

function question({ text, choices, votes, truth, why = '', so_far: soFar }) {
  const rounds = votes.map((round) => new Map(Object.entries(round)));
  const most = Math.max(1, ...rounds.flatMap((round) => [...round.values()]));
  return html`<li>
    <h3>${text}</h3>
    <table>
      <thead><tr><th scope="col">Answer</th>${rounds.map((_, index) => html`<th scope="col">${index ? 'After talking' : 'At first'}, votes</th>`)}</tr></thead>
      <tbody>${choices.map(({ choice, text: words }) => html`<tr ?data-true=${choice === truth}>
        <th scope="row">${words}${choice === truth ? html` <b class="takehome-true">✓ ${soFar ? 'so far' : 'so it was'}</b>` : nothing}</th>
        ${rounds.map((round) => bar(round.get(choice) ?? 0, most))}</tr>`)}</tbody>
    </table>
    ${truth === null ? html`<p class="muted">No event came to tell.</p>` : why ? html`<p class="muted">${visible(why)}</p>` : nothing}</li>`;
}

function bar(votes, most) {
  return html`<td><meter min="0" max=${most} value=${votes} aria-hidden="true"></meter> ${votes}</td>`;
}

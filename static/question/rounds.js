/** Both rounds of a question beside each other, and the truth: on the projector and on a phone. */

import { html, nothing } from '/static/vendor/lit-html/lit-html.js';

const ROUNDS = ['1st vote', '2nd vote'];

/**
 * @param {{choices: {choice: string, text: string}[], votes?: Record<string, number>[], truth?: string|null, so_far?: boolean}} question
 *   as the API has it, with its votes
 */
export function drawRounds({ choices, votes, truth, so_far: soFar }) {
  const rounds = votes.map((round) => new Map(Object.entries(round)));
  return html`<table class="rounds">
    <thead><tr><td></td>${rounds.map((_, index) => html`<th scope="col">${rounds.length > 1 ? ROUNDS.at(index) : 'Answers'}</th>`)}</tr></thead>
    <tbody>${choices.map(({ choice, text }) => html`<tr data-choice=${choice} ?data-true=${choice === truth}>
      <th scope="row">${text}${choice === truth ? html` <b class="rounds-true"><span aria-hidden="true">✓</span> ${soFar ? 'so far' : 'so it was'}</b>` : nothing}</th>
      ${rounds.map((round) => bar(round.get(choice) ?? 0, [...round.values()].reduce((sum, one) => sum + one, 0)))}
    </tr>`)}</tbody></table>`;
}

/** As long as its share of the round, so that a round of fewer can be compared. */
function bar(count, all) {
  const share = all ? (100 * count) / all : 0;
  return html`<td><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width=${share} height="10"></rect></svg><span>${count}</span></td>`;
}

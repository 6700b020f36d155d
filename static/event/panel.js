/** An opened event: its whole JSON, and what happened to it. */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { MODE_NAMES } from '../room/modes.js';
import { fetched } from '../ui/page.js';
import { envelope } from '../ui/shapes.js';
import { ANSWERS, count, dateOf, kindOf, orderOf, visible } from '../ui/words.js';
import { grouped, split } from './recipients.js';

const NAMING = 20; // events naming this one that are looked at

/**
 * What is known of an event: {event, stored, mode, recipients, answers}; null if the log does not have it.
 * stored is when, in words.
 * recipients is null where the server could not tell; answers are the confirmations and rejections of it.
 */
export async function learn(room, id, known = null) {
  const path = `/api/rooms/${room}/events`;
  const told = await fetched(`${path}/${encodeURIComponent(id)}`).catch((error) => {
    if (error.status === 404 || error.status === 400 || !known) return null;
    return { event: known };
  });
  if (!told) return null;
  const { event, at, mode = null, recipients = null } = told;
  // What answers an event names it and comes after it.
  const naming = await fetched(`${path}?${new URLSearchParams({ after: event.id, text: event.id, limit: NAMING })}`)
    .catch(() => ({ events: [] }));
  const answers = naming.events.filter((one) => one.data.event === event.id && ANSWERS.has(one.type));
  return { event, stored: at ? dateOf({ created: at }) : null, mode, recipients, answers };
}

/** Draw it into `place`; `isKnown`: the journal was asked already. @param {{open: Function, close: Function, copy: Function, link: Function}} on */
export function drawEvent(place, { event, stored = null, mode = null, recipients = null, answers = [], isKnown = true }, on) {
  const order = orderOf(event);
  place.dataset.explains = event.id;
  render(html`
    <header class="log-event-head">
      ${envelope(kindOf(event.type), event.data.id)}
      <h2>${event.type}</h2>
      <button type="button" class="quiet" @click=${on.close} aria-label="Close the event">Close</button>
    </header>
    <section class="log-part"><h3>What happened to it</h3>
    ${answers.length ? html`<ul class="log-answers">${answers.map((one) => answer(one, on))}</ul>` : nothing}
    ${recipients ? reasons(recipients) : nothing}
    ${answers.length || recipients?.length ? nothing : html`<p class="muted">${isKnown ? soFar(event, recipients) : 'Asking the journal…'}</p>`}</section>
    <dl class="log-facts log-part">
      <dt>From</dt><dd>${event.source}</dd>
      ${order ? html`<dt>Order</dt><dd class="mono">${order}</dd>` : nothing}
      ${stored ? html`<dt>Stored</dt><dd>${stored} <span class="muted">by the server’s clock</span></dd>` : nothing}
      ${event.created ? html`<dt>Created</dt><dd>${dateOf(event)} <span class="muted">as the event says</span></dd>` : nothing}
      ${mode ? html`<dt>Mode</dt><dd>${MODE_NAMES[mode] ?? mode}</dd>` : nothing}
      ${event.data.event ? html`<dt>Answers</dt><dd>${toEvent(event.data.event, on)}</dd>` : nothing}
    </dl>
    <section class="log-part"><div class="row spread"><h3>The whole event</h3><span class="row">
      ${on.link ? html`<button type="button" class="quiet" @click=${on.link}>Copy link</button>` : nothing}
      <button type="button" class="quiet" @click=${on.copy}>Copy JSON</button></span></div>
    <pre class="code" tabindex="0" aria-label="The event as JSON">${visible(JSON.stringify(event, null, 2))}</pre></section>
  `, place);
}

/** Say that there is no such event, instead of an empty panel. */
export function drawMissing(place, id, on) {
  place.dataset.explains = id;
  render(html`<header class="log-event-head"><h2>No such event</h2>
      <button type="button" class="quiet" @click=${on.close}>Close</button></header>
    <p>The log of this room has no event <code>${visible(id)}</code>. It may be in another room, or the room was cleared.</p>`, place);
}

function soFar(event, recipients) {
  if (event.type === 'order_placed') return 'Nobody has answered it yet.';
  return recipients ? 'Nobody received it.' : 'It was stored. Nothing refers to it.';
}

function answer(event, on) {
  const reason = typeof event.data.message === 'string' ? `: ${visible(event.data.message)}` : '';
  return html`<li><b>${event.source}</b> ${ANSWERS.get(event.type)} it${reason} ${toEvent(event.id, on, 'Open')}</li>`;
}

function toEvent(id, on, words = null) {
  if (typeof id !== 'string') return html`<span class="mono">${visible(JSON.stringify(id))}</span>`;
  const open = (click) => (click.preventDefault(), on.open(id));
  return html`<a href="?event=${encodeURIComponent(id)}" class=${words ? '' : 'mono'} @click=${open}>${words ?? visible(id)}</a>`;
}

/** A sentence for each reason, with those it holds for. */
function reasons(recipients) {
  return html`<ul class="log-recipients">${grouped(recipients).map(({ received, attempts, why, names }) => {
    const { shown, more } = split(names);
    return html`<li data-why=${received}>
      <span class="log-mark" aria-hidden="true">${received ? '✓' : '–'}</span>
      <div>${shown.map((name, index) => html`${joint(index, shown.length, more.length)}${named(name, received)}`)}${more.length ? html` and ${more.length} more` : nothing}
        ${received ? 'received it' : 'did not receive it'}${attempts > 1 ? `, ${count(attempts, 'attempt')}` : ''}.
        <span class="muted">${visible(why)}</span>
        ${more.length ? html`<details><summary>The other ${more.length}</summary>${more.map((name, index) => html`${index ? ', ' : ''}${named(name, received)}`)}</details>` : nothing}
      </div></li>`;
  })}</ul>`;
}

const joint = (index, length, more) => (index === 0 ? '' : index === length - 1 && !more ? ' and ' : ', ');
const named = (name, received) => html`<b data-recipient=${name} data-received=${received}>${name}</b>`;

/** The handshake of a connection: three steps, and between them how the accept is computed. */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { count } from '../ui/words.js';

/** What a header says, in plain words. */
const WORDS = new Map([
  ['host', 'which server is meant'],
  ['connection', 'become something else:'],
  ['upgrade', 'a WebSocket'],
  ['sec-websocket-key', '16 random bytes, in base64'],
  ['sec-websocket-version', 'the only one in use'],
  ['sec-websocket-extensions', 'compression, if you like'],
  ['sec-websocket-protocol', 'the language spoken inside'],
  ['sec-websocket-accept', 'the proof: see 2'],
  ['origin', 'whose page asks'],
  ['cookie', 'a secret, hidden here'],
  ['authorization', 'a secret, hidden here'],
  ['orders-session', 'a secret, hidden here'],
]);

/**
 * @param {HTMLElement} place
 * @param {{request: object, accept: object, response: object}} handshake  as the feed tells it
 * @param {string} who
 * @param {number} step  how many steps of the computation are shown: 1 to 5
 */
export function drawHandshake(place, { request, accept, response }, who, step) {
  const said = response.headers.find(([name]) => name.toLowerCase() === 'sec-websocket-accept')?.[1];
  const offered = request.headers.some(([name]) => name.toLowerCase() === 'sec-websocket-extensions');
  const steps = [
    ['The key from the request', html`<code>${accept.key}</code>`],
    ['and a text that never changes', html`<code>${accept.key}<mark>${accept.guid}</mark></code>`],
    ['SHA-1 makes 20 bytes of it', html`<code>${accept.sha1.match(/../gu).join(' ')}</code>`],
    ['in base64', html`<code>${accept.accept}</code>`],
    ['and the answer says', html`<code>${said}</code> ${said === accept.accept ? html`<b class="wire-same">✓ the same</b>` : html`<b class="wire-wrong">✗ not the same</b>`}`],
  ];
  render(html`<h2 data-opened="0">Handshake</h2>
    <h3><span class="wire-step">1</span> ${who} asks, in plain HTTP</h3>
    ${lines(request)}
    <h3><span class="wire-step">2</span> The server computes the accept <button type="button" class="quiet" data-compute aria-keyshortcuts="c">Step by step <kbd>c</kbd></button></h3>
    <ol class="wire-compute">${steps.map(([words, value], index) => html`<li ?data-later=${index >= step}><span>${words}</span> <b>${value}</b></li>`)}</ol>
    <h3><span class="wire-step">3</span> The server answers, and HTTP ends</h3>
    ${lines(response)}
    ${offered && !response.headers.some(([name]) => name.toLowerCase() === 'sec-websocket-extensions')
      ? html`<p class="muted">An extension was offered; the server took none, so all frames are as they are.</p>` : nothing}
    <p>From here on both sides send <b>frames</b>, whenever they like.</p>`, place);
}

/** Those that make it a handshake, and what else came, for who wants to know. */
function lines({ line, headers, cut }) {
  const words = ([name]) => WORDS.get(name.toLowerCase());
  const others = headers.filter((one) => !words(one));
  return html`<div class="wire-http"><code>${line}</code>
    <dl>${headers.filter(words).map((one) => html`<div><dt>${header(one)}</dt><dd>${words(one)}</dd></div>`)}</dl>
    ${others.length ? html`<details><summary>${count(others.length, 'more header')}</summary>${others.map((one) => html`<p>${header(one)}</p>`)}</details>` : nothing}
    ${cut ? html`<p class="muted">${cut} more, too long to be shown.</p>` : nothing}</div>`;
}

const header = ([name, value]) => html`<code><b>${name}:</b> ${value}</code>`;

/** One frame, bit by bit: its header as a ruler, each field in plain words, its bytes beside what they mean. */

import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { count, timeOf, visible } from '../ui/words.js';
import { bytes, fields, rows, sentence, WHY_MASKED } from './fields.js';

const SHOWN = 20; // bytes that are unmasked before one's eyes
const narrow = matchMedia('(max-width: 48rem)');

/**
 * @param {HTMLElement} place
 * @param {object} frame  as the feed tells it
 * @param {string} who    the name of the client
 * @param {number} done   how many bytes are unmasked by now
 */
export function drawFrame(place, frame, who, done) {
  const isClient = frame.from === 'client';
  render(html`<h2 data-opened=${frame.number}><span class="wire-way" data-from=${frame.from}>${isClient ? `${who} → server` : `server → ${who}`}</span>
      <span class="wire-kind">${frame.kind}</span> <small class="muted">frame ${frame.number}, ${timeOf({ created: frame.at })}</small></h2>
    <p>${visible(sentence(frame, who))}</p>
    ${(frame.wrong ?? []).map((words) => html`<p class="notice" data-kind="refused">Against the rules: ${words}.</p>`)}
    ${frame.missing ? html`<p class="notice">The connection ended within this frame: ${count(frame.missing, 'byte')} of it never came.</p>` : nothing}
    <h3>Header: ${count(frame.head.length / 2, 'byte')}</h3>
    ${ruler(frame)}
    <dl class="wire-fields">${fields(frame).map(({ short, name, bits, words }) => html`<div data-field=${short}>
      <dt><b>${name}</b></dt><dd class="mono">${bits.length > 16 ? nothing : bits}</dd><dd>${words}</dd></div>`)}</dl>
    ${frame.masked && frame.raw ? mask(frame, done) : nothing}
    ${frame.raw ? payload(frame) : html`<p class="muted">No payload.</p>`}`, place);
}

function ruler(frame) {
  const width = narrow.matches ? 16 : 32;
  return html`<div role="img" aria-label="The bits of the header; the table below names them"><table class="wire-ruler">
    ${rows(frame, width).map((row) => html`<tr class="wire-bits">${row.map(({ short, bits }) => [...bits].map((bit, at) => html`<td data-field=${short} ?data-edge=${at === 0}>${bit}</td>`))}</tr>
      <tr class="wire-names">${row.map(({ short, bits, first }) => html`<td data-field=${short} colspan=${bits.length}>${first ? short : '…'}</td>`)}
        ${row.length && width > sum(row) ? html`<td colspan=${width - sum(row)}></td>` : nothing}</tr>`)}
  </table></div>`;
}

const sum = (row) => row.reduce((all, { bits }) => all + bits.length, 0);

/** Each byte, the byte of the key that is its turn, and what they make. */
function mask({ raw, plain, key, length }, done) {
  const [came, means, turns] = [raw, plain, key].map(bytes);
  const shown = came.slice(0, SHOWN);
  return html`<h3>Unmasked <button type="button" class="quiet" data-unmask aria-keyshortcuts="m">Byte by byte <kbd>m</kbd></button></h3>
    <div class="wire-scroll" tabindex="0" role="group" aria-label="Byte by byte"><table class="wire-mask">
      <tr><th scope="row">on the wire</th>${shown.map((byte, at) => html`<td ?data-now=${at === done}>${byte}</td>`)}</tr>
      <tr><th scope="row">XOR key</th>${shown.map((_, at) => html`<td data-field="key" ?data-now=${at === done}>${turns[at % 4]}</td>`)}</tr>
      <tr><th scope="row">= byte</th>${shown.map((_, at) => html`<td ?data-now=${at === done}>${at < done ? means[at] : ''}</td>`)}</tr>
      <tr><th scope="row">as text</th>${shown.map((_, at) => html`<td><b>${at < done ? character(means[at]) : ''}</b></td>`)}</tr>
    </table></div>
    <p class="muted">${length > shown.length ? `And so on, for ${length.toLocaleString('en')} bytes. ` : ''}${WHY_MASKED}</p>`;
}

function character(byte) {
  const code = Number.parseInt(byte, 16);
  return code > 0x20 && code < 0x7f ? String.fromCharCode(code) : code === 0x20 ? '␣' : '·';
}

function payload(frame) {
  const words = frame.close ? `${frame.close.code}${frame.close.reason && ` ${frame.close.reason}`}` : frame.text;
  const cut = frame.cut ? html`<p class="muted">Its first ${count(bytes(frame.raw).length, 'byte')}; ${count(frame.cut, 'more byte')} are left out here.</p>` : nothing;
  return html`<h3>Payload: ${count(frame.length, 'byte')}</h3>
    <div class="wire-payload">
      <figure><figcaption>${frame.masked ? 'On the wire, masked' : 'On the wire'}</figcaption><pre class="code" tabindex="0">${bytes(frame.raw).join(' ')}</pre></figure>
      <figure><figcaption>${words === undefined ? 'Unmasked' : frame.close ? 'A code in two bytes, and a reason as text' : 'As text'}</figcaption><pre class="code" tabindex="0">${words === undefined ? bytes(frame.plain ?? frame.raw).join(' ') : pretty(words)}</pre></figure>
    </div>${cut}`;
}

/** JSON with its lines, any other text as it is. */
function pretty(text) {
  try {
    return visible(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    return visible(text);
  }
}

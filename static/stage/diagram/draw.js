/** The sequence diagram as SVG: lanes from top to bottom, a row for each thing that happened. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { nothing, svg } from '/static/vendor/lit-html/lit-html.js';
import { OTHERS, stays } from './lanes.js';
import { BROKER, sentence } from './rows.js';

const GLYPHS = { placed: '+ ', confirmed: '✓ ', rejected: '✕ ', other: '' };
const WIDE = 0.54; // of the size of the letters: how wide one is, about

/**
 * Where everything is, for so many lanes on a paper of this width, in pixels.
 * @param {{width: number, lanes: object[], letter: number}} of  letter: the size of the letters
 */
export function measure({ width, lanes, letter }) {
  const apart = Math.min(width / lanes.length, letter * 18);
  const begin = (width - apart * lanes.length) / 2;
  const xs = new Map(lanes.map(({ name }, index) => [name, begin + apart * (index + 0.5)]));
  const others = xs.get(OTHERS);
  return { width, apart, letter, row: Math.round(letter * 1.65), head: Math.round(letter * 1.9), x: (name) => xs.get(name) ?? others ?? width / 2 };
}

/** The names above the lanes. */
export function heads(lanes, size) {
  const { letter, apart, head, x } = size;
  const most = Math.max(3, Math.floor((apart - letter) / (letter * WIDE)) - 1);
  return lanes.map((lane) => {
    const name = lane.name === OTHERS ? `${lane.count} more` : lane.name === BROKER ? 'Broker' : lane.name;
    const shown = name.length > most ? `${name.slice(0, most - 1)}…` : name;
    const left = -(shown.length * letter * WIDE) / 2;
    return svg`<g class="lane-head" data-lane=${lane.name} data-role=${lane.role} ?data-offline=${!lane.online} transform="translate(${x(lane.name)} ${head / 2})">
      <title>${name}${lane.online ? '' : ', offline'}</title>
      ${lane.name === OTHERS ? nothing : svg`<use href="#${lane.role}${lane.bot ? '-bot' : ''}" x=${left - letter * 0.6} y=${letter * -0.4} width=${letter * 0.8} height=${letter * 0.8}></use>`}
      <text x=${left + letter * 0.45} y=${letter * 0.34}>${shown}</text></g>`;
  });
}

/** Lifelines and rows. `tabbed`: the key of the one row that the Tab key reaches. */
export function body(rows, lanes, size, { selected = null, tabbed = null } = {}) {
  return svg`<g class="lifelines">${lanes.map((lane) => lifeline(rows, lane, size))}</g>
    ${repeat(rows, ({ key }) => key, (row, index) => rowOf(row, index, size, selected, tabbed))}`;
}

function lifeline(rows, lane, { x, row }) {
  const at = x(lane.name);
  const y = (index) => (index + 0.5) * row;
  const end = (index) => (index >= rows.length ? rows.length * row : y(index));
  return svg`<line class="away" x1=${at} x2=${at} y1="0" y2=${rows.length * row}></line>
    ${stays(rows, lane).map(([from, to]) => svg`<line class="here" x1=${at} x2=${at} y1=${from < 0 ? 0 : y(from)} y2=${end(to)}></line>`)}`;
}

function rowOf(row, index, size, selected, tabbed) {
  const y = (index + 0.5) * size.row;
  const about = row.event
    ? svg`<rect class="touch" x="0" y=${-size.row / 2} width=${size.width} height=${size.row}></rect>`
    : nothing;
  const inside = row.kind === 'band' ? band(row, size) : row.to.length ? arrow(row, size) : note(row, size);
  const on = selected !== null && row.event === selected;
  return svg`<g class="row" transform="translate(0 ${y})" data-row=${row.kind} data-tone=${row.tone} data-event=${row.event ?? nothing}
    ?data-again=${row.again} ?data-on=${on} role=${row.event ? 'button' : 'img'} aria-label=${sentence(row)}
    aria-pressed=${row.event ? on : nothing} tabindex=${row.event ? (row.key === tabbed ? 0 : -1) : nothing}>${about}${inside}</g>`;
}

function band({ words }, { width, letter }) {
  return svg`<line class="band" x1="0" x2=${width} y1="0" y2="0"></line>
    <text class="band-words" x=${width / 2} y=${letter * 0.34}>${words}</text>`;
}

function note({ from, words, came, went, tone, event }, { x, width, letter }) {
  const at = x(from);
  const long = words.length * letter * WIDE;
  const turned = at + long + 30 > width;
  const mark = came ? svg`<circle class="mark" cx=${at} cy="0" r="5"></circle>`
    : went ? svg`<path class="mark-gone" d="M${at - 6}-6l12 12m0-12l-12 12"></path>`
    : svg`<rect class="mark" x=${at - 4} y="-4" width="8" height="8"></rect>`;
  return svg`${mark}<text class="note" text-anchor=${turned ? 'end' : 'start'} x=${at + (turned ? -12 : 12)} y=${letter * 0.34}>${event ? GLYPHS[tone] : ''}${words}</text>`;
}

/** A straight arrow, its label above it; to many: one line with a head at each. */
function arrow(row, { x, width, letter }) {
  const from = x(row.from);
  const ends = [...new Set(row.to.map(x))];
  const [left, right] = [Math.min(from, ...ends), Math.max(from, ...ends)];
  const down = letter * 0.5; // the line lies below the middle of its row, the label above
  const words = GLYPHS[row.tone] + row.words;
  const half = (words.length * letter * WIDE) / 2;
  const far = right - from >= from - left ? right : left;
  const middle = Math.max(half + 4, Math.min(width - half - 4, (from + far) / 2));
  return svg`<line class="arrow" x1=${left} x2=${right} y1=${down} y2=${down}></line>
    ${ends.map((end) => (end === from ? nothing : head(end, down, Math.sign(end - from))))}
    <text class="label" x=${middle} y=${letter * 0.05}>${words}</text>`;
}

function head(x, y, way) {
  return svg`<path class="head" d="M${x} ${y}l${-way * 10}-5v10Z"></path>`;
}

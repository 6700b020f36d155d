/**
 * The sequence diagram below the picture: live, ordered by the journal, newest at the bottom.
 *
 * Whoever scrolls up reads in peace: the paper stands still until they are back at the bottom.
 */

import { html, render } from '/static/vendor/lit-html/lit-html.js';
import { byId, copy, here, toast } from '../../ui/page.js';
import { body, heads, measure } from './draw.js';
import { lanesOf, mermaid } from './lanes.js';
import { BROKER } from './rows.js';

const ROWS = 80; // drawn at most; what was before is reached by going back in time
const NARROW = 5.5; // of the size of the letters: how near to each other lanes may come
const NEAR = 8; // px from the bottom that still are the bottom
const BUSY = 4; // new rows a drawing above which it is drawn less often
const SELDOM = 1000; // ms

export class Diagram {
  #paper = byId('diagram-paper');
  #explain;
  #past = null;
  #count = null; // after how many records; null: all
  #waiting = false;
  #stands = null; // the count that is shown while somebody has scrolled up
  #rows = [];
  #lanes = [];
  #state = null; // the room after the rows that are drawn
  #drawn = 0; // rows there were at the last drawing
  #at = 0; // and when that was
  #seeking = false; // whether an opened event is to be brought into sight
  #sought = false; // whether it was for that that the paper was moved

  /** @param {import('../tools/explain.js').Explain} explain */
  constructor(explain) {
    this.#explain = explain;
    explain.addEventListener('change', () => this.#select());
    this.#paper.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#paper.addEventListener('keydown', (key) => this.#key(key));
    new ResizeObserver(() => this.#drawSoon(true)).observe(this.#paper);
    byId('diagram-newest').addEventListener('click', () => this.#toNewest());
    byId('diagram-copy').addEventListener('click', () => this.#copy());
    byId('diagram-save').addEventListener('click', () => this.#save());
  }

  /** Show the past up to a moment. @param {import('../past/past.js').Past} past  @param {number|null} count */
  show(past, count) {
    const same = past === this.#past && (count === null) === (this.#count === null);
    if (!same || count !== this.#count) this.#sought = false;
    this.#past = past;
    this.#count = count;
    if (!same || count !== null) this.#stands = null;
    this.#drawSoon(!same || count !== null);
  }

  #drawSoon(now = false) {
    if (this.#waiting || !this.#past || this.#closed) return;
    this.#waiting = true;
    const many = this.#past.rows.length - this.#drawn > BUSY;
    const wait = many && !now ? Math.max(0, this.#at + SELDOM - performance.now()) : 0;
    const draw = () => requestAnimationFrame(() => this.#draw());
    if (wait) setTimeout(draw, wait);
    else draw();
  }

  get #closed() {
    return document.body.dataset.band !== 'diagram';
  }

  #draw() {
    this.#waiting = false;
    this.#drawn = this.#past.rows.length;
    this.#at = performance.now();
    const width = this.#paper.clientWidth;
    if (!width) return;
    const count = this.#count ?? this.#stands ?? this.#past.count;
    const letter = parseFloat(getComputedStyle(this.#paper).fontSize);
    const { state } = this.#past.at(count);
    this.#rows = this.#past.rowsUpTo(count, ROWS);
    this.#state = state;
    this.#lanes = lanesOf(this.#rows, state, Math.max(3, Math.floor(width / (letter * NARROW))));
    const size = measure({ width, lanes: this.#lanes, letter });
    const selected = this.#explain.opened;
    const tabbed = (this.#rows.findLast(({ event }) => event && event === selected) ?? this.#rows.findLast(({ event }) => event))?.key;
    const height = Math.max(1, this.#rows.length) * size.row;
    const marks = selected !== null && this.#rows.some(({ event }) => event === selected);
    render(html`
      <svg class="diagram-svg diagram-heads" width=${width} height=${size.head} viewBox="0 0 ${width} ${size.head}" aria-hidden="true">${heads(this.#lanes, size)}</svg>
      <svg class="diagram-svg diagram-body" ?data-selected=${marks} width=${width} height=${height} viewBox="0 0 ${width} ${height}"
        role="group" aria-label="What happened, oldest first">${body(this.#rows, this.#lanes, size, { selected, tabbed })}</svg>
    `, this.#paper);
    byId('diagram-empty').hidden = this.#rows.length > 0;
    byId('diagram-newest').hidden = this.#stands === null;
    if (this.#stands === null && !this.#sought) this.#paper.scrollTop = this.#paper.scrollHeight;
    if (this.#seeking) this.#seek();
  }

  // --- reading ------------------------------------------------------------------------------

  /** An event was opened, here or in the picture: it is to be seen here, too; and back, once it is closed. */
  #select() {
    this.#seeking = this.#explain.opened !== null;
    if (!this.#seeking && this.#sought) {
      this.#stands = null;
      this.#sought = false;
    }
    this.#drawSoon(true);
  }

  #seek() {
    this.#seeking = false;
    const [top, bottom] = [this.#paper.scrollTop, this.#paper.scrollTop + this.#paper.clientHeight];
    const head = this.#paper.querySelector('.diagram-heads').clientHeight;
    const rows = [...this.#paper.querySelectorAll('.row[data-on] > .touch')].map((row) => {
      const { top: above, height } = row.getBoundingClientRect();
      return { at: above - this.#paper.getBoundingClientRect().top + top, height };
    });
    if (!rows.length || rows.some(({ at, height }) => at >= top + head && at + height <= bottom)) return;
    this.#sought = true;
    if (this.#count === null) this.#stands ??= this.#past.count;
    byId('diagram-newest').hidden = this.#stands === null;
    this.#paper.scrollTop = rows[0].at - head - rows[0].height;
  }

  #scrolled() {
    if (this.#count !== null || !this.#past) return;
    const bottom = this.#paper.scrollHeight - this.#paper.clientHeight - this.#paper.scrollTop;
    if (bottom <= NEAR && this.#stands !== null) this.#toNewest();
    else if (bottom > NEAR && this.#stands === null) {
      this.#stands = this.#past.count;
      byId('diagram-newest').hidden = false;
    }
  }

  #toNewest() {
    this.#stands = null;
    this.#drawSoon(true);
  }

  /** Arrows up and down go from row to row, Enter and space explain. */
  #key(key) {
    const row = key.target.closest?.('.row');
    if (!row) return;
    if (key.key === 'Enter' || key.key === ' ') this.#explain.open(row.dataset.event, row);
    else if (key.key === 'ArrowUp' || key.key === 'ArrowDown') {
      const rows = [...this.#paper.querySelectorAll('.row[data-event]')];
      const next = rows[rows.indexOf(row) + (key.key === 'ArrowUp' ? -1 : 1)];
      if (!next) return;
      row.setAttribute('tabindex', -1);
      next.setAttribute('tabindex', 0);
      next.focus();
    } else return;
    key.preventDefault();
    key.stopPropagation();
  }

  // --- taking it along ----------------------------------------------------------------------

  async #copy() {
    const inRows = new Set(this.#rows.flatMap(({ from, to }) => [from, ...to]).concat(BROKER));
    const lanes = lanesOf(this.#rows, this.#state, Infinity).filter(({ name }) => inRows.has(name));
    const copied = await copy(mermaid(this.#rows, lanes));
    toast(copied ? 'Copied: paste it wherever Mermaid is drawn.' : 'Your browser refused to copy.');
  }

  async #save() {
    const { savedSvg } = await import('./save.js'); // wanted seldom: the stage is light without it
    const link = document.createElement('a');
    const image = new Blob([savedSvg(this.#paper, here.room)], { type: 'image/svg+xml' });
    link.href = URL.createObjectURL(image);
    link.download = `orders-${here.room}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

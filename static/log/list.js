/**
 * A list of any length of which only what is seen is in the document, newest on top.
 *
 * Rows are equally high, so an event's place follows from its index. Whatever grows or is let go at
 * either end, the row at the top of the reader's view stays where it is, unless they follow the log.
 */

import { render } from '/static/vendor/lit-html/lit-html.js';
import { row } from './row.js';

const AROUND = 12; // rows drawn above and below what is seen
const AHEAD = 100; // so many rows before an end, what lies behind it is asked for

export class LogList {
  /**
   * @param {HTMLElement} grid
   * @param {{open: (id: string) => void, close: () => void, near: (end: 'older'|'newer') => void,
   *   scrolled: () => void, jump: (end: 'older'|'newer') => void}} on
   */
  constructor(grid, on) {
    this.grid = grid;
    this.on = on;
    this.length = grid.querySelector('.log-length');
    this.rows = grid.querySelector('.log-rows');
    this.titles = grid.querySelector('.log-titles');
    /** an unseen row, always there to be measured */
    this.ruler = Object.assign(document.createElement('div'), { className: 'log-row log-ruler' });
    this.length.before(this.ruler);
    this.ruler.setAttribute('aria-hidden', 'true');
    this.events = [];
    this.ends = { older: null, newer: null };
    this.chosen = null;
    /** the text that is searched for, to be marked */
    this.wanted = '';
    this.opened = null;
    this.pressed = null;
    grid.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    // While events flow, another one may be under the pointer when it is let go.
    grid.addEventListener('pointerdown', ({ target }) => (this.pressed = target.closest('[data-event]')?.dataset.event));
    grid.addEventListener('click', () => this.#clicked());
    grid.addEventListener('keydown', (key) => this.#pressed(key));
    new ResizeObserver(() => this.#resized()).observe(grid);
  }

  /** A phone was turned: its rows may have two lines now. */
  #resized() {
    this.length.style.height = `${this.events.length * this.#rowHeight()}px`;
    this.draw();
  }

  get atTop() {
    return this.grid.scrollTop < 2;
  }

  /** Show this window of the log (see window.js). @param {boolean} follow stay with the newest */
  show(window, follow) {
    const height = this.#rowHeight();
    const anchor = follow ? null : this.#at(Math.floor(this.grid.scrollTop / height));
    const before = anchor && this.indexOf(anchor.id);
    this.events = window.events;
    this.ends = { older: window.older, newer: window.newer };
    this.length.style.height = `${this.events.length * height}px`;
    const after = anchor ? this.indexOf(anchor.id) : -1;
    if (follow) this.grid.scrollTop = 0;
    else if (after >= 0 && after !== before) this.grid.scrollTop += (after - before) * height;
    this.draw();
  }

  /** Bring an event into view and choose it. @param {boolean} centred with what lies around it */
  reveal(id, centred = false) {
    const index = this.indexOf(id);
    if (index < 0) return;
    this.chosen = id;
    const height = this.#rowHeight();
    const seen = this.#seenHeight();
    const top = index * height;
    if (centred) this.grid.scrollTop = top - (seen - height) / 2;
    else if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + height > this.grid.scrollTop + seen) this.grid.scrollTop = top + height - seen;
    this.draw();
  }

  /** Where an event stands, counted from the newest; -1 if it is not here. */
  indexOf(id) {
    const place = this.events.findLastIndex((event) => event.id === id);
    return place < 0 ? -1 : this.events.length - 1 - place;
  }

  draw() {
    const height = this.#rowHeight();
    const first = Math.max(0, Math.floor(this.grid.scrollTop / height) - AROUND);
    const end = Math.ceil((this.grid.scrollTop + this.grid.clientHeight) / height) + AROUND;
    const drawn = [];
    for (let index = first; index < Math.min(end, this.events.length); index += 1) {
      drawn.push({ index, event: this.#at(index) });
    }
    const place = (event, index) => ({ index, chosen: event.id === this.chosen, opened: event.id === this.opened, wanted: this.wanted });
    this.rows.style.transform = `translateY(${first * height}px)`;
    // Rows are used again for other events rather than made again: browsers are slow to remove what uses a shape.
    render(drawn.map(({ event, index }) => row(event, place(event, index))), this.rows);
    this.grid.setAttribute('aria-rowcount', this.ends.older || this.ends.newer ? -1 : this.events.length + 1);
    if (drawn.some(({ event }) => event.id === this.chosen)) {
      this.grid.setAttribute('aria-activedescendant', `row-${this.chosen}`);
    } else this.grid.removeAttribute('aria-activedescendant');
    if (this.ends.older && end + AHEAD > this.events.length) this.on.near('older');
    if (this.ends.newer && first < AHEAD) this.on.near('newer');
  }

  #at(index) {
    return this.events[this.events.length - 1 - index];
  }

  #rowHeight() {
    return this.ruler.offsetHeight || 44;
  }

  #seenHeight() {
    return this.grid.clientHeight - this.titles.offsetHeight; // the titles stay on top
  }

  #scrolled() {
    this.draw();
    this.on.scrolled();
  }

  #clicked() {
    if (!this.pressed) return;
    this.chosen = this.pressed;
    this.on.open(this.pressed);
  }

  #pressed(key) {
    if (key.altKey || key.ctrlKey || key.metaKey || !this.events.length) return;
    const page = Math.max(1, Math.floor(this.#seenHeight() / this.#rowHeight()) - 1);
    const steps = new Map([['ArrowDown', 1], ['ArrowUp', -1], ['PageDown', page], ['PageUp', -page]]);
    if (steps.has(key.key)) this.#step(steps.get(key.key));
    else if (key.key === 'Home') this.on.jump('newer');
    else if (key.key === 'End') this.on.jump('older');
    else if (key.key === 'Enter' && this.chosen) this.on.open(this.chosen);
    else if (key.key === 'Escape') this.on.close();
    else return;
    key.preventDefault();
  }

  #step(by) {
    const from = this.indexOf(this.chosen);
    const start = from < 0 ? Math.round(this.grid.scrollTop / this.#rowHeight()) - Math.sign(by) : from;
    const index = Math.max(0, Math.min(this.events.length - 1, start + by));
    this.reveal(this.#at(index).id);
    if (this.opened) this.on.open(this.chosen);
  }
}

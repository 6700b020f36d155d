/** Going back in time: a scrubber over what happened in the room, seen only by the one who moves it. */

import { byId } from '../../ui/page.js';
import { sentence } from '../diagram/rows.js';

const LONGEST = 1500; // ms; a longer silence is played as this
const TOGETHER = 16; // ms; what comes within it is shown at once
const AT_ONCE = 25; // records of a step that still fly

/** Tells of each move by the event `moved`. */
export class Time extends EventTarget {
  /** After how many records the room is shown; null: live. */
  count = null;

  #show;
  #history;
  #playing = null;
  #known = 0; // how many records there were when we last looked
  #slider = byId('time-slider');
  #speed = byId('time-speed');

  /**
   * @param {import('../show.js').Show} show
   * @param {import('./history.js').History} history
   */
  constructor(show, history) {
    super();
    this.#show = show;
    this.#history = history;
    history.addEventListener('reread', () => this.#reread());
    history.addEventListener('more', () => this.#draw());
    this.#slider.addEventListener('input', () => this.#slide(Number(this.#slider.value)));
    this.#slider.addEventListener('pointerdown', () => history.past && this.#reach());
    byId('time-back').addEventListener('click', () => this.step(-1));
    byId('time-on').addEventListener('click', () => this.step(1));
    byId('time-play').addEventListener('click', () => this.play());
    byId('time-live').addEventListener('click', () => this.live());
    this.#draw();
  }

  /** Go to a moment. `moving`: what led there is to be seen moving. */
  go(count, moving = false) {
    const { past } = this.#history;
    if (!past) return;
    const before = this.count ?? past.count;
    this.count = Math.max(0, Math.min(past.count, count));
    const led = moving && this.count > before ? past.records.slice(before, this.count) : [];
    this.#show.travel(past.at(this.count).state, led.length <= AT_ONCE ? led : []);
    this.#moved();
  }

  async step(by) {
    this.#stop();
    await this.#history.begun;
    const { past } = this.#history;
    if (!past) return;
    const next = (this.count ?? past.count) + by;
    if (next > past.count) this.live();
    else this.go(next, by > 0);
  }

  /** Play from here, or from the beginning if nothing is behind us; or stop. */
  async play() {
    if (this.#playing) {
      this.#stop();
      this.#draw();
      return;
    }
    await this.#history.begun;
    await this.#reach();
    const { past } = this.#history;
    if (!past?.count) return;
    if (this.count === null || this.count >= past.count) this.go(0);
    this.#next();
    this.#draw();
  }

  live() {
    this.#stop();
    this.count = null;
    this.#show.comeBack();
    this.#moved();
  }

  /** More of the past came before what we knew: the moment stays the same. Or the room was cleared. */
  #reread() {
    const further = (this.#history.past?.count ?? 0) - this.#known;
    if (this.count === null) this.#draw();
    else if (further < 0) this.live();
    else this.go(this.count + further);
  }

  #moved() {
    this.#draw();
    this.dispatchEvent(new Event('moved'));
  }

  async #reach() {
    if (this.count === null) await this.#history.reach();
  }

  #slide(count) {
    this.#stop();
    if (count >= this.#history.past?.count) this.live();
    else this.go(count);
  }

  #stop() {
    clearTimeout(this.#playing);
    this.#playing = null;
  }

  /** The next records, after the time that lay between, shortened. */
  #next() {
    const { past } = this.#history;
    if (this.count >= past.count) {
      this.live();
      return;
    }
    const { records } = past;
    const speed = Number(this.#speed.value);
    const gap = (index) => (index ? (records[index].at - records[index - 1].at) / speed : 0);
    let upto = this.count + 1;
    while (upto < past.count && gap(upto) < TOGETHER) upto += 1;
    this.#playing = setTimeout(() => {
      this.go(upto, true);
      if (this.#playing) this.#next();
    }, Math.max(TOGETHER, Math.min(LONGEST, gap(this.count))));
  }

  #draw() {
    const { past } = this.#history;
    const count = past?.count ?? 0;
    this.#known = count;
    const at = this.count ?? count;
    const isLive = this.count === null;
    this.#slider.max = count;
    this.#slider.value = at;
    this.#slider.disabled = !count;
    const record = at ? past.records[at - 1] : null;
    const row = record ? past.rowsUpTo(at, 1)[0] : null;
    const words = !record ? 'The beginning' : `${this.#history.clock(record.at)}  ${row ? sentence(row) : record.kind}`;
    this.#slider.setAttribute('aria-valuetext', isLive ? byId('time-live').textContent : words);
    byId('time-words').textContent = isLive ? '' : words;
    byId('time-place').textContent = isLive ? '' : `${at.toLocaleString('en')} of ${count.toLocaleString('en')}`;
    byId('time-live').setAttribute('aria-pressed', isLive);
    byId('time-play').textContent = this.#playing ? 'Stop' : 'Play';
    byId('time-back').disabled = !count || at === 0;
    byId('time-on').disabled = isLive;
    byId('time-play').disabled = !count;
  }
}

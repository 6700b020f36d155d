/** Why: an opened event on the stage, who received it, who did not, and for what reason. */

import { drawEvent, drawMissing } from '../../event/panel.js';
import { byId, copy, toast } from '../../ui/page.js';

const AGAIN = 300; // ms between two tellings of the same event

export class Explain extends EventTarget {
  /** The id of the opened event, or null; `change` tells of it. */
  opened = null;
  /** The way it took: {type, number, from, to: [names of those who received it]}, or null; `way` tells of it. */
  way = null;

  #panel = byId('stage-explain');
  #place = byId('stage-explained');
  #from = null;
  #learning = null;
  #show;
  #history;

  /**
   * @param {import('../show.js').Show} show
   * @param {import('../past/history.js').History} history
   */
  constructor(show, history) {
    super();
    this.#show = show;
    this.#history = history;
    document.addEventListener('keydown', (key) => {
      if (key.key !== 'Escape' || !this.opened || document.querySelector('dialog:modal')) return;
      key.preventDefault(); // the next one closes the band
      this.close();
    });
    show.addEventListener('shown', () => this.#note());
    history.addEventListener('more', ({ detail }) => {
      if (detail.records.some(({ event }) => (event?.data?.event ?? event) === this.opened)) this.#again();
    });
    history.addEventListener('reread', () => this.opened && this.#again());
  }

  /** Explain this event. `from`: what has the focus again when it is closed. */
  async open(id, from = document.activeElement) {
    if (!this.#panel.contains(from)) this.#from = from;
    const isNew = this.opened !== id;
    this.opened = id;
    if (isNew) this.dispatchEvent(new Event('change'));
    const told = await this.#history.learn(id);
    if (this.opened !== id) return;
    this.#panel.hidden = false;
    document.body.dataset.opened = '';
    this.#note();
    this.#went(told);
    if (told) drawEvent(this.#place, told, this.#doing(told.event));
    else drawMissing(this.#place, id, this.#doing(null));
    if (!isNew) return;
    this.#panel.scrollTop = 0;
    this.#panel.focus({ preventScroll: true });
  }

  close() {
    const held = this.#panel.contains(document.activeElement);
    this.opened = null;
    this.#panel.hidden = true;
    delete document.body.dataset.opened;
    delete this.#place.dataset.explains;
    this.#went(null);
    this.dispatchEvent(new Event('change'));
    if (!held) return;
    if (this.#from === document.body) document.activeElement.blur();
    else (this.#from?.isConnected ? this.#from : byId('diagram-paper')).focus({ preventScroll: true });
  }

  #went(told) {
    const to = told?.recipients?.filter(({ received }) => received).map(({ name }) => name) ?? [];
    this.way = told && { type: told.event.type, number: told.event.data.id, from: told.event.source, to };
    this.dispatchEvent(new Event('way'));
  }

  #doing(event) {
    const said = async (copied) => toast(await copied ? 'Copied.' : 'Your browser refused: mark the text and copy it yourself.');
    return {
      open: (id) => this.open(id),
      close: () => this.close(),
      copy: () => said(copy(JSON.stringify(event, null, 2))),
      link: this.#history.link && (() => said(copy(this.#history.link(event.id)))),
    };
  }

  #again() {
    this.#learning ??= setTimeout(() => {
      this.#learning = null;
      if (this.opened) this.open(this.opened);
    }, AGAIN);
  }

  #note() {
    byId('stage-explain-note').hidden = this.#show.live;
  }
}

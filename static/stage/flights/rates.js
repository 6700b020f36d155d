// How much flows: above about twenty events a second single envelopes are a blur, and rates tell more.
//
// Pure: the clock is an argument. Between the two ways of drawing lies a gap, so that the picture does
// not flicker between them at the edge.

const FLOWS_ABOVE = 20; // events a second
const SINGLE_BELOW = 18;
const CALM = 1500; // milliseconds that it has to be calm before single envelopes are drawn again
const WINDOW = 1000; // milliseconds over which is counted
const SAMPLES = 4; // within the window

export class Rates {
  flowing = false;
  #batches = [];
  #samples = [];
  #busy = 0; // when it last was

  /** So many events came in. */
  count(events, now) {
    if (events) this.#batches.push({ at: now, events });
    this.#settle(now);
  }

  /** Events a second, over the last second. */
  perSecond(now) {
    this.#batches = this.#batches.filter(({ at }) => now - at < WINDOW);
    return this.#batches.reduce((sum, { events }) => sum + events, 0);
  }

  /**
   * What each figure sends and gets a second: Map name → {sends, gets}. Asked for a few times a second; the answer
   * is over about the last second. Counted for each participant, since they come to a group, and leave it.
   */
  flows(participants, now, figureOf = (name) => name) {
    this.#settle(now);
    const newest = this.#samples.at(-1);
    if (!newest || now - newest.at >= WINDOW / SAMPLES) {
      this.#samples.push({ at: now, participants });
      if (this.#samples.length > SAMPLES + 1) this.#samples.shift();
    }
    const oldest = this.#samples[0];
    const seconds = (now - oldest.at) / 1000;
    const flows = new Map();
    if (seconds <= 0) return flows;
    for (const { name, sent, delivered } of participants.values()) {
      const then = oldest.participants.get(name) ?? { sent, delivered };
      const { sends, gets } = flows.get(figureOf(name)) ?? { sends: 0, gets: 0 };
      const more = (before, after) => Math.max(0, after - before) / seconds;
      flows.set(figureOf(name), { sends: sends + more(then.sent, sent), gets: gets + more(then.delivered, delivered) });
    }
    return new Map([...flows].map(([name, { sends, gets }]) => [name, { sends: Math.round(sends), gets: Math.round(gets) }]));
  }

  #settle(now) {
    const rate = this.perSecond(now);
    if (rate > SINGLE_BELOW) this.#busy = now;
    const flowing = this.flowing ? now - this.#busy < CALM : rate > FLOWS_ABOVE;
    if (flowing !== this.flowing) this.#samples = [];
    this.flowing = flowing;
  }
}

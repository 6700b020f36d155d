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
   * What each participant sends and gets a second: Map name → {sends, gets}. Asked for a few times a
   * second; the answer is over about the last second.
   */
  flows(participants, now) {
    this.#settle(now);
    const newest = this.#samples.at(-1);
    if (!newest || now - newest.at >= WINDOW / SAMPLES) {
      const counts = new Map([...participants.values()].map(({ name, sent, delivered }) => [name, { sent, delivered }]));
      this.#samples.push({ at: now, counts });
      if (this.#samples.length > SAMPLES + 1) this.#samples.shift();
    }
    const oldest = this.#samples[0];
    const seconds = (now - oldest.at) / 1000;
    if (seconds <= 0) return new Map();
    return new Map([...participants.values()].map(({ name, sent, delivered }) => {
      const then = oldest.counts.get(name) ?? { sent, delivered };
      const rate = (more) => Math.max(0, Math.round(more / seconds));
      return [name, { sends: rate(sent - then.sent), gets: rate(delivered - then.delivered) }];
    }));
  }

  #settle(now) {
    const rate = this.perSecond(now);
    if (rate > SINGLE_BELOW) this.#busy = now;
    const flowing = this.flowing ? now - this.#busy < CALM : rate > FLOWS_ABOVE;
    if (flowing !== this.flowing) this.#samples = [];
    this.flowing = flowing;
  }
}

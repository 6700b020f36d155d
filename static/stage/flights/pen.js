/**
 * What is drawn on the canvas over the picture: envelopes with what is said of them, lines and dots.
 * Positions are pixels of the picture; who is meant by a name stands where the picture has them.
 */

import { DESK, TRAY } from './motion.js';
import { Sprites } from './sprites.js';

const DOTS = 24; // px between two dots of a flow

export class Pen {
  /** @param {HTMLCanvasElement} canvas  over the picture, as large as it @param {import('../picture/picture.js').Picture} picture */
  constructor(canvas, picture) {
    this.canvas = canvas;
    this.on = canvas.getContext('2d', { desynchronized: true }); // half the work for the page's own thread
    this.picture = picture;
    this.sprites = new Sprites();
    this.ratio = 1;
  }

  /** Takes the size of the picture. */
  fit() {
    this.ratio = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = Math.round(this.canvas.clientWidth * this.ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * this.ratio);
  }

  clear() {
    const { width, height } = this.canvas;
    this.on.setTransform(1, 0, 0, 1, 0, 0);
    this.on.clearRect(0, 0, width, height);
    this.on.scale(this.ratio, this.ratio);
  }

  /** Where somebody stands, or an event lies; `slot`: in which place on the counter. */
  spot(name, slot = 0) {
    if (name === TRAY) return this.picture.tray;
    if (name === DESK) return this.picture.rest(slot);
    return this.picture.where(name) ?? this.picture.door;
  }

  /** An envelope with its middle there. */
  envelope({ type, number }, x, y, width = this.picture.letter) {
    this.#put(this.sprites.envelope(type, number, width, this.ratio), x, y);
  }

  #put(image, x, y) {
    const [w, h] = [image.width / this.ratio, image.height / this.ratio];
    this.on.drawImage(image, x - w / 2, y - h / 2, w, h);
  }

  /** So many envelopes fly as one: said on that side of it where its recipients are not. */
  times({ many, to }, x, y, width = this.picture.letter) {
    const image = this.sprites.label(`×${many}`, Math.max(13, 28 * this.picture.scale), 'ink', this.ratio);
    this.#put(image, x + (this.picture.place(to)?.inner ?? 1) * (width + image.width / this.ratio) / 2, y);
  }

  /** At rest it is stored: that is what the tick says. */
  tick(x, y, words) {
    const size = Math.max(14, 28 * this.picture.scale);
    const image = this.sprites.label(words, size, 'broker', this.ratio);
    this.#put(image, x, y - this.picture.letter / 3 - image.height / this.ratio / 2);
  }

  /** Whose turn it is. */
  ring(name) {
    const at = this.picture.where(name);
    if (!at) return;
    this.on.strokeStyle = this.sprites.colour('lease');
    this.on.lineWidth = 4;
    this.on.beginPath();
    this.on.arc(at.x, at.y, this.picture.around(name), 0, 2 * Math.PI);
    this.on.stroke();
  }

  /** Where a line begins and ends: between the edges of the counter and of the figure. */
  ends({ from, to }) {
    const name = [from, to].find((one) => typeof one !== 'symbol');
    if (name === undefined) return [this.spot(from), this.spot(to)];
    const at = this.spot(name);
    const edge = this.picture.edge(at);
    const part = Math.max(0, 1 - this.picture.around(name) / (Math.hypot(at.x - edge.x, at.y - edge.y) || 1));
    const near = { x: edge.x + (at.x - edge.x) * part, y: edge.y + (at.y - edge.y) * part };
    return name === from ? [near, edge] : [edge, near];
  }

  /** A small envelope beside somebody, on the side of the counter; `lines` below their middle. */
  beside(name, move, lines = 0) {
    const { x, y } = this.spot(name);
    const small = this.picture.letter * 0.85;
    const aside = (this.picture.place(name)?.inner ?? 0) * (this.picture.around(name) + small * 0.5);
    this.envelope(move, x + aside, y + lines * small * 0.7, small);
    if (move.many > 1) this.times({ ...move, to: name }, x + aside, y + lines * small * 0.7, small);
  }

  line(from, to, colour, width, alpha = 1) {
    this.on.globalAlpha = alpha;
    this.on.strokeStyle = colour;
    this.on.lineWidth = width;
    this.on.beginPath();
    this.on.moveTo(from.x, from.y);
    this.on.lineTo(to.x, to.y);
    this.on.stroke();
    this.on.globalAlpha = 1;
  }

  /** Dots that have run so far (px) from one to the other, `aside` of the line between: larger ones where more flows. */
  dots(from, to, rate, run, colour, aside) {
    if (!rate) return;
    const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
    const [x, y] = [(-(to.y - from.y) / length) * aside, ((to.x - from.x) / length) * aside];
    const width = Math.max(2.5, (4 + Math.min(8, Math.log2(1 + rate))) * this.picture.scale);
    this.on.setLineDash([0.1, DOTS]);
    this.on.lineDashOffset = -(run % DOTS);
    this.on.lineCap = 'round';
    this.line({ x: from.x + x, y: from.y + y }, { x: to.x + x, y: to.y + y }, colour, width);
    this.on.setLineDash([]);
    this.on.lineCap = 'butt';
  }
}

/**
 * Envelopes for a canvas: drawn once each, from the same lines and colours as everywhere else
 * (templates/parts/shapes.svg, ui/tokens.css), and kept.
 */

import { paths } from '../../ui/shapes.js';
import { isSealed, kindOf, short } from '../../ui/words.js';

const MOST = 400;
const SIZES = { 0: 22, 1: 22, 2: 22, 3: 18, 4: 14 }; // by digits, as in ui/shapes.css

export class Sprites {
  #kept = new Map();
  #colours = new Map();
  #lines = new Map();
  #theme = '';

  #style = getComputedStyle(document.documentElement);
  #forced = matchMedia('(forced-colors: active)');

  /** A colour of the page by its token's name, such as 'broker'. */
  colour(token) {
    const theme = `${document.documentElement.dataset.theme} ${this.#forced.matches} ${document.fonts.status}`; // the font comes late
    if (theme !== this.#theme) {
      this.#theme = theme;
      this.#kept.clear();
      this.#colours.clear();
    }
    if (!this.#colours.has(token)) this.#colours.set(token, this.#style.getPropertyValue(`--${token}`).trim());
    return this.#colours.get(token);
  }

  /** The font of the page's words. */
  font(size, weight = 600) {
    return `${weight} ${size}px ${this.colour('words')}`;
  }

  /** The tone of an event's type. */
  tone(type) {
    const kind = kindOf(type);
    return this.colour(kind === 'other' ? 'muted' : kind);
  }

  /** An envelope as a picture `width` wide. */
  envelope(type, number, width, ratio = devicePixelRatio) {
    this.colour('paper'); // another theme clears what is kept
    const text = short(number);
    const key = `${kindOf(type)} ${width} ${ratio} ${text}`;
    if (!this.#kept.has(key)) {
      if (this.#kept.size >= MOST) this.#kept.delete(this.#kept.keys().next().value);
      this.#kept.set(key, this.#draw(kindOf(type), text, width, ratio));
    }
    return this.#kept.get(key);
  }

  /** Words on paper, as a picture. */
  label(words, size, token, ratio = devicePixelRatio) {
    const colour = this.colour(token);
    const key = `${words} ${size} ${token} ${ratio}`;
    if (!this.#kept.has(key)) this.#kept.set(key, this.#write(words, size, colour, ratio));
    return this.#kept.get(key);
  }

  #write(words, size, colour, ratio) {
    const canvas = document.createElement('canvas');
    const on = canvas.getContext('2d');
    on.font = this.font(size);
    canvas.width = Math.ceil((on.measureText(words).width + 8) * ratio);
    canvas.height = Math.ceil(size * 1.25 * ratio);
    on.scale(ratio, ratio);
    on.fillStyle = this.colour('paper');
    on.fillRect(0, 0, canvas.width, canvas.height);
    on.font = this.font(size); // a canvas forgets it when its size changes
    on.fillStyle = colour;
    on.fillText(words, 4, size * 0.95);
    return canvas;
  }

  #draw(kind, text, width, ratio) {
    const canvas = document.createElement('canvas');
    const scale = (width / 60) * ratio;
    canvas.width = Math.ceil(62 * scale);
    canvas.height = Math.ceil(42 * scale);
    const on = canvas.getContext('2d');
    on.scale(scale, scale);
    on.translate(1, 1);
    const tone = this.colour(kind === 'other' ? 'muted' : kind);
    on.fillStyle = this.colour(kind === 'other' ? 'sheet' : `${kind}-tint`);
    on.strokeStyle = tone;
    on.lineJoin = 'round';
    const [sheet, flap] = this.#linesOf('envelope');
    on.lineWidth = 2;
    on.fill(sheet);
    on.stroke(sheet);
    on.lineWidth = 1.5;
    on.stroke(flap);
    on.fillStyle = this.colour('ink');
    on.font = this.font(SIZES[text.length] ?? 10, 700);
    on.textAlign = 'center';
    on.fillText(text, isSealed(kind) ? 19 : 30, 35);
    if (isSealed(kind)) this.#seal(on, kind, tone);
    return canvas;
  }

  #seal(on, kind, tone) {
    on.translate(37, 17);
    on.fillStyle = tone;
    on.strokeStyle = this.colour('sheet');
    on.lineWidth = 2;
    on.beginPath();
    on.arc(12, 12, 11, 0, 2 * Math.PI);
    on.fill();
    on.stroke();
    on.lineWidth = 2.5;
    for (const line of this.#linesOf(`seal-${kind}`)) on.stroke(line);
  }

  #linesOf(id) {
    if (!this.#lines.has(id)) this.#lines.set(id, paths(id));
    return this.#lines.get(id);
  }
}

/**
 * Envelopes for a canvas: drawn once each, from the same shapes and colours as everywhere else
 * (templates/parts/shapes.svg, ui/tokens.css), and kept.
 */

import { kindOf, short } from '../../ui/shapes.js';

const MOST = 400;
const SIZES = { 0: 18, 1: 18, 2: 18, 3: 15, 4: 12 };
const SEALED = new Set(['placed', 'confirmed', 'rejected']);

export class Sprites {
  #kept = new Map();
  #colours = new Map();
  #glyphs = new Map();
  #theme = '';

  #style = getComputedStyle(document.documentElement);

  /** A colour of the page by its token's name, such as 'broker'. */
  colour(token) {
    const theme = document.documentElement.dataset.theme ?? '';
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
    on.lineWidth = 2;
    on.fill(new Path2D('M1 1h58v38H1z'));
    on.stroke(new Path2D('M1 1h58v38H1z'));
    on.lineWidth = 1.5;
    on.stroke(new Path2D('m1 1 29 15L59 1'));
    on.fillStyle = this.colour('ink');
    on.font = this.font(SIZES[text.length] ?? 9, 700);
    on.textAlign = 'center';
    on.fillText(text, SEALED.has(kind) ? 20 : 30, 33);
    if (SEALED.has(kind)) this.#seal(on, kind, tone);
    return canvas;
  }

  #seal(on, kind, tone) {
    on.fillStyle = tone;
    on.strokeStyle = this.colour('sheet');
    on.lineWidth = 2;
    on.beginPath();
    on.arc(49, 29, 11, 0, 2 * Math.PI);
    on.fill();
    on.stroke();
    on.translate(40, 20);
    on.lineWidth = 2.5;
    on.stroke(this.#glyph(kind));
  }

  #glyph(kind) {
    if (!this.#glyphs.has(kind)) {
      const drawn = document.querySelector(`#glyph-${kind} path`);
      this.#glyphs.set(kind, new Path2D(drawn.getAttribute('d')));
    }
    return this.#glyphs.get(kind);
  }
}

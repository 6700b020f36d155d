/** The bits of a frame's header, field by field, and frames in plain words. Pure. */

import { count } from '../ui/words.js';

const ROW = 32;

/** Two hexadecimal digits for each byte; one that is hidden stays two dots. */
export const bytes = (hex) => hex.match(/../gu) ?? [];

/** '81' → '10000001' */
export const bitsOf = (hex) => bytes(hex).map((byte) => Number.parseInt(byte, 16).toString(2).padStart(8, '0')).join('');

/**
 * The fields of a header in the order of their bits.
 * @param {object} frame  as the feed tells it
 * @returns {{short: string, name: string, bits: string, words: string}[]}
 */
export function fields(frame) {
  const { head, fin, rsv, opcode, masked, key, length, form } = frame;
  const bits = bitsOf(head);
  const told = form === 7 ? length : form === 16 ? 126 : 127;
  const isClient = frame.from === 'client';
  const all = [
    ['F', 'FIN', 1, fin ? (opcode === 0 ? 'the last part of its message' : 'the whole message, or its last part') : 'more parts of this message follow'],
    ['R', 'RSV 1–3', 3, rsv ? 'set, by an extension' : 'for extensions; 0, since none was agreed on'],
    ['op', 'opcode', 4, `${opcode}: ${frame.kind}`],
    ['M', 'MASK', 1, masked ? (isClient ? 'masked, as all that a client sends' : 'masked, though a server never does') : isClient ? 'not masked, though a client must' : 'not masked: a server never does'],
    ['len', 'length', 7, form === 7 ? `${count(told, 'byte')}: up to 125 fit into these 7 bits` : `${told}: the next ${form} bits tell the length`],
  ];
  if (form !== 7) all.push(['length', `length, ${form} bits`, form, count(length, 'byte')]);
  if (masked) all.push(['key', 'masking key', 32, `${bytes(key).join(' ')}: four random bytes, new for each frame`]);
  let at = 0;
  return all.map(([short, name, size, words]) => ({ short, name, bits: bits.slice(at, (at += size)), words }));
}

/**
 * The same cut into rows of a ruler, each `[{short, name, bits, first}]`; the beginning of the payload fills the last.
 * @param {number} width  bits a row
 */
export function rows(frame, width = ROW) {
  const all = fields(frame);
  const used = all.reduce((sum, { bits }) => sum + bits.length, 0);
  const rest = bytes(frame.raw).slice(0, (2 * width - (used % width)) / 8).map((byte) => (byte === '••' ? '••••••••' : bitsOf(byte))).join('');
  const found = [[]];
  let left = width;
  for (const { short, name, bits } of [...all, { short: 'payload', name: 'payload', bits: rest }]) {
    for (let at = 0; at < bits.length;) {
      const piece = bits.slice(at, at + left);
      found.at(-1).push({ short, name, bits: piece, first: at === 0 });
      at += piece.length;
      left -= piece.length;
      if (left === 0) {
        found.push([]);
        left = width;
      }
    }
  }
  return found.filter((row) => row.length);
}

/** What a frame says, in a few words for a list. */
export function gist(frame) {
  if (frame.close) return `${frame.close.code} ${frame.close.words}`;
  if (frame.kind === 'ping') return 'are you there?';
  if (frame.kind === 'pong') return 'I am';
  const text = frame.text ?? '';
  const type = /^\s*\{(?:.*?[{,]\s*)?"type"\s*:\s*"([^"]{1,64})"/su.exec(text)?.[1];
  return type ?? (text.slice(0, 60) || (frame.length ? count(frame.length, 'byte') : 'nothing'));
}

/** What a frame is, in a sentence or two. @param {string} who  the name of the client */
export function sentence(frame, who) {
  const { kind, fin, close, text, length } = frame;
  const sender = frame.from === 'client' ? who : 'The server';
  if (kind === 'ping') return `${sender} asks whether the other side is still there${length ? '; it must send these bytes back' : ''}.`;
  if (kind === 'pong') return `${sender} answers a ping, with the same bytes.`;
  if (close) return `${sender} closes the connection: ${close.code}, ${close.words}${close.reason ? ` (“${close.reason}”)` : ''}. The other side answers with a close of its own, then the socket is shut.`;
  if (kind === 'close') return `${sender} closes the connection.`;
  if (kind === 'continuation') return `${sender} sends ${fin ? 'the last' : 'another'} part of a ${frame.continues ?? 'message that began before you looked'}.`;
  if (kind === 'reserved') return `${sender} sends an opcode that nobody uses: a mistake, for which a connection is closed with 1002.`;
  const what = kind === 'text' ? 'text in UTF-8' : 'bytes that are no text';
  return fin ? `${sender} sends ${what}: the whole message in one frame.` : `${sender} sends the first part of a message: ${what}. More follows${text === undefined ? '' : ', and others may speak in between'}.`;
}

/** Why clients mask, in a sentence. */
export const WHY_MASKED = 'Clients mask so that no page can make a browser send bytes of its choice, which an old proxy on the way might take for an HTTP request. It hides nothing: the key stands right before the bytes.';

/**
 * Ids that work everywhere: on a phone over plain HTTP a browser has neither `crypto.randomUUID`
 * nor `crypto.subtle`, so random ids come from `getRandomValues` and SHA-1 is written out here.
 */

const URL_NAMESPACE = '6ba7b811-9dad-11d1-80b4-00c04fd430c8';

/** A random UUID (version 4). */
export function uuid() {
  return written(crypto.getRandomValues(new Uint8Array(16)), 4);
}

/** The UUID (version 5) of a name in the URL namespace: the same name always gives the same id. */
export function uuid5(name) {
  const space = URL_NAMESPACE.replaceAll('-', '').match(/../g).map((hex) => parseInt(hex, 16));
  return written(sha1([...space, ...new TextEncoder().encode(name)]), 5);
}

/** 16 bytes as a UUID of that version. */
function written(bytes, version) {
  const sixteen = [...bytes.slice(0, 16)];
  sixteen[6] = (sixteen[6] & 0x0f) | (version << 4);
  sixteen[8] = (sixteen[8] & 0x3f) | 0x80;
  const hex = sixteen.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * SHA-1 (RFC 3174) of some bytes, as 20 bytes. For ids only: as a seal it has long been broken.
 * @param {number[]} bytes
 */
export function sha1(bytes) {
  const blocks = ((bytes.length + 8) >> 6) + 1;
  const words = new Uint32Array(blocks * 16);
  bytes.forEach((byte, at) => (words[at >> 2] |= byte << (24 - 8 * (at & 3))));
  words[bytes.length >> 2] |= 0x80 << (24 - 8 * (bytes.length & 3));
  words[words.length - 1] = bytes.length * 8;

  const turn = (value, by) => (value << by) | (value >>> (32 - by));
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  for (let block = 0; block < blocks; block++) {
    const w = new Int32Array(80);
    let [a, b, c, d, e] = state;
    for (let t = 0; t < 80; t++) {
      w[t] = t < 16 ? words[block * 16 + t] : turn(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
      const mixed =
        t < 20 ? ((b & c) | (~b & d)) + 0x5a827999
        : t < 40 ? (b ^ c ^ d) + 0x6ed9eba1
        : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
        : (b ^ c ^ d) + 0xca62c1d6;
      [a, b, c, d, e] = [(turn(a, 5) + mixed + e + w[t]) | 0, a, turn(b, 30), c, d];
    }
    [a, b, c, d, e].forEach((value, i) => (state[i] = (state[i] + value) | 0));
  }
  return state.flatMap((word) => [24, 16, 8, 0].map((by) => (word >>> by) & 0xff));
}

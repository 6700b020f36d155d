// Where everyone stands. Customers on an arc at the left of the counter, confirmers on one at the right,
// others below and above it. Nobody moves when someone joins: newcomers take free places.
//
// Pure: sizes in, places out; all in pixels.

/** A place at full scale (a picture 1920 wide, or 400 high if that is tighter), and how small it may get. */
const PLACE = { width: 176, height: 114 };
const FULL = { width: 1920, height: 400 };
const SMALLEST = 0.6;
const COMPACT = 0.72;
/** What waits is stacked on the counter; nobody stands there. */
const STACK = 40;
/** Between the counter and those below it; above it, what waits and what comes to rest. */
const BELOW = 20;
const RESTING = 104;

/** The sides that each part may stand on, best first; `far` begins at the outermost column. */
const SIDES = {
  customer: ['left', 'above', 'below', 'right far'],
  confirmer: ['right', 'below', 'above', 'left far'],
  other: ['below', 'above', 'left far', 'right far'],
};

/**
 * The places that a picture of this size has; smaller ones where `people` would not fit, or where so many
 * of one part (`together`) would have to stand on the other side.
 * @returns {{scale: number, dense: boolean, counter: Box, places: Map<string, Place>}}
 *   Box: {x, y, width, height}, x and y its middle; Place: {key, side, rank, x, y}
 */
export function layout(width, height, people = 0, together = 0) {
  const full = Math.max(SMALLEST, Math.min(1, width / FULL.width, height / FULL.height));
  const roomy = arranged(width, height, full);
  const side = ['left', 'above', 'below'].flatMap((one) => inOrder(roomy.places, one)).length;
  if (people <= roomy.places.size && together <= side) return { ...roomy, dense: false };
  return { ...arranged(width, height, full * COMPACT), dense: true };
}

/**
 * Who stands where: Map name → {key, role}. Whoever has a place keeps it while it exists and they play
 * the same part. Who cannot be placed is missing from the answer.
 */
export function settle(before, participants, { places }) {
  const settled = new Map();
  const taken = new Set();
  const take = (one, key) => {
    settled.set(one.name, { key, role: one.role });
    taken.add(key);
  };
  for (const one of participants) {
    const had = before.get(one.name);
    if (had?.role === one.role && places.has(had.key) && !taken.has(had.key)) take(one, had.key);
  }
  const newcomers = participants.filter((one) => !settled.has(one.name));
  for (const one of newcomers.sort((a, b) => Number(b.online) - Number(a.online))) {
    const key = SIDES[one.role].flatMap((side) => inOrder(places, side)).find((free) => !taken.has(free));
    if (key) take(one, key);
  }
  return settled;
}

function inOrder(places, wanted) {
  const [side, far] = wanted.split(' ');
  const keys = [...places.values()].filter((one) => one.side === side).sort((a, b) => a.rank - b.rank);
  return (far ? keys.reverse() : keys).map((one) => one.key);
}

function arranged(width, height, scale) {
  const place = { width: PLACE.width * scale, height: PLACE.height * scale };
  const counter = { x: width / 2, width: Math.min(480 * scale, Math.max(104, width * 0.3)) };
  counter.height = Math.min(210 * scale, height * 0.4);
  counter.y = middleOfCounter(height, counter.height, place.height, scale);
  const gap = Math.min(70 * scale, width * 0.03);
  const inner = counter.width / 2 + gap;
  const columns = Math.max(1, Math.floor((width / 2 - inner) / place.width));
  const bow = Math.min(70 * scale, Math.max(0, width / 2 - inner - columns * place.width));
  const rows = Math.max(1, Math.floor(height / place.height));
  const middle = (rows - 1) / 2;

  const places = new Map();
  const put = (side, rank, name, x, y) => {
    const key = `${side} ${name}`;
    places.set(key, { key, side, rank, x, y });
  };
  // The second column first, so that a small group stands at some distance from the counter.
  const order = [1, 0, 2, 3, 4, 5, 6, 7, 8, 9].filter((column) => column < columns);
  for (const column of order) {
    for (let row = 0; row < rows; row += 1) {
      const off = row - middle;
      const arc = bow * (1 - (middle ? off / middle : 0) ** 2);
      const away = inner + arc + place.width * (column + 0.5);
      const rank = order.indexOf(column) * rows + Math.abs(off) * 2 - (off > 0 ? 0.5 : 0);
      put('left', rank, `${column} ${row}`, counter.x - away, height / 2 + off * place.height);
      put('right', rank, `${column} ${row}`, counter.x + away, height / 2 + off * place.height);
    }
  }
  const beside = Math.max(0, Math.floor((inner - place.width / 2) / place.width));
  const off = counter.height / 2 + BELOW * scale + place.height / 2;
  for (let step = -beside; step <= beside; step += 1) {
    const rank = Math.abs(step) * 2 - (step > 0 ? 0.5 : 0);
    const [x, below, above] = [counter.x + step * place.width, counter.y + off, counter.y - off - STACK * scale];
    if (below + place.height / 2 <= height) put('below', rank, step, x, below);
    if (above >= place.height / 2) put('above', rank, step, x, above);
  }
  return { scale, counter, places };
}

/** In the middle; higher where that leaves room for a row beneath, as long as the stack has its room. */
function middleOfCounter(height, tall, place, scale) {
  const centred = (height - tall) / 2;
  const raised = height - tall - BELOW * scale - place - 1;
  return (raised >= RESTING * scale ? Math.min(centred, raised) : centred) + tall / 2;
}

// Who is drawn and where: customers in the left third, confirmers in the right, others below the counter.
//
// Pure: participants and sizes in, figures with their places out. Sizes are in units, pixels of a screen
// 1920 wide; `scale` makes pixels of them. A place holds all that hangs on a figure: ring, stamp, name and
// word. Nobody moves when someone joins, until the grid grows; newcomers take free places.

/** So long (ms) is somebody who left drawn by name; then only counted. */
export const FAREWELL = 10_000;
/** So long (ms) has somebody in a crowd a face of their own after they acted. */
export const FACED = 10_000;

/** width: the least of a place; high: how far its shape's middle is above its own; most: people in such a grid. */
const LARGE = { tier: 'large', width: 200, height: 208, high: 41, most: 6 };
const MIDDLE = { tier: 'middle', width: 150, height: 148, high: 35, most: 20 };
/** [kind, columns, most rows]: the first in which all find a place; in fewer rows they stand wider apart. */
const GRIDS = {
  side: [[LARGE, 1, 1], [LARGE, 1, 2], [LARGE, 1], [LARGE, 2], [MIDDLE, 3, 4], [MIDDLE, 3], [MIDDLE, 4]],
  below: [[LARGE, 1], [LARGE, 2], [LARGE, 3], [MIDDLE, 3], [MIDDLE, 4]],
};
const FACES = 12;
const FEW = 12; // of a role, which find a place in a narrower third, too
const PARTS = { customer: 'customers', confirmer: 'confirmers', other: 'others' };
/** The line beneath, and the tray under the counter. */
const FOOT = 48;
const TRAY = 64;

/**
 * @param {Map<string, object>} participants  as in the state
 * @param {number} width  of the picture, in pixels
 * @param {number} height
 * @param {Map<string, string>} before  who stood where: the `keys` of the last answer
 * @param {number} now  by the clock that says when they left, in milliseconds
 * @returns {{scale: number, crowded: boolean, counter: Box, figures: object[], places: Map<string, Place>, keys: Map<string, string>, groups: Map<string, string>, away: number}}
 *   Box: {x, y, width, height}, x and y its middle, in pixels; figures: participants, and groups {name, role,
 *   group, count, offline, …} of those without a place; Place: {key, tier, inner, x, y, width, shape: {x, y}},
 *   inner: on which side of it the counter is, 1 right, -1 left; groups:
 *   name of a grouped participant → name of its group; away: how many left some time ago
 */
export function arrange(participants, width, height, before = new Map(), now = -Infinity) {
  const everyone = [...participants.values()];
  const people = everyone.filter((one) => one.online || now - one.left < FAREWELL);
  const most = Math.max(...Object.keys(PARTS).map((role) => people.filter((one) => one.role === role).length));
  const scale = scaleOf(width, height, most <= FEW);
  const { counter, areas } = areasOf(width / scale, height / scale, people.some(({ role }) => role === 'other'));
  const [figures, places, keys, groups] = [[], new Map(), new Map(), new Map()];
  for (const role of Object.keys(PARTS)) {
    const members = people.filter((one) => one.role === role);
    const { free, pile } = gridOf(members.length, areas[role], role);
    const shown = pile ? faces(members, before, free, now) : members;
    for (const [name, place] of settle(shown, before, free)) {
      keys.set(name, place.key);
      places.set(name, scaled(place, scale));
    }
    figures.push(...shown);
    const rest = pile ? members.filter((one) => !places.has(one.name)) : [];
    if (!rest.length) continue;
    const group = grouped(rest, shown.length > 0);
    for (const { name } of rest) groups.set(name, group.name);
    places.set(group.name, scaled(pile, scale));
    figures.push(group);
  }
  const crowded = [...places.values()].some(({ tier }) => tier === 'middle');
  return { scale, crowded, counter: scaled(counter, scale), figures, places, keys, groups, away: everyone.length - people.length };
}

/**
 * As large as the width allows, and a few, on a screen that is tall for it, larger; where a band has taken the
 * height, smaller, but not so that nobody can read it.
 */
function scaleOf(width, height, few) {
  const full = (width / 1920) * (few ? Math.max(1, Math.min(1.3, height / width / 0.45)) : 1);
  const low = Math.max(height / 760, Math.min(0.75 * full, height / 560));
  return Math.max(0.4, Math.min(full, low));
}

function areasOf(width, height, others) {
  const [third, tall] = [width / 3, height - FOOT];
  const counter = { x: width / 2, width: Math.min(460, third * 0.8), height: third < 300 ? 250 : tall < 680 ? 160 : 190 }; // where its words need two lines, higher
  counter.y = Math.max(Math.min(tall * 0.47, tall - LARGE.height - TRAY - counter.height / 2), counter.height / 2 + 130);
  const below = counter.y + counter.height / 2 + TRAY;
  const other = { inner: -1, x: third, y: below, width: third, height: tall - below };
  if (others && other.height < MIDDLE.height) { // no room below the counter: they stand beside it
    Object.assign(counter, { x: third * 1.28, width: third / 2 });
    Object.assign(other, { x: third * 1.56, y: 0, width: third * 0.44, height: Math.max(MIDDLE.height, tall) });
  }
  return {
    counter,
    areas: {
      other,
      customer: { inner: 1, x: 0, y: 0, width: third, height: tall },
      confirmer: { inner: -1, x: 2 * third, y: 0, width: third, height: tall },
    },
  };
}

/** The places for so many: `free` in the order in which they are taken, and a `pile` where they are too many. */
function gridOf(count, area, role) {
  const fitting = GRIDS[role === 'other' ? 'below' : 'side'].find(([kind, columns, rows]) => (
    columns * kind.width <= area.width && count <= Math.min(kind.most, columns * rowsIn(area.height, kind, rows))
  ));
  if (fitting) return { free: placesIn(area, role, ...fitting), pile: null };
  const columns = Math.max(1, Math.min(3, Math.floor(area.width / MIDDLE.width)));
  const above = { ...area, height: area.height - MIDDLE.height };
  const rows = Math.min(Math.floor(above.height / MIDDLE.height), Math.floor(FACES / columns));
  const pile = {
    key: `${role} pile`, tier: 'pile', inner: area.inner, x: area.x + area.width / 2, y: area.y + area.height - MIDDLE.height / 2, width: area.width,
    shape: { x: area.x + area.width / 2, y: area.y + area.height - MIDDLE.height / 2 - MIDDLE.high },
  };
  return { free: rows > 0 ? placesIn(above, role, MIDDLE, columns, rows) : [], pile };
}

const rowsIn = (height, kind, most = Infinity) => Math.min(most, Math.max(1, Math.floor(height / kind.height)));

/** The rows nearest to the middle are taken first. */
function placesIn(area, role, kind, columns, most) {
  const rows = rowsIn(area.height, kind, most);
  const [across, down] = [area.width / columns, Math.min(area.height / rows, kind.height * 1.3)];
  const middle = area.y + area.height / 2;
  const offsets = Array.from({ length: rows }, (_, row) => row - (rows - 1) / 2).sort((a, b) => Math.abs(a) - Math.abs(b));
  return offsets.flatMap((off) => Array.from({ length: columns }, (_, column) => {
    const [x, y] = [area.x + across * (column + 0.5), middle + off * down];
    return { key: `${role} ${kind.tier} ${columns} ${off} ${column}`, tier: kind.tier, inner: area.inner, x, y, width: across, shape: { x, y: y - kind.high } };
  }));
}

/** Whoever has one of these places keeps it, the others take what is free. */
function settle(members, before, free) {
  const left = new Map(free.map((place) => [place.key, place]));
  const settled = new Map();
  const take = (name, key) => {
    settled.set(name, left.get(key));
    left.delete(key);
  };
  for (const { name } of members) if (left.has(before.get(name))) take(name, before.get(name));
  const newcomers = members.filter(({ name }) => !settled.has(name)).sort((a, b) => Number(b.online) - Number(a.online));
  for (const { name } of newcomers) take(name, left.keys().next().value);
  return settled;
}

/** Who of a crowd has a face: those who have one already and acted of late, then those who acted last. */
function faces(members, before, free, now) {
  const keys = new Set(free.map(({ key }) => key));
  const had = ({ name }) => Number(keys.has(before.get(name)));
  return members
    .filter((one) => one.online && (one.inFlight || now - one.acted < FACED))
    .sort((a, b) => had(b) - had(a) || b.acted - a.acted)
    .slice(0, free.length);
}

function grouped(members, more) {
  const online = members.filter((one) => one.online).length;
  const [{ role }] = members;
  return {
    name: `all ${PARTS[role]}`, role, group: PARTS[role], more, count: online, offline: members.length - online,
    online: online > 0, bot: false, slow: members.some((one) => one.slow), types: [],
    inFlight: members.reduce((sum, one) => sum + one.inFlight, 0),
  };
}

function scaled(place, scale) {
  const times = (box, keys) => Object.fromEntries(Object.entries(box).filter(([key]) => keys.includes(key)).map(([key, value]) => [key, value * scale]));
  const shape = place.shape && { shape: times(place.shape, ['x', 'y']) };
  return { ...place, ...times(place, ['x', 'y', 'width', 'height']), ...shape };
}

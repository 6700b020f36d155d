// The part of the log that the page holds: one unbroken stretch of events, oldest first.
//
// It can grow at both ends (older pages when one scrolls down, newer ones after a jump to an old event)
// and lets go at the far end, so a log of any length needs bounded memory. While the reader follows, live
// events join the newest end; otherwise they are counted and kept back, and nothing moves under the reader.
//
// Pure: every function returns a new window.

/** How many events the window holds; how many live ones are kept back before it only counts them. */
export const KEEP = 20_000;
export const KEEP_BACK = 2_000;
/** A page and the live feed can overlap by at most this many of the newest events. */
const OVERLAP = 2_000;

/**
 * events: [envelope], oldest first
 * older:  id to pass as `before` for the page before these, or null at the log's beginning
 * newer:  id to pass as `after` for the page behind these, or null when these reach the log's end
 * back:   live events kept back, or null when there were too many and the newest page must be asked for
 * fresh:  how many live events are not shown yet
 */
export const EMPTY = Object.freeze({ events: [], older: null, newer: null, back: [], fresh: 0 });

/** The newest page, {events, previous}: the reader is at the log's end. */
export function fromEnd(page) {
  return { ...EMPTY, events: page.events, older: page.previous ?? null };
}

/** The oldest page, {events, next}. */
export function fromStart(page) {
  return { ...EMPTY, events: page.events, newer: page.next ?? null };
}

/** One event with what lies before it, {events, previous}, and after it, {events, next}. */
export function around(event, before, after) {
  const events = [...before.events, event, ...after.events];
  return { ...EMPTY, events, older: before.previous ?? null, newer: after.next ?? null };
}

/** An older page came. The newest events go if there are too many; `newer` then says where they begin. */
export function addOlder(window, page) {
  const events = [...page.events, ...window.events];
  const older = page.previous ?? null;
  if (events.length <= KEEP) return { ...window, events, older };
  const kept = events.slice(0, KEEP);
  return { ...window, events: kept, older, newer: kept.at(-1).id, back: null };
}

/** A newer page came. With no further one behind it the window reaches the log's end again. */
export function addNewer(window, page) {
  const grown = trimOldest({ ...window, events: [...window.events, ...page.events] });
  if (page.next) return { ...grown, newer: page.next };
  // Live events that were not kept may have come after this page was read: ask once more from its end.
  if (!window.back) return { ...grown, newer: grown.events.at(-1)?.id ?? null, back: [], fresh: 0 };
  const shown = ids(grown.events);
  const rest = window.back.filter((event) => !shown.has(event.id));
  return trimOldest({ ...grown, events: [...grown.events, ...rest], newer: null, back: [], fresh: 0 });
}

/** Live events came. Following, they are shown at once; else they are kept back and counted. */
export function arrive(window, incoming, following) {
  const known = new Set([...ids(window.events), ...ids(window.back ?? [])]);
  const events = incoming.filter((event) => !known.has(event.id));
  if (!events.length) return window;
  if (following && window.newer === null && !window.fresh) {
    return trimOldest({ ...window, events: [...window.events, ...events] });
  }
  const kept = window.back && [...window.back, ...events];
  const back = kept && kept.length <= KEEP_BACK ? kept : null;
  return { ...window, back, fresh: window.fresh + events.length };
}

/** Can what was kept back be shown without asking the server? */
export function canRelease(window) {
  return window.newer === null && window.back !== null;
}

/** Show what was kept back. */
export function release(window) {
  return trimOldest({ ...window, events: [...window.events, ...window.back], back: [], fresh: 0 });
}

function trimOldest(window) {
  if (window.events.length <= KEEP) return window;
  const events = window.events.slice(-KEEP);
  return { ...window, events, older: events[0].id };
}

function ids(events) {
  return new Set(events.slice(-OVERLAP).map((event) => event.id));
}

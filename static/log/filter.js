// Which events the log shows: one filter for what is there (asked of the server) and what comes
// (asked here). Pure, so both ways can be tested beside each other.

const BEFORE = 12; // characters shown before a hit

export const FIELDS = ['type', 'source', 'text'];

/** The filter a page address holds: `?type=order_placed&source=alice&text=tea`. */
export function readFilter(search) {
  const params = new URLSearchParams(search);
  return Object.fromEntries(FIELDS.map((field) => [field, (params.get(field) ?? '').trim()]));
}

/** The same address with this filter and opened event; empty ones are left out, so a link stays short. */
export function writeAddress(search, filter, opened) {
  const params = new URLSearchParams(search);
  for (const [key, value] of Object.entries({ ...filter, event: opened })) {
    if (value) params.set(key, value);
    else params.delete(key);
  }
  const text = params.toString();
  return text ? `?${text}` : '';
}

/** The query of GET /api/rooms/{room}/events for this filter and more parameters. */
export function query(filter, more = {}) {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...filter, ...more })) if (value) params.set(key, value);
  return params.toString();
}

export function isEmpty(filter) {
  return FIELDS.every((field) => !filter[field]);
}

/** A text as what is before the first hit, the hit, and what follows; ['', '', ''] if there is none. */
export function found(text, wanted) {
  const at = wanted ? text.toLowerCase().indexOf(wanted.toLowerCase()) : -1;
  return at < 0 ? ['', '', ''] : [text.slice(0, at), text.slice(at, at + wanted.length), text.slice(at + wanted.length)];
}

/** A long text from shortly before the first hit on, so that a narrow column shows it. */
export function around(text, wanted) {
  const [before] = found(text, wanted);
  return before.length > BEFORE ? `…${text.slice(before.length - BEFORE)}` : text;
}

/** Would the server give us this event for this filter? Text is looked for in the whole event, in any case. */
export function matches(filter, event) {
  if (filter.type && event.type !== filter.type) return false;
  if (filter.source && event.source !== filter.source) return false;
  return !filter.text || JSON.stringify(event).toLowerCase().includes(filter.text.toLowerCase());
}

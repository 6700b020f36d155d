/**
 * Watching a room without being in it: a client of `/observe/{room}`.
 *
 * First comes a snapshot of the room, then batches of journal records. After a lost connection a
 * watcher goes on in one of two ways. With `resume` it asks for what it missed (`after`) and is given
 * no event twice; records of other kinds since the last event come again, so they must be read as
 * facts, not added up. Without, it starts over from the fresh snapshot: the stage does.
 */

import { over, showConnection, stand, standPaused } from '../ui/page.js';
import { hear, HEARTBEAT, Link, socketAddress } from './connection.js';

const LOOK_AGAIN = 3000; // ms until a room that is not there yet is asked for again
const REMEMBERED = 5000; // ids of events that were passed on; older ones cannot come again

/**
 * @typedef {object} Watching   each part may be missing
 * @property {(snapshot: object, again: boolean) => void} [snapshot]  the room, as GET /api/rooms/{room} has it
 * @property {(records: object[], skipped: number, counted: number) => void} [records]  what happened, in the
 *   order of the journal; skipped: so many more were left out: ask for them over HTTP, or begin again; counted: of
 *   the events so many are in the numbers of the last snapshot already
 * @property {(message: string) => void} [lost]         our place is no longer known: fetch again
 * @property {(message: string) => void} [missing]      the room does not exist yet; we keep looking for it
 * @property {(final: string|null) => void} [down]      the connection went; with a sentence if for good
 */

/**
 * @param {{room: string, after?: string|null, resume?: boolean}} what
 * @param {Watching} watching
 * @param {{show?: boolean, paused?: boolean}} options  whether the page tells how we are connected and that the journal
 *   is away, and whether it tells that the room is paused
 * @returns {{restart: () => void, close: () => void}}
 */
export function observe({ room, after = null, resume = true }, watching, { show = true, paused = false } = {}) {
  const passed = new Set();
  let last = after;
  let began = false;
  let behind = null; // the event up to which the snapshot has counted what comes again
  let missing = false;
  let link = connect();

  function connect() {
    return new Link({
      address: () => socketAddress(`/observe/${room}`, { after: resume ? last : null, heartbeat: HEARTBEAT }),
      text: (text) => heard(JSON.parse(text)),
      down,
      show,
    });
  }

  /** A room that nobody has joined yet is no wrong address: it is looked for again. */
  function down(final) {
    if (missing) {
      missing = false;
      if (show) showConnection('open', 'Waiting for the room');
      link.close();
      setTimeout(() => (link = connect()), LOOK_AGAIN);
      return true;
    }
    watching.down?.(final);
    return false;
  }

  function heard(message) {
    if (message.type === 'broker.error') wrong(message.data);
    if (message.snapshot) begin(message.snapshot, message.resumed);
    if (message.records?.length || message.skipped) pass(message.records ?? [], message.skipped ?? 0);
  }

  function begin(snapshot, resumed) {
    link.isIn();
    if (paused) standPaused(snapshot.paused);
    if (show) over('journal'); // should it be away, that comes next
    behind = resumed && snapshot.last !== last ? snapshot.last : null;
    // What the snapshot counts is behind us: from there we go on, unless an earlier place was asked for.
    last ??= snapshot.last ?? 'start';
    const again = began;
    began = true;
    watching.snapshot?.(snapshot, again);
  }

  function wrong({ code, message }) {
    link.why = message;
    if (code === 'unknown_position') {
      last = null;
      watching.lost?.(message);
    }
    if (code === 'unknown_room') {
      missing = true;
      watching.missing?.(message);
    }
  }

  function pass(records, skipped) {
    const fresh = records.filter((record) => record.kind !== 'event' || !passed.has(record.event.id));
    let counted = 0;
    for (const record of fresh) {
      const { kind, event } = record;
      if (kind === 'event') {
        counted += Number(behind !== null);
        if (event.id === behind) behind = null;
        remember(event.id);
      }
      if (kind === 'paused' && paused) standPaused(record.paused);
      if (kind === 'journal' && show) tellAway(record.away);
      if (kind === 'reset') {
        last = 'start';
        behind = null;
        passed.clear();
      }
    }
    if (fresh.length) hear(fresh.at(-1).at);
    if (fresh.length || skipped) watching.records?.(fresh, skipped, counted);
  }

  function tellAway(words) {
    if (words === null) over('journal');
    else stand('journal', words);
  }

  function remember(id) {
    last = id;
    passed.add(id);
    if (passed.size > REMEMBERED) passed.delete(passed.values().next().value);
  }

  return {
    /** Starts over with a fresh snapshot. */
    restart() {
      last = null;
      link.retry();
    },
    close: () => link.close(),
  };
}

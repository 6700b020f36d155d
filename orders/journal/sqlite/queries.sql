-- Every query of the SQLite engine. A name, why it is there, the statement.

-- name: newest_rooms
-- The rooms as participants know them. An epoch has ended when its last record is a reset, be
-- there a newer one or not: a room that was reset, and then left empty, does not come back.
SELECT key, name, epoch, modes, rules, paused, cursor, head, events, last, indexed, ordered, queued
FROM rooms
WHERE NOT EXISTS (
    SELECT * FROM records WHERE place = (rooms.key << 40) + rooms.head AND kind = 'reset'
)
ORDER BY key;

-- name: begin_room
-- A room begins, or its next epoch.
INSERT INTO rooms (name, epoch, modes)
VALUES (:name, (SELECT coalesce(max(epoch), 0) + 1 FROM rooms WHERE name = :name), :modes)
RETURNING key, epoch;

-- name: save_room
-- What a batch changed of a room, in the transaction of the batch.
UPDATE rooms
SET modes = :modes, rules = :rules, paused = :paused, cursor = :cursor, head = :head, events = :events,
    last = :last
WHERE key = :key;

-- name: save_indexed
-- The ids of this room are found by `ids` up to here.
UPDATE rooms SET indexed = ? WHERE key = ?;

-- name: save_ordered
-- The orders of this room are folded up to here.
UPDATE rooms SET ordered = ? WHERE key = ?;

-- name: save_queued
-- The queues of this room are folded up to here.
UPDATE rooms SET queued = ? WHERE key = ?;

-- name: forget_room
-- A room that is empty and had no events leaves nothing behind.
DELETE FROM rooms WHERE key = ?;

-- name: forget_records
DELETE FROM records WHERE place BETWEEN ? AND ?;

-- name: keys_of_room
-- All epochs of a room, for erasing it.
SELECT key FROM rooms WHERE name = ?;

-- name: key_of_epoch
SELECT key FROM rooms WHERE name = ? AND epoch = ?;

-- name: erase_records
DELETE FROM records WHERE place BETWEEN :first AND :last;

-- name: erase_ids
DELETE FROM ids WHERE room = :room;

-- name: erase_queue
DELETE FROM queue WHERE room = :room;

-- name: erase_orders
DELETE FROM orders WHERE room = :room;

-- name: append_record
INSERT INTO records (place, kind, at, key, about, type, source, mode, body, checksum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: append_id
-- Again after a crash in the middle of a slice: the same row.
INSERT OR IGNORE INTO ids (room, key, position) VALUES (?, ?, ?);

-- name: find_id
-- Where the event with this id stands, once its id is in the table.
SELECT position FROM ids WHERE room = ? AND key = ?;

-- name: read_records
-- A room's records of every kind, in order.
SELECT place, kind, at, key, about, type, source, mode, body, checksum FROM records
WHERE place > :after AND place <= :end
ORDER BY place LIMIT :limit;

-- name: events_after
-- A page of the log; the filter looks at no more than :scan records, so that it ends.
SELECT place, kind, at, key, about, type, source, mode, body, checksum FROM records
WHERE place > :after AND place <= :end AND kind = 'event'
ORDER BY place LIMIT :scan;

-- name: events_before
-- The same, backwards from a place.
SELECT place, kind, at, key, about, type, source, mode, body, checksum FROM records
WHERE place < :before AND place > :start AND kind = 'event'
ORDER BY place DESC LIMIT :scan;

-- name: controls
-- Who was present and what happened to one event, without reading the events between.
SELECT place, kind, at, key, about, type, source, mode, body, checksum FROM records INDEXED BY controls
WHERE place > :start AND place <= :end AND kind <> 'event'
  AND (about = :about OR kind IN ('joined', 'left', 'subscribed', 'paused', 'stepped'))
ORDER BY place;

-- name: save_entry
-- A queued event after the slice that brought it. Its key is not stored again.
INSERT INTO queue (room, position, state, attempt, reason, name) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (room, position) DO UPDATE
SET state = excluded.state, attempt = excluded.attempt, reason = excluded.reason,
    name = excluded.name;

-- name: move_entry
-- The same after a later one; null: as it was. With another key it is of an epoch that is over.
UPDATE queue SET state = ?, attempt = coalesce(?, attempt), reason = coalesce(?, reason),
    name = coalesce(?, name)
WHERE room = ? AND position = ? AND (SELECT key FROM records WHERE place = (room << 40) + position) = ?;

-- name: settle
-- Done, or discarded: the log alone remembers it.
DELETE FROM queue
WHERE room = ? AND position = ? AND (SELECT key FROM records WHERE place = (room << 40) + position) = ?;

-- name: entries
-- All that waits in a room, at start.
SELECT q.position, r.key, r.type, r.source
FROM queue AS q JOIN records AS r ON r.place = (q.room << 40) + q.position
WHERE q.room = ? ORDER BY q.position;

-- name: moved_entries
-- Those of them that are not as they came.
SELECT position, state, attempt, reason, name FROM queue
WHERE room = ? AND (state <> 'ready' OR attempt <> 0 OR reason <> '' OR name <> '');

-- name: all_records
-- The whole file, to see whether each record is as it was written.
SELECT place, kind, at, key, about, type, source, mode, body, checksum FROM records
ORDER BY place;

-- name: replace_record
REPLACE INTO records (place, kind, at, key, about, type, source, mode, body, checksum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: fold_again
-- Records were left out: what follows from those that are there is folded from the start.
DELETE FROM ids;
DELETE FROM orders;
DELETE FROM queue;
UPDATE rooms SET indexed = 0, ordered = 0, queued = 0,
    events = (SELECT count(*) FROM records
              WHERE place >> 40 = rooms.key AND kind = 'event'),
    last = (SELECT key FROM records
            WHERE place >> 40 = rooms.key AND kind = 'event' ORDER BY place DESC LIMIT 1);

-- name: get_order
SELECT body FROM orders WHERE room = :room AND customer = :customer AND number = :number;

-- name: oldest_pending
SELECT body FROM orders
WHERE room = :room AND number = :number AND pending
  AND (:customer IS NULL OR customer = :customer)
ORDER BY position LIMIT 1;

-- name: save_order
-- Where an order stands after a batch; a position of 0 keeps that of its placing.
INSERT INTO orders (room, customer, number, position, pending, state, body)
VALUES (:room, :customer, :number, :position, :state = 'placed', :state, :body)
ON CONFLICT (room, customer, number) DO UPDATE
SET position = coalesce(nullif(:position, 0), position),
    pending = excluded.pending,
    state = :state,
    body = :body;

-- name: before_newest
-- The position of the order before the newest :limit; none where there are no more than these.
SELECT position FROM orders
WHERE room = :room
ORDER BY position DESC LIMIT 1 OFFSET :limit;

-- name: before_newest_of_customer
-- Each state is a run of the index, and they are merged: none is read further than it must be.
SELECT position FROM orders INDEXED BY customer_orders
WHERE room = :room AND customer = :customer AND state = 'placed'
  AND ifnull(:state, 'placed') = 'placed'
UNION ALL
SELECT position FROM orders INDEXED BY customer_orders
WHERE room = :room AND customer = :customer AND state = 'confirmed'
  AND ifnull(:state, 'confirmed') = 'confirmed'
UNION ALL
SELECT position FROM orders INDEXED BY customer_orders
WHERE room = :room AND customer = :customer AND state = 'rejected'
  AND ifnull(:state, 'rejected') = 'rejected'
ORDER BY position DESC LIMIT 1 OFFSET :limit;

-- name: before_newest_in_state
SELECT position FROM orders INDEXED BY state_orders
WHERE room = :room AND state = :state
ORDER BY position DESC LIMIT 1 OFFSET :limit;

-- name: page_of_orders
SELECT body, position FROM orders
WHERE room = :room AND position > :after
ORDER BY position LIMIT :limit;

-- name: page_of_orders_of_customer
-- A null state admits all.
SELECT body, position FROM orders INDEXED BY customer_orders
WHERE room = :room AND customer = :customer AND state = 'placed'
  AND ifnull(:state, 'placed') = 'placed' AND position > :after
UNION ALL
SELECT body, position FROM orders INDEXED BY customer_orders
WHERE room = :room AND customer = :customer AND state = 'confirmed'
  AND ifnull(:state, 'confirmed') = 'confirmed' AND position > :after
UNION ALL
SELECT body, position FROM orders INDEXED BY customer_orders
WHERE room = :room AND customer = :customer AND state = 'rejected'
  AND ifnull(:state, 'rejected') = 'rejected' AND position > :after
ORDER BY position LIMIT :limit;

-- name: page_of_orders_in_state
SELECT body, position FROM orders INDEXED BY state_orders
WHERE room = :room AND state = :state AND position > :after
ORDER BY position LIMIT :limit;

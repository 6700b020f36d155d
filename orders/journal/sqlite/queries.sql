-- Every query of the SQLite engine. A name, why it is there, the statement.

-- name: newest_rooms
-- The rooms as participants know them. An epoch has ended when its last record is a reset, be
-- there a newer one or not: a room that was reset, and then left empty, does not come back.
SELECT key, name, modes, paused, cursor, head, events, last, indexed
FROM rooms
WHERE NOT EXISTS (
    SELECT * FROM records WHERE place = (rooms.key << 40) + rooms.head AND kind = 'reset'
)
ORDER BY key;

-- name: begin_room
-- A room begins, or begins anew.
INSERT INTO rooms (name, epoch, modes)
VALUES (:name, (SELECT coalesce(max(epoch), 0) + 1 FROM rooms WHERE name = :name), :modes);

-- name: save_room
-- What a batch changed of a room, in the transaction of the batch.
UPDATE rooms
SET modes = :modes, paused = :paused, cursor = :cursor, head = :head, events = :events,
    last = :last
WHERE key = :key;

-- name: save_indexed
-- The ids of this room are found by `ids` up to here.
UPDATE rooms SET indexed = ? WHERE key = ?;

-- name: forget_room
-- A room that is empty and had no events leaves nothing behind.
DELETE FROM rooms WHERE key = ?;

-- name: forget_records
DELETE FROM records WHERE place BETWEEN ? AND ?;

-- name: append_record
INSERT INTO records (place, kind, at, key, about, type, source, mode, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: append_id
-- Again after a crash in the middle of a slice: the same row.
INSERT OR IGNORE INTO ids (room, key, position) VALUES (?, ?, ?);

-- name: find_id
-- Where the event with this id stands, once its id is in the table.
SELECT position FROM ids WHERE room = ? AND key = ?;

-- name: unindexed_ids
-- The events whose ids are not in `ids` yet: kept in memory, at most a slice and what is new.
SELECT key, place FROM records
WHERE place BETWEEN ? AND ? AND kind = 'event'
ORDER BY place;

-- name: read_records
-- A room's records of every kind, in order.
SELECT place, kind, at, key, about, type, source, mode, body FROM records
WHERE place > :after AND place <= :end
ORDER BY place LIMIT :limit;

-- name: events_after
-- A page of the log; the filter looks at no more than :scan records, so that it ends.
SELECT place, kind, at, key, about, type, source, mode, body FROM records
WHERE place > :after AND place <= :end AND kind = 'event'
ORDER BY place LIMIT :scan;

-- name: events_before
-- The same, backwards from a place.
SELECT place, kind, at, key, about, type, source, mode, body FROM records
WHERE place < :before AND place > :start AND kind = 'event'
ORDER BY place DESC LIMIT :scan;

-- name: controls
-- Who was present and what became of one event, without reading the events between.
SELECT place, kind, at, key, about, type, source, mode, body FROM records INDEXED BY controls
WHERE place > :start AND place <= :end AND kind <> 'event'
  AND (about = :about OR kind IN ('joined', 'left', 'subscribed', 'paused', 'stepped'))
ORDER BY place;

-- name: enqueue
-- An event was accepted in queue mode.
INSERT INTO queue (room, position, state) VALUES (?, ?, 'ready');

-- name: move
-- Held, ready again, or a dead letter; what is null stays as it is. The key tells the event from
-- one that has its position in a newer epoch.
UPDATE queue
SET state = :state, attempt = coalesce(:attempt, attempt), reason = coalesce(:reason, reason)
WHERE room = :room AND position = :position
  AND EXISTS (SELECT * FROM records WHERE place = (:room << 40) + :position AND key = :key);

-- name: settle
-- Done, or discarded: the journal alone remembers it.
DELETE FROM queue
WHERE room = :room AND position = :position
  AND EXISTS (SELECT * FROM records WHERE place = (:room << 40) + :position AND key = :key);

-- name: queued
-- All that waits in a room, at start.
SELECT q.position, q.state, q.attempt, q.reason, r.key, r.type, r.source
FROM queue AS q JOIN records AS r ON r.place = (q.room << 40) + q.position
WHERE q.room = ? ORDER BY q.position;

-- name: body
-- An event's text, to compare another one under its id with it.
SELECT body FROM records WHERE place = ?;

-- name: get_order
SELECT body FROM orders WHERE room = :room AND customer = :customer AND number = :number;

-- name: oldest_pending
SELECT body FROM orders
WHERE room = :room AND number = :number AND pending
  AND (:customer IS NULL OR customer = :customer)
ORDER BY position LIMIT 1;

-- name: save_order
-- Where an order stands after a batch; a position of 0 keeps that of its placing.
INSERT INTO orders (room, customer, number, position, pending, body)
VALUES (:room, :customer, :number, :position, :pending, :body)
ON CONFLICT (room, customer, number) DO UPDATE
SET position = coalesce(nullif(:position, 0), position),
    pending = :pending,
    body = :body;

-- name: newest_orders
-- What is null admits every order.
SELECT body FROM (
    SELECT body, position FROM orders
    WHERE room = :room
      AND (:customer IS NULL OR customer = :customer)
      AND (:state IS NULL OR json_extract(body, '$.state') = :state)
    ORDER BY position DESC LIMIT :limit
) ORDER BY position;

-- From version 1 to 2: rules of the host, views that trail, a checksum for each record.

-- rules: what the host set, as JSON. ordered, queued: up to where the orders and the queues are
-- folded; version 1 folded them with every commit.
ALTER TABLE rooms ADD COLUMN rules TEXT NOT NULL DEFAULT '{}';
ALTER TABLE rooms ADD COLUMN ordered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
UPDATE rooms SET ordered = head, queued = head;

-- checksum: CRC-32 of all other columns, see `rows.py`.
ALTER TABLE records ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
UPDATE records
SET checksum = record_checksum(place, kind, at, key, about, type, source, mode, body);

-- Who was handed an event last.
ALTER TABLE queue ADD COLUMN name TEXT NOT NULL DEFAULT '';

-- Orders are found by customer and by state without reading them all.
ALTER TABLE orders ADD COLUMN state TEXT NOT NULL DEFAULT 'placed';
UPDATE orders SET state = json_extract(body, '$.state');
CREATE INDEX customer_orders ON orders (room, customer, position);
CREATE INDEX state_orders ON orders (room, state, position);

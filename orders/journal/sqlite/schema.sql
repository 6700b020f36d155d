-- The journal. Version 1; `pragma user_version` tells which version a file has.

-- A room's epoch: `reset` begins a new one, the old one stays on disk.
-- The newest epoch of a name is the room as participants know it.
-- head: its newest position · indexed: up to where its events' ids are in `ids`.
CREATE TABLE rooms (
    key     INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL,
    epoch   INTEGER NOT NULL,
    modes   TEXT    NOT NULL DEFAULT '{}',
    paused  INTEGER NOT NULL DEFAULT 0,
    cursor  INTEGER NOT NULL DEFAULT 0,
    head    INTEGER NOT NULL DEFAULT 0,
    events  INTEGER NOT NULL DEFAULT 0,
    last    BLOB,
    indexed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (name, epoch)
);

-- Everything that happened, in order. The row's number is (room key << 40) + position: each room
-- is one run of rows, read and appended to without an index.
-- key: the event's id as 16 bytes, or that of the event a control record is about (with `about`,
-- its position). body: the event's text, or the control record's data as JSON.
CREATE TABLE records (
    place  INTEGER PRIMARY KEY,
    kind   TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    key    BLOB,
    about  INTEGER NOT NULL DEFAULT 0,
    type   TEXT    NOT NULL DEFAULT '',
    source TEXT    NOT NULL DEFAULT '',
    mode   TEXT    NOT NULL DEFAULT '',
    body   BLOB    NOT NULL
);

-- Control records are few: why somebody received an event is found without reading the events.
CREATE INDEX controls ON records (place) WHERE kind <> 'event';

-- Where an event's id is found. It trails behind the records, filled in sorted slices, since a
-- unique index on random ids, kept at each commit, would dominate the cost of a commit.
CREATE TABLE ids (
    room     INTEGER NOT NULL,
    key      BLOB    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room, key)
) WITHOUT ROWID;

-- Where each queued event stands while it is not settled.
CREATE TABLE queue (
    room     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    attempt  INTEGER NOT NULL DEFAULT 0,
    reason   TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (room, position)
) WITHOUT ROWID;

-- Where each order stands; body: the order as JSON. position: that of its `order_placed`.
CREATE TABLE orders (
    room     INTEGER NOT NULL,
    customer TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    position INTEGER NOT NULL,
    pending  INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (room, customer, number)
) WITHOUT ROWID;
CREATE INDEX pending_orders ON orders (room, number, position) WHERE pending;
CREATE INDEX newest_orders ON orders (room, position);

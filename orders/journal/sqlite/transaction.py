"""One batch, one transaction: records, projections and rooms change together or not at all."""

import json
import sqlite3
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from orders.broker.leases import AFTER
from orders.broker.modes import Mode
from orders.broker.records import Kind, Record, RoomState
from orders.domain.envelope import Event, id_text
from orders.domain.orders import ORDER_TYPES
from orders.errors import StorageFailed
from orders.journal.base import Answer, Outcome
from orders.journal.sqlite.id_index import IdIndex, RoomRow
from orders.journal.sqlite.order_table import OrderTable
from orders.journal.sqlite.queries import QUERIES

#: Errors that say our code is wrong, not the disk: they end the process loudly.
MISTAKES = (sqlite3.ProgrammingError, sqlite3.NotSupportedError)


#: A queued event: its room, its position, and its id, which tells it from one of another epoch.
_Moved = tuple[int, int, bytes]


@dataclass(eq=False)
class _Batch:
    """What a batch has changed so far: enough to store it, and to undo it."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    fresh: dict[tuple[int, bytes], Record] = field(default_factory=dict)
    touched: dict[RoomRow, RoomState] = field(default_factory=dict)  # and how it stood before
    begun: list[tuple[RoomRow, RoomRow | None]] = field(default_factory=list)  # instead of whom
    ids: list[tuple[RoomRow, bytes]] = field(default_factory=list)
    queued: list[tuple[int, int]] = field(default_factory=list)
    moved: dict[_Moved, dict[str, Any]] = field(default_factory=dict)  # each once, as it ends up


class Transaction:
    """The writing side of a journal. Used in the writer's thread alone."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.ids = IdIndex(db)
        self._books = OrderTable(db)
        self.rooms: dict[str, RoomRow] = {}

    def restore(self) -> list[RoomState]:
        """What the journal remembers of its rooms."""
        for row in self._db.execute(QUERIES["newest_rooms"]).fetchall():
            key, name, modes, paused, cursor, head, events, last, indexed = row
            state = RoomState(
                name,
                json.loads(modes),
                bool(paused),
                cursor if paused else head,
                head,
                events,
                id_text(last) if last else None,
            )
            self.rooms[name] = RoomRow(key, state, indexed)
            self.ids.restore(self.rooms[name])
        return [copy(row.state) for row in self.rooms.values()]

    def append(self, records: Sequence[Record]) -> list[Answer]:
        """Store a batch; if anything fails, nothing of it is there and each answer says so."""
        batch = _Batch()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            answers: list[Answer] = [self._take(record, batch) for record in records]
            self._db.executemany(QUERIES["append_record"], batch.rows)
            self._move_queued(batch)
            self._books.save()
            for row in batch.touched:
                self._db.execute(QUERIES["save_room"], _room_values(row))
            self._db.execute("COMMIT")
        except BaseException as error:
            self._undo(batch)
            for record in records:
                record.position = 0  # it has none: others will get those that it was given
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, MISTAKES):
                return [_failure(error)] * len(records)
            raise
        for _, ended in batch.begun:
            if ended:
                self.ids.end(ended)
        return answers

    def _undo(self, batch: _Batch) -> None:
        if self._db.in_transaction:  # else SQLite rolled it back itself, as on a full disk
            self._db.execute("ROLLBACK")
        self._books.undo()
        for row, key in batch.ids:
            self.ids.remove(row, key)
        for row, before in batch.touched.items():
            row.state = before
        for row, replaced in reversed(batch.begun):
            self.ids.end(row)
            del self.rooms[row.state.name]
            if replaced:
                self.rooms[row.state.name] = replaced

    def probe(self) -> StorageFailed | None:
        """A write that changes nothing."""
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            self._db.execute(f"PRAGMA user_version = {version}")
        except sqlite3.Error as error:
            return _failure(error)
        return None

    def forget(self, name: str) -> None:
        """Drop a room without events, and the control records that it has."""
        row = self.rooms.get(name)
        if row is None or row.state.events:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(QUERIES["forget_records"], (row.place(0), row.place(row.state.head)))
            self._db.execute(QUERIES["forget_room"], (row.key,))
            self._db.execute("COMMIT")
        except sqlite3.Error:  # no room, say: it stays, and is as empty as it was
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return
        del self.rooms[name]
        self.ids.end(row)

    # ── one record ──────────────────────────────────────────────────────────────────────────

    def _take(self, record: Record, batch: _Batch) -> Outcome:
        """Give a record its position, unless its event is in the room already."""
        row = self.rooms.get(record.room) or self._begin(record.room, {}, batch)
        if row not in batch.touched:
            batch.touched[row] = copy(row.state)
        if record.kind is Kind.EVENT:
            known = self.ids.position(row, record.key)
            if known is not None:
                return self._compare(row, known, record, batch)
            self._take_event(record, row, batch)
        row.state.head = record.position = row.state.head + 1
        batch.rows.append(_record_values(row, record))
        if record.kind is Kind.EVENT:
            self._project(record, row, batch)
        elif record.kind in AFTER:
            self._move(record, row, batch)
        else:
            self._control(record, row, batch)
        return Outcome.ACCEPTED

    def _take_event(self, record: Record, row: RoomRow, batch: _Batch) -> None:
        self.ids.add(row, record.key, row.state.head + 1)
        batch.ids.append((row, record.key))
        batch.fresh[row.key, record.key] = record
        row.state.events += 1
        row.state.last = record.parsed().id

    def _compare(self, row: RoomRow, position: int, record: Record, batch: _Batch) -> Outcome:
        """The id is in the room: is it the same event again?"""
        fresh = batch.fresh.get((row.key, record.key))
        if fresh is None:
            (body,) = self._db.execute(QUERIES["body"], (row.place(position),)).fetchone()
            there = Event.model_validate_json(body)
        else:
            there = fresh.parsed()
        same = record.parsed().says_the_same(there)
        return Outcome.DUPLICATE if same else Outcome.CONFLICT

    def _project(self, record: Record, row: RoomRow, batch: _Batch) -> None:
        """What an event changes besides the log: its queue, and where its order stands."""
        if record.mode == Mode.QUEUE:
            batch.queued.append((row.key, record.position))
        if record.type in ORDER_TYPES:
            self._books.fold(row.key, record)

    def _move(self, record: Record, row: RoomRow, batch: _Batch) -> None:
        """What a control record makes of a queued event."""
        data = record.data
        state = AFTER[record.kind]
        if record.kind is Kind.HANDED and data["lease"] is None:
            state = None  # ack=auto: handing it over settled it
        key = row.key, record.about, record.key
        values = batch.moved.get(key)
        if values is None:
            values = batch.moved[key] = {
                "room": row.key,
                "position": record.about,
                "key": record.key,
                "attempt": None,
                "reason": None,
            }
        elif values["state"] is None:
            return
        values["state"] = state
        if record.kind is Kind.RETRIED:
            values["attempt"] = 0
        else:
            values["attempt"] = data.get("attempt", values["attempt"])
        values["reason"] = data.get("reason", values["reason"])

    def _move_queued(self, batch: _Batch) -> None:
        """Store where the queued events stand that this batch is about."""
        if batch.queued:
            self._db.executemany(QUERIES["enqueue"], batch.queued)
        if batch.moved:
            moved = batch.moved.values()
            kept = [values for values in moved if values["state"] is not None]
            self._db.executemany(QUERIES["move"], kept)
            settled = [values for values in moved if values["state"] is None]
            self._db.executemany(QUERIES["settle"], settled)

    def _control(self, record: Record, row: RoomRow, batch: _Batch) -> None:
        """What a control record changes of its room."""
        state = row.state
        match record.kind:
            case Kind.MODES:
                state.modes = record.data["modes"]
            case Kind.PAUSED:
                if not state.paused:
                    state.cursor = record.position
                state.paused = record.data["paused"]
            case Kind.STEPPED:
                state.cursor = record.about
            case Kind.RESET:
                self._begin(record.room, state.modes, batch)

    def _begin(self, name: str, modes: dict[str, str], batch: _Batch) -> RoomRow:
        values = {"name": name, "modes": json.dumps(modes)}
        key = int(self._db.execute(QUERIES["begin_room"], values).lastrowid or 0)
        row = RoomRow(key, RoomState(name, modes))
        batch.begun.append((row, self.rooms.get(name)))
        self.rooms[name] = row
        self.ids.begin(row)
        return row


def _record_values(row: RoomRow, record: Record) -> tuple[Any, ...]:
    return (
        row.place(record.position),
        record.kind,
        record.at,
        record.key or None,
        record.about,
        record.type,
        record.source,
        record.mode,
        record.body,
    )


def _room_values(row: RoomRow) -> dict[str, Any]:
    state = row.state
    return {
        "key": row.key,
        "modes": json.dumps(state.modes),
        "paused": state.paused,
        "cursor": state.cursor,
        "head": state.head,
        "events": state.events,
        "last": bytes.fromhex(state.last.replace("-", "")) if state.last else None,
    }


def _failure(error: sqlite3.Error) -> StorageFailed:
    """Why nothing was accepted, in words that say what to do."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StorageFailed(
            "storage_full",
            "The journal's disk is full: this event was not accepted. Make room, then send it"
            " again.",
        )
    return StorageFailed(
        "storage_failed",
        f"The journal could not be written ({error}): this event was not accepted."
        " Send it again later.",
    )

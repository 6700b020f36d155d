"""The log itself: one batch, one transaction of records and the rows of their rooms."""

import json
import sqlite3
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from orders.broker.records import EVENT, RESET, Record
from orders.broker.room_state import RoomState, Summary
from orders.errors import StorageFailed
from orders.journal.base import Answer, Outcome
from orders.journal.sqlite.ids import IdIndex
from orders.journal.sqlite.opening import Files, write_again, write_ahead
from orders.journal.sqlite.rows import (
    MOST,
    QUERIES,
    SHIFT,
    RoomRow,
    failure,
    read_records,
    read_room,
    record_values,
)
from orders.journal.sqlite.views import OrderTable, QueueTable, View

#: Errors that say our code is wrong, not the disk: they end the process loudly.
MISTAKES = (sqlite3.ProgrammingError, sqlite3.NotSupportedError)


@dataclass(eq=False)
class _Batch:
    """What a batch has changed so far: enough to store it, and to undo it."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    stored: list[tuple[RoomRow, Record, int]] = field(default_factory=list)
    fresh: dict[tuple[int, bytes], Record] = field(default_factory=dict)
    before: dict[RoomRow, Summary] = field(default_factory=dict)
    begun: list[tuple[RoomRow, RoomRow | None]] = field(default_factory=list)  # in place of which


class Log:
    """The writing side of the journal at `path`. Used in the writer's thread alone."""

    def __init__(self, db: sqlite3.Connection, path: Path | None = None) -> None:
        self._db = db
        self._ahead = path and write_ahead(path)
        self._is_dropped = False  # whether a sync failed, and what it was to sync may be gone
        self.stuck: StorageFailed | None = None  # why no call helps any more, but a new start
        self.rooms: dict[str, RoomRow] = {}
        self.ids = IdIndex(db)
        self.orders = OrderTable(db)
        self.queues = QueueTable(db)
        self.views: tuple[IdIndex | View, ...] = (self.ids, self.orders, self.queues)

    # ── at start ────────────────────────────────────────────────────────────────────────────

    def restore(self) -> list[RoomState]:
        """The rooms of the journal, with their views caught up."""
        for found in self._db.execute(QUERIES["newest_rooms"]).fetchall():
            row = read_room(found)
            self.rooms[row.summary.name] = row
            self._read_again(row)
        self.orders.catch_up()
        self.queues.catch_up()
        return [self._state(row) for row in self.rooms.values()]

    def _read_again(self, row: RoomRow) -> None:
        """Give the views what lies after their markers."""
        after = min(row.folded.values())
        if after >= row.summary.head:
            return
        values = {"after": row.place(after), "end": row.place(MOST), "limit": -1}
        rows = self._db.execute(QUERIES["read_records"], values)
        for record in read_records(row.summary.name, rows):
            for view in self.views:
                if record.position > row.folded[view.marker]:
                    view.add([(row, record, record.position)])
            if record.kind is EVENT and record.position > row.folded[self.ids.marker]:
                row.recent[record.key] = record.position

    def _state(self, row: RoomRow) -> RoomState:
        """The whole fold of a room: its row, who is in it, and what waits in its queues."""
        summary = row.summary
        state = RoomState(**{one.name: getattr(summary, one.name) for one in fields(Summary)})
        values = {"start": row.place(0), "end": row.place(MOST), "about": -1}
        for record in read_records(summary.name, self._db.execute(QUERIES["controls"], values)):
            state.follow(record)
        for entry in self.queues.entries(row):
            state.queue.restore(entry)
        return state

    # ── appending ───────────────────────────────────────────────────────────────────────────

    def append(self, records: Sequence[Record]) -> list[Answer]:
        """Store a batch; if that fails, each answer says so."""
        batch = _Batch()
        try:
            self._repair()
            self._db.execute("BEGIN IMMEDIATE")
            answers = [self._take(record, batch) for record in records]
            self._db.executemany(QUERIES["append_record"], batch.rows)
            self._db.executemany(QUERIES["save_room"], [row.values() for row in batch.before])
            self._db.execute("COMMIT")
        except BaseException as error:
            self._undo(batch)
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, MISTAKES):
                return [self.failure(error)] * len(records)
            raise
        for _, record, position in batch.stored:
            record.position = position
        for view in self.views:
            view.add(batch.stored)
        for _, ended in batch.begun:
            if ended is not None:
                self._forget(ended)
        return answers

    def _repair(self) -> None:
        """After a sync that failed, write again what it may have dropped.

        Of that SQLite repeats only its own transaction. Before it lie those of the views, which
        are not synced by themselves: with one of them missing on the disk, nothing that follows
        would be read after a power cut.
        """
        if self._is_dropped and self._ahead is not None:
            try:
                write_again(self._ahead)
            except OSError as error:
                raise sqlite3.OperationalError(error.strerror) from error
        self._is_dropped = False

    def _undo(self, batch: _Batch) -> None:
        if self._db.in_transaction:  # else SQLite rolled it back itself, as on a full disk
            self._db.execute("ROLLBACK")
        for row, record, _ in batch.stored:
            if record.kind is EVENT:
                row.recent.pop(record.key, None)
        for row, before in batch.before.items():
            row.summary = before
        for row, replaced in reversed(batch.begun):
            del self.rooms[row.summary.name]
            if replaced is not None:
                self.rooms[row.summary.name] = replaced

    def _take(self, record: Record, batch: _Batch) -> Answer:
        """Give a record its position, unless its event is in the room already."""
        row = self.rooms.get(record.room) or self._begin(Summary(record.room), batch)
        if row not in batch.before:
            batch.before[row] = copy(row.summary)
        if record.kind is EVENT:
            known = self.ids.position(row, record.key)
            if known is not None:
                return self._compare(row, known, record, batch)
        position = row.summary.head + 1
        if record.kind is EVENT:
            row.recent[record.key] = position
            batch.fresh[row.key, record.key] = record
        batch.rows.append(record_values(row, record, position))
        batch.stored.append((row, record, position))
        row.summary.advance(record, position)
        if record.kind is RESET:
            self._begin(row.summary.next_epoch(), batch)
        return position

    def _compare(self, row: RoomRow, position: int, record: Record, batch: _Batch) -> Outcome:
        """The id is in the room: is it the same event again?"""
        fresh = batch.fresh.get((row.key, record.key))
        if fresh is None:
            place = row.place(position)
            values = {"after": place - 1, "end": place, "limit": 1}
            rows = self._db.execute(QUERIES["read_records"], values)
            try:
                fresh = next(read_records(record.room, rows))
            except StorageFailed:  # it is damaged: nobody knows what it said
                return Outcome.CONFLICT
        same = record.parsed().says_the_same(fresh.parsed())
        return Outcome.DUPLICATE if same else Outcome.CONFLICT

    def _begin(self, summary: Summary, batch: _Batch) -> RoomRow:
        """A room, or the next epoch of one."""
        values = {"name": summary.name, "modes": json.dumps(summary.modes)}
        key, summary.epoch = self._db.execute(QUERIES["begin_room"], values).fetchone()
        row = RoomRow(key, summary, {view.marker: 0 for view in self.views})
        batch.before[row] = copy(summary)
        batch.begun.append((row, self.rooms.get(summary.name)))
        self.rooms[summary.name] = row
        return row

    # ── besides appending ───────────────────────────────────────────────────────────────────

    def tidy(self, idle: bool, files: Files | None = None) -> None:
        """Let the views catch up, as far as there is time; not in files that others wrote to."""
        if files and not self.stuck:
            self.stuck = files.overwritten()
        for view in () if self.stuck else self.views:
            view.tidy(idle)

    def probe(self) -> StorageFailed | None:
        """A write that changes nothing: why that fails, or None."""
        try:
            self._repair()
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            self._db.execute(f"PRAGMA user_version = {version}")
        except sqlite3.Error as error:
            return self.failure(error)
        return None

    def failure(self, error: sqlite3.Error, read: Path | None = None) -> StorageFailed:
        """What to say of an error (see `rows.failure`); one that stays is remembered."""
        failed = failure(error, read)
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_FSYNC:
            self._is_dropped = True
        if failed.code == "journal_lost":
            self.stuck = failed
        return failed

    def forget(self, name: str) -> None:
        """Drop a room without events, and the control records that it has."""
        row = self.rooms.get(name)
        if row is None or row.summary.events:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            places = row.place(0), row.place(row.summary.head)
            self._db.execute(QUERIES["forget_records"], places)
            self._db.execute(QUERIES["forget_room"], (row.key,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:  # no room, say: it stays, and is as empty as it was
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self.failure(error)
            return
        del self.rooms[name]
        self._forget(row)

    def erase(self, names: Sequence[str]) -> StorageFailed | None:
        """Erase rooms in all of their epochs, in the file and in what SQLite wrote beside it."""
        self._db.execute("PRAGMA secure_delete = on")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for name in names:
                for (key,) in self._db.execute(QUERIES["keys_of_room"], (name,)).fetchall():
                    values = {"room": key, "first": key << SHIFT, "last": (key << SHIFT) + MOST}
                    for query in ("erase_records", "erase_ids", "erase_queue", "erase_orders"):
                        self._db.execute(QUERIES[query], values)
                    self._db.execute(QUERIES["forget_room"], (key,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self.failure(error) from None
        finally:
            self._db.execute("PRAGMA secure_delete = fast")
        for row in filter(None, [self.rooms.pop(name, None) for name in names]):
            self._forget(row)
        return self._clean()

    def _clean(self) -> StorageFailed | None:
        """Write the file again, since its pages keep copies of rows that were moved or erased.

        It takes some 10 s for each GB that stays. Returns why it was not done.
        """
        try:
            self._db.execute("VACUUM")
            (is_read, *_) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_read:
                raise sqlite3.OperationalError("it is being read")
        except sqlite3.Error as error:
            return StorageFailed(
                self.failure(error).code,
                f"The room is gone, but some of it may still be found in the journal ({error}):"
                " make room on the disk, then end any room, such as main; that erases it, too.",
            )
        return None

    def _forget(self, row: RoomRow) -> None:
        for view in self.views:
            view.forget(row)

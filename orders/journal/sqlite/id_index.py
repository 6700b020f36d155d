"""Where an event's id is found, without paying for it at each commit.

New ids stay in memory; from time to time they are sorted and moved to the table `ids` slice by
slice: while the writer is idle or, when too many wait, between two batches, in step with what
comes in. So appending never halts for it, however long the log is. Each room's
`indexed` says up to which position the table can be asked; what lies after it is read again
from the records at start.
"""

import sqlite3
from dataclasses import dataclass, field

from orders.broker.records import RoomState
from orders.journal.sqlite.queries import QUERIES

SHIFT = 40  # a record's place = (room key << SHIFT) + position
MOST = (1 << SHIFT) - 1

WAITING_WHEN_IDLE = 20_000  # ids that may wait in memory while there is nothing else to do
WAITING_AT_MOST = 200_000
SLICE = 1_000  # ids that are moved at once, at least
SHARE = 2  # ids that are moved for each new one, while the writer is busy


@dataclass(eq=False)
class RoomRow:
    """A room of the journal, as its last transaction left it. `recent`: ids not in the table."""

    key: int
    state: RoomState
    indexed: int = 0
    recent: dict[bytes, int] = field(default_factory=dict)

    def place(self, position: int) -> int:
        return (self.key << SHIFT) + position


@dataclass(eq=False)
class _Move:
    """The ids of one room on their way into the table; `done` of them are there."""

    row: RoomRow
    ids: list[bytes]
    upto: int
    done: int = 0


class IdIndex:
    """The ids of all events, in memory and in the table. Used in the writer's thread alone."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: list[RoomRow] = []
        self._moves: list[_Move] = []
        self._waiting = 0
        self._added = 0  # since the last slice

    def restore(self, row: RoomRow) -> None:
        """Read again what was not in the table yet."""
        rows = self._db.execute(
            QUERIES["unindexed_ids"], (row.place(row.indexed + 1), row.place(MOST))
        )
        for key, place in rows:
            row.recent[key] = place & MOST
        self._rows.append(row)
        self._waiting += len(row.recent)

    def begin(self, row: RoomRow) -> None:
        self._rows.append(row)

    def end(self, row: RoomRow) -> None:
        """The room is gone, or begins anew under another key."""
        if row in self._rows:
            self._rows.remove(row)
            self._moves = [move for move in self._moves if move.row is not row]
            self._waiting -= len(row.recent)

    def position(self, row: RoomRow, key: bytes) -> int | None:
        """Where the event with this id stands in the room; None if there is none."""
        position = row.recent.get(key)
        if position is None and row.indexed:
            found = self._db.execute(QUERIES["find_id"], (row.key, key)).fetchone()
            position = found[0] if found else None
        return position

    def add(self, row: RoomRow, key: bytes, position: int) -> None:
        row.recent[key] = position
        self._waiting += 1
        self._added += 1

    def remove(self, row: RoomRow, key: bytes) -> None:
        """Its transaction failed."""
        del row.recent[key]
        self._waiting -= 1

    def tidy(self, idle: bool) -> None:
        """Move one slice, if there is time for it or it is due."""
        if not self._moves and self._waiting > (WAITING_WHEN_IDLE if idle else WAITING_AT_MOST):
            self._moves = [
                _Move(row, sorted(row.recent), row.state.head) for row in self._rows if row.recent
            ]
            self._added = 0
        due = SHARE * self._added
        if not self._moves or not (idle or due >= SLICE):
            return
        self._added, left = 0, max(SLICE, due)
        while self._moves and left > 0:
            moved = self._move(self._moves[0], left)
            if not moved:
                return
            left -= moved

    def _move(self, move: _Move, count: int) -> int:
        """Move the next of a room's ids, at most so many; how many that were."""
        row, keys = move.row, move.ids[move.done : move.done + count]
        is_last = move.done + len(keys) == len(move.ids)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                QUERIES["append_id"], [(row.key, key, row.recent[key]) for key in keys]
            )
            if is_last:
                self._db.execute(QUERIES["save_indexed"], (move.upto, row.key))
            self._db.execute("COMMIT")
        except sqlite3.Error:  # no room, say: they stay in memory, and are tried again
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return 0
        move.done += len(keys)
        if is_last:
            self._finish(self._moves.pop(0))
        return len(keys)

    def _finish(self, move: _Move) -> None:
        for key in move.ids:
            del move.row.recent[key]
        move.row.indexed = move.upto
        self._waiting -= len(move.ids)

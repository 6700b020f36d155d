"""Where the event with an id stands: a view of the log that trails behind it, as `views` does."""

import sqlite3
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from orders.broker.records import EVENT
from orders.journal.sqlite.rows import QUERIES, RoomRow
from orders.journal.sqlite.views import SHARE, Stored, folding


class IdIndex:
    """Where the event with an id stands, without paying for it at each commit.

    New ids stay in memory. When many do, a round of them moves to the table in its order, slice
    by slice, so that each page of it is written once; its marker moves with the last. After a
    crash in the middle of a round it begins again, which does no harm. What waits is numbers and
    bytes alone, which the garbage collector passes over.
    """

    marker = "indexed"
    slice = 1_000
    waiting_when_idle = 20_000
    waiting_at_most = 200_000

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: dict[int, RoomRow] = {}
        self.waiting: list[tuple[int, int, bytes, int]] = []  # a heap: round, room, key, position
        self._round = 0  # the one that moves, or moved last
        self._is_moving = False
        self._newest: dict[int, int] = {}  # the last position that it moved of each room
        self._added = 0

    def position(self, row: RoomRow, key: bytes) -> int | None:
        """Where the event with this id stands in the room; None if there is none."""
        position = row.recent.get(key)
        if position is None and (row.folded[self.marker] or row.key in self._newest):
            found = self._db.execute(QUERIES["find_id"], (row.key, key)).fetchone()
            position = found[0] if found else None
        return position

    def add(self, stored: Sequence[Stored]) -> None:
        """These are in the log now, and `RoomRow.recent` has their ids."""
        following, waiting = self._round + 1, self.waiting
        for row, record, position in stored:
            if record.kind is EVENT:
                self._rows[row.key] = row
                heappush(waiting, (following, row.key, record.key, position))
        self._added += len(stored)

    def forget(self, row: RoomRow) -> None:
        """The room is gone."""
        self.waiting = [item for item in self.waiting if item[1] != row.key]
        heapify(self.waiting)
        self._rows.pop(row.key, None)
        self._newest.pop(row.key, None)

    def tidy(self, idle: bool) -> None:
        """Move a slice, if there is time for it or it is due."""
        if not self._is_moving:
            if len(self.waiting) <= (self.waiting_when_idle if idle else self.waiting_at_most):
                return
            self._round, self._is_moving, self._added = self._round + 1, True, 0
        due = SHARE * self._added
        if idle or due >= self.slice:
            self._added = 0
            self._step(max(self.slice, due))

    def _step(self, count: int) -> None:
        waiting, items = self.waiting, list[tuple[int, int, bytes, int]]()
        while len(items) < count and waiting and waiting[0][0] == self._round:
            items.append(heappop(waiting))
        newest = dict(self._newest)
        for _, room, _, position in items:
            newest[room] = max(newest.get(room, 0), position)
        is_last = not (waiting and waiting[0][0] == self._round)
        try:
            with folding(self._db):
                self._db.executemany(QUERIES["append_id"], [item[1:] for item in items])
                for room, position in newest.items() if is_last else ():
                    self._db.execute(QUERIES["save_indexed"], (position, room))
        except sqlite3.Error:
            for item in items:
                heappush(waiting, item)
            return
        for _, room, key, _ in items:
            self._rows[room].recent.pop(key, None)
        self._newest = newest
        if is_last:
            self._is_moving, self._newest = False, {}
            for room, position in newest.items():
                self._rows[room].folded[self.marker] = position

"""Views of the log that trail behind it: how orders and queues stand; see `ids` for the third.

A commit appends records and the room's row, no more. Views are folded when there is nothing else
to do, when somebody asks, and when too much waits. Each room has a marker for each view, which
moves in the transaction that folds; what lies after it is read again at start. Used in the
writer's thread alone.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from sys import intern
from typing import Any

from orders.broker.modes import QUEUE
from orders.broker.queue import READY, SETTLED, Entry, State, told
from orders.broker.records import EVENT, QUEUE_KINDS, Record
from orders.domain.orders import ORDER_TYPES, Order, fold
from orders.errors import StorageFailed
from orders.journal.sqlite.rows import QUERIES, OrdersOfRoom, RoomRow

#: A room, a record of it, and its position.
Stored = tuple[RoomRow, Record, int]
#: Records that are folded for each new one, while the writer is busy.
SHARE = 2


@contextmanager
def folding(db: sqlite3.Connection) -> Iterator[None]:
    """A transaction without a sync: what power takes away is folded again, and the log's next
    sync covers it. No checkpoint follows it, which would sync, and not say that it failed."""
    try:
        db.execute("PRAGMA synchronous = normal")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException:  # no room, say: it is tried again
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    finally:
        db.execute("PRAGMA wal_autocheckpoint = 1000")
        db.execute("PRAGMA synchronous = full")


class View:
    """What waits to be folded, and how it is folded; see `OrderTable`, `QueueTable`.

    `slice` is how many records are folded in one transaction; the marker moves with each.
    """

    marker: str
    slice = 500
    waiting_when_idle = 0  # records that may wait while there is nothing else to do
    waiting_at_most = 5_000
    waiting_bytes = 4 * 1024 * 1024

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.waiting: list[Stored] = []
        self._added = 0  # since the last slice
        self._bytes = 0  # of the records that wait

    def is_for(self, record: Record) -> bool:
        """Whether a record changes anything here."""
        raise NotImplementedError

    def write(self, items: Sequence[Stored]) -> None:
        """Fold these, in order, within a transaction."""
        raise NotImplementedError

    def undo(self) -> None:
        """Forget what is at hand: the transaction failed, or a room is gone."""

    def add(self, stored: Sequence[Stored]) -> None:
        """These are in the log now."""
        picked = [item for item in stored if self.is_for(item[1])]
        self.waiting += picked
        self._added += len(picked)
        self._bytes += _size(picked)

    def forget(self, row: RoomRow) -> None:
        """The room is gone."""
        self.waiting = [item for item in self.waiting if item[0] is not row]
        self._bytes = _size(self.waiting)
        self.undo()

    def tidy(self, idle: bool) -> None:
        """Fold one slice, if there is time for it or it is due; all of it, if it is large."""
        if self._bytes > self.waiting_bytes:
            with suppress(StorageFailed):
                self.catch_up()
            return
        limit = self.waiting_when_idle if idle else self.waiting_at_most
        if len(self.waiting) > limit and (idle or SHARE * self._added >= self.slice):
            self._added = 0
            self._step()

    def catch_up(self) -> None:
        """Fold all that waits; `StorageFailed` if the disk does not take it, and it waits on."""
        while self.waiting and self._step():
            pass
        if self.waiting:  # what could not be written
            raise StorageFailed(
                "storage_failed",
                "The journal's disk takes no writes, and without them nobody knows where orders and"
                " queues stand: make room, then try again.",
            )

    def _step(self) -> bool:
        """Fold the next slice; False if the disk does not take it."""
        items = self.waiting[: self.slice]
        newest = {row: position for row, _, position in items}
        try:
            with folding(self._db):
                self.write(items)
                for row, position in newest.items():
                    self._db.execute(QUERIES[f"save_{self.marker}"], (position, row.key))
        except sqlite3.Error:
            self.undo()
            return False
        del self.waiting[: len(items)]
        self._bytes -= _size(items)
        for row, position in newest.items():
            row.folded[self.marker] = position
        return True


def _size(items: Sequence[Stored]) -> int:
    """The bytes that these keep in memory."""
    return sum([len(record.body) for _, record, _ in items])


#: A queued event: its room, its position, its key.
EntryKey = tuple[int, int, bytes]
NEW = {"attempt": 0, "reason": "", "name": ""}
AS_IT_WAS = dict.fromkeys(NEW)


class QueueTable(View):
    """Where each queued event stands that is not settled; what came and went is never written."""

    marker = "queued"

    def is_for(self, record: Record) -> bool:
        return record.mode == QUEUE or record.kind in QUEUE_KINDS

    def write(self, items: Sequence[Stored]) -> None:
        standing: dict[EntryKey, dict[str, Any]] = {}
        new: set[EntryKey] = set()
        for row, record, position in items:
            if record.kind is EVENT:
                key = row.key, position, record.key
                standing[key] = {"state": READY, **NEW}
                new.add(key)
                continue
            key = row.key, record.about, record.key
            before = standing.get(key)
            if before is None:
                standing[key] = {**AS_IT_WAS, **told(record)}
            elif before["state"] is not SETTLED:
                before.update(told(record))
        changes: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for key, said in standing.items():
            if said["state"] is not SETTLED:
                now = str(said["state"]), said["attempt"], said["reason"], said["name"]
                if key in new:
                    changes["save_entry"].append((*key[:2], *now))
                else:
                    changes["move_entry"].append((*now, *key))
            elif key not in new:
                changes["settle"].append(key)
        for query, rows in changes.items():
            self._db.executemany(QUERIES[query], rows)

    def entries(self, row: RoomRow) -> Iterator[Entry]:
        """All that waits in a room, oldest first."""
        moved = self._db.execute(QUERIES["moved_entries"], (row.key,))
        said = {position: standing for position, *standing in moved}
        for position, key, type, source in self._db.execute(QUERIES["entries"], (row.key,)):
            entry = Entry(position, key, intern(type), intern(source))
            if position in said:
                state, entry.attempt, entry.reason, entry.name = said[position]
                entry.state = State(state)
            yield entry


#: An order: its room, its customer, its number.
OrderKey = tuple[int, str, str]


class OrderTable(View):
    """Where the orders of all rooms stand; what a slice changes is written at its end."""

    marker = "ordered"
    MOST_AT_HAND = 4096  # orders: most are answered soon after they were placed

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self.at_hand: dict[OrderKey, Order] = {}
        self._changed: dict[OrderKey, int] = {}  # and the place of a new placing, or 0

    def is_for(self, record: Record) -> bool:
        return record.type in ORDER_TYPES

    def write(self, items: Sequence[Stored]) -> None:
        for row, record, _ in items:
            event = record.parsed()
            order = fold(event, record.at, _OrdersAtHand(self._db, row.key, self))
            if order is not None:
                key = row.key, order.customer, order.number
                self.at_hand[key] = order
                placed = record.position if order.event == event.id else 0
                self._changed[key] = placed or self._changed.get(key, 0)
        self.save()
        while len(self.at_hand) > self.MOST_AT_HAND:
            del self.at_hand[next(iter(self.at_hand))]

    def save(self) -> None:
        """Write what changed, each order once."""
        self._db.executemany(
            QUERIES["save_order"],
            [
                {"room": room, "customer": customer, "number": number, "position": position}
                | {"state": order.state, "body": order.to_json()}
                for (room, customer, number), position in self._changed.items()
                for order in [self.at_hand[room, customer, number]]
            ],
        )
        self._changed.clear()

    def undo(self) -> None:
        self.at_hand.clear()
        self._changed.clear()


class _OrdersAtHand(OrdersOfRoom):
    """The same for the fold: with what the table does not have yet. An `OrderBook`."""

    def __init__(self, db: sqlite3.Connection, room: int, table: OrderTable) -> None:
        super().__init__(db, room)
        self._table = table

    def get(self, customer: str, number: str) -> Order | None:
        at_hand = self._table.at_hand.get((self._room, customer, number))
        return at_hand or super().get(customer, number)

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        self._table.save()  # so that the table knows all
        return super().oldest_pending(number, customer)

"""Views of the log that trail behind it: where ids are found, how orders and queues stand.

A commit appends records and the room's row, no more. Views are folded when there is nothing else
to do, when somebody asks, and when too much waits. Each room has a marker for each view, which
moves in the transaction that folds; what lies after it is read again at start. Used in the
writer's thread alone.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from orders.broker.modes import QUEUE
from orders.broker.queue import Entry, Queue, State
from orders.broker.records import EVENT, QUEUE_KINDS, Record
from orders.domain.orders import ORDER_TYPES, Order, fold
from orders.journal.sqlite.rows import QUERIES, OrdersOfRoom, RoomRow, read_entry

#: A room, a record of it, and its position.
Stored = tuple[RoomRow, Record, int]
#: A room, a position in it, and what the view needs of the record there.
Item = tuple[RoomRow, int, Any]


class View:
    """What waits to be folded, and how it is folded; see `IdIndex`, `OrderTable`, `QueueTable`.

    `round` is how many records are folded before the marker moves, None for all that wait;
    `slice` how many in one transaction. Where those differ, folding a record twice must do no
    harm: a crash in the middle of a round begins it again.
    """

    marker: str
    round: int | None = 500
    slice = 500
    waiting_when_idle = 0  # records that may wait while there is nothing else to do
    waiting_at_most = 5_000
    waiting_bytes = 4 * 1024 * 1024
    share = 2  # records that are folded for each new one, while the writer is busy

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.waiting: list[Item] = []
        self._round: list[Item] = []  # what is on its way into the table
        self._done = 0  # of the round
        self._added = 0  # since the last slice
        self._bytes = 0  # of the records that wait

    def pick(self, stored: Sequence[Stored]) -> list[Item]:
        """What is needed of records; those that change nothing here are left out."""
        raise NotImplementedError

    def write(self, items: Sequence[Item]) -> None:
        """Fold these, in order, within a transaction."""
        raise NotImplementedError

    def undo(self) -> None:
        """Forget what is at hand: the transaction failed, or a room is gone."""

    def written(self, items: Sequence[Item]) -> None:
        """The marker has moved past these."""

    def add(self, stored: Sequence[Stored]) -> None:
        """These are in the log now."""
        picked = self.pick(stored)
        self.waiting += picked
        self._added += len(picked)
        self._bytes += self.size(picked)

    @staticmethod
    def size(items: Sequence[Item]) -> int:
        """The bytes of the records that these keep in memory; an id is none."""
        return sum(len(item.body) for _, _, item in items if isinstance(item, Record))

    def forget(self, row: RoomRow) -> None:
        """The room is gone."""
        self.waiting = [item for item in self.waiting if item[0] is not row]
        self._bytes = self.size(self.waiting)
        self._round = []
        self.undo()

    def tidy(self, idle: bool) -> None:
        """Fold one slice, if there is time for it or it is due; all of it, if it is large."""
        if self._bytes > self.waiting_bytes:
            self.catch_up()
        limit = self.waiting_when_idle if idle else self.waiting_at_most
        if not self._round and len(self.waiting) > limit:
            self._begin()
            self._added = 0
        due = self.share * self._added
        if self._round and (idle or due >= self.slice):
            self._added = 0
            self._step(max(self.slice, due))

    def catch_up(self) -> None:
        """Fold all that waits; what could not be written waits on."""
        while self.waiting:
            if not self._round:
                self._begin()
            if not self._step(self.slice):
                return

    def _begin(self) -> None:
        self._round, self._done = self.order(self.waiting[: self.round]), 0

    def order(self, items: list[Item]) -> list[Item]:
        """In which order a round is folded."""
        return items

    def _step(self, count: int) -> bool:
        """Fold the next of a round, at most so many; False if the disk does not take it."""
        if self.round is not None:
            count = self.round  # the marker must move with it
        items = self._round[self._done : self._done + count]
        is_last = self._done + len(items) == len(self._round)
        try:
            # No sync: what power takes away is folded again, and the log's next sync covers it.
            self._db.execute("PRAGMA synchronous = normal")
            self._db.execute("BEGIN IMMEDIATE")
            self.write(items)
            if is_last:
                self._save_markers()
            self._db.execute("COMMIT")
        except sqlite3.Error:  # no room, say: it is tried again
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self.undo()
            return False
        finally:
            self._db.execute("PRAGMA synchronous = full")
        self._done += len(items)
        if is_last:
            del self.waiting[: len(self._round)]
            self._bytes -= self.size(self._round)
            self.written(self._round)
            self._round = []
        return True

    def _save_markers(self) -> None:
        newest = {row: at for row, at, _ in sorted(self._round, key=lambda item: item[1])}
        for row, position in newest.items():
            self._db.execute(QUERIES[f"save_{self.marker}"], (position, row.key))
            row.folded[self.marker] = position


class IdIndex(View):
    """Where the event with an id stands, without paying for it at each commit.

    New ids stay in memory; they move to the table sorted, slice by slice.
    """

    marker = "indexed"
    round = None
    slice = 1_000
    waiting_when_idle = 20_000
    waiting_at_most = 200_000

    def pick(self, stored: Sequence[Stored]) -> list[Item]:
        return [(row, at, record.key) for row, record, at in stored if record.kind is EVENT]

    def position(self, row: RoomRow, key: bytes) -> int | None:
        """Where the event with this id stands in the room; None if there is none."""
        position = row.recent.get(key)
        if position is None and row.folded.get(self.marker):
            found = self._db.execute(QUERIES["find_id"], (row.key, key)).fetchone()
            position = found[0] if found else None
        return position

    def order(self, items: list[Item]) -> list[Item]:
        return sorted(items, key=lambda item: (item[0].key, item[2]))

    def write(self, items: Sequence[Item]) -> None:
        values = [(row.key, key, position) for row, position, key in items]
        self._db.executemany(QUERIES["append_id"], values)

    def written(self, items: Sequence[Item]) -> None:
        for row, _, key in items:
            row.recent.pop(key, None)


class QueueTable(View):
    """Where each queued event stands that is not settled; what came and went is never written."""

    marker = "queued"
    MOST_AT_HAND = 4096  # entries: most are settled soon after they were queued

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self._queues: dict[RoomRow, Queue] = {}  # with entries as they are in the table

    def pick(self, stored: Sequence[Stored]) -> list[Item]:
        return [
            (row, at, record)
            for row, record, at in stored
            if record.mode == QUEUE or record.kind in QUEUE_KINDS
        ]

    def write(self, items: Sequence[Item]) -> None:
        changed: dict[tuple[RoomRow, int], Entry] = {}
        for row, _, record in items:
            queue = self._queues.setdefault(row, Queue())
            if record.kind is EVENT:
                entry: Entry | None = queue.add(record)
            else:
                if record.key not in queue.entries:
                    self._load(row, record, queue)
                entry = queue.apply(record)
            if entry is not None:
                changed[row, entry.position] = entry
        settled = [(row.key, p) for (row, p), e in changed.items() if e.state is State.SETTLED]
        kept = [
            (row.key, position, str(e.state), e.attempt, e.reason, e.name)
            for (row, position), e in changed.items()
            if e.state is not State.SETTLED
        ]
        self._db.executemany(QUERIES["settle"], settled)
        self._db.executemany(QUERIES["save_entry"], kept)
        if sum(len(queue.entries) for queue in self._queues.values()) > self.MOST_AT_HAND:
            self._queues.clear()

    def undo(self) -> None:
        self._queues.clear()

    def _load(self, row: RoomRow, record: Record, queue: Queue) -> None:
        """Take up the entry that a record is about, as it was left."""
        values = {"room": row.key, "position": record.about, "place": row.place(record.about)}
        found = self._db.execute(QUERIES["entry"], values).fetchone()
        if found is not None:
            entry = read_entry(found)
            if entry.key == record.key:  # else it is of an epoch that is over
                queue.restore(entry)

    def entries(self, row: RoomRow) -> list[Entry]:
        """All that waits in a room, oldest first."""
        return [read_entry(found) for found in self._db.execute(QUERIES["entries"], (row.key,))]


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

    def pick(self, stored: Sequence[Stored]) -> list[Item]:
        return [(row, at, record) for row, record, at in stored if record.type in ORDER_TYPES]

    def write(self, items: Sequence[Item]) -> None:
        for row, _, record in items:
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

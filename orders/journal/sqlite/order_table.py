"""Where the orders of all rooms stand, in SQLite: what a batch changes is written at its end."""

import sqlite3

from orders.broker.records import Record
from orders.domain.orders import Order, fold
from orders.journal.sqlite.queries import QUERIES

#: Orders that stay at hand between batches: most are answered soon after they were placed.
AT_HAND = 4096

#: An order: its room, its customer, its number.
Key = tuple[int, str, str]


class OrderTable:
    """The writing side of the orders. Used in the writer's thread alone."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._orders: dict[Key, Order] = {}
        self._changed: dict[Key, int] = {}  # by this batch, and the place of a new placing, or 0

    def fold(self, room: int, record: Record) -> None:
        """An event was stored: where does its order stand now?"""
        event = record.parsed()
        order = fold(event, record.at, Book(self._db, room, self))
        if order is None:
            return
        key = room, order.customer, order.number
        self._orders[key] = order
        placed = record.position if order.event == event.id else 0
        self._changed[key] = placed or self._changed.get(key, 0)

    def get(self, key: Key) -> Order | None:
        """An order that is at hand."""
        return self._orders.get(key)

    def save(self) -> None:
        """Write what the batch changed, each order once."""
        if not self._changed:
            return
        self._db.executemany(
            QUERIES["save_order"],
            [
                {
                    "room": key[0],
                    "customer": key[1],
                    "number": key[2],
                    "position": position,
                    "pending": self._orders[key].state == "placed",
                    "body": self._orders[key].model_dump_json(),
                }
                for key, position in self._changed.items()
            ],
        )
        self._changed.clear()
        while len(self._orders) > AT_HAND:
            del self._orders[next(iter(self._orders))]

    def undo(self) -> None:
        """The batch failed: what it changed is not so."""
        self._orders.clear()
        self._changed.clear()


class Book:
    """The orders of one room, for the fold and for readers."""

    def __init__(self, db: sqlite3.Connection, room: int, books: OrderTable | None = None) -> None:
        self._db, self._room, self._books = db, room, books

    def get(self, customer: str, number: str) -> Order | None:
        at_hand = self._books.get((self._room, customer, number)) if self._books else None
        return at_hand or self._one("get_order", customer=customer, number=number)

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        if self._books:
            self._books.save()  # so that the table knows all
        return self._one("oldest_pending", number=number, customer=customer)

    def _one(self, query: str, **values: str | None) -> Order | None:
        found = self._db.execute(QUERIES[query], {"room": self._room, **values}).fetchone()
        return Order.model_validate_json(found[0]) if found else None

"""Records and rooms as rows: how they are written, read again, and found to be damaged."""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orders.broker.records import Kind, Record, kind_of
from orders.broker.room_state import Summary
from orders.broker.rules import Rules
from orders.domain.orders import Order
from orders.errors import StorageFailed

_FOLDER = Path(__file__).parent

#: The step from each version of a journal to the next; the first makes an empty file one.
MIGRATIONS = tuple(
    (_FOLDER / name).read_text(encoding="utf-8")
    for name in ("schema.sql", "version2.sql", "version3.sql")
)
QUERIES = {
    name.strip(): statement.strip()
    for name, _, statement in (
        block.partition("\n")
        for block in (_FOLDER / "queries.sql").read_text(encoding="utf-8").split("-- name: ")[1:]
    )
}

SHIFT = 40  # a record's place = (room key << SHIFT) + position
MOST = (1 << SHIFT) - 1


@dataclass(eq=False)
class RoomRow:
    """One epoch of a room in the journal. `folded` has up to where each view knows it.

    `recent` are the ids that are not in the table yet, with their positions.
    """

    key: int
    summary: Summary
    folded: dict[str, int] = field(default_factory=dict)
    recent: dict[bytes, int] = field(default_factory=dict)
    _texts: tuple[object, object, str, str] = (None, None, "", "")  # modes and rules, and as JSON

    def place(self, position: int) -> int:
        """The row of a record."""
        return (self.key << SHIFT) + position

    def values(self) -> dict[str, Any]:
        """What a commit writes of it."""
        summary = self.summary
        modes, rules = summary.modes, summary.rules
        if self._texts[0] is not modes or self._texts[1] is not rules:
            self._texts = modes, rules, json.dumps(modes), json.dumps(asdict(rules))
        return {
            "key": self.key,
            "modes": self._texts[2],
            "rules": self._texts[3],
            "paused": summary.paused,
            "cursor": summary.cursor,
            "head": summary.head,
            "events": summary.events,
            "last": summary.newest or None,
        }


def read_room(row: tuple[Any, ...]) -> RoomRow:
    """A row of `newest_rooms`."""
    key, name, epoch, modes, rules, paused, cursor, head, events, last, *markers = row
    summary = Summary(
        name,
        epoch,
        json.loads(modes) or {"*": "relay"},
        bool(paused),
        cursor if paused else head,
        head,
        events,
        last or b"",
        Rules(**json.loads(rules)),
    )
    return RoomRow(key, summary, dict(zip(("indexed", "ordered", "queued"), markers, strict=True)))


#: Plain texts of the kinds: SQLite is slower with a subclass of `str`.
_TEXTS: dict[str, str] = {kind: str(kind.value) for kind in Kind}


def checksum(*columns: Any) -> int:
    """The CRC-32 of a record's columns, in the order of the table."""
    place, kind, at, key, about, type, source, mode, body = columns
    head = f"{place} {kind} {at} {(key or b'').hex()} {about} {type} {source} {mode} "
    return zlib.crc32(body, zlib.crc32(head.encode()))


def is_intact(columns: Sequence[Any], expected: object) -> bool:
    """Whether a record is as it was written."""
    try:
        return checksum(*columns) == expected
    except (AttributeError, TypeError):  # a column is not even of its kind
        return False


def record_values(row: RoomRow, record: Record, position: int) -> tuple[Any, ...]:
    """The row of a record at its position."""
    columns = (
        row.place(position),
        _TEXTS.get(record.kind, record.kind),
        record.at,
        record.key or None,
        record.about,
        record.type,
        record.source,
        record.mode,
        record.body,
    )
    return (*columns, checksum(*columns))


def read_epoch(
    db: sqlite3.Connection, row: RoomRow, epoch: int, after: int, limit: int
) -> Iterator[Record]:
    """The records of a room after a position, in one of its epochs; `row` is that of the newest.

    An epoch may be over in the journal, and not yet for those who read it.
    """
    if epoch != row.summary.epoch:
        found = db.execute(QUERIES["key_of_epoch"], (row.summary.name, epoch)).fetchone()
        if found is None:
            return
        row = RoomRow(found[0], row.summary, {})
    values = {"after": row.place(after), "end": row.place(MOST), "limit": limit}
    yield from read_records(row.summary.name, db.execute(QUERIES["read_records"], values))


def read_records(room: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[Record]:
    """Rows as records; `StorageFailed` at the first that is not as it was written."""
    for *columns, expected in rows:
        place, kind, at, key, about, type, source, mode, body = columns
        if not is_intact(columns, expected):
            raise StorageFailed(
                "journal_damaged",
                f"The record at position {place & MOST} of room {room} is damaged: restore the"
                " journal from a copy. What lies before it can be read.",
            )
        yield Record(
            room=room,
            kind=kind_of(kind),
            at=at,
            body=body,
            key=key or b"",
            type=type,
            source=source,
            mode=mode,
            about=about,
            position=place & MOST,
        )


def failure(error: sqlite3.Error, read: Path | None = None) -> StorageFailed:
    """Why nothing was accepted, or what was to be `read` was not, and what to do."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StorageFailed(
            "storage_full",
            "The journal's disk is full: this event was not accepted. Make room, then send it"
            " again.",
        )
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_PROTOCOL:
        return StorageFailed(
            "journal_lost",
            "The locks on the journal cannot be had any more, since one of them could not be let"
            " go: nothing more is accepted. Start the server again.",
        )
    if read is not None:
        return StorageFailed(
            "storage_failed",
            f"The journal {read} could not be read ({error}): try again; if that does not help,"
            " restore it from a copy.",
        )
    return StorageFailed(
        "storage_failed",
        f"The journal could not be written ({error}): this event may be stored all the same."
        " Send it again later, under the same `id`.",
    )


def _by(query: str, customer: str | None, state: str | None) -> str:
    """Which of the queries has the index that this question needs."""
    if customer is not None:
        return f"{query}_of_customer"
    return query if state is None else f"{query}_in_state"


class OrdersOfRoom:
    """The orders of one room, as the table has them."""

    def __init__(self, db: sqlite3.Connection, room: int) -> None:
        self._db, self._room = db, room

    def get(self, customer: str, number: str) -> Order | None:
        """The order, or None."""
        return self._one("get_order", customer=customer, number=number)

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        """The `placed` order with this number that was placed first; None: of any customer."""
        return self._one("oldest_pending", number=number, customer=customer)

    def before(self, customer: str | None, state: str | None, limit: int) -> int:
        """The position after which so many newest orders come."""
        values = {"room": self._room, "customer": customer, "state": state, "limit": limit}
        found = self._db.execute(QUERIES[_by("before_newest", customer, state)], values).fetchone()
        return found[0] if found else -1

    def page(
        self, customer: str | None, state: str | None, after: int, limit: int
    ) -> tuple[list[Order], int]:
        """The orders after a position, oldest first, and the position of the last."""
        values = {"room": self._room, "customer": customer, "state": state}
        values |= {"after": after, "limit": limit}
        query = QUERIES[_by("page_of_orders", customer, state)]
        found = self._db.execute(query, values).fetchall()
        return [Order.from_json(body) for body, _ in found], found[-1][1] if found else after

    def _one(self, query: str, **values: str | None) -> Order | None:
        found = self._db.execute(QUERIES[query], {"room": self._room, **values}).fetchone()
        return Order.from_json(found[0]) if found else None

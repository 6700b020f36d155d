"""The journal in memory: nothing outlives the process, and everything else holds."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field

from orders.broker.leases import Leases
from orders.broker.records import Kind, Record, RoomState
from orders.domain.orders import Order
from orders.errors import StorageFailed
from orders.journal.base import (
    MOST_SCANNED,
    Alone,
    Answer,
    Claimed,
    Filter,
    Outcome,
    Page,
    take_bytes,
    take_page,
)
from orders.journal.projection import Projection

PRESENCE = (Kind.JOINED, Kind.LEFT, Kind.SUBSCRIBED, Kind.PAUSED, Kind.STEPPED)


@dataclass(eq=False)
class _Room(Projection):
    """One epoch of a room, and its log."""

    records: list[Record] = field(default_factory=list)
    positions: dict[bytes, int] = field(default_factory=dict)


class MemoryEngine(Alone):
    """An engine (see `base.Engine`) for trying things out, and for tests."""

    durable = False

    def __init__(self, max_attempts: int = 5) -> None:
        super().__init__()
        self._max_attempts = max_attempts
        self._rooms: dict[str, _Room] = {}

    async def open(self) -> list[RoomState]:
        return []

    async def close(self) -> None:
        self._rooms.clear()

    async def append(self, records: Sequence[Record]) -> list[Answer]:
        return [self._take(record) for record in records]

    def _take(self, record: Record) -> Outcome:
        room = self._room(record.room)
        if record.kind is Kind.EVENT:
            known = room.positions.get(record.key)
            if known is not None:
                there = room.records[known - 1].parsed()
                same = record.parsed().says_the_same(there)
                return Outcome.DUPLICATE if same else Outcome.CONFLICT
            room.positions[record.key] = len(room.records) + 1
        record.position = len(room.records) + 1
        room.records.append(copy(record))
        self._arrived.append(record)
        if record.kind is Kind.RESET:
            del self._rooms[record.room]
        elif record.kind is Kind.EVENT:
            room.event(record)
        return Outcome.ACCEPTED

    def _room(self, name: str) -> _Room:
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = _Room(Leases(name, self._max_attempts))
        return room

    async def probe(self) -> StorageFailed | None:
        return None

    async def forget(self, room: str) -> None:
        self._rooms.pop(room, None)

    def queue(self, room: str) -> Leases:
        return self._room(room).queue

    async def claim(
        self, room: str, type: str, upto: int, name: str, holder: int, deadline: float | None
    ) -> Claimed | None:
        entry = self.queue(room).take(type, name, upto, holder, name, deadline)
        if entry is None:
            return None
        return Claimed(entry.record or self._room(room).records[entry.position - 1], entry)

    async def read(self, room: str, after: int, limit: int) -> list[Record]:
        return take_bytes(self._room(room).records[after : after + limit])

    async def page(
        self, room: str, wanted: Filter, limit: int, *, after: int = 0, before: int | None = None
    ) -> Page:
        records = self._room(room).records
        chosen = records[after:] if before is None else records[: before - 1][::-1]
        events = (record for record in chosen if record.kind is Kind.EVENT)
        return take_page(events, wanted, limit, MOST_SCANNED, before is not None)

    async def find(self, room: str, key: bytes) -> Record | None:
        there = self._room(room)
        position = there.positions.get(key)
        return there.records[position - 1] if position else None

    async def story(self, room: str, about: int) -> list[Record]:
        return [
            record
            for record in self._room(room).records
            if record.about == about or record.kind in PRESENCE
        ]

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        return self._room(room).newest(customer, limit, state)

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        return self._room(room).get(customer, number)

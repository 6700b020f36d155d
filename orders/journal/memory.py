"""The journal in memory: nothing outlives the process, and everything else holds."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field

from orders.broker.records import PRESENCE_KINDS, Kind, Record
from orders.broker.room_state import RoomState
from orders.domain.orders import Order
from orders.errors import StorageFailed
from orders.journal.base import (
    MOST_SCANNED,
    Answer,
    Filter,
    Outcome,
    Page,
    Unshared,
    take_bytes,
    take_page,
)
from orders.journal.projection import Projection


@dataclass(eq=False)
class _Room(Projection):
    records: list[Record] = field(default_factory=list)
    positions: dict[bytes, int] = field(default_factory=dict)


class MemoryEngine(Unshared):
    durable = False

    def __init__(self) -> None:
        self._rooms: dict[str, _Room] = {}

    async def open(self) -> list[RoomState]:
        return []

    async def close(self) -> None:
        self._rooms.clear()

    async def append(self, records: Sequence[Record]) -> list[Answer]:
        return [self._take(record) for record in records]

    def _take(self, record: Record) -> Answer:
        room = self._room(record.room)
        if record.kind is Kind.EVENT:
            known = room.positions.get(record.key)
            if known is not None:
                there = room.records[known - 1].parsed()
                same = record.parsed().says_the_same(there)
                return Outcome.DUPLICATE if same else Outcome.CONFLICT
            room.positions[record.key] = len(room.records) + 1
        stored = copy(record)
        stored.position = len(room.records) + 1
        room.records.append(stored)
        if record.kind is Kind.RESET:
            del self._rooms[record.room]
        elif record.kind is Kind.EVENT:
            room.event(stored)
        return stored.position

    def _room(self, name: str) -> _Room:
        return self._rooms.setdefault(name, _Room())

    async def probe(self) -> StorageFailed | None:
        return None

    async def forget(self, room: str) -> None:
        self._rooms.pop(room, None)

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

    async def controls(self, room: str, about: int) -> list[Record]:
        return [
            record
            for record in self._room(room).records
            if record.about == about or record.kind in PRESENCE_KINDS
        ]

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        return self._room(room).newest(customer, limit, state)

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        return self._room(room).get(customer, number)

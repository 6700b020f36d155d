"""Reading a journal on JetStream: pages of it, one event, what is said about it."""

import asyncio
import itertools
from collections.abc import AsyncIterator

from nats.aio.msg import Msg

from orders.broker.records import Record
from orders.clock import monotonic
from orders.domain.orders import Order
from orders.journal.base import (
    MOST_BYTES,
    MOST_SCANNED,
    PAGE_OF_ORDERS,
    Filter,
    Page,
    take_bytes,
    take_page,
)
from orders.journal.nats import ranges, subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import unavailable
from orders.journal.nats.room import FollowedRoom
from orders.journal.nats.rooms import Rooms

CHUNK = 500  # records that are asked for at once
LAG_POLL = 0.02
ANY = 2**63  # before which everything lies


class Reading:
    """The reading side of the engine."""

    node: str
    _connection: NatsConnection
    _rooms: Rooms

    async def read(
        self, room: str, after: int, limit: int, epoch: int | None = None
    ) -> list[Record]:
        there = self._rooms.here.get(room)
        if there is None or after >= there.head or epoch not in (None, there.epoch):
            return []
        recent = there.recent
        if recent and recent[0].position <= after + 1:
            first = min(after + 1 - recent[0].position, len(recent))
            while first and recent[first - 1].position > after:
                first -= 1  # what is no record, or a damaged one, left a gap
            return take_bytes(itertools.islice(recent, first, first + limit))
        return take_bytes(await self._scan(there, after + 1, min(limit, CHUNK)))

    async def _scan(
        self, room: FollowedRoom, start: int, count: int, *filters: str, upto: int | None = None
    ) -> list[Record]:
        """Records from a position on, all there are before `upto`; else none only at the end.

        A server that has just come back may lag behind: what it does not have, the one that
        leads is asked for, and then the other again.
        """
        stream = subjects.stream(room.name, room.epoch)
        end = upto or room.head + 1
        clock = monotonic()
        while True:
            found = await ranges.read(self._connection, stream, start, count, *filters)
            records = [
                self._record(room.name, position, message)
                for position, message in found
                if position < end and message.headers and subjects.HEADER in message.headers
            ]
            last = found[-1][0] if found else start - 1
            is_whole = last >= end - 1 or (found and (upto is None or len(found) == count))
            if is_whole or not await ranges.has_more(
                self._connection, stream, room.known, last + 1, end, *filters
            ):
                return records
            if monotonic() > clock + self._connection.patience:
                raise unavailable()
            await asyncio.sleep(LAG_POLL)

    async def page(
        self, room: str, wanted: Filter, limit: int, *, after: int = 0, before: int | None = None
    ) -> Page:
        there = self._rooms.here.get(room)
        if there is None:
            return Page([])
        events = f"{subjects.log(room, there.epoch)}.event.*"
        most = limit + 1 if wanted.is_open else MOST_SCANNED
        looked_at: list[Record] = []
        admitted, size, is_over = 0, 0, False
        end = None if before is None else min(before, there.head + 1)
        while not is_over and len(looked_at) < most:
            if end is None:
                chunk = await self._scan(there, after + 1, min(CHUNK, most), events)
                after = chunk[-1].position if chunk else after
                is_over = not chunk
            else:
                start = max(1, end - CHUNK)
                chunk = (await self._scan(there, start, end - start, events, upto=end))[::-1]
                is_over, end = start == 1, start
            for record in chunk[: most - len(looked_at)]:
                looked_at.append(record)
                if admitted == limit or size >= MOST_BYTES:
                    is_over = True  # the page is full, and this one shows that there is more
                    break
                if wanted.admits(record):
                    admitted, size = admitted + 1, size + len(record.body)
                else:
                    record.body = b""  # nobody will look at it again
        return take_page(looked_at, wanted, limit, most, before is not None)

    async def find(self, room: str, key: bytes) -> Record | None:
        there = self._rooms.here.get(room)
        if there is None:
            return None
        stream, subject = subjects.stream(room, there.epoch), subjects.event(room, there.epoch, key)
        here, clock = self._connection, monotonic()
        found = await ranges.last(here, stream, subject)
        while found is None and await ranges.has_more(here, stream, there.known, 1, ANY, subject):
            if monotonic() > clock + self._connection.patience:
                raise unavailable()  # that server lags behind for long
            await asyncio.sleep(LAG_POLL)
            found = await ranges.last(self._connection, stream, subject)
        if found is None:
            return None
        message, position = found
        return self._record(room, position, message)

    def _record(self, room: str, position: int, message: Msg) -> Record:
        header = (message.headers or {})[subjects.HEADER]
        return subjects.record(room, position, header, message.data, self.node)

    async def controls(self, room: str, about: int) -> list[Record]:
        there = self._rooms.here.get(room)
        if there is None:
            return []
        events = await self._scan(there, about, 1) if about > 0 else []
        filters = [
            subjects.presence(room, there.epoch),
            *(subjects.about(room, there.epoch, event.key) for event in events),
        ]
        controls: list[Record] = []
        position = 0
        while chunk := await self._scan(there, position + 1, CHUNK, *filters):
            controls += chunk
            position = chunk[-1].position
        return controls

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        there = self._rooms.here.get(room)
        return there.orders.newest(customer, limit, state) if there else []

    async def pages_of_orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> AsyncIterator[list[Order]]:
        orders = await self.orders(room, customer, limit, state)
        for first in range(0, len(orders), PAGE_OF_ORDERS):
            yield orders[first : first + PAGE_OF_ORDERS]

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        there = self._rooms.here.get(room)
        return there.orders.get(customer, number) if there else None

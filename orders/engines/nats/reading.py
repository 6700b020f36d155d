"""Reading a journal on JetStream: pages of it, one event, what is told of it."""

import itertools

from orders.broker.records import Record
from orders.domain.orders import Order
from orders.engines.base import MOST_BYTES, MOST_SCANNED, Filter, Page, take_bytes, take_page
from orders.engines.nats import subjects
from orders.engines.nats.link import Link
from orders.engines.nats.room import FollowedRoom
from orders.engines.nats.rooms import Rooms

CHUNK = 500  # records that are asked for at once


class Reading:
    """The reading side of the engine."""

    _link: Link
    _rooms: Rooms

    async def read(self, room: str, after: int, limit: int) -> list[Record]:
        there = self._rooms.here.get(room)
        if there is None or after >= there.state.head:
            return []
        recent = there.recent
        if recent and recent[0].position <= after + 1:
            first = after + 1 - recent[0].position
            return take_bytes(itertools.islice(recent, first, first + limit))
        return take_bytes(await self._scan(there, after + 1, min(limit, CHUNK)))

    async def _scan(
        self, room: FollowedRoom, start: int, count: int, *filters: str
    ) -> list[Record]:
        name = subjects.stream(room.name, room.epoch)
        found = await self._link.read(name, start, count, *filters)
        return [
            subjects.record(room.name, position, message.headers[subjects.HEADER], message.data)[0]
            for position, message in found
            if message.headers and subjects.HEADER in message.headers
        ]

    async def page(
        self, room: str, wanted: Filter, limit: int, *, after: int = 0, before: int | None = None
    ) -> Page:
        there = self._rooms.here.get(room)
        if there is None:
            return Page([])
        events = f"{subjects.log(room, there.epoch)}.event.*"
        most = limit + 1 if wanted.is_open else MOST_SCANNED
        looked_at: list[Record] = []
        admitted, size, end, is_over = 0, 0, before, False
        while not is_over and len(looked_at) < most:
            if end is None:
                chunk = await self._scan(there, after + 1, min(CHUNK, most), events)
                after = chunk[-1].position if chunk else after
                is_over = not chunk
            else:
                start = max(1, end - CHUNK)
                found = await self._scan(there, start, end - start, events)
                chunk = [record for record in found if record.position < end][::-1]
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
        found = await self._link.last(
            subjects.stream(room, there.epoch), subjects.event(room, there.epoch, key)
        )
        if found is None:
            return None
        message, position = found
        header = (message.headers or {})[subjects.HEADER]
        return subjects.record(room, position, header, message.data)[0]

    async def story(self, room: str, about: int) -> list[Record]:
        there = self._rooms.here[room]
        events = await self._scan(there, about, 1) if about > 0 else []
        filters = [
            subjects.presence(room, there.epoch),
            *(subjects.about(room, there.epoch, event.key) for event in events),
        ]
        story: list[Record] = []
        position = 0
        while chunk := await self._scan(there, position + 1, CHUNK, *filters):
            story += chunk
            position = chunk[-1].position
        return story

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        there = self._rooms.here.get(room)
        return there.projection.newest(customer, limit, state) if there else []

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        there = self._rooms.here.get(room)
        return there.projection.get(customer, number) if there else None

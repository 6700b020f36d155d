"""Projections as they stood at a position, kept beside the journal: nobody folds a whole stream."""

import asyncio
import zlib

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import ObjectNotFoundError
from pydantic_core import from_json, to_json

from orders.journal.nats import subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.room import FollowedRoom

log = structlog.get_logger()

EVERY = 5_000  # records
LOADING = 10.0  # seconds


class Snapshots:
    """One object a room and epoch; the newest counts, and an older one would do."""

    def __init__(self, link: NatsConnection, replicas: int) -> None:
        self._link, self._replicas = link, replicas

    async def open(self) -> None:
        js = self._link.nc.jetstream(timeout=self._link.patience)
        self._store = await js.create_object_store(subjects.SNAPSHOTS, replicas=self._replicas)

    async def load(self, room: FollowedRoom) -> None:
        """Let a room begin where its snapshot stands, if it has one."""
        try:
            async with asyncio.timeout(LOADING):  # another node may be replacing it
                kept = await self._store.get(_name(room))
        except (ObjectNotFoundError, NatsError, TimeoutError):
            return  # then it is folded from its beginning
        room.restore(from_json(zlib.decompress(kept.data or b"")))

    async def save(self, room: FollowedRoom, least: int = EVERY) -> None:
        """Keep how a room stands, if so many records came since it was kept last."""
        head = room.state.head
        if head - room.saved < least:
            return
        room.saved, snapshot = head, room.snapshot()
        body = await asyncio.to_thread(lambda: zlib.compress(to_json(snapshot), 1))
        try:
            await self._store.put(_name(room), body)
        except (NatsError, TimeoutError) as error:
            log.warning("a snapshot could not be kept", room=room.name, error=str(error))


def _name(room: FollowedRoom) -> str:
    return subjects.stream(room.name, room.epoch)

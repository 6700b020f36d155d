"""The rooms that this node is in: each a stream, and another one for each next epoch."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import structlog
from nats.js.errors import KeyWrongLastSequenceError
from pydantic_core import from_json, to_json

from orders.broker.records import Kind, Record
from orders.broker.room_state import RoomState, Summary
from orders.broker.rules import Rules
from orders.errors import StorageFailed
from orders.journal.nats import subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import Rejected, failure, unavailable
from orders.journal.nats.room import FollowedRoom, Mine
from orders.journal.nats.snapshots import Snapshots
from orders.journal.nats.streams import Streams, bucket

log = structlog.get_logger()

POLL = 0.005
RETRY_DELAY = 0.1
EVERY = 5_000  # records after which a room is worth a snapshot
NEEDED = 500  # the same, of one that is left


class Rooms:
    """`mine` gives back what this node appended, `arrived` hears what is stored in a room that
    was entered."""

    def __init__(
        self,
        connection: NatsConnection,
        node: str,
        replicas: int,
        mine: Mine,
        arrived: Callable[[FollowedRoom, Record], None],
    ) -> None:
        self.here: dict[str, FollowedRoom] = {}
        self._snapshots = Snapshots(connection, node, replicas)
        self._streams = Streams(connection, replicas)
        self._connection, self._node, self._replicas = connection, node, replicas
        self._mine, self._arrived = mine, arrived
        self._entering: dict[str, asyncio.Task[FollowedRoom | None]] = {}

    async def open(self) -> None:
        await self._streams.check_format()
        await self.make_bucket()
        await self._snapshots.open()

    async def make_bucket(self) -> None:
        """Have the bucket of epochs, in it the rooms that are here; one that is there stays."""
        self._epochs = await bucket(self._connection, subjects.ROOMS, self._replicas)
        for room in list(self.here.values()):
            with contextlib.suppress(KeyWrongLastSequenceError):  # it is there
                begun = _begun(room.summary)
                await self._connection.kept(self._epochs.create(room.name, to_json(begun)))

    async def close(self) -> None:
        for room in list(self.here.values()):
            await room.stop()
        self.here.clear()

    # ── coming and going ────────────────────────────────────────────────────────────────────

    async def enter(self, name: str, begin: bool) -> RoomState | None:
        """Have what is stored in a room arrive from now on; how it stands, None without one.

        The state is handed over in the very step in which this returns.
        """
        room = await self._follow(name, begin)
        if room is None:
            return None
        room.entered = True
        return room.state

    async def follow(self, name: str) -> FollowedRoom:
        """A room that is written to, though perhaps nobody here entered it."""
        room = await self._follow(name, begin=True)
        if room is None:
            raise unavailable()
        return room

    async def _follow(self, name: str, begin: bool) -> FollowedRoom | None:
        room = self.here.get(name)
        while room is None:
            entering = self._entering.get(name)
            if entering is None:
                entering = asyncio.create_task(self._enter(name, begin))
                self._entering[name] = entering
                entering.add_done_callback(lambda _: self._entering.pop(name, None))
            try:
                room = await asyncio.shield(entering)
            except (Rejected, KeyWrongLastSequenceError) as error:
                log.warning("a room cannot be entered", room=name, error=str(error))
                raise failure(error) if isinstance(error, Rejected) else unavailable() from None
            if room is None and not begin:
                return None
        return room

    async def _enter(self, name: str, begin: bool) -> FollowedRoom | None:
        found = await self._find(name, begin)
        if found is None:
            return None
        room = await self._snapshots.load(subjects.stream(name, found.epoch), found)
        first, last = await self._reach(room)
        if last < room.head:  # the journal has lost it since
            await self._snapshots.erase(room.stream)
            room = FollowedRoom(found)
        if first > room.head + 1:
            log.warning("a stream was purged: what is left is read", stream=room.stream)
            found.head = found.cursor = first - 1
            room = FollowedRoom(found)
        self.here[name] = room
        room.follow(self._connection, self._node, self._mine, self._heard)
        await self._until_at(room, last)
        if room.resetting:  # the node that ended this epoch did not begin the next
            while self.here.get(name) is room:
                await asyncio.sleep(POLL)
            return await self._enter(name, begin)
        if begin or room.state.events or room.state.members or room.state.rules != Rules():
            return room
        del self.here[name]
        await room.stop()
        return None  # it was left empty: a room that nobody remembers

    async def _find(self, name: str, begin: bool) -> RoomState | None:
        """A room as its newest epoch begins."""
        entry = await self._connection.kept(self._epochs.get(name))
        found: dict[str, Any] = from_json(entry.value) if entry else {"epoch": 1, "modes": {}}
        if entry is None:
            if not begin:
                return None
            with contextlib.suppress(KeyWrongLastSequenceError):  # another node was faster
                await self._connection.kept(self._epochs.create(name, to_json(found)))
        await self._make_journal(name, found["epoch"])
        modes = {"*": "relay", **found["modes"]}
        return RoomState(name, found["epoch"], modes, rules=Rules(**found.get("rules", {})))

    async def _make_journal(self, name: str, epoch: int) -> None:
        await self._streams.make(
            subjects.stream(name, epoch),
            subjects.all_of(name, epoch),
            deny_delete=True,
            deny_purge=True,
        )

    @staticmethod
    async def _until_at(room: FollowedRoom, position: int) -> None:
        """Wait until a room was followed up to a position."""
        while room.position < position:
            await asyncio.sleep(POLL)

    async def _reach(self, room: FollowedRoom) -> tuple[int, int]:
        """The first and the last position of what its stream holds."""
        state = (await self._connection.api(f"STREAM.INFO.{room.stream}"))["state"]
        return state["first_seq"], state["last_seq"]

    async def leave(self, name: str, state: RoomState | None = None) -> None:
        """Follow a room no more."""
        room = self.here.pop(name, None)
        if room is not None:
            if state is not None:
                await self._snapshots.save(room, state, NEEDED)
            await room.stop()

    async def erase_before(self, name: str) -> None:
        """Erase all epochs of a room but its newest, with their snapshots."""
        room = self.here.get(name)
        for epoch in range(1, room.epoch if room else 1):
            stream = subjects.stream(name, epoch)
            with contextlib.suppress(Rejected):  # it was erased before
                await self._connection.api(f"STREAM.DELETE.{stream}")
            await self._snapshots.erase(stream)

    async def keep(self, state: RoomState) -> None:
        """Take a snapshot of a room, if it is time for one."""
        room = self.here.get(state.name)
        if room is not None:
            await self._snapshots.save(room, state, EVERY)

    def _heard(self, room: FollowedRoom, record: Record) -> None:
        if record.kind is Kind.RESET:
            room.resetting.append(record)
            if len(room.resetting) == 1:
                self._connection.spawn(self._begin_again(room))
        elif self.here.get(room.name) is room:
            self._arrived(room, record)

    # ── the next epoch ──────────────────────────────────────────────────────────────────────

    async def prepare_reset(self, room: FollowedRoom) -> None:
        """The next epoch is there before the last one ends."""
        await self._make_journal(room.name, room.epoch + 1)

    async def _begin_again(self, room: FollowedRoom) -> None:
        """An epoch ends where its stream is sealed: what came in before that is still heard."""
        while True:
            try:
                config = (await self._connection.api(f"STREAM.INFO.{room.stream}"))["config"]
                if not config.get("sealed"):
                    sealed = {**config, "sealed": True}
                    await self._connection.api(f"STREAM.UPDATE.{room.stream}", **sealed)
                _, last = await self._reach(room)
                await self._make_journal(room.name, room.epoch + 1)
                await self._until_at(room, last)
                await self._point_to(room)
                break
            except (StorageFailed, Rejected, KeyWrongLastSequenceError):
                await asyncio.sleep(RETRY_DELAY)
        if self.here.get(room.name) is room and not room.entered:
            del self.here[room.name]
        elif self.here.get(room.name) is room:
            # The one who asked for it here waits for its own record; another would do as well.
            own = [record for record in room.resetting if not record.node]
            self._arrived(room, (own or room.resetting)[0])
            summary = room.summary.next_epoch()
            state = RoomState(room.name, summary.epoch, summary.modes, rules=summary.rules)
            following = self.here[room.name] = FollowedRoom(state)
            following.entered = True  # the node goes on by itself
            following.follow(self._connection, self._node, self._mine, self._heard)
        await room.stop()

    async def _point_to(self, room: FollowedRoom) -> None:
        """The room is in its next epoch, unless it has gone on since."""
        entry = await self._connection.kept(self._epochs.get(room.name))
        there = from_json(entry.value)["epoch"] if entry else 0
        if there <= room.epoch:
            begun = _begun(room.summary.next_epoch())
            last = entry.revision if entry else 0
            await self._connection.kept(self._epochs.update(room.name, to_json(begun), last=last))


def _begun(summary: Summary) -> dict[str, Any]:
    """What the bucket of epochs says of a room."""
    return {"epoch": summary.epoch, "modes": summary.modes, "rules": summary.rules}

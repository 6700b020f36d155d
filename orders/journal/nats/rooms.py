"""The rooms that this node is in: each a stream, and a new one for each new beginning."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
from nats.js.errors import KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic_core import from_json, to_json

from orders.broker.leases import Entry
from orders.broker.records import Kind, Record, RoomState
from orders.errors import CannotStart, StorageFailed
from orders.journal.nats import subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import Rejected, unavailable
from orders.journal.nats.room import FollowedRoom
from orders.journal.nats.snapshots import Snapshots

log = structlog.get_logger()

POLL = 0.005
AGAIN = 0.1
NEEDED = 500  # records after which a room that is left is worth a snapshot
MOST_CONSUMERS = 100_000
IN_USE = 10058  # a stream of this name is there, with other settings


class Rooms:
    """`arrived` is told what is stored in a room that was entered, `ended` that its epoch is over.

    `mine` gives back what this node appended, `lost` hears what its participants hold no longer.
    """

    def __init__(self, link: NatsConnection, node: str, max_attempts: int, replicas: int) -> None:
        self.here: dict[str, FollowedRoom] = {}
        self.snapshots = Snapshots(link, replicas)
        self.mine: Callable[[str, int], Record | None] = lambda _, __: None
        self.arrived: Callable[[FollowedRoom, Record], None] = lambda _, __: None
        self.ended: Callable[[FollowedRoom], None] = lambda _: None
        self.lost: Callable[[Entry], None] = lambda _: None
        self._link, self._node = link, node
        self._max_attempts, self._replicas = max_attempts, replicas
        self._entering: dict[str, asyncio.Lock] = {}

    async def open(self) -> None:
        js = self._link.nc.jetstream(timeout=self._link.patience)
        self._epochs: KeyValue = await js.create_key_value(
            bucket=subjects.ROOMS, replicas=self._replicas
        )
        await self.snapshots.open()

    async def close(self) -> None:
        for room in list(self.here.values()):
            await self.snapshots.save(room, NEEDED)
            await room.stop()
        self.here.clear()

    async def make_stream(self, name: str, subject: str, **more: Any) -> None:
        """A stream on disk; one that is there already must be."""
        try:
            made = await self._link.api(
                f"STREAM.CREATE.{name}",
                name=name,
                subjects=[subject],
                storage="file",
                num_replicas=self._replicas,
                allow_direct=True,
                max_consumers=MOST_CONSUMERS,
                **more,
            )
        except Rejected as rejected:
            if rejected.code != IN_USE:
                raise
            made = await self._link.api(f"STREAM.INFO.{name}")
        if made["config"]["num_replicas"] < self._replicas:
            raise CannotStart(
                "engine_unusable",
                f"The stream {name} is kept by {made['config']['num_replicas']} servers, not by"
                f" {self._replicas}: mend it, such as with `nats stream edit {name} --replicas`.",
            )
        if made["config"]["storage"] != "file":
            raise CannotStart(
                "engine_in_memory",
                f"The stream {name} is kept in memory, so that accepted would mean nothing: remove"
                f" it with `nats stream rm {name}`, and Orders makes one on disk.",
            )

    # ── coming and going ────────────────────────────────────────────────────────────────────

    async def enter(self, name: str, begin: bool) -> RoomState | None:
        """Follow a room from now on; how it stands, or None when there is none."""
        async with self._entering.setdefault(name, asyncio.Lock()):
            room = self.here.get(name)
            if room is None:
                try:
                    room = await self._enter(name, begin)
                except (Rejected, KeyWrongLastSequenceError) as error:
                    log.warning("a room cannot be entered", room=name, error=str(error))
                    raise unavailable() from None
                if room is None:
                    return None
                self.here[name] = room
        others = [one for one in room.present.values() if one.node not in ("", self._node)]
        return replace(room.state, present=others)

    async def _enter(self, name: str, begin: bool) -> FollowedRoom | None:
        found = await self._find(name, begin)
        if found is None:
            return None
        room = FollowedRoom(name, found["epoch"], self._node, self._max_attempts)
        room.state.modes = found["modes"]
        await self.snapshots.load(room)
        info = await self._info(room)
        if info["state"]["last_seq"] < room.state.head:  # the journal has lost it since
            room = FollowedRoom(name, found["epoch"], self._node, self._max_attempts)
            room.state.modes = found["modes"]
        self._follow(room)
        await self._until_at(room, info["state"]["last_seq"])
        if begin or room.state.events or room.present:
            return room
        await room.stop()
        return None  # it was left empty: a room nobody remembers

    async def _find(self, name: str, begin: bool) -> dict[str, Any] | None:
        """The epoch of a room, and the modes that this began with."""
        entry = await self._link.kept(self._epochs.get(name))
        found: dict[str, Any] = from_json(entry.value) if entry else {"epoch": 1, "modes": {}}
        if entry is None:
            if not begin:
                return None
            with contextlib.suppress(KeyWrongLastSequenceError):  # another node was faster
                await self._link.kept(self._epochs.create(name, to_json(found)))
        await self._make_journal(name, found["epoch"])
        return found

    async def _make_journal(self, name: str, epoch: int) -> None:
        await self.make_stream(
            subjects.stream(name, epoch), f"{subjects.log(name, epoch)}.>", deny_delete=True
        )

    @staticmethod
    async def _until_at(room: FollowedRoom, position: int) -> None:
        """Wait until a room was followed up to a position."""
        while room.follower is not None and room.follower.position < position:
            await asyncio.sleep(POLL)

    async def _info(self, room: FollowedRoom) -> Any:
        return await self._link.api(f"STREAM.INFO.{subjects.stream(room.name, room.epoch)}")

    async def leave(self, name: str) -> None:
        room = self.here.pop(name, None)
        if room is not None:
            await self.snapshots.save(room, NEEDED)
            self._drop(room)

    def _drop(self, room: FollowedRoom) -> None:
        self.ended(room)
        self._link.spawn(room.stop())

    def _follow(self, room: FollowedRoom) -> None:
        room.lost = self.lost
        room.follow(self._link, self.mine, self._heard)

    def _heard(self, room: FollowedRoom, record: Record) -> None:
        if record.kind is Kind.RESET:
            room.resetting.append(record)
            if len(room.resetting) == 1:
                self._link.spawn(self._begin_anew(room))
        elif self.here.get(room.name) is room:
            self.arrived(room, record)

    # ── a new beginning ─────────────────────────────────────────────────────────────────────

    async def prepare_reset(self, room: FollowedRoom) -> None:
        """The next epoch is there before the last one ends."""
        await self._make_journal(room.name, room.epoch + 1)

    async def _begin_anew(self, room: FollowedRoom) -> None:
        """The epoch ends where its stream is sealed: what came in till then is still heard."""
        while True:
            try:
                config = (await self._info(room))["config"]
                stream = subjects.stream(room.name, room.epoch)
                if not config.get("sealed"):
                    await self._link.api(f"STREAM.UPDATE.{stream}", **{**config, "sealed": True})
                last = (await self._info(room))["state"]["last_seq"]
                await self._make_journal(room.name, room.epoch + 1)
                await self._until_at(room, last)
                await self._point_to(room.name, room.epoch + 1, room.state.modes)
                break
            except (StorageFailed, Rejected, KeyWrongLastSequenceError):
                await asyncio.sleep(AGAIN)
        anew = FollowedRoom(room.name, room.epoch + 1, self._node, self._max_attempts)
        anew.state.modes = room.state.modes
        async with self._entering.setdefault(room.name, asyncio.Lock()):
            self._replace(room, anew)
        for stream, subject in ((subjects.WORK, "work"), (subjects.DEAD, "dead")):
            with contextlib.suppress(StorageFailed, Rejected):
                over = f"orders.{subject}.{room.name}.{room.epoch}.>"
                await self._link.api(f"STREAM.PURGE.{stream}", filter=over)

    async def _point_to(self, name: str, epoch: int, modes: dict[str, str]) -> None:
        """The room is in this epoch, unless it has gone on since."""
        entry = await self._link.kept(self._epochs.get(name))
        there = from_json(entry.value)["epoch"] if entry else 0
        if there < epoch:
            begun = to_json({"epoch": epoch, "modes": modes})
            last = entry.revision if entry else 0
            await self._link.kept(self._epochs.update(name, begun, last=last))

    def _replace(self, room: FollowedRoom, anew: FollowedRoom) -> None:
        if self.here.get(room.name) is room:
            # Whoever asked for it here waits for its own record; one that came with it is the same.
            own = [record for record in room.resetting if not record.node]
            self.arrived(room, (own or room.resetting)[0])
            self.here[room.name] = anew
            self._drop(room)
            self._follow(anew)

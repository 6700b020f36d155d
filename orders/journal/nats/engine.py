"""The engine on NATS JetStream: what `base.Engine` promises, kept by streams and buckets."""

import asyncio
import contextlib
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from nats.errors import Error as NatsError

from orders.broker.queue import Entry
from orders.broker.records import Kind, Record, control
from orders.broker.room_state import Member, RoomState
from orders.clock import monotonic, now_ms, token
from orders.errors import CannotStart, StorageFailed
from orders.journal.base import NodeCallbacks
from orders.journal.nats import starting, subjects
from orders.journal.nats.appending import Appending
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import NO_PEERS, TAKEN, Rejected, failure
from orders.journal.nats.membership import Membership
from orders.journal.nats.room import FollowedRoom
from orders.journal.nats.rooms import RETRY_DELAY, Rooms
from orders.journal.nats.streams import made_at

log = structlog.get_logger()

TICK = 0.5
NEVER = str(2**53)  # a sequence that no stream reaches
START = 20.0  # seconds that servers which have just begun may take to agree who leads
STEAL_AFTER = 0.02  # seconds after which a node takes from the share of another
BUCKETS_HOLD = 2.0  # seconds after which it is looked whether all buckets are there
SHARES_HOLD = 0.5  # seconds for which it is remembered which nodes have workers


class NatsEngine(Appending):
    """An engine (see `base.Engine`) whose journal any number of nodes share.

    `synced`: whether the servers sync every write to disk (`sync_interval: always`), which they
    do not say; only then does accepted mean that an event survives a power failure of one of
    them. `patience`: the seconds after which a server that says nothing has failed.
    """

    shared = True
    callbacks: NodeCallbacks

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        replicas: int = 1,
        synced: bool = False,
        creds: str | None = None,
        ca: str | None = None,
        patience: float = 4.0,
    ) -> None:
        super().__init__()
        self.durable = synced
        self.node = token(9).replace("_", "a").replace("-", "b").lower()
        self._replicas = replicas
        self._connection = NatsConnection(addresses, creds, ca, patience)
        self._rooms = Rooms(self._connection, self.node, replicas, self._mine, self._has_arrived)
        self._arrived: list[tuple[FollowedRoom, Record]] = []
        self._shares: dict[tuple[str, str], tuple[float, list[str]]] = {}
        self._beating: asyncio.Task[None] | None = None
        self._closing = False
        self._next_look = 0.0
        self._buckets: dict[str, str] = {}  # when each was made

    # ── opening and closing ─────────────────────────────────────────────────────────────────

    async def open(self) -> list[RoomState]:
        await self._connection.open()
        try:
            state = await self._make_streams()
        except (StorageFailed, Rejected, NatsError, TimeoutError) as error:
            await self._connection.close()
            raise starting.unusable(
                self._connection.addresses, self._connection.forbidden or error
            ) from None
        except CannotStart:
            await self._connection.close()
            raise
        self._beating = self._connection.keep(self._every(TICK, self._beat))
        if not self.durable:
            log.warning(
                "accepted means that NATS has the event, not that it is synced to disk: what was"
                " accepted last may be lost if a machine loses power, but not if a process is"
                " killed; see docs/running.md",
                replicas=self._replicas,
            )
        return [state] if state else []

    async def close(self) -> None:
        if self._beating is not None:
            self._closing = True
            self._beating.cancel()
            await asyncio.wait([self._beating], timeout=TICK)
            await self._connection.finish()
            await self._rooms.close()
        await self._connection.close()

    async def _make_streams(self) -> RoomState | None:
        """Have all that there must be; servers that have just begun are asked again."""
        self._membership = Membership(self._connection, self.node, self.callbacks, self._replicas)
        clock = monotonic()
        while True:
            try:
                async with asyncio.timeout(START):
                    await self._rooms.open()
                    await self._membership.open()
                    return await self.enter("main", begin=True)
            except (StorageFailed, NatsError, TimeoutError, Rejected) as error:
                is_final = isinstance(error, Rejected) and error.code != NO_PEERS
                is_said = starting.cannot_start((), self._connection.forbidden or error)
                if is_final or is_said or monotonic() > clock + START:
                    raise
                await asyncio.sleep(RETRY_DELAY)

    async def _every(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        while not self._closing:  # the library may swallow a cancelling
            await asyncio.sleep(seconds)
            await do()

    async def _beat(self) -> None:
        """Show that this node is alive; have what this node knows in buckets made again."""
        await self._membership.beat()
        if monotonic() < self._next_look:
            return
        self._next_look = monotonic() + BUCKETS_HOLD
        with contextlib.suppress(StorageFailed, Rejected, NatsError, TimeoutError):
            made = await made_at(self._connection, subjects.BUCKETS)
            if made == self._buckets and len(made) == len(subjects.BUCKETS):
                return
            await self._membership.make_buckets()
            await self._rooms.make_bucket()
            for room in list(self._rooms.here.values()):
                for member in [one for one in room.state.members.values() if not one.node]:
                    await self._membership.take(room.name, member.name)
            self._buckets = made  # of one that was not there the next look tells

    # ── rooms ───────────────────────────────────────────────────────────────────────────────

    async def enter(self, room: str, begin: bool) -> RoomState | None:
        return await self._rooms.enter(room, begin)

    async def leave(self, state: RoomState) -> None:
        await self._rooms.leave(state.name, state)

    async def keep(self, state: RoomState) -> None:
        await self._rooms.keep(state)

    async def forget(self, room: str) -> None:
        there = self._rooms.here.get(room)
        if there is not None and not there.summary.events:
            await self._rooms.leave(room)  # somebody may just be coming to another node

    async def erase(self, rooms: Sequence[str]) -> StorageFailed | None:
        for room in rooms:
            (answer,) = await self.append([control(room, Kind.RESET, now_ms())])
            if isinstance(answer, StorageFailed):
                raise answer
            await self._rooms.erase_before(room)
        return None

    def _has_arrived(self, room: FollowedRoom, record: Record) -> None:
        self._arrived.append((room, record))
        self.callbacks.wake()
        if record.kind is Kind.LEFT and not record.node:
            self._connection.spawn(self._free(room.name, record))

    def arrived(self) -> list[Record]:
        arrived, self._arrived = self._arrived, []
        for room, record in arrived:
            room.take(record)
        return [record for _, record in arrived]

    async def probe(self) -> StorageFailed | None:
        return self.lost() or await self._membership.show() or await self._write_nothing()

    async def _write_nothing(self) -> StorageFailed | None:
        """Publish what its stream must refuse: why that is not what happens, or None."""
        room = self._rooms.here.get("main")
        if room is None:
            return None
        subject = subjects.presence(room.name, room.epoch)
        (answer,) = await self._connection.store([(subject, b"", {subjects.EXPECTED: NEVER})])
        if isinstance(answer, Rejected):
            self._connection.forbidden = ""  # it may, by now
            return None if answer.code in TAKEN else failure(answer)
        return self._connection.unanswered()

    def lost(self) -> StorageFailed | None:
        return next((room.lost for room in self._rooms.here.values() if room.lost), None)

    # ── claims ──────────────────────────────────────────────────────────────────────────────

    def claim_delay(self, room: RoomState, entry: Entry) -> float:
        nodes = self._nodes_with_workers(room, entry.type)
        if len(nodes) < 2 or self.node not in nodes:
            return 0.0
        is_mine = nodes[zlib.crc32(entry.key) % len(nodes)] == self.node
        return 0.0 if is_mine else STEAL_AFTER

    def _nodes_with_workers(self, room: RoomState, type: str) -> list[str]:
        """The nodes on which somebody may take events of a type."""
        now = monotonic()
        until, nodes = self._shares.get((room.name, type), (0.0, []))
        if now > until:
            working = {one.node or self.node for one in room.members.values() if one.works_on(type)}
            nodes = sorted(working)
            if len(self._shares) > 1000:
                self._shares.clear()
            self._shares[room.name, type] = now + SHARES_HOLD, nodes
        return nodes

    # ── people ──────────────────────────────────────────────────────────────────────────────

    async def take_name(self, room: str, name: str, session: str | None) -> bool:
        if not await self._membership.take(room, name):
            return False
        if session:
            await self._membership.keep(room, session, name)
        return True

    async def take_over(
        self, room: str, session: str, mark: Sequence[str], members: Sequence[Member]
    ) -> str | None:
        return await self._membership.take_over(room, session, mark, members)

    async def ask(self, node: str, **request: Any) -> Mapping[str, Any]:
        return await self._membership.ask(node, **request)

    def gone(self, nodes: set[str]) -> set[str]:
        return self._membership.missing(nodes - {self.node})

    async def _free(self, room: str, left: Record) -> None:
        """Somebody left: the name is free, unless somebody here has it by now."""
        name = left.data["name"]
        if name is not None and not self.callbacks.has_name(room, name):
            await self._membership.free(room, name, left.data.get("of") or self.node)

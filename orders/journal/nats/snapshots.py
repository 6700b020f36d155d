"""Rooms as they stood at a position, kept next to the journal: nobody folds a whole stream."""

import asyncio
import contextlib
import zlib
from dataclasses import asdict
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import ObjectNotFoundError
from pydantic_core import from_json, to_json

from orders.broker.queue import Entry, Queue, State
from orders.broker.room_state import Member, RoomState
from orders.broker.rules import Rules
from orders.domain.order_book import MemoryOrderBook
from orders.domain.orders import Order
from orders.journal.nats import subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.room import FollowedRoom

log = structlog.get_logger()

LOADING = 10.0  # seconds
FORMAT = 2  # of a snapshot; others are passed over, and the room is folded from its beginning


class Snapshots:
    """One object a room and epoch; the newest counts, and an older one would do."""

    def __init__(self, connection: NatsConnection, node: str, replicas: int) -> None:
        self._connection, self._node, self._replicas = connection, node, replicas

    async def open(self) -> None:
        """Have the bucket; one that is there stays as it is."""
        js = self._connection.nc.jetstream(timeout=self._connection.patience)
        self._store = await js.create_object_store(subjects.SNAPSHOTS, replicas=self._replicas)

    async def load(self, stream: str, state: RoomState) -> FollowedRoom:
        """The room as its snapshot has it, if it has one; else as `state` begins."""
        try:
            async with asyncio.timeout(LOADING):  # another node may be replacing it
                kept = await self._store.get(stream)
        except (ObjectNotFoundError, NatsError, TimeoutError):
            return FollowedRoom(state)
        snapshot = from_json(zlib.decompress(kept.data or b""))
        if snapshot.get("format") != FORMAT:
            return FollowedRoom(state)
        return FollowedRoom(*read_snapshot(snapshot, self._node))

    async def save(self, room: FollowedRoom, state: RoomState, least: int) -> None:
        """Keep how a room stands, if so many records came since it was kept last."""
        is_level = state.epoch == room.epoch and state.head == room.taken
        if not is_level or state.head - room.saved < least:
            return
        room.saved, snapshot = state.head, write_snapshot(state, room.orders, self._node)
        body = await asyncio.to_thread(lambda: zlib.compress(to_json(snapshot), 1))
        try:
            await self._store.put(room.stream, body)
        except (NatsError, TimeoutError) as error:
            log.warning("a snapshot could not be kept", room=room.name, error=repr(error))
            with contextlib.suppress(NatsError, TimeoutError):
                await self.open()  # somebody may have deleted the bucket

    async def erase(self, stream: str) -> None:
        """Keep nothing of an epoch."""
        with contextlib.suppress(ObjectNotFoundError, NatsError, TimeoutError):
            await self._store.delete(stream)


def write_snapshot(state: RoomState, orders: MemoryOrderBook, node: str) -> dict[str, Any]:
    """All that follows from the records up to `state.head`, for JSON; `node` is this one."""
    return {
        "format": FORMAT,
        "state": {
            "name": state.name,
            "epoch": state.epoch,
            "modes": state.modes,
            "paused": state.paused,
            "cursor": state.cursor,
            "head": state.head,
            "events": state.events,
            "newest": state.newest.hex(),
        },
        "rules": asdict(state.rules),
        "spellings": state.spellings,
        "members": [
            {**_slots(one), "types": sorted(one.types), "node": one.node or node}
            for one in state.members.values()
        ],
        "queue": [
            {**_slots(entry), "key": entry.key.hex(), "node": entry.node or node, "record": None}
            for entry in state.queue.entries.values()
        ],
        "orders": list(orders.orders.values()),
    }


def _slots(one: Member | Entry) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


def read_snapshot(snapshot: dict[str, Any], node: str) -> tuple[RoomState, MemoryOrderBook]:
    """A room and its orders, as `write_snapshot` wrote them; `node` is this one."""
    for one in [*snapshot["members"], *snapshot["queue"]]:
        one["node"] = "" if one["node"] == node else one["node"]
    summary = {**snapshot["state"], "newest": bytes.fromhex(snapshot["state"]["newest"])}
    state = RoomState(**summary, rules=Rules(**snapshot["rules"]))
    state.spellings = snapshot["spellings"]
    for member in snapshot["members"]:
        one = Member(**{**member, "types": frozenset(member["types"])})
        state.members[one.name] = one
    for queued in snapshot["queue"]:
        queued |= {"key": bytes.fromhex(queued["key"]), "state": State(queued["state"])}
    state.queue = Queue.of(Entry(**queued) for queued in snapshot["queue"])
    orders = MemoryOrderBook()
    for placed in snapshot["orders"]:
        order = Order.from_dict(placed)
        orders.orders[order.customer, order.number] = order
    return state, orders

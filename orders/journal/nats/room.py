"""One room on this node: what was followed of its journal, and what follows from that."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from nats.aio.msg import Msg

from orders.broker.leases import AFTER, Entry, Leases, State
from orders.broker.modes import Mode, changed
from orders.broker.records import Kind, Record, RoomState
from orders.domain.orders import Order
from orders.journal.nats import subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.follower import Follower
from orders.journal.projection import Projection

RECENT = 2000  # records at hand, for those who read what has just come


class FollowedRoom:
    """`state` and the projection stand at `state.head`; `arrived` is told of what comes then.

    `mine` gives back the record that this node appended under a number, `lost` is told of an event
    that was held here till another node gave it to somebody else.
    """

    def __init__(self, name: str, epoch: int, node: str, max_attempts: int) -> None:
        self.name, self.epoch, self.node = name, epoch, node
        self.state = RoomState(name)
        self.present: dict[str, Record] = {}
        self.projection = Projection(Leases(name, max_attempts, shared=True))
        self.recent: deque[Record] = deque(maxlen=RECENT)
        self.lost: Callable[[Entry], None] = lambda _: None
        self.resetting: list[Record] = []  # what is to end this epoch
        self.saved = 0  # the position of its newest snapshot
        self.follower: Follower | None = None

    @property
    def queue(self) -> Leases:
        return self.projection.queue

    def follow(
        self,
        link: NatsConnection,
        mine: Callable[[str, int], Record | None],
        arrived: Callable[["FollowedRoom", Record], None],
    ) -> None:
        """Have what is stored from here on arrive."""

        def heard(position: int, message: Msg) -> None:
            header = (message.headers or {}).get(subjects.HEADER)
            if header is None:
                return  # somebody else wrote it there: it is no record
            record, number = subjects.record(self.name, position, header, message.data)
            if own := mine(record.node, number):
                own.position, record = position, own
            self.take(record)
            arrived(self, record)

        stream = subjects.stream(self.name, self.epoch)
        self.follower = Follower(link, stream, self.state.head, heard)

    async def stop(self) -> None:
        if self.follower is not None:
            await self.follower.stop()

    # ── the fold ────────────────────────────────────────────────────────────────────────────

    def take(self, record: Record) -> None:
        """A record was stored: what follows from it."""
        state = self.state
        is_level = not state.paused and state.cursor == state.head
        state.head = record.position
        self.recent.append(record)
        if record.kind is Kind.EVENT:
            state.events += 1
            state.last = record.parsed().id
            self.projection.event(record)
            if record.mode == Mode.QUEUE:
                self.queue.entries[record.key].since = time.monotonic()
        elif record.kind not in AFTER:
            self._control(record)
        elif record.node and (entry := self.queue.told(record, time.monotonic())):
            self.lost(entry)
        if is_level and not state.paused:
            state.cursor = state.head

    def _control(self, record: Record) -> None:
        state, data = self.state, record.data
        match record.kind:
            case Kind.JOINED:
                self.present[data["name"]] = record
            case Kind.LEFT:
                there = self.present.get(data["name"])
                node = data.get("of", record.node or self.node)
                if there is not None and (there.node or self.node) == node:
                    del self.present[data["name"]]
            case Kind.MODES:
                state.modes = changed(state.modes, data.get("changes", data["modes"]))
            case Kind.PAUSED:
                if not state.paused:
                    state.cursor = record.position
                state.paused = data["paused"]
                if not state.paused:
                    state.cursor = record.position
            case Kind.STEPPED:
                state.cursor = record.about

    # ── as a snapshot ───────────────────────────────────────────────────────────────────────

    def snapshot(self) -> dict[str, Any]:
        """All that follows from the records up to `state.head`, for JSON."""
        state = self.state
        return {
            "state": {
                "modes": state.modes,
                "paused": state.paused,
                "cursor": state.cursor,
                "head": state.head,
                "events": state.events,
                "last": state.last,
            },
            "present": [
                [one.at, one.position, one.node or self.node, one.body.decode()]
                for one in self.present.values()
            ],
            "queue": [
                [e.position, e.key.hex(), e.type, e.source, e.state, e.attempt, e.name, e.reason]
                for e in self.queue.entries.values()
            ],
            "orders": [order.model_dump_json() for order in self.projection.orders.values()],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Stand where a snapshot stood."""
        self.state = RoomState(self.name, **snapshot["state"])
        self.saved = self.state.head
        for at, position, node, body in snapshot["present"]:
            record = Record(self.name, Kind.JOINED, at, body.encode(), position=position, node=node)
            self.present[record.data["name"]] = record
        now = time.monotonic()
        for position, key, type, source, state, attempt, name, reason in snapshot["queue"]:
            entry = Entry(self.name, position, bytes.fromhex(key), type, source)
            entry.state, entry.attempt, entry.since = State(state), attempt, now
            entry.name, entry.reason = name, reason
            self.queue.restore(entry)
        for text in snapshot["orders"]:
            order = Order.model_validate_json(text)
            self.projection.orders[order.customer, order.number] = order

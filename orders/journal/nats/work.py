"""Queue mode on JetStream: what waits in the work queue, and what this node fetched from it.

A message there names an event of the journal. It is fetched only while a participant here has
room for it, and is not acked until the journal says what became of the event. Meanwhile JetStream
is told that we are at work; if this node dies it hands the message to another after `ABSENCE`.
So the lease of a participant is kept by its node, and the life of a node by JetStream. The number
of an attempt is the journal's, for a message that was fetched in vain is no attempt.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic_core import from_json, to_json

from orders.broker.leases import Entry, State
from orders.broker.records import Kind, Record
from orders.errors import StorageFailed
from orders.journal.base import Credit, NodeCallbacks
from orders.journal.nats import subjects
from orders.journal.nats.connection import SECOND, Message, NatsConnection, attempt
from orders.journal.nats.failures import Rejected
from orders.journal.nats.room import FollowedRoom

ABSENCE = 5  # seconds without a word from a node after which another gets what it had fetched
AT_WORK = 1.5  # seconds between two words
OFFER_TIMEOUT = 1.0  # seconds that nobody here takes an event, after which another node may try
ROOM_IDLE_TIMEOUT = 3600  # seconds after which the consumer of a queue goes that nobody asks
PULL = 20.0  # seconds that a request for more is open
HEARTBEAT = 1  # seconds between two signs that such a request still stands
FORGOTTEN = 5.0  # seconds between two looks for events that should be in the work queue
NOT_KNOWN = 2**63  # a position that nothing reaches
AT_ONCE = 200  # events that are looked for at once


@dataclass(eq=False)
class Puller:
    """The share of this node in one queue."""

    room: FollowedRoom
    type: str
    inbox: Subscription | None = None
    asked: int = 0  # how many more messages were asked for
    until: float = 0.0  # and until when
    alive: float = 0.0  # when something came last
    looked: float = 0.0


@dataclass(slots=True, eq=False)
class Fetched:
    """A message of the work queue that this node has; `reply` is where it is acked."""

    room: FollowedRoom
    reply: str
    at: float


@dataclass(eq=False)
class Work:
    """The work queues of all rooms that this node is in.

    `early` are messages whose events were not followed yet, and up to which position they must be.
    """

    link: NatsConnection
    replicas: int
    callbacks: NodeCallbacks
    now: Callable[[], int]  # epoch milliseconds
    read: Callable[[str, bytes], Awaitable[Record | None]]
    pullers: dict[tuple[str, str], Puller] = field(default_factory=dict)
    fetched: dict[tuple[str, bytes], Fetched] = field(default_factory=dict)
    early: dict[str, tuple[Puller, Msg, int]] = field(default_factory=dict)
    said: float = 0.0

    # ── what the journal says, done to the work queue ───────────────────────────────────────

    @staticmethod
    def message(room: FollowedRoom, event: Record | Entry) -> Message:
        """What puts an event into its queue, unless it is there."""
        body = to_json({"key": event.key.hex(), "position": event.position})
        subject = subjects.work(room.name, room.epoch, event.type, event.key.hex())
        return subject, body, {subjects.EXPECTED: "0"}

    async def settle(self, room: str, key: bytes) -> None:
        """It was taken for good: JetStream may forget it."""
        if there := self.fetched.pop((room, key), None):
            await self.link.say(there.reply, b"+ACK")

    async def set_aside(self, room: str, key: bytes) -> None:
        """It is a dead letter; should it be put in again, it must be gone before."""
        if there := self.fetched.pop((room, key), None):
            await self.link.ask(there.reply, b"+ACK")

    async def release(self, room: str, key: bytes) -> None:
        """It is ready again, for whoever asks first."""
        if there := self.fetched.pop((room, key), None):
            await self.link.say(there.reply, b"-NAK")

    # ── fetching ────────────────────────────────────────────────────────────────────────────

    def demand(self, room: FollowedRoom, credit: Credit) -> None:
        """Ask for as many events of each type as participants here have room for."""
        for type, depth in room.queue.depths().items():
            if not depth["ready"] and not depth["in_flight"]:
                continue
            puller = self.pullers.get((room.name, type))
            if puller is None or puller.room is not room:
                puller = self.pullers[room.name, type] = Puller(room, type)
            clock = time.monotonic()
            if clock > puller.until or clock > puller.alive + 3 * HEARTBEAT:
                puller.asked = 0  # the server that was asked may be gone
            sources = room.queue.sources(type)
            more = credit(type, sources) - room.queue.offered(type) - puller.asked
            if more > 0:
                puller.asked += more
                puller.until, puller.alive = clock + PULL, clock
                self.link.spawn(self._pull(puller, more))

    async def _pull(self, puller: Puller, count: int) -> None:
        room = puller.room
        name = subjects.consumer(room.name, room.epoch, puller.type)
        try:
            if puller.inbox is None:
                await self.link.api(
                    f"CONSUMER.DURABLE.CREATE.{subjects.WORK}.{name}",
                    stream_name=subjects.WORK,
                    config={
                        "durable_name": name,
                        "filter_subject": subjects.work(room.name, room.epoch, puller.type, "*"),
                        "ack_policy": "explicit",
                        "ack_wait": ABSENCE * SECOND,
                        "max_ack_pending": 100_000,
                        "inactive_threshold": ROOM_IDLE_TIMEOUT * SECOND,
                        "num_replicas": self.replicas,
                    },
                )
                puller.inbox = await self.link.listen(partial(self._heard, puller))
            wish = {
                "batch": count,
                "expires": int(PULL * SECOND),
                "idle_heartbeat": HEARTBEAT * SECOND,
            }
            await self.link.say(
                f"$JS.API.CONSUMER.MSG.NEXT.{subjects.WORK}.{name}",
                to_json(wish),
                puller.inbox.subject,
            )
        except (StorageFailed, Rejected):
            puller.asked = 0  # the next demand tries again

    def forget(self, room: FollowedRoom) -> None:
        """This node is not in the room any more."""
        for queue, puller in list(self.pullers.items()):
            if puller.room is room:
                if puller.inbox is not None:
                    self.link.spawn(self.link.deafen(puller.inbox))
                del self.pullers[queue]
        for reply in [reply for reply, (p, _, _) in self.early.items() if p.room is room]:
            del self.early[reply]
            self.link.soon(reply, b"-NAK")
        for place in [place for place in self.fetched if place[0] == room.name]:
            self.link.soon(self.fetched.pop(place).reply, b"-NAK")

    async def close(self) -> None:
        """This node is going: another may have what it has at once."""
        for puller in list(self.pullers.values()):
            if puller.inbox is not None:  # else it would be sent to us again
                await self.link.drain(puller.inbox)
        for reply in [*self.early, *(fetched.reply for fetched in self.fetched.values())]:
            await self.link.say(reply, b"-NAK")
        self.early.clear()
        self.fetched.clear()

    def lost_touch(self) -> None:
        """The connection was away: what was asked for will not come."""
        for puller in self.pullers.values():
            puller.asked = 0

    # ── what comes ──────────────────────────────────────────────────────────────────────────

    def _heard(self, puller: Puller, message: Msg) -> None:
        headers = message.headers or {}
        puller.alive = time.monotonic()
        if headers.get("Status") == "100":
            return  # the request still stands
        if "Status" in headers:
            unserved = int(headers.get("Nats-Pending-Messages", puller.asked))
            puller.asked = max(0, puller.asked - unserved)
            return
        puller.asked = max(0, puller.asked - 1)
        told = from_json(message.data)
        room = puller.room
        if told["position"] <= room.state.head and attempt(message) == 1:
            self._offer(puller, message, bytes.fromhex(told["key"]))
        elif attempt(message) == 1:
            self.early[message.reply] = puller, message, told["position"]
        else:
            self.early[message.reply] = puller, message, NOT_KNOWN
            self.link.spawn(self._look_up(puller, message))

    async def _look_up(self, puller: Puller, message: Msg) -> None:
        """It was with somebody before: first follow all that is known of it."""
        stream = subjects.stream(puller.room.name, puller.room.epoch)
        try:
            info = await self.link.api(f"STREAM.INFO.{stream}")
        except (StorageFailed, Rejected):
            self.early.pop(message.reply, None)
            return  # it comes again
        if message.reply in self.early:
            self.early[message.reply] = puller, message, info["state"]["last_seq"]
            self.followed(puller.room)

    def followed(self, room: FollowedRoom) -> None:
        """The room has moved on: what came too early may be looked at."""
        for reply, (puller, message, position) in list(self.early.items()):
            if puller.room is room and position <= room.state.head:
                del self.early[reply]
                self._offer(puller, message, bytes.fromhex(from_json(message.data)["key"]))

    def _offer(self, puller: Puller, message: Msg, key: bytes) -> None:
        """An event came to us: those here may take it, if it is still to be taken."""
        room, clock = puller.room, time.monotonic()
        entry, place = room.queue.entries.get(key), (room.name, key)
        if entry is None or entry.state is State.DEAD:
            self.link.soon(message.reply, b"+ACK")  # its settling was stored, but not said here
            return
        known = self.fetched.get(place)
        self.fetched[place] = Fetched(room, message.reply, clock)
        if known is not None and (entry.holder or entry.state is State.READY):
            return  # JetStream thought that we were gone
        if entry.state is State.HELD:
            reason = f"the server of {entry.name} is gone"
            state = room.queue.release(entry, reason)
            data = {"attempts": entry.attempt} if state is State.DEAD else {"name": entry.name}
            kind = Kind.DEAD if state is State.DEAD else Kind.RELEASED
            self.callbacks.record(entry.tell(kind, self.now(), reason=reason, **data))
        if entry.state is not State.READY:
            return
        entry.since = clock
        if entry.record is None:
            self.link.spawn(self._offer_read(room, entry))
        else:
            room.queue.offer(entry)
            self.callbacks.touch(room.name)

    async def _offer_read(self, room: FollowedRoom, entry: Entry) -> None:
        """An event whose text is not at hand is offered with it."""
        try:
            entry.record = await self.read(room.name, entry.key)
        except StorageFailed:
            self.fetched.pop((room.name, entry.key), None)  # it comes again
            return
        if entry.record and entry.state is State.READY and (room.name, entry.key) in self.fetched:
            room.queue.offer(entry)
            self.callbacks.touch(room.name)

    # ── what time brings ────────────────────────────────────────────────────────────────────

    async def stay(self) -> None:
        """Say that we are at work; give back what nobody here takes."""
        clock = time.monotonic()
        at_work = clock > self.said + AT_WORK
        if at_work:
            self.said = clock
        for (name, key), fetched in list(self.fetched.items()):
            entry = fetched.room.queue.entries.get(key)
            if entry is None or not fetched.room.queue.is_here(entry):
                del self.fetched[name, key]  # JetStream tries again after `ABSENCE`
            elif entry.state is State.READY and clock > fetched.at + OFFER_TIMEOUT:
                fetched.room.queue.withdraw(entry)
                del self.fetched[name, key]
                await self.link.say(fetched.reply, b'-NAK {"delay": %d}' % SECOND)
            elif at_work:
                await self.link.say(fetched.reply, b"+WPI")

    async def find_forgotten(self) -> None:
        """What fell through between journal and work queue."""
        clock = time.monotonic()
        for puller in list(self.pullers.values()):
            if clock > puller.looked + FORGOTTEN:
                puller.looked = clock
                await self._find_forgotten(puller, clock)

    async def _find_forgotten(self, puller: Puller, clock: float) -> None:
        """A node may have died between journal and work queue: then nobody would be given this."""
        room = puller.room
        orphans: list[Entry] = [
            entry
            for entry in room.queue.entries.values()
            if entry.type == puller.type
            and entry.state is not State.DEAD
            and (room.name, entry.key) not in self.fetched
            and clock > entry.since + 2 * FORGOTTEN
        ]
        if orphans:  # those that wait there, or that somebody has, are not put in again
            some = random.sample(orphans, min(len(orphans), AT_ONCE))
            await self.link.store([self.message(room, entry) for entry in some])

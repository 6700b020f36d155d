"""One process' share of the broker: its rooms, its participants, and what they ask of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from orders.broker import messages
from orders.broker.limits import PING
from orders.broker.participants import GONE, Participant
from orders.broker.protocol import Publish, Subscription
from orders.broker.records import Kind, Record, control
from orders.broker.room import Refusal, Room
from orders.broker.room_state import RoomState
from orders.clock import monotonic, now_ms, slept
from orders.domain.envelope import Event
from orders.errors import OrdersError, Refused, StorageFailed
from orders.journal.base import Engine, Outcome
from orders.server.context import Context, Options
from orders.server.delivery import Delivery
from orders.server.hints import Hints
from orders.server.host import Host
from orders.server.inbox import Inbox
from orders.server.presence import Presence
from orders.server.pump import Pump, conflict, journal_notice
from orders.server.queues import Queues
from orders.server.replay import Replay

TICK = 0.1
RETRY_DELAY = 1.0  # seconds until what could not be stored is tried again
LOOK = 2.0  # seconds between two looks at the journal


class Node:
    """All rooms of this process. `frame` makes of a text what goes on the wire."""

    def __init__(
        self, engine: Engine, options: Options, frame: Callable[[bytes], bytes] = bytes
    ) -> None:
        self.engine, self.options = engine, options
        self.context = context = Context(engine, options, frame)
        self.inbox = inbox = Inbox()
        self.queues = queues = Queues(context, inbox)
        replay = Replay(context, queues)
        self._replay = replay
        self.presence = Presence(context, inbox, queues, replay)
        self.host = Host(context, inbox)
        self._hints = hints = Hints(context)
        delivery = Delivery(context, inbox, queues, replay, hints)
        self._pump = Pump(context, inbox, queues, replay, delivery, self.presence)
        self.stats, self.rooms = context.stats, context.rooms
        self.room, self.enter = self.presence.room, self.presence.enter
        self.join, self.leave = self.presence.join, self.presence.leave
        context.asked["take_over"] = self._take_over
        engine.callbacks = self

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Node"]:
        """Go on where the journal stands; at the end it is flushed."""
        for state in await self.engine.open():
            self.rooms[state.name] = Room.at(state)
        self.rooms.setdefault("main", Room.at(RoomState("main")))
        for room in self.rooms.values():
            self.queues.take_up(room)
        if not self.engine.shared:
            await self._recover()
        pump = self.context.spawn(self._pump.run())
        self.context.spawn(self._tick())
        try:
            yield self
        finally:
            self.inbox.stop()
            await asyncio.gather(pump, return_exceptions=True)
            await self.context.cancel_tasks()
            await self.engine.close()

    async def _recover(self) -> None:
        """Those who were here when the server ended are not any more, and hold nothing."""
        for room in self.rooms.values():
            if room.state.head:
                self.inbox.submit(control(room.name, Kind.LEFT, now_ms(), name=None))
            await self.queues.recover(room, "the server was restarted")

    def say_goodbye(self) -> None:
        """The server is going down: every participant is told, and may come back later."""
        notice = messages.Notice(code="going_down", message="The server is going down.")
        for room in self.rooms.values():
            self.context.tell_all(room, notice)

    async def storage_failure(self) -> StorageFailed | None:
        """Why the journal takes no writes; None while it does."""
        if self._pump.failure or self.engine.shared or self.engine.lost():
            self._pump.learn(await self.engine.probe())
        return self._pump.failure

    @property
    def away(self) -> str | None:
        """What all are told while the journal takes no writes; None while it does."""
        return journal_notice(self._pump.failure).message if self._pump.failure else None

    # ── what participants send ──────────────────────────────────────────────────────────────

    def receive(self, participant: Participant, text: str | bytes) -> Awaitable[None] | None:
        """One message of a participant; bytes for a binary one.

        Where something is returned, wait for it before the next message of this participant.
        """
        room = self.rooms.get(participant.room)
        if participant.life is GONE or room is None:
            return None  # its session was taken over: another speaks under its name
        if participant.intercept is not None and participant.intercept(text):
            return None
        received = self.context.protocol.receive(room, participant, text, now_ms(), monotonic())
        if isinstance(received, Publish):
            return self._publish(room, participant, received)
        match received:
            case Subscription(types):
                participant.chose_types, participant.subscription = True, types
                data = {"name": participant.name, "types": sorted(types)}
                record = control(room.name, Kind.SUBSCRIBED, now_ms(), **data)
                reply = self.context.say(messages.Subscribed(types=sorted(types)))
                self.inbox.submit(record, participant, reply)
            case messages.Ack():
                self.queues.acked(room, participant, received.event)
            case messages.Nack():
                self.queues.nacked(room, participant, received.event, received.reason)
            case messages.Error(code=code, message=message):
                room.refusals.append(Refusal(now_ms(), participant.name, code, message))
                self.inbox.submit(None, participant, self.context.say(received))
        return None

    def _publish(
        self, room: Room, participant: Participant, event: Publish
    ) -> Awaitable[None] | None:
        """An event of a participant, which may be the first to give it a name."""
        record, name = event
        if name is not None:
            if name != participant.name and self.engine.shared:
                return self.presence.take_first_name(room, participant, record, name)
            if name != participant.name:
                self.presence.rename(room, participant, name)
            participant.named = True
        self.inbox.submit(record, participant)
        return None

    @staticmethod
    def answers_ping(participant: Participant) -> bool:
        """Whether a ping is answered: it costs as much as some commands."""
        try:
            participant.allowance.spend_command(monotonic(), PING)
        except Refused:
            return False
        return True

    async def publish(self, room: Room, event: Event, name: str) -> tuple[str, bool]:
        """Accept one event from a sender that is no participant: its id, and whether it was a
        duplicate. What a participant would hear as `broker.error` is raised."""
        record = self.context.protocol.record(room, event, name, now_ms())
        answer = await self.inbox.submit(record)
        id = record.parsed().id
        if isinstance(answer, OrdersError):
            raise answer
        if answer is Outcome.CONFLICT:
            raise conflict(record.parsed())
        return id, answer is Outcome.DUPLICATE

    # ── what a shared journal asks ──────────────────────────────────────────────────────────

    def wake(self) -> None:
        """Something arrived from the journal."""
        self.inbox.work.set()

    def submit(self, record: Record) -> object:
        """The engine has something for the journal."""
        return self.inbox.submit(record, urgent=False)

    def has_name(self, room: str, name: str) -> bool:
        """Whether a participant here has a name."""
        here = self.rooms.get(room)
        return here is not None and here.has_here(name)

    async def asked(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Another node asks about a participant that is connected here."""
        return await self.context.asked[request["action"]](request)

    async def _take_over(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Another node takes over the session of a participant that is connected here."""
        room, session, was = request["room"], request["session"], request.get("name")
        return {"name": await self.presence.take_over(room, session, was)}

    # ── what depends on time alone ──────────────────────────────────────────────────────────

    async def _tick(self) -> None:
        """Leases, readers that stopped, and how late this runs."""
        looked = tried = monotonic()
        probe: asyncio.Task[None] | None = None
        while True:
            before = monotonic()
            await asyncio.sleep(TICK)
            now = monotonic()
            self.stats.stall = max(self.stats.stall, now - before - TICK)
            if asleep := slept(now - before - TICK):
                for room in self.rooms.values():
                    room.leases.prolong(asleep)  # nobody could ack meanwhile
                self._replay.slept(asleep)
            await self.queues.tick()
            await self._hints.tick()
            self._replay.cut_off_slow()
            if now > tried + RETRY_DELAY:
                tried = now
                self._pump.try_again()
                if self._pump.failure and (probe is None or probe.done()):  # it may take long
                    probe = self.context.spawn(self._probe())
            if now > looked + LOOK:
                looked = now
                await self._look_around()

    async def _probe(self) -> None:
        await self.storage_failure()

    async def _look_around(self) -> None:
        """Whether the journal is still there; what a shared one wants kept, and who is gone."""
        self._pump.learn(self.engine.lost() or self._pump.failure)
        if not self.engine.shared:
            return
        await self.presence.reap()
        for room in list(self.rooms.values()):
            await self.engine.keep(room.state)
        await self.presence.leave_unused()

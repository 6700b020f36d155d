"""One process' share of the broker: its rooms, its participants, and what they ask of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from orders.broker import limits
from orders.broker.broker import Broker, Item
from orders.broker.leases import Entry
from orders.broker.limits import Limits
from orders.broker.records import Kind, Record, control
from orders.broker.room import Participant, Room
from orders.clock import new_id, now_ms
from orders.domain.envelope import Event, is_room
from orders.errors import Close, NotFound, OrdersError, Refused, StorageFailed
from orders.journal.base import Answer, Engine, Outcome
from orders.server.host import Host
from orders.server.pump import Pump, conflict
from orders.server.queues import Queues
from orders.server.replay import replay
from orders.server.replay_cache import ReplayCache

TICK = 0.1
AGAIN = 1.0  # seconds until what could not be stored is tried again
ROOM_IDLE_TIMEOUT = 60.0  # seconds that a room stays where nobody is in it and nobody looks at it


@dataclass(frozen=True, slots=True)
class Options:
    """What the node is told. Times are seconds, sizes bytes."""

    limits: Limits = field(default_factory=Limits)
    lease: float = 30.0
    max_unread: int = 1024 * 1024
    slow_grace: float = 2.0


@dataclass(slots=True)
class Stats:
    """Counted since the start; `slow`: cut off as too slow; `stall`: the longest, in seconds."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    delivered: int = 0
    batches: int = 0
    slow: int = 0
    stall: float = 0.0


class Node:
    """All rooms of this process. `frame` makes of a text what goes on the wire."""

    def __init__(
        self, engine: Engine, options: Options, frame: Callable[[bytes], bytes] = bytes
    ) -> None:
        self.engine = engine
        self.options = options
        self.frame = frame
        self.broker = Broker(new_id, options.limits, engine.durable)
        self.stats = Stats()
        self.pump = Pump(self)
        self.queues = Queues(self)
        self.host = Host(self)
        self.passages = ReplayCache(engine, frame)
        self._entering: dict[str, asyncio.Lock] = {}
        engine.callbacks = self
        self._lagging: dict[Participant, float] = {}  # whose output is too long, since when
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Node"]:
        """Go on where the journal stands; at the end everyone hears of it and it is flushed."""
        self.broker.restore(await self.engine.open())
        for room in self.broker.rooms.values():
            if (
                room.head and not self.engine.shared
            ):  # whoever was here when the server ended is not any more
                gone = control(room.name, Kind.LEFT, now_ms(), name=None)
                self.pump.gather(Item(room, None, gone))
        pump = self.spawn(self.pump.run())
        self.spawn(self._tick())
        try:
            yield self
        finally:
            self.say_goodbye()
            self.pump.stop()
            await asyncio.gather(pump, return_exceptions=True)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.engine.close()

    def say_goodbye(self) -> None:
        """The server is going down: everyone is told, and may come back later."""
        text = self.broker.notice("going_down", "The server is going down.", now_ms())
        for room in self.broker.rooms.values():
            self.tell_all(room, text)
            for participant in list(room.participants.values()):
                participant.transport.close(Close.GOING_AWAY, "the server is going down")

    def room(self, name: str) -> Room:
        """The room, or `NotFound`."""
        room = self.broker.rooms.get(name)
        if room is None:
            raise NotFound(
                "unknown_room",
                f"There is no room `{name}` yet: it begins when somebody joins it, such as"
                f" /ws?room={name}.",
            )
        return room

    def open_room(self, name: str) -> Room:
        """The room, begun if there is none; `Full` when there are too many."""
        return self.broker.open_room(name)

    async def enter(self, name: str, *, begin: bool = False) -> Room:
        """The room, wherever it was begun: `NotFound`, or begun if it is to `begin`."""
        if self.engine.shared and name not in self.broker.rooms and is_room(name):
            async with self._entering.setdefault(name, asyncio.Lock()):
                if name not in self.broker.rooms:
                    self.broker.check_rooms()
                    state = await self.engine.enter(name, begin)
                    if state is not None:
                        self.broker.rooms[name] = Room.restored(state)
        room = self.open_room(name) if begin else self.room(name)
        room.used = time.monotonic()
        return room

    async def storage_failure(self) -> StorageFailed | None:
        """Why the journal takes no writes; None while it does."""
        if self.pump.failure or self.engine.shared:
            self.pump.failure = await self.engine.probe()
        return self.pump.failure

    # ── coming and going ────────────────────────────────────────────────────────────────────

    async def join(self, participant: Participant, name: str | None, after: str | None) -> None:
        """Let a participant in; it hears of it when the journal has it. `Full` when it may not."""
        room, epoch = participant.room, participant.room.epoch
        unknown = None
        if after == "start":
            participant.after = 0
        elif after is not None:
            found = await self.engine.find(room.name, bytes.fromhex(after.replace("-", "")))
            if room.epoch != epoch:
                found = None  # the room began anew meanwhile
            participant.after = found.position if found else None
            if found is None:
                unknown = Refused(
                    "unknown_position",
                    f"`after` names {after}, which is not in this room (any more): you hear what"
                    " comes from now on. Use after=start for all there is.",
                )
        participant.written = participant.after or 0
        if participant.session:
            elsewhere = await self.engine.take_over(room.name, participant.session)
            name = elsewhere or name
        own: set[str] = set()
        taken: set[str] = set()
        while True:
            room = await self.enter(room.name, begin=True)  # it may have been forgotten meanwhile
            participant.room = room
            if participant.session and elsewhere:
                room.elsewhere.pop(elsewhere, None)
            free = self.broker.name_for(participant, name, taken)
            if free in own:
                break
            if await self.engine.take_name(room.name, free, participant.session):
                own.add(free)  # by this node; unless somebody else here bears it by now
            else:
                taken.add(free)
        old = room.sessions.get(participant.session or "")
        if old is not None:
            self.queues.let_go(old, "its session was taken over")
            old.transport.close(Close.TAKEN_OVER, "another connection took over your session")
        for item in self.broker.join(participant, name, now_ms(), taken):
            self.pump.gather(item)
        if unknown:
            self.pump.gather(self.broker.refusal(room, participant, unknown, "", now_ms()))

    def leave(self, participant: Participant) -> None:
        """Its connection ended."""
        self._lagging.pop(participant, None)
        if not participant.gone:
            self.queues.let_go(participant, "its connection was lost")
            for item in self.broker.leave(participant, now_ms()):
                self.pump.gather(item, urgent=False)

    # ── what is sent, and what is said ──────────────────────────────────────────────────────

    def receive(self, participant: Participant, text: str | None) -> None:
        """One message of a participant; None for a binary one."""
        if participant.gone:
            return  # its session was taken over: another speaks under its name
        for item in self.broker.receive(participant, text, now_ms(), time.monotonic()):
            if item.command is not None:
                self.queues.command(item)
            if item.record is not None or item.reply is not None:
                self.pump.gather(item)

    def is_abusive(self, participant: Participant) -> bool:
        """Whether it has sent too much for too long."""
        return limits.is_abusive(participant, self.broker.limits, time.monotonic())

    async def publish(self, room: Room, event: Event, name: str) -> tuple[str, bool]:
        """Accept one event from who is no participant: its id, and whether it was a duplicate."""
        item = self.broker.publish(room, event, name, now_ms())
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        item.answered = lambda answer: None if answered.done() else answered.set_result(answer)
        self.pump.gather(item)
        answer = await answered
        id = item.event_id
        if isinstance(answer, OrdersError):
            raise answer
        if answer is Outcome.CONFLICT:
            raise conflict(id)
        return id, answer is Outcome.DUPLICATE

    def tell(self, participant: Participant, text: bytes) -> None:
        """Say something to one, beside the log."""
        if participant.welcomed and not participant.gone:
            participant.transport.write(self.frame(text))

    def tell_all(self, room: Room, text: bytes) -> None:
        """Say something to all in a room, beside the log."""
        for participant in list(room.participants.values()):
            self.tell(participant, text)

    # ── the other nodes ─────────────────────────────────────────────────────────────────────

    def wake(self) -> None:
        """Something arrived from the journal."""
        self.pump.wake()

    def touch(self, room: str) -> None:
        """Something may be handed over in a room."""
        if here := self.broker.rooms.get(room):
            self.queues.touch(here)

    def record(self, record: Record) -> None:
        """The engine has something for the journal."""
        if room := self.broker.rooms.get(record.room):
            self.pump.gather(Item(room, None, record), urgent=False)

    def bears(self, room: str, name: str) -> bool:
        """Whether a participant here bears a name."""
        here = self.broker.rooms.get(room)
        return here is not None and name in here.participants

    def lost(self, entry: Entry) -> None:
        """Another node gave to somebody else what a participant here held."""
        if here := self.broker.rooms.get(entry.room):
            self.queues.lost(here, entry)

    async def asked(self, what: Mapping[str, Any]) -> Mapping[str, Any]:
        """Another node asks us to do something to a participant that is connected here."""
        room = self.broker.rooms.get(what["room"])
        if room is None:
            return {}
        if what["action"] != "take_over":
            self.host.act_here(room, what["name"], what["action"])
            return {}
        old = room.sessions.get(what["session"])
        if old is None:
            return {}
        self.queues.let_go(old, "its session was taken over")
        items = self.broker.leave(old, now_ms())
        old.transport.close(Close.TAKEN_OVER, "another connection took over your session")
        stored: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        items[-1].answered = lambda answer: None if stored.done() else stored.set_result(answer)
        for item in items:
            self.pump.gather(item)
        await stored  # its leaving must not come behind the other's joining
        return {"name": old.name if old.named else None}

    # ── those who are behind ────────────────────────────────────────────────────────────────

    def start_replay(self, participant: Participant) -> None:
        """It came back with `after`: first what it missed."""
        self.spawn(replay(self, participant, caught_up=True))

    def fall_behind(self, participant: Participant) -> None:
        """Its unread output passed the limit: it reads on from the journal once it has read."""
        self._lagging.setdefault(participant, time.monotonic())
        if participant.live:
            participant.room.unlisten(participant)
            if participant.held is None:  # else its replay goes on by itself
                participant.written = max(participant.room.cursor, participant.since)
                self.spawn(replay(self, participant, caught_up=False))

    async def _tick(self) -> None:
        """What depends on time alone: leases, readers that stopped, and how late this runs."""
        left = tried = time.monotonic()
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK)
            clock = time.monotonic()
            self.stats.stall = max(self.stats.stall, clock - before - TICK)
            self.queues.tick()
            if self.pump.failure and clock > tried + AGAIN:
                tried = clock
                self.pump.try_again()
            if self.engine.shared and clock > left + ROOM_IDLE_TIMEOUT / 10:
                left = clock
                await self._leave_unused(clock)
            for participant, since in list(self._lagging.items()):
                if participant.transport.unread() <= self.options.max_unread:
                    del self._lagging[participant]
                elif clock - since > self.options.slow_grace:
                    del self._lagging[participant]
                    self.stats.slow += 1
                    participant.transport.close(
                        Close.TOO_SLOW, "your unread output passed the limit: come back with after"
                    )

    async def _leave_unused(self, clock: float) -> None:
        """Rooms in which nobody here is any more: other nodes may have them."""
        for name, room in list(self.broker.rooms.items()):
            if name != "main" and not room.participants and clock > room.used + ROOM_IDLE_TIMEOUT:
                del self.broker.rooms[name]
                await self.engine.leave(name)

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A task whose failure ends the process loudly: no failure is swallowed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.on_failure(error)

    def on_failure(self, error: BaseException) -> None:
        """What nobody handles; the composition root decides how the process ends."""
        asyncio.get_running_loop().call_exception_handler(
            {"message": "the broker failed", "exception": error}
        )

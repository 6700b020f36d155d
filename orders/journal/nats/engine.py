"""The engine on NATS JetStream: what `base.Engine` promises, kept by streams and buckets."""

import asyncio
import contextlib
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from nats.errors import Error as NatsError

from orders.broker.leases import Leases
from orders.broker.modes import Mode
from orders.broker.records import Kind, Record, RoomState, control
from orders.errors import CannotStart, StorageFailed
from orders.journal.base import (
    Answer,
    Claimed,
    Credit,
    NodeCallbacks,
    Outcome,
)
from orders.journal.nats import subjects
from orders.journal.nats.connection import Message, NatsConnection
from orders.journal.nats.failures import SEALED, TAKEN, Rejected, failure, unavailable, why
from orders.journal.nats.membership import Membership
from orders.journal.nats.reading import Reading
from orders.journal.nats.room import FollowedRoom
from orders.journal.nats.rooms import AGAIN, POLL, Rooms
from orders.journal.nats.work import Work

log = structlog.get_logger()

TICK = 0.5
TIDY = 2.0
MOST_OWN = 50_000  # records of ours that may arrive yet
START = 20.0  # seconds that servers which have just begun may take to agree who leads
ACCEPTED = Outcome.ACCEPTED


class NatsEngine(Reading):
    """An engine (see `base.Engine`) whose journal any number of nodes share.

    `synced`: whether the servers sync every write to disk (`sync_interval: always`), which they
    do not tell; only then does accepted mean that an event survives a power failure of one of
    them. `patience`: the seconds after which a server that says nothing has failed.
    """

    shared = True
    callbacks: NodeCallbacks

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        max_attempts: int = 5,
        replicas: int = 1,
        synced: bool = False,
        creds: str | None = None,
        ca: str | None = None,
        patience: float = 4.0,
    ) -> None:
        self.durable = synced
        self.node = uuid.uuid4().hex[:12]
        self._max_attempts, self._replicas = max_attempts, replicas
        self._link = NatsConnection(addresses, creds, ca, patience)
        self._rooms = Rooms(self._link, self.node, max_attempts, replicas)
        self._arrived: list[Record] = []
        self._numbers = itertools.count(1)
        self._own: dict[int, Record] = {}  # appended here, and not arrived yet
        self._reaped: set[tuple[str, int, int]] = set()
        self._going_on: list[asyncio.Task[None]] = []
        self._following_up = asyncio.Lock()
        self._closing = False

    # ── opening and closing ─────────────────────────────────────────────────────────────────

    async def open(self) -> list[RoomState]:
        await self._link.open()
        try:
            async with asyncio.timeout(START):
                state = await self._make_streams()
        except (TimeoutError, StorageFailed, Rejected) as error:
            await self._link.close()
            raise CannotStart("engine_unusable", why(error)) from None
        except CannotStart:
            await self._link.close()
            raise
        self._link.on_return = self._work.lost_touch
        # Apart from one another: that we are at work must be said in time, whatever else is slow.
        for seconds, do in (
            (TICK, self._work.stay),
            (TICK, self._look_around),
            (TIDY, self._tidy),
        ):
            self._going_on.append(self._link.keep(self._every(seconds, do)))
        if not self.durable:
            log.warning(
                "accepted means that NATS has the event, not that it is synced to disk: what was"
                " accepted last may be lost if a machine loses power, but not if a process is"
                " killed; see docs/running.md",
                replicas=self._replicas,
            )
        return [state] if state and state != RoomState("main") else []

    async def close(self) -> None:
        if self._going_on:
            self._closing = True
            for task in self._going_on:
                task.cancel()
            await asyncio.wait(self._going_on, timeout=TICK)
            await self._link.finish()
            await self._work.close()
            await self._rooms.close()
        await self._link.close()

    async def _make_streams(self) -> RoomState | None:
        """Have all that there must be; servers that have just begun are asked again."""
        self._work = Work(self._link, self._replicas, self.callbacks, _now, self.find)
        self._people = Membership(self._link, self.node, self.callbacks, self._replicas)
        self._rooms.mine, self._rooms.arrived = self._mine, self._has_arrived
        self._rooms.ended, self._rooms.lost = self._work.forget, self.callbacks.lost
        while True:
            try:
                make = self._rooms.make_stream
                await make(subjects.WORK, "orders.work.>", retention="workqueue")
                await make(subjects.DEAD, "orders.dead.>", max_msgs_per_subject=1)
                await self._rooms.open()
                await self._people.open()
                return await self.enter("main", begin=True)
            except (StorageFailed, NatsError, TimeoutError):
                await asyncio.sleep(AGAIN)

    # ── rooms ───────────────────────────────────────────────────────────────────────────────

    async def enter(self, room: str, begin: bool) -> RoomState | None:
        return await self._rooms.enter(room, begin)

    async def leave(self, room: str) -> None:
        await self._rooms.leave(room)

    async def forget(self, room: str) -> None:
        if (there := self._rooms.here.get(room)) and not there.state.events:
            await self._rooms.leave(room)  # somebody may just be coming to another node

    def _mine(self, node: str, number: int) -> Record | None:
        return self._own.pop(number, None) if node == self.node else None

    def _has_arrived(self, room: FollowedRoom, record: Record) -> None:
        self._arrived.append(record)
        self.callbacks.wake()
        self._work.followed(room)

    def arrived(self) -> list[Record]:
        arrived, self._arrived = self._arrived, []
        return arrived

    # ── writing ─────────────────────────────────────────────────────────────────────────────

    async def append(self, records: Sequence[Record]) -> list[Answer]:
        answers: list[Answer] = []
        waiting: list[Record] = []
        for record in records:
            if record.kind is Kind.RESET:
                answers += await self._store(waiting)
                answers.append(await self._reset(record))
                waiting = []
            else:
                waiting.append(record)
        return answers + await self._store(waiting)

    async def _store(self, records: list[Record]) -> list[Answer]:
        """Publish all at once; JetStream answers for each."""
        if not records:
            return []
        names = {record.room for record in records}
        try:
            while missing := names - self._rooms.here.keys():
                await self.enter(missing.pop(), begin=True)
        except StorageFailed as failed:
            return [failed] * len(records)
        numbers = list(itertools.islice(self._numbers, len(records)))
        self._own.update(zip(numbers, records, strict=True))
        for number in list(itertools.islice(self._own, max(0, len(self._own) - MOST_OWN))):
            del self._own[number]
        rooms = {record.room: self._rooms.here[record.room] for record in records}
        said = await self._link.store(
            [self._message(r, number) for r, number in zip(records, numbers, strict=True)]
        )
        answers = [
            await self._answer(record, number, answer, rooms[record.room])
            for record, number, answer in zip(records, numbers, said, strict=True)
        ]
        stored = [r for r, answer in zip(records, answers, strict=True) if answer is ACCEPTED]
        self._link.spawn(self._enqueue(stored))
        self._link.spawn(self._in_turn(stored))
        return answers

    def _message(self, record: Record, number: int) -> Message:
        epoch = self._rooms.here[record.room].epoch
        headers = {subjects.HEADER: subjects.header(record, self.node, number)}
        if record.kind is Kind.EVENT:
            headers[subjects.EXPECTED] = "0"
        return subjects.subject(record, epoch), record.body, headers

    async def _answer(
        self, record: Record, number: int, said: int | Rejected | None, room: FollowedRoom
    ) -> Answer:
        if isinstance(said, int):
            record.position = said
            return Outcome.ACCEPTED
        if number not in self._own:
            return Outcome.ACCEPTED  # the answer was lost, but the record has arrived
        if said is None:
            return unavailable()  # should it be stored all the same, it arrives as ours
        del self._own[number]
        if said.code in TAKEN:
            try:
                return await self._compare(record)
            except StorageFailed as failed:
                return failed
        if said.code == SEALED:
            try:
                await self._until_over(room)
            except StorageFailed as failed:
                return failed
            return (await self._store([record]))[0]
        return failure(said)

    async def _compare(self, record: Record) -> Answer:
        """The id is in the room: is it the same event again?"""
        there = await self.find(record.room, record.key)
        if there is None:
            return unavailable()
        same = record.parsed().says_the_same(there.parsed())
        return Outcome.DUPLICATE if same else Outcome.CONFLICT

    async def _reset(self, record: Record) -> Answer:
        """Store the end of an epoch, and wait until the next has begun."""
        room = self._rooms.here.get(record.room)
        try:
            if room is None:
                await self.enter(record.room, begin=True)
                room = self._rooms.here[record.room]
            await self._rooms.prepare_reset(room)
            (answer,) = await self._store([record])
            if answer is ACCEPTED:
                await self._until_over(room)
        except (StorageFailed, Rejected):
            return unavailable()
        return answer

    async def _until_over(self, room: FollowedRoom) -> None:
        """Wait until the epoch of a room is over."""
        try:
            async with asyncio.timeout(self._link.patience):
                while self._rooms.here.get(room.name) is room:
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise unavailable() from None

    async def _enqueue(self, records: list[Record]) -> None:
        """Put queued events into their queues; what is not answered is found again."""
        messages = [
            self._work.message(room, record)
            for record in records
            if record.mode == Mode.QUEUE and (room := self._rooms.here.get(record.room))
        ]
        if messages:
            await self._link.store(messages)

    async def _in_turn(self, records: list[Record]) -> None:
        async with self._following_up:  # which lets one in after the other
            await self._follow_up(records)

    async def _follow_up(self, records: list[Record]) -> None:
        """What the journal has now, done to queues and names."""
        for record in records:
            room = self._rooms.here.get(record.room)
            if room is None:
                continue
            place = room.name, record.key
            match record.kind:
                case Kind.HANDED if record.data["lease"] is None:
                    await self._work.settle(*place)
                case Kind.SETTLED:
                    await self._work.settle(*place)
                case Kind.RELEASED:
                    await self._work.release(*place)
                case Kind.DEAD:
                    subject = subjects.dead(room.name, room.epoch, record.key)
                    await self._link.store([(subject, record.body, {})])
                    await self._work.set_aside(*place)
                case Kind.RETRIED | Kind.DISCARDED:
                    await self._revive(room, record)
                case Kind.LEFT:
                    self._link.spawn(self._free(room.name, record))
                case Kind.JOINED if record.data["was"] is not None:
                    with contextlib.suppress(StorageFailed):
                        await self._people.take(room.name, record.data["name"])

    async def _revive(self, room: FollowedRoom, record: Record) -> None:
        """A dead letter is none any more."""
        entry = room.queue.entries.get(record.key)
        if record.kind is Kind.RETRIED and entry is not None:
            await self._link.store([self._work.message(room, entry)])
        with contextlib.suppress(StorageFailed, Rejected):
            subject = subjects.dead(room.name, room.epoch, record.key)
            await self._link.api(f"STREAM.PURGE.{subjects.DEAD}", filter=subject)

    async def _free(self, room: str, left: Record) -> None:
        name = left.data["name"]
        if name is not None and not self.callbacks.bears(room, name):
            await self._people.free(room, name, left.data.get("of", self.node))

    async def probe(self) -> StorageFailed | None:
        return await self._people.show()

    # ── queues ──────────────────────────────────────────────────────────────────────────────

    def queue(self, room: str) -> Leases:
        there = self._rooms.here.get(room)
        return there.queue if there else Leases(room, self._max_attempts, shared=True)

    def demand(self, room: str, credit: Credit) -> None:
        if there := self._rooms.here.get(room):
            self._work.demand(there, credit)

    async def claim(
        self, room: str, type: str, upto: int, name: str, holder: int, deadline: float | None
    ) -> Claimed | None:
        entry = self.queue(room).take(type, name, upto, holder, name, deadline)
        if entry is None:
            return None
        record = entry.record or await self.find(room, entry.key)
        return Claimed(record, entry) if record else None

    # ── people ──────────────────────────────────────────────────────────────────────────────

    async def take_name(self, room: str, name: str, session: str | None) -> bool:
        if not await self._people.take(room, name):
            return False
        if session:
            await self._people.keep(room, session, name)
        return True

    async def take_over(self, room: str, session: str) -> str | None:
        return await self._people.take_over(room, session)

    async def ask(self, node: str, **what: Any) -> Mapping[str, Any]:
        return await self._people.ask(node, **what)

    # ── what time brings ────────────────────────────────────────────────────────────────────

    async def _every(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        while not self._closing:  # the library may swallow a cancelling
            await asyncio.sleep(seconds)
            await do()

    async def _look_around(self) -> None:
        """Show that this node is alive, and see who is not."""
        await self._people.beat()
        for room in list(self._rooms.here.values()):
            self._reap(room)
            if room.queue.entries:
                self.callbacks.touch(room.name)

    async def _tidy(self) -> None:
        """What may take its time."""
        await self._work.find_forgotten()
        for room in list(self._rooms.here.values()):
            if not self._own and not room.queue.is_ahead:
                await self._rooms.snapshots.save(room)

    def _reap(self, room: FollowedRoom) -> None:
        """Participants of a node that is gone have left, though it did not say so."""
        others = {one.node for one in room.present.values()} - {"", self.node}
        missing = self._people.missing(others) if others else ()
        for name, joined in room.present.items():
            place = room.name, room.epoch, joined.position
            if joined.node in missing and place not in self._reaped:
                self._reaped.add(place)
                left = control(room.name, Kind.LEFT, _now(), name=name, last=None, of=joined.node)
                self.callbacks.record(left)


def _now() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000

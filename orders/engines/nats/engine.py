"""The engine on NATS JetStream: what `base.Engine` promises, kept by streams and buckets."""

import asyncio
import contextlib
import itertools
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from nats.js.errors import KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic_core import from_json, to_json

from orders.broker.modes import Mode
from orders.broker.records import Kind, Record, RoomState, control
from orders.domain.orders import Order
from orders.engines.base import (
    MOST_BYTES,
    MOST_SCANNED,
    Answer,
    Claimed,
    Credit,
    Filter,
    Neighbours,
    Outcome,
    Page,
    take_bytes,
    take_page,
)
from orders.engines.leases import Leases
from orders.engines.nats import subjects
from orders.engines.nats.link import Link, Message, Rejected, unavailable
from orders.engines.nats.people import People
from orders.engines.nats.room import FollowedRoom
from orders.engines.nats.snapshots import Snapshots
from orders.engines.nats.work import Work
from orders.errors import CannotStart, StorageFailed

log = structlog.get_logger()

TICK = 0.5
CHUNK = 500
MOST_NEEDED = 500  # records after which a node that goes keeps a snapshot
#: What JetStream answers when something is there already, and when it has no room.
TAKEN, FULL = 10071, (10023, 10047, 10077)
IN_USE = 10058  # a stream of this name is there, with other settings
ACCEPTED = Outcome.ACCEPTED


class NatsEngine:
    """An engine (see `base.Engine`) whose journal any number of nodes share.

    `synced`: whether the servers sync every write to disk (`sync_interval: always`), which they
    do not tell; only then does accepted mean that an event survives a power failure of one of
    them. `patience`: the seconds after which a server that says nothing has failed.
    """

    shared = True
    neighbours: Neighbours

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
        self._link = Link(addresses, creds, ca, patience)
        self._rooms: dict[str, FollowedRoom] = {}
        self._entering: dict[str, asyncio.Lock] = {}
        self._arrived: list[Record] = []
        self._numbers = itertools.count(1)
        self._own: dict[int, Record] = {}  # appended here, and not arrived yet
        self._reaped: set[tuple[str, str, str]] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._closing = False

    # ── opening and closing ─────────────────────────────────────────────────────────────────

    async def open(self) -> list[RoomState]:
        await self._link.open()
        try:
            await self._make_streams()
            state = await self.enter("main", begin=True)
        except (StorageFailed, Rejected) as error:
            await self._link.close()
            raise CannotStart("engine_unusable", _why(error)) from None
        except CannotStart:
            await self._link.close()
            raise
        self._link.on_return = self._work.lost_touch
        self._ticking = asyncio.create_task(self._tick())
        if not self.durable:
            log.warning(
                "accepted means that NATS has the event, not that it is synced to disk: what was"
                " accepted last may be lost if a machine loses power, but not if a process is"
                " killed; see docs/running.md",
                replicas=self._replicas,
            )
        return [state] if state else []

    async def close(self) -> None:
        if self._ticking is not None:
            self._closing = True
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
            for room in self._rooms.values():
                await self._snapshots.save(room, MOST_NEEDED)
                await room.stop()
        self._rooms.clear()
        await self._link.close()

    async def _make_streams(self) -> None:
        self._work = Work(self._link, self._replicas, self.neighbours, _now)
        self._people = People(self._link, self.node, self.neighbours, self._replicas)
        self._snapshots = Snapshots(self._link, self._replicas)
        await self._make_stream(subjects.WORK, "orders.work.>", retention="workqueue")
        await self._make_stream(subjects.DEAD, "orders.dead.>", max_msgs_per_subject=1)
        js = self._link.nc.jetstream(timeout=self._link.patience)
        self._epochs: KeyValue = await js.create_key_value(
            bucket=subjects.ROOMS, replicas=self._replicas
        )
        await self._people.open()
        await self._snapshots.open()

    async def _make_stream(self, name: str, subject: str, **more: Any) -> None:
        """A stream on disk; one that is there already must be."""
        try:
            made = await self._link.api(
                f"STREAM.CREATE.{name}",
                name=name,
                subjects=[subject],
                storage="file",
                num_replicas=self._replicas,
                allow_direct=True,
                **more,
            )
        except Rejected as rejected:
            if rejected.code != IN_USE:
                raise
            made = await self._link.api(f"STREAM.INFO.{name}")
        if made["config"]["storage"] != "file":
            raise CannotStart(
                "engine_in_memory",
                f"The stream {name} is kept in memory, so that accepted would mean nothing: remove"
                f" it with `nats stream rm {name}`, and Orders makes one on disk.",
            )

    # ── rooms ───────────────────────────────────────────────────────────────────────────────

    async def enter(self, room: str, begin: bool) -> RoomState | None:
        async with self._entering.setdefault(room, asyncio.Lock()):
            there = self._rooms.get(room)
            if there is None:
                found = await self._find_room(room, begin)
                if found is None:
                    return None
                there = FollowedRoom(room, found["epoch"], self.node, self._max_attempts)
                there.state.modes = found["modes"]
                await self._snapshots.load(there)
                name = subjects.stream(room, there.epoch)
                info = await self._link.api(f"STREAM.INFO.{name}")
                self._follow(there)
                while there.state.head < info["state"]["last_seq"]:
                    await asyncio.sleep(0.005)
                if not begin and not there.state.events and not there.present:
                    await there.stop()
                    return None  # it was left empty: a room nobody remembers
                self._rooms[room] = there
        others = [one for one in there.present.values() if one.node not in ("", self.node)]
        return replace(there.state, present=others)

    async def _find_room(self, room: str, begin: bool) -> dict[str, Any] | None:
        """The epoch of a room, and the modes that this began with."""
        entry = await self._link.kept(self._epochs.get(room))
        found: dict[str, Any] = from_json(entry.value) if entry else {"epoch": 1, "modes": {}}
        if entry is None:
            if not begin:
                return None
            with contextlib.suppress(KeyWrongLastSequenceError):
                await self._link.kept(self._epochs.create(room, to_json(found)))
        await self._make_journal(room, found["epoch"])
        return found

    async def _make_journal(self, room: str, epoch: int) -> None:
        await self._make_stream(
            subjects.stream(room, epoch), f"{subjects.log(room, epoch)}.>", deny_delete=True
        )

    def _follow(self, room: FollowedRoom) -> None:
        room.lost = self.neighbours.lost
        room.follow(self._link, self._mine, self._has_arrived)

    def _mine(self, node: str, number: int) -> Record | None:
        return self._own.pop(number, None) if node == self.node else None

    def _has_arrived(self, room: FollowedRoom, record: Record) -> None:
        if self._rooms.get(room.name) is not room:
            return  # it is being entered: its state will tell
        self._arrived.append(record)
        self.neighbours.wake()
        self._work.followed(room)
        if record.kind is Kind.RESET:
            anew = FollowedRoom(room.name, room.epoch + 1, self.node, self._max_attempts)
            anew.state.modes = room.state.modes
            self._rooms[room.name] = anew
            self._drop(room)
            self._follow(anew)

    def _drop(self, room: FollowedRoom) -> None:
        self._work.forget(room)
        self._link.spawn(room.stop())

    async def leave(self, room: str) -> None:
        there = self._rooms.pop(room, None)
        if there is not None:
            await self._snapshots.save(there, MOST_NEEDED)
            self._drop(there)

    async def forget(self, room: str) -> None:
        await self.leave(room)  # other nodes may be in it; what it has is little

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
        try:
            for name in {record.room for record in records} - self._rooms.keys():
                await self.enter(name, begin=True)
        except StorageFailed as failed:
            return [failed] * len(records)
        numbers = list(itertools.islice(self._numbers, len(records)))
        self._own.update(zip(numbers, records, strict=True))
        said = await self._link.store(
            [self._message(r, number) for r, number in zip(records, numbers, strict=True)]
        )
        answers = [
            await self._answer(record, number, answer)
            for record, number, answer in zip(records, numbers, said, strict=True)
        ]
        stored = [r for r, answer in zip(records, answers, strict=True) if answer is ACCEPTED]
        self._link.spawn(self._follow_up(stored))
        return answers

    def _message(self, record: Record, number: int) -> Message:
        epoch = self._rooms[record.room].epoch
        headers = {subjects.HEADER: subjects.header(record, self.node, number)}
        if record.kind is Kind.EVENT:
            headers[subjects.EXPECTED] = "0"
        return subjects.subject(record, epoch), record.body, headers

    async def _answer(self, record: Record, number: int, said: int | Rejected | None) -> Answer:
        if isinstance(said, int):
            record.position = said
            return Outcome.ACCEPTED
        if self._own.pop(number, None) is None:
            return Outcome.ACCEPTED  # the answer was lost, but the record has arrived
        if said is None:
            return unavailable()
        if said.code == TAKEN:
            try:
                return await self._compare(record)
            except StorageFailed as failed:
                return failed
        if said.code in FULL:
            return StorageFailed(
                "storage_full",
                "The servers that keep the journal have no room left: this event was not accepted."
                " Make room, then send it again.",
            )
        return StorageFailed(
            "storage_failed",
            f"The journal could not be written ({said}): this event was not accepted. Send it"
            " again later.",
        )

    async def _compare(self, record: Record) -> Answer:
        """The id is in the room: is it the same event again?"""
        there = await self.find(record.room, record.key)
        if there is None:
            return unavailable()
        same = record.parsed().says_the_same(there.parsed())
        return Outcome.DUPLICATE if same else Outcome.CONFLICT

    async def _reset(self, record: Record) -> Answer:
        """The next epoch is there before the last one ends."""
        room = self._rooms[record.room]
        try:
            await self._make_journal(room.name, room.epoch + 1)
            begun = {"epoch": room.epoch + 1, "modes": room.state.modes}
            (answer,) = await self._store([record])
            if answer is ACCEPTED:
                await self._link.kept(self._epochs.put(room.name, to_json(begun)))
                async with asyncio.timeout(self._link.patience):
                    while self._rooms[room.name] is room:
                        await asyncio.sleep(0.005)
        except (StorageFailed, Rejected, TimeoutError):
            return unavailable()
        return answer

    async def _follow_up(self, records: list[Record]) -> None:
        """What the journal has now, done to queues and names."""
        messages: list[Message] = []
        for record in records:
            room = self._rooms.get(record.room)
            if room is None:
                continue
            place = room.name, record.key
            match record.kind:
                case Kind.EVENT if record.mode == Mode.QUEUE:
                    messages.append(self._work.message(room, record, record.key.hex()))
                case Kind.HANDED if record.data["lease"] is None:
                    await self._work.settle(*place)
                case Kind.SETTLED:
                    await self._work.settle(*place)
                case Kind.RELEASED:
                    await self._work.release(*place)
                case Kind.DEAD:
                    subject = subjects.dead(room.name, room.epoch, record.key)
                    await self._link.store([(subject, record.body, {})])
                    await self._work.settle(*place)
                case Kind.RETRIED | Kind.DISCARDED:
                    await self._revive(room, record)
                case Kind.LEFT:
                    await self._free(room.name, record)
                case Kind.JOINED if record.data["was"] is not None:
                    with contextlib.suppress(StorageFailed):
                        await self._people.take(room.name, record.data["name"])
        if messages:
            await self._link.store(messages)  # what is not answered is found again (`Work.tick`)

    async def _revive(self, room: FollowedRoom, record: Record) -> None:
        """A dead letter is none any more."""
        entry = room.queue.entries.get(record.key)
        if record.kind is Kind.RETRIED and entry is not None:
            time = f"{record.key.hex()}.{record.position}"
            await self._link.store([self._work.message(room, entry, time)])
        with contextlib.suppress(StorageFailed, Rejected):
            subject = subjects.dead(room.name, room.epoch, record.key)
            await self._link.api(f"STREAM.PURGE.{subjects.DEAD}", filter=subject)

    async def _free(self, room: str, left: Record) -> None:
        name = left.data["name"]
        if name is not None and not self.neighbours.bears(room, name):
            await self._people.free(room, name, left.data.get("of", self.node))

    async def probe(self) -> StorageFailed | None:
        return await self._people.show()

    # ── reading ─────────────────────────────────────────────────────────────────────────────

    async def read(self, room: str, after: int, limit: int) -> list[Record]:
        there = self._rooms.get(room)
        if there is None or after >= there.state.head:
            return []
        recent = there.recent
        if recent and recent[0].position <= after + 1:
            first = after + 1 - recent[0].position
            return take_bytes(itertools.islice(recent, first, first + limit))
        return take_bytes(await self._scan(there, after + 1, min(limit, CHUNK)))

    async def _scan(
        self, room: FollowedRoom, start: int, count: int, *filters: str
    ) -> list[Record]:
        name = subjects.stream(room.name, room.epoch)
        found = await self._link.read(name, start, count, *filters)
        return [
            subjects.record(room.name, position, message.headers[subjects.HEADER], message.data)[0]
            for position, message in found
            if message.headers and subjects.HEADER in message.headers
        ]

    async def page(
        self, room: str, wanted: Filter, limit: int, *, after: int = 0, before: int | None = None
    ) -> Page:
        there = self._rooms.get(room)
        if there is None:
            return Page([])
        events = f"{subjects.log(room, there.epoch)}.event.*"
        most = limit + 1 if wanted.is_open else MOST_SCANNED
        looked_at: list[Record] = []
        admitted, size, end, is_over = 0, 0, before, False
        while not is_over and len(looked_at) < most:
            if end is None:
                chunk = await self._scan(there, after + 1, min(CHUNK, most), events)
                after = chunk[-1].position if chunk else after
                is_over = not chunk
            else:
                start = max(1, end - CHUNK)
                found = await self._scan(there, start, end - start, events)
                chunk = [record for record in found if record.position < end][::-1]
                is_over, end = start == 1, start
            for record in chunk[: most - len(looked_at)]:
                looked_at.append(record)
                if admitted == limit or size >= MOST_BYTES:
                    is_over = True  # the page is full, and this one shows that there is more
                    break
                if wanted.admits(record):
                    admitted, size = admitted + 1, size + len(record.body)
                else:
                    record.body = b""  # nobody will look at it again
        return take_page(looked_at, wanted, limit, most, before is not None)

    async def find(self, room: str, key: bytes) -> Record | None:
        there = self._rooms.get(room)
        if there is None:
            return None
        found = await self._link.last(
            subjects.stream(room, there.epoch), subjects.event(room, there.epoch, key)
        )
        if found is None:
            return None
        message, position = found
        header = (message.headers or {})[subjects.HEADER]
        return subjects.record(room, position, header, message.data)[0]

    async def story(self, room: str, about: int) -> list[Record]:
        there = self._rooms[room]
        events = await self._scan(there, about, 1) if about > 0 else []
        filters = [
            subjects.presence(room, there.epoch),
            *(subjects.about(room, there.epoch, event.key) for event in events),
        ]
        story: list[Record] = []
        position = 0
        while chunk := await self._scan(there, position + 1, CHUNK, *filters):
            story += chunk
            position = chunk[-1].position
        return story

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        there = self._rooms.get(room)
        return there.projection.newest(customer, limit, state) if there else []

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        there = self._rooms.get(room)
        return there.projection.get(customer, number) if there else None

    # ── queues ──────────────────────────────────────────────────────────────────────────────

    def queue(self, room: str) -> Leases:
        there = self._rooms.get(room)
        return there.queue if there else Leases(room, self._max_attempts, shared=True)

    def demand(self, room: str, credit: Credit) -> None:
        if there := self._rooms.get(room):
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

    async def take_name(self, room: str, name: str) -> bool:
        return await self._people.take(room, name)

    async def take_over(self, room: str, session: str) -> str | None:
        return await self._people.take_over(room, session)

    async def ask(self, node: str, **what: Any) -> Mapping[str, Any]:
        return await self._people.ask(node, **what)

    # ── what time brings ────────────────────────────────────────────────────────────────────

    async def _tick(self) -> None:
        while not self._closing:  # the library may swallow a cancelling
            await asyncio.sleep(TICK)
            await self._people.beat()
            await self._work.tick()
            for room in list(self._rooms.values()):
                self._reap(room)
                await self._snapshots.save(room)
                if room.queue.entries:
                    self.neighbours.touch(room.name)

    def _reap(self, room: FollowedRoom) -> None:
        """Participants of a node that is gone have left, though it did not say so."""
        others = {one.node for one in room.present.values()} - {"", self.node}
        missing = self._people.missing(others) if others else ()
        for name, joined in room.present.items():
            if joined.node in missing and (room.name, name, joined.node) not in self._reaped:
                self._reaped.add((room.name, name, joined.node))
                left = control(room.name, Kind.LEFT, _now(), name=name, last=None, of=joined.node)
                self.neighbours.record(left)


def _now() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _why(error: Exception) -> str:
    return (
        f"JetStream cannot keep the journal ({error}): it needs file storage, and as many servers"
        " as --engine-replicas says."
    )

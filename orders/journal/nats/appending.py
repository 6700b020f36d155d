"""The writing side of the engine: publish records, and say what the answers mean."""

import asyncio
import base64
import contextlib
import itertools
from collections.abc import Sequence

from orders.broker.records import QUEUE_KINDS, Kind, Record
from orders.errors import StorageFailed
from orders.journal.base import Answer, Outcome
from orders.journal.nats import subjects
from orders.journal.nats.connection import Message
from orders.journal.nats.failures import (
    NOT_FOUND,
    SEALED,
    TAKEN,
    Rejected,
    failure,
    stream_elsewhere,
    stream_lost,
    stream_sealed,
    too_large,
    unavailable,
)
from orders.journal.nats.membership import Membership
from orders.journal.nats.reading import Reading
from orders.journal.nats.room import FollowedRoom
from orders.journal.nats.rooms import POLL

MOST_OWN = 50_000  # records of this node that may arrive yet
HEADERS = 1024  # bytes that a record's headers may take
LOOK = 1.0  # seconds for finding out why nobody answered

#: A record, and the header with which this node published it.
Headed = tuple[Record, str]


class Appending(Reading):
    """What `base.Engine.append` promises. All of a batch is published at once."""

    _membership: Membership

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._own: dict[str, Record] = {}  # published here, and not arrived yet, by their headers

    def _mine(self, header: str, body: bytes) -> Record | None:
        """The record that this node published so, once it arrives."""
        own = self._own.get(header)
        if own is None or own.body != body:
            return None
        return self._own.pop(header)

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
        try:
            rooms = {name: await self._rooms.follow(name) for name in {r.room: 0 for r in records}}
        except StorageFailed as failed:
            return [failed] * len(records)
        most = self._connection.nc.max_payload - HEADERS
        answers: dict[Record, Answer] = {}
        published: list[Headed] = []
        for record in records:
            if record.position:  # the answer was lost, but it has arrived since
                answers[record] = record.position
            elif lost := rooms[record.room].lost:
                answers[record] = lost
            elif len(record.body) > most:
                answers[record] = too_large(most)
            else:
                published.append((record, subjects.header(record, self.node, next(self._numbers))))
        self._own.update((header, record) for record, header in published)
        for header in list(itertools.islice(self._own, max(0, len(self._own) - MOST_OWN))):
            del self._own[header]
        replies = await self._connection.store(
            [self._message(record, header, rooms[record.room]) for record, header in published]
        )
        refused: list[tuple[Headed, Rejected | None]] = []
        for (record, header), reply in zip(published, replies, strict=True):
            if isinstance(reply, int):
                record.position = answers[record] = reply
            elif header not in self._own:  # the answer was lost, but the record has arrived
                answers[record] = record.position
            else:
                refused.append(((record, header), reply))
        answers |= await self._explain(refused, rooms)
        for record in records:
            if record.kind is Kind.JOINED and record.data["was"] is not None:
                self._connection.spawn(self._keep_name(record))
        return [answers[record] for record in records]

    def _message(self, record: Record, header: str, room: FollowedRoom) -> Message:
        headers = {subjects.HEADER: header}
        if record.kind is Kind.EVENT:
            headers[subjects.EXPECTED] = "0"
        elif record.expected is not None and record.kind in QUEUE_KINDS:
            headers[subjects.EXPECTED] = str(record.expected)
        return subjects.subject(record, room.epoch), record.body, headers

    async def _keep_name(self, joined: Record) -> None:
        """Somebody here goes on under a name."""
        with contextlib.suppress(StorageFailed):
            await self._membership.take(joined.room, joined.data["name"])

    # ── what was not stored, or is not known to be ──────────────────────────────────────────

    async def _explain(
        self, refused: list[tuple[Headed, Rejected | None]], rooms: dict[str, FollowedRoom]
    ) -> dict[Record, Answer]:
        """The answers of those that JetStream did not store, or of which it said nothing."""
        answers: dict[Record, Answer] = {}
        # What nobody answered for may be stored all the same: then it arrives as ours.
        silent = [record for (record, _), reply in refused if reply is None]
        for name in {record.room: 0 for record in silent}:
            why = await self._why_silent(rooms[name])
            answers |= {r: r.position or why for r in silent if r.room == name}
        sealed: list[Record] = []
        for (record, header), reply in refused:
            if reply is None:
                continue
            if reply.code in TAKEN:
                answers[record] = await self._taken(record, header, rooms[record.room], reply)
                if not isinstance(answers[record], Outcome):
                    continue  # it is stored, or may be: then it arrives as ours
            elif reply.code == SEALED:
                sealed.append(record)
            else:
                answers[record] = failure(reply)
            self._own.pop(header, None)
        return answers | dict(zip(sealed, await self._store_again(sealed, rooms), strict=True))

    async def _why_silent(self, room: FollowedRoom) -> StorageFailed:
        """Why nobody answered for a stream."""
        try:
            info = await self._connection.api(f"STREAM.INFO.{room.stream}", patience=LOOK)
        except Rejected as rejected:
            if rejected.code == NOT_FOUND:
                return stream_lost(room.stream, "is gone")
        except StorageFailed as failed:
            return failed
        else:
            if room.subject not in info["config"].get("subjects", ()):
                return stream_elsewhere(room.stream, room.subject)
        return self._connection.unanswered()

    async def _store_again(
        self, records: list[Record], rooms: dict[str, FollowedRoom]
    ) -> list[Answer]:
        """Store in the next epoch what came too late for the last."""
        try:
            for name in {record.room: 0 for record in records}:
                await self._until_over(rooms[name])
        except StorageFailed as failed:
            return [failed] * len(records)
        return await self._store(records) if records else []

    async def _taken(
        self, record: Record, header: str, room: FollowedRoom, reply: Rejected
    ) -> Answer:
        """Something stands under the subject already: what that means for a record."""
        try:
            if reply.sent_twice and (position := await self._was_first(record, header, room)):
                return position
            if record.kind is not Kind.EVENT:
                return Outcome.CONFLICT
            there = await self.find(record.room, record.key)
        except StorageFailed as failed:
            return failed
        if there is None:
            return unavailable()
        same = record.parsed().says_the_same(there.parsed())
        return Outcome.DUPLICATE if same else Outcome.CONFLICT

    async def _was_first(self, record: Record, header: str, room: FollowedRoom) -> int | None:
        """The position of a record that was stored, though its answer was lost."""
        subject = subjects.subject(record, room.epoch)
        try:
            found = await self._connection.api(
                f"STREAM.MSG.GET.{room.stream}", last_by_subj=subject
            )
        except Rejected:
            return None
        headers = base64.b64decode(found["message"].get("hdrs", "")).decode()
        return int(found["message"]["seq"]) if header in headers else None

    # ── the next epoch ──────────────────────────────────────────────────────────────────────

    async def _reset(self, record: Record) -> Answer:
        """Store the end of an epoch, and wait until the next has begun."""
        try:
            room = await self._rooms.follow(record.room)
            await self._rooms.prepare_reset(room)
            (answer,) = await self._store([record])
            if isinstance(answer, int):
                await self._until_over(room)
        except (StorageFailed, Rejected):
            return unavailable()
        return answer

    async def _until_over(self, room: FollowedRoom) -> None:
        """Wait until the epoch of a room is over."""
        try:
            async with asyncio.timeout(self._connection.patience):
                while self._rooms.here.get(room.name) is room:
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise unavailable() if room.resetting else stream_sealed(room.stream) from None

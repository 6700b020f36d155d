"""The pump: take all that waits, one append, answer the senders, dispatch what is true.

At low load a batch is one event, and its latency one sync and one write.
"""

import asyncio
from collections.abc import Mapping, Sequence

from orders.broker import messages
from orders.broker.modes import works
from orders.broker.participants import GONE, Participant
from orders.broker.protocol import refusal
from orders.broker.records import EVENT, QUEUE_KINDS, Kind, Record
from orders.broker.room import Room
from orders.clock import stamp
from orders.domain.envelope import Event
from orders.domain.orders import ANSWER_TYPES
from orders.errors import Refused, StorageFailed
from orders.journal.base import Answer, Outcome
from orders.server.context import MOST_AT_ONCE, Context
from orders.server.delivery import Delivery, Stored
from orders.server.inbox import Inbox, Submission
from orders.server.presence import Presence
from orders.server.queues import Queues
from orders.server.replay import Replay

#: What the host waits for, and is refused while the journal takes no writes.
BY_HOST = frozenset(
    (
        *(Kind.MODES, Kind.PAUSED, Kind.RESET, Kind.STEPPED),
        *(Kind.MUTED, Kind.KICKED, Kind.LOCKED, Kind.LEASED),
        *(Kind.FAULT, Kind.EXERCISE, Kind.VERDICT),
        *(Kind.ASKED, Kind.ANSWERED, Kind.CLOSED, Kind.REVEALED),
    )
)


#: A batch this large may still grow, for so many turns of the loop at most: see `web.socket`.
PIECE, PIECES = 16, 4


class Pump:
    """The only loop between what is received and what is written."""

    def __init__(
        self,
        context: Context,
        inbox: Inbox,
        queues: Queues,
        replay: Replay,
        delivery: Delivery,
        presence: Presence,
    ) -> None:
        self._context, self._inbox, self._queues = context, inbox, queues
        self._replay, self._delivery, self._presence = replay, delivery, presence
        self._carried: list[Record] = []  # control records that are true, and not stored yet
        self._retry = False
        self._arriving: dict[Record, Submission] = {}  # stored on a shared journal
        self.failure: StorageFailed | None = None  # why the journal took no writes, the last time

    def learn(self, failure: StorageFailed | None) -> None:
        """Why the journal takes no writes, None while it does; all hear where that changes."""
        before, self.failure = self.failure, failure
        if (before is None) != (failure is None):
            for room in self._context.rooms.values():
                self._context.tell_all(room, journal_notice(failure))

    def try_again(self) -> None:
        """Store what could not be stored before, if there is any."""
        if self._carried:
            self._retry = True
            self._inbox.work.set()

    async def run(self) -> None:
        """What waits, and then what gathered meanwhile; until the inbox stops."""
        while self._inbox.waiting or not self._inbox.is_stopping:
            await self._inbox.work.wait()
            await self._let_grow()
            await self.once()

    async def _let_grow(self) -> None:
        """A socket that was sent much hands it over in pieces: they make one batch, not many."""
        for _ in range(PIECES):
            before = len(self._inbox.waiting)
            if before < PIECE or self._inbox.is_full:
                return
            await asyncio.sleep(0)
            if len(self._inbox.waiting) == before:
                return

    async def once(self) -> None:
        """One batch, if it is time for one, and all that follows from it."""
        if self._queues.touched:
            await self._queues.hand_out()
        submissions = self._inbox.take()
        if submissions or self._retry:
            await self._append(submissions)
        if self._context.engine.shared:
            await self._dispatch(self._arrived())
        if self._delivery.left:
            await self._presence.forget_empty(self._delivery.left)
        if self._queues.touched:
            await self._queues.hand_out()

    # ── storing ─────────────────────────────────────────────────────────────────────────────

    async def _append(self, submissions: Sequence[Submission]) -> None:
        """Store a batch, answer its senders, and make true what was stored."""
        records = [s.record for s in submissions if s.record is not None]
        carried = self._carried if records or self._retry else []
        answers: list[Answer] = []
        if records or carried:
            self._carried, self._retry = [], False
            answers = await self._context.engine.append([*carried, *records])
            self._context.stats.batches += 1
            failure = next((a for a in answers if isinstance(a, StorageFailed)), None)
            if failure is None and self.failure is not None:  # of another room, perhaps
                failure = self._context.engine.lost()
            self.learn(failure)
        own = iter(answers[len(carried) :])
        pairs = [(s, 0 if s.record is None else next(own)) for s in submissions]
        rooms: dict[Room, list[Stored]] = {}
        for record, answer in zip(carried, answers, strict=False):
            self._sort(Submission(record), answer, rooms)
        for start in range(0, len(pairs), MOST_AT_ONCE):
            some = pairs[start : start + MOST_AT_ONCE]
            self._reply(some)
            for submission, answer in some:
                self._sort(submission, answer, rooms)
            await self._share(pairs, start)
        await self._dispatch(rooms)

    async def _dispatch(self, rooms: Mapping[Room, Sequence[Stored]]) -> None:
        """Make true what was stored, in the room with the least of it first."""
        for room, stored in sorted(rooms.items(), key=lambda pair: len(pair[1])):
            for start in range(0, len(stored), MOST_AT_ONCE):
                self._delivery.dispatch(room, stored[start : start + MOST_AT_ONCE])
                await self._share(stored, start)

    @staticmethod
    async def _share(work: Sequence[object], start: int) -> None:
        """Where more than one turn's work is left, others have theirs first."""
        if start + MOST_AT_ONCE < len(work):
            await asyncio.sleep(0)

    def _sort(
        self, submission: Submission, answer: Answer, rooms: dict[Room, list[Stored]]
    ) -> None:
        """Put what was stored where it is dispatched; keep what is true all the same."""
        record = submission.record
        if record is None:
            submission.resolve(answer)
            return
        if isinstance(answer, int):
            if self._context.engine.shared:
                self._arriving[record] = submission
            elif room := self._context.rooms.get(record.room):
                rooms.setdefault(room, []).append((record, submission))
            else:
                submission.resolve(answer)  # the room is gone meanwhile
        elif isinstance(answer, StorageFailed):
            self._carry(submission, record)
        if not isinstance(answer, int) or record.kind is EVENT:
            if submission.waiter is None:
                submission.answer = answer
            else:
                submission.resolve(answer)

    def _carry(self, submission: Submission, record: Record) -> None:
        """The journal takes no writes: control records are true, and stored once it does again."""
        is_claim = self._context.engine.shared and record.kind is Kind.HANDED
        if record.kind is EVENT or record.kind in BY_HOST or is_claim:
            return
        self._carried.append(record)
        room = self._context.rooms.get(record.room)
        if room is not None and record.kind not in QUEUE_KINDS:
            self._delivery.apply(room, record, submission)
            submission.resolve(0)

    def _arrived(self) -> dict[Room, list[Stored]]:
        """What a shared journal brings, of this node and others, by rooms."""
        rooms: dict[Room, list[Stored]] = {}
        for record in self._context.engine.arrived():
            submission = self._arriving.pop(record, None)
            if room := self._context.rooms.get(record.room):
                rooms.setdefault(room, []).append((record, submission))
            elif submission is not None:
                submission.resolve(record.position)
        return rooms

    # ── what senders hear ───────────────────────────────────────────────────────────────────

    def _reply(self, pairs: Sequence[tuple[Submission, Answer]]) -> None:
        """Answer the senders, each in the order in which it sent."""
        replies: dict[Participant, list[bytes]] = {}
        frame, stats = self._context.frame, self._context.stats
        for submission, answer in pairs:
            record, sender = submission.record, submission.sender
            if record is not None and record.kind is EVENT and isinstance(answer, int):
                stats.accepted += 1
                if sender is None or sender.quiet:
                    continue
                id = (record.event or record.parsed()).id
                text: bytes | None = frame(messages.say_accepted(id, *stamp()))
            else:
                text = self._answer(submission, answer)
            if text is not None and sender is not None:
                replies.setdefault(sender, []).append(text)
        for participant, frames in replies.items():
            if participant.life is GONE:
                continue
            waiting = participant.transport.write(b"".join(frames))
            room = self._context.rooms.get(participant.room)
            if room is not None and waiting > self._context.options.max_unread:
                self._replay.fall_behind(room, participant)

    def _answer(self, submission: Submission, answer: Answer) -> bytes | None:
        """What the sender hears of anything but an accepted event."""
        record, sender = submission.record, submission.sender
        if record is None or record.kind is not EVENT:
            if record is None:
                self._context.stats.refused += 1
            elif sender is not None and record.kind is Kind.JOINED and not sender.gone:
                return self._welcome(sender)
            return submission.reply
        event = record.parsed()
        if answer is Outcome.DUPLICATE:
            self._context.stats.duplicates += 1
            again = messages.Accepted(event=event.id, duplicate=True)
            return None if sender is None or sender.quiet else self._context.say(again)
        self._context.stats.refused += 1
        error = answer if isinstance(answer, StorageFailed) else conflict(event)
        return self._context.say(refusal(error, event.id))

    def _welcome(self, participant: Participant) -> bytes | None:
        """What a participant hears first."""
        participant.move("is stored")
        room = self._context.rooms.get(participant.room)
        if room is None:
            return None
        away = self._context.say(journal_notice(self.failure)) if self.failure else b""
        if participant.quiet:
            return away or None
        welcome = self._context.say(
            messages.Welcome(
                room=room.name,
                name=participant.name,
                modes=room.state.modes,
                types=sorted(participant.types),
                ack="manual" if participant.ack == "manual" else "auto",
                participants=room.size,
                last=room.state.last,
                durable=self._context.engine.durable,
                works=works(participant.types, participant.ack),
            )
        )
        return welcome + away


def journal_notice(failure: StorageFailed | None) -> messages.Notice:
    """That the journal takes no writes, or takes them again."""
    if failure is None:
        message = "The journal takes writes again: send what was refused once more."
        return messages.Notice(code="journal_back", message=message)
    message = f"For now nothing can be stored, so events are refused. {failure.message}"
    return messages.Notice(code="journal_away", message=message)


def conflict(event: Event) -> Refused:
    """Another event under an id that the room has."""
    advice = (
        "If that one answers the same order, the order is answered and only needs your ack; a new"
        f" id would answer it twice. Look at it first: GET /api/rooms/…/events/{event.id}."
        if event.type in ANSWER_TYPES
        else "Give this one a new UUID, or leave `id` out and the broker stamps one."
    )
    return Refused(
        "id_conflict",
        f"Another event has the id {event.id} in this room already. {advice}",
        status=409,
    )

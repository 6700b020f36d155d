"""What the journal has made true: apply it to the room, and write it to those who hear it.

Records of a room are applied in the order of its journal. Where a pause ends, what was held is
read from the journal and goes first; what arrives meanwhile waits, and other rooms do not.
"""

import asyncio
from collections.abc import Sequence

from orders.broker import messages
from orders.broker.participants import Life, Participant, joined
from orders.broker.records import EVENT, QUEUE_KINDS, Kind, Record
from orders.broker.room import Room
from orders.clock import now_ms
from orders.domain.envelope import folded
from orders.domain.orders import ORDER_TYPES
from orders.errors import Close, StorageFailed
from orders.server.context import JOURNAL_RETRY, MOST_AT_ONCE, Context
from orders.server.hints import Hints
from orders.server.inbox import Inbox, Submission
from orders.server.queues import Queues
from orders.server.replay import PAGE, Replay

#: A record that is true, and the submission by which it came if that was here.
Stored = tuple[Record, Submission | None]

NOTICES = {
    "paused": "The host paused the room: events are stored and held.",
    "resumed": "The host resumed the room: events go on their way.",
    "muted": "The host muted you: your events are not taken until you are unmuted.",
    "unmuted": "The host lets you speak again.",
    "reset": "The host cleared the room: a new beginning.",
}


class Delivery:
    """From the journal to the sockets."""

    def __init__(
        self, context: Context, inbox: Inbox, queues: Queues, replay: Replay, hints: Hints
    ) -> None:
        self._context, self._inbox = context, inbox
        self._queues, self._replay, self._hints = queues, replay, hints
        self._waiting: dict[Room, list[Stored]] = {}  # while what was held is let go
        self.left: dict[Room, None] = {}  # somebody left: they may be empty

    def dispatch(self, room: Room, stored: Sequence[Stored]) -> None:
        """Make records true and let events go, in the order of the journal."""
        if room in self._waiting:
            self._waiting[room] += stored
        else:
            self._dispatch(room, stored)

    def _dispatch(self, room: Room, stored: Sequence[Stored]) -> bool:
        """The same, now; False where what was held goes first, and the rest waits for it."""
        run: list[Record] = []
        state, shared = room.state, self._context.engine.shared
        for number, (record, submission) in enumerate(stored, 1):
            if record.kind is EVENT:
                entry = state.apply(record)
                if entry is not None:
                    self._queues.offer(room, entry)
                if record.type in ORDER_TYPES:
                    sender = submission.sender if submission else None
                    self._hints.orders.append((room, state, record, sender))
                run.append(record)
                continue
            if record.kind in QUEUE_KINDS and not shared:
                # The queues have known it since it was submitted; who hears what stays the same.
                state.advance(record, record.position)
                is_held = False
            else:
                self._release(room, run)
                run = []
                self.apply(room, record, submission)
                state = room.state  # a reset begins another
                is_held = room.cursor < state.cursor
            for follow in self._context.followers.get(record.kind, ()):
                follow(room, record)
            if is_held:
                self._waiting[room] = [*stored[number:], *self._waiting.get(room, ())]
                self._context.spawn(self._deliver_held(room, record, submission))
                return False
            if submission is not None:
                submission.resolve(record.position)
        self._release(room, run)
        return True

    def _release(self, room: Room, run: list[Record]) -> None:
        """Let a run of accepted events go, unless the room is paused."""
        if not room.state.paused:
            if run:
                self._deliver(room, run)
            room.cursor = room.state.cursor

    def _deliver(self, room: Room, run: list[Record]) -> None:
        """Write a run of events to all who receive them: one buffer an audience, one write each."""
        room.cursor = run[-1].position
        frame, max_unread = self._context.frame, self._context.options.max_unread
        frames: dict[int, bytes] = {}
        joined: tuple[list[Record], bytes] = ([], b"")
        stats, too_slow = self._context.stats, []
        for recipients, records in room.recipients(run):
            if records is not joined[0]:
                for record in records:
                    if record.position not in frames:
                        frames[record.position] = frame(record.body)
                joined = records, b"".join([frames[record.position] for record in records])
            buffer, count = joined[1], len(records)
            for participant in recipients:
                participant.delivered += count
                stats.delivered += count
                if participant.write(buffer) > max_unread:
                    too_slow.append(participant)
        for participant in too_slow:
            self._replay.fall_behind(room, participant)

    async def _deliver_held(self, room: Room, by: Record, submission: Submission | None) -> None:
        """Deliver what was held and may go now, then what arrived meanwhile."""
        state = room.state
        while room.cursor < state.cursor:
            try:
                page = await self._context.engine.read(room.name, room.cursor, PAGE, state.epoch)
            except StorageFailed:  # the journal is away: the room is held until it is back
                await asyncio.sleep(JOURNAL_RETRY)
                continue
            if not page:
                break
            held = [record for record in page if record.position <= state.cursor]
            events = [record for record in held if record.kind is EVENT]
            if events:
                self._deliver(room, events)
            room.cursor = min(page[-1].position, state.cursor)
            self._queues.touch(room)  # what was queued while it was held may be taken now
            await asyncio.sleep(0)  # others have their turn
        room.cursor = state.cursor
        self._queues.touch(room)
        if submission is not None:
            submission.resolve(by.position)
        waiting = self._waiting[room]
        while waiting:
            now, waiting[:MOST_AT_ONCE] = waiting[:MOST_AT_ONCE], ()
            if not self._dispatch(room, now):
                return
            await asyncio.sleep(0)
        del self._waiting[room]

    # ── control records ─────────────────────────────────────────────────────────────────────

    def apply(self, room: Room, record: Record, submission: Submission | None) -> None:
        """Make a control record true; one that could not be stored yet has no position."""
        state = room.state
        is_level, is_held = room.cursor == state.cursor, state.cursor < state.head
        entry = state.apply(record)
        if record.kind in QUEUE_KINDS:
            self._queues.follow(room, record, entry)
        if is_level and not (is_held and record.kind in (Kind.PAUSED, Kind.STEPPED)):
            room.cursor = state.cursor
        match record.kind:
            case Kind.JOINED:
                self._joined(room, record, submission.sender if submission else None)
            case Kind.LEFT:
                self._left(room, record)
            case Kind.SUBSCRIBED:
                if submission and submission.sender:
                    self._subscribed(room, record, submission.sender)
                self._queues.touch(room)
            case Kind.MODES:
                self._context.tell_all(room, messages.Modes(modes=room.state.modes))
            case Kind.PAUSED:
                self._notify(room, "paused" if room.state.paused else "resumed")
            case Kind.MUTED | Kind.KICKED:
                self._barred(room, record)
            case Kind.RESET:
                self._begin_again(room, record)
                self._notify(room, "reset")

    def _notify(self, room: Room, code: str) -> None:
        self._context.tell_all(room, _notice(code))

    def _joined(self, room: Room, record: Record, participant: Participant | None) -> None:
        own = room.participants.get(record.data["name"])
        if record.node and own is not None:  # another node took the name while we were away
            self._queues.release_held(room, own, "its name was taken over")
            room.remove(own)
            own.transport.close(Close.TAKEN_OVER, "another connection took over your name")
        elif own is not None:
            own.source = own.name
        if participant is None or participant.life is not Life.WELCOMED:
            return
        participant.source = record.data["name"]
        participant.since = min(record.position or room.state.head, room.cursor)
        self._hints.subscribed(room, participant, record)
        if record.data["after"] and not participant.written:  # the room has begun again since
            if participant.after:  # it had no welcome yet, and so heard nothing of that
                self._context.tell(participant, _notice("reset"))
            participant.after = 0
            self._inbox.submit(joined(participant, now_ms(), was=record.data["name"]))
        if participant.after is not None:
            self._replay.start(room, participant)
            return
        room.listen(participant)
        participant.move("listens")
        self._queues.touch(room)

    def _left(self, room: Room, record: Record) -> None:
        """Somebody left; where a node says so of one who is here, we say that it is."""
        own = room.participants.get(record.data["name"] or "")
        if own is not None and record.node and "of" in record.data:
            self._inbox.submit(joined(own, now_ms(), was=own.name))
        self.left[room] = None

    def _subscribed(self, room: Room, record: Record, participant: Participant) -> None:
        participant.types = frozenset(record.data["types"])
        self._hints.subscribed(room, participant, record)
        if participant.life in (Life.REPLAYING, Life.MEETING):
            participant.changes.append((record.position, participant.types))
        if participant.life in (Life.LIVE, Life.MEETING):
            room.listen(participant)

    def _barred(self, room: Room, record: Record) -> None:
        """The host muted or removed somebody, or lifted that: those whom it concerns hear so."""
        name, marks, lifted = (record.data[key] for key in ("name", "marks", "lifted"))
        for one in list(room.participants.values()):
            if folded(one.name) != folded(name) and not set(one.marks) & set(marks):
                continue
            if record.kind is Kind.KICKED and not lifted:
                one.transport.close(Close.REMOVED, "the host removed you")
            elif record.kind is Kind.MUTED:
                code = "unmuted" if lifted else "muted"
                self._context.tell(one, _notice(code))

    def _begin_again(self, room: Room, reset: Record) -> None:
        """The epoch is over; those who are here go on in the next."""
        room.leases.end_all()
        room.state = room.state.next_epoch()
        room.cursor = room.stepped = 0
        for participant in room.participants.values():
            participant.since = participant.written = participant.delivered = 0
            participant.kept = []  # of what is over, to hear after its end
            participant.changes = participant.changes and [(0, participant.types)]
            if participant.after is not None and participant.hears_notices:
                participant.after = 0
            if reset.node:  # ours are said to be here by their own node
                self._inbox.submit(joined(participant, now_ms(), was=participant.name))
        for audience in room.audiences.values():
            audience.newest = 0
        self.left[room] = None


def _notice(code: str) -> messages.Notice:
    return messages.Notice(code=code, message=NOTICES[code])

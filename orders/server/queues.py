"""Queue mode on this node: who is next, what is held, and how it ended.

Where every queued event stands is the fold of the room's records. On a journal of our own nobody
else writes them, so such a record is true as soon as it is submitted. On a shared journal it is
true once it has arrived: a claim is a record that the journal takes only from the first who asks.
"""

import asyncio
from collections import deque
from contextlib import suppress
from functools import partial

from orders.broker import limits, messages
from orders.broker.leases import Lease, not_held, remember
from orders.broker.participants import Participant
from orders.broker.protocol import refusal
from orders.broker.queue import HELD, READY, Entry
from orders.broker.records import HANDED, Kind, Record
from orders.broker.room import Room
from orders.clock import monotonic, now_ms
from orders.domain.envelope import id_text, key_of
from orders.errors import StorageFailed
from orders.server.context import JOURNAL_RETRY, SHARE, Context, in_turns
from orders.server.handover import Handover
from orders.server.inbox import Inbox, Submission

AHEAD = 100  # records that are read at once, when the events at hand are used up


class Queues:
    """Hands queued events over, one to one participant, and hears how it ended."""

    def __init__(self, context: Context, inbox: Inbox) -> None:
        self._context, self._inbox = context, inbox
        self.touched: dict[tuple[Room, str | Participant | None], None] = {}
        self._handover = Handover(context)

    def touch(self, room: Room, what: str | Participant | None = None) -> None:
        """An event may be handed over in a room: of this type, to this participant, or any."""
        self.touched[room, what] = None
        self._inbox.work.set()

    # ── what the records say ────────────────────────────────────────────────────────────────

    def take_up(self, room: Room) -> None:
        """What is ready in a room that was opened or entered may be taken here."""
        offer = partial(self.offer, room) if self._context.engine.shared else room.leases.offer
        for entry in room.state.queue.in_state(READY):
            offer(entry)
        self.touch(room)

    def offer(self, room: Room, entry: Entry) -> None:
        """An event is ready: it may be taken here, on a shared journal perhaps a little later."""
        engine = self._context.engine
        if engine.shared and (delay := engine.claim_delay(room.state, entry)):
            asyncio.get_running_loop().call_later(delay, self._offer, room, entry, True)
        else:
            self._offer(room, entry)

    def _offer(self, room: Room, entry: Entry, of_another: bool = False) -> None:
        if entry.state is READY:
            room.leases.offer(entry, of_another=of_another)
            self.touch(room, entry.type)

    def follow(self, room: Room, record: Record, entry: Entry | None) -> None:
        """A record about a queued event arrived and was applied; it may be another node's."""
        if entry is None:
            return
        lease = room.leases.held.get(entry.key)
        if lease is not None and (record.node or record.kind is not HANDED):
            self._lose(room, lease)  # another node knows better
        if room.state.queue.entries.get(entry.key) is not entry:
            return
        if entry.state is READY:
            self.offer(room, entry)
        elif entry.key not in room.leases.claiming:
            self._give_back_unheld(room, entry)

    def _give_back_unheld(self, room: Room, entry: Entry) -> None:
        """Give back what this node has by the records, and nobody here holds."""
        if entry.state is HELD and not entry.node and entry.key not in room.leases.held:
            self._give_back(room, entry, "its server did not hear that it had it")

    def _say(self, room: Room, entry: Entry, kind: Kind, **data: object) -> Submission:
        """Submit a record about an event; with a journal of our own it is true at once."""
        record = entry.say(room.name, kind, now_ms(), **data)
        if not self._context.engine.shared:
            moved = room.state.queue.apply(record)
            if moved is not None and moved.state is READY and kind is not HANDED:
                self._offer(room, moved)
        return self._inbox.submit(record, urgent=self._context.engine.shared)

    def _give_back(self, room: Room, entry: Entry, reason: str) -> None:
        """Its holder is done with it, and it is not done: ready again, or a dead letter."""
        if entry.attempt >= self._context.options.max_attempts:
            self._say(room, entry, Kind.DEAD, attempts=entry.attempt, reason=reason)
        else:
            self._say(room, entry, Kind.RELEASED, name=entry.name, reason=reason)
        self.touch(room, entry.type)

    # ── handing over ────────────────────────────────────────────────────────────────────────

    async def hand_out(self) -> None:
        """Give what is ready to those who have room for it, oldest first, in turn."""
        until = monotonic() + SHARE
        while self.touched and monotonic() < until:
            room, what = next(iter(self.touched))
            del self.touched[room, what]
            if what is None:
                self.touched |= dict.fromkeys((room, each) for each in room.leases.types())
            elif isinstance(what, Participant):
                for type in room.leases.types(what.types):
                    while room.takes(what, type) and await self._hand(room, type, what):
                        pass
                    if what.credit <= 0:
                        break
            else:
                takers = deque(room.takers(what))
                while takers and monotonic() < until:  # each has its turn, and then the next
                    if await self._hand(room, what, one := takers.popleft()):
                        takers.append(one)
                if takers:
                    self.touched[room, what] = None
        self._handover.write_all()
        if self.touched:
            self._inbox.work.set()
            await asyncio.sleep(0)  # the rest comes once others have had their turn

    async def _hand(self, room: Room, type: str, participant: Participant) -> bool:
        """Give the next event to a participant; whether it may take another after that."""
        entry = room.leases.next(type, participant.name, room.cursor)
        if entry is None:
            return False
        if (record := entry.record) is None:
            record = await self._read(room, entry)
            if record is None or participant.credit <= 0:  # it may have left while one was read
                return False
        if entry.state is not READY:
            return True  # it has gone meanwhile
        room.turn = participant.number
        lease = self._seconds(room) if participant.ack == "manual" else None
        said = {"name": participant.name, "attempt": entry.attempt + 1, "lease": lease}
        handed = self._say(room, entry, HANDED, **said)
        if self._context.engine.shared:  # that is a claim; its place is kept until it is answered
            room.leases.claiming[entry.key] = participant, type
            participant.in_flight += 1
            self._context.spawn(self._claimed(room, participant, entry, record, handed))
        else:
            self._hold(room, participant, entry, record)
        return room.may_take(participant, type)

    async def _read(self, room: Room, entry: Entry) -> Record | None:
        """Read an event, and those that lie behind it: they are likely to be next."""
        engine = self._context.engine
        with suppress(StorageFailed):  # one of the others may be damaged
            room.state.queue.keep(await engine.read(room.name, entry.position - 1, AHEAD))
        try:
            return entry.record or await engine.find(room.name, entry.key)
        except StorageFailed:  # the journal is away, and comes back
            asyncio.get_running_loop().call_later(JOURNAL_RETRY, self.touch, room, entry.type)
            return None

    async def _claimed(
        self, room: Room, participant: Participant, entry: Entry, record: Record, claim: Submission
    ) -> None:
        """The shared journal answered a claim."""
        answer = await claim
        participant.in_flight -= 1
        room.leases.claiming.pop(entry.key, None)
        if isinstance(answer, int):
            if participant.gone or entry.name != participant.name:
                if room.state.queue.entries.get(entry.key) is entry:
                    self._give_back(room, entry, f"{participant.name} left")
            else:
                self._hold(room, participant, entry, record)
                self._handover.write(participant)
        else:
            # The journal is away; or another was faster, even an earlier claim of our own.
            if room.state.queue.entries.get(entry.key) is entry:
                self._give_back_unheld(room, entry)
            delay = JOURNAL_RETRY if claim.record and entry.last == claim.record.expected else 0
            asyncio.get_running_loop().call_later(delay, self._offer, room, entry)
        self.touch(room, entry.type)

    def _seconds(self, room: Room) -> float:  # that an event may be held here
        return room.state.rules.lease or self._context.options.lease

    def _hold(self, room: Room, participant: Participant, entry: Entry, record: Record) -> None:
        """Write an event to the one who has it now."""
        text = record.body
        if participant.ack == "manual" or entry.attempt > 1:
            text = text[:-1] + b',"attempt":%d}' % entry.attempt
        if participant.ack == "manual":
            room.leases.hold(entry, participant, monotonic() + self._seconds(room))
        self._handover.add(participant, text)

    # ── acks ────────────────────────────────────────────────────────────────────────────────

    def acked(self, room: Room, participant: Participant, event: str) -> None:
        """A participant is done with an event."""
        if lease := self._lease(room, participant, event, "acked"):
            room.backoff.acked(participant, lease.entry.type)
            submission = self._say(room, lease.entry, Kind.SETTLED, name=participant.name)
            if self._context.engine.shared:
                self._context.spawn(self._settled(participant, lease.entry, event, submission))

    async def _settled(
        self, participant: Participant, entry: Entry, event: str, submission: Submission
    ) -> None:
        answer = await submission
        if not isinstance(answer, int | StorageFailed):  # another node has it by now
            remember(participant, entry.key, "lost")
            refused = not_held(participant, entry.key, event, entry)
            self._context.tell(participant, refusal(refused, event))

    def nacked(self, room: Room, participant: Participant, event: str, reason: str) -> None:
        """A participant gives an event back, and with it all that it holds of that type."""
        if lease := self._lease(room, participant, event, "returned"):
            name, type = participant.name, lease.entry.type
            room.backoff.nacked(participant, type, monotonic())
            self._give_back(room, lease.entry, reason or f"{name} gave it back")
            self._notify_if_dead(lease, event)
            for entry in [one.entry for one in room.leases.held_by(participant)]:
                if entry.type == type:
                    room.leases.end(entry.key, "recalled")
                    data = {"reason": f"{name} gave another back", "attempt": entry.attempt - 1}
                    self._say(room, entry, Kind.RELEASED, name=name, **data)

    def _lease(self, room: Room, participant: Participant, event: str, how: str) -> Lease | None:
        """End the lease of a participant; one that holds none hears why."""
        key = key_of(event)
        lease = room.leases.end(key, how, participant)
        if lease is None:
            participant.allowance.commands.tokens -= limits.MISTAKEN - 1
            refused = not_held(participant, key, event, room.state.queue.entries.get(key))
            self._inbox.submit(None, participant, self._context.say(refusal(refused, event)))
            return None
        self.touch(room, participant)
        return lease

    def _lose(self, room: Room, lease: Lease) -> None:
        """Its holder does not hold it any more, and has room for another event."""
        room.leases.end(lease.entry.key, "lost")
        self.touch(room, lease.entry.type)  # before it takes anything else, others have their turn
        self.touch(room, lease.holder)

    def _notify_if_dead(self, lease: Lease, event: str) -> None:
        """Tell the last one to hold an event that it is a dead letter now."""
        if lease.entry.attempt >= self._context.options.max_attempts:
            self._context.tell(lease.holder, messages.Notice.of("dead_letter", event))

    def release_held(self, room: Room, participant: Participant, reason: str) -> None:
        """All that it holds is ready again: it is gone."""
        for lease in room.leases.held_by(participant):
            room.leases.end(lease.entry.key)
            self._give_back(room, lease.entry, reason)
        self._handover.end(participant)

    async def recover(self, room: Room, reason: str, gone: frozenset[str] | None = None) -> None:
        """Give back what is held on nodes that are gone; None: on this one, before it started."""
        async for entry in in_turns(list(room.state.queue.held.values())):
            if entry.state is HELD and (gone is None or entry.node in gone):
                self._give_back(room, entry, reason)

    # ── the host's, and time's ──────────────────────────────────────────────────────────────

    async def decide(self, room: Room, key: bytes, kind: Kind) -> bool:
        """The host has a dead letter RETRIED or DISCARDED; False when it is none."""
        entry = room.state.queue.dead(key)
        if entry is None:
            return False
        answer = await self._say(room, entry, kind)
        if isinstance(answer, StorageFailed) and self._context.engine.shared:
            raise answer
        return not self._context.engine.shared or isinstance(answer, int)

    def end_leases(self, room: Room, participant: Participant) -> None:
        """The host does not wait until what a participant holds runs out."""
        for lease in room.leases.held_by(participant):
            self._expire(room, lease, f"the host ended the lease of {participant.name}")

    def _expire(self, room: Room, lease: Lease, reason: str) -> None:
        self._lose(room, lease)
        self._give_back(room, lease.entry, reason)
        event = id_text(lease.entry.key)
        self._context.tell(lease.holder, messages.Notice.of("lease_ended", event))
        self._notify_if_dead(lease, event)

    async def tick(self) -> None:
        """Leases that ran out; participants that have read what was in their way."""
        now = monotonic()
        for room in list(self._context.rooms.values()):
            async for lease in in_turns(room.leases.expired(now)):
                if room.leases.held.get(lease.entry.key) is lease:
                    self._expire(room, lease, f"the lease of {lease.entry.name} ran out")
            for type in room.backoff.over(room.state, now):
                self.touch(room, type)
        for participant in self._handover.uncongested():
            if room_of := self._context.rooms.get(participant.room):
                self.touch(room_of)

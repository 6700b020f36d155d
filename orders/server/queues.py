"""Queue mode on this node: whose turn it is, what is held, and what becomes of it."""

import time
from typing import TYPE_CHECKING

from orders.broker import messages
from orders.broker.broker import Item
from orders.broker.leases import Entry, State
from orders.broker.records import Kind
from orders.broker.room import Participant, Room
from orders.clock import now_ms
from orders.errors import Refused
from orders.journal.base import Claimed

if TYPE_CHECKING:
    from orders.server.node import Node


#: Events that are written to a participant at once, at most; a text of this many bytes goes alone.
MOST_AT_ONCE = 32
LARGE = 4096


class Queues:
    """Hands queued events over, one to one participant, and hears what became of them."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._touched: dict[Room, None] = {}
        self._congested: dict[Participant, None] = {}
        self._frames: dict[Participant, list[bytes]] = {}  # handed over, to be written at once

    def touch(self, room: Room) -> None:
        """Something there may be handed over now."""
        self._touched[room] = None
        self._node.pump.wake()

    async def hand_out(self) -> None:
        """Give what is ready to who has room for it, oldest first, in turn."""
        while self._touched:
            room = next(iter(self._touched))
            del self._touched[room]
            if not room.paused or self._node.engine.queue(room.name).is_waiting(room.cursor):
                self._node.engine.demand(room.name, room.credit)
            for type in self._node.engine.queue(room.name).types():
                while await self._hand_out(room, type):
                    pass
        for participant in list(self._frames):
            self._write(participant)

    async def _hand_out(self, room: Room, type: str) -> bool:
        """One round: an event for each who could take one. False when nothing more goes."""
        handed, queue = False, self._node.engine.queue(room.name)
        for participant in room.takers(type):
            if not participant.has_credit:
                continue  # gone, since whose turn it is was asked
            lease = self._node.options.lease if participant.ack == "manual" else None
            deadline = None if lease is None else time.monotonic() + lease
            claimed = await self._node.engine.claim(
                room.name, type, room.cursor, participant.name, participant.number, deadline
            )
            if claimed is None:
                continue
            if lease is not None and not queue.holding(claimed.entry.key, participant.number):
                participant.in_flight += 1  # it was let go, and counted, while its text was read
                continue
            self._hand(room, participant, claimed, lease)
            handed = True
        return handed

    def _hand(
        self, room: Room, participant: Participant, claimed: Claimed, lease: float | None
    ) -> None:
        entry, text = claimed.entry, claimed.record.body
        if lease is not None:
            participant.in_flight += 1
        if lease is not None or entry.attempt > 1:
            text = text[:-1] + b',"attempt":%d}' % entry.attempt
        room.turn = participant.number
        participant.delivered += 1
        self._node.stats.delivered += 1
        self._tell(
            room, entry, Kind.HANDED, name=participant.name, attempt=entry.attempt, lease=lease
        )
        frames = self._frames.setdefault(participant, [])
        frames.append(self._node.frame(text))
        if len(frames) == MOST_AT_ONCE or len(text) > LARGE:
            self._write(participant)

    def _write(self, participant: Participant) -> None:
        """Write what was handed to a participant; one that reads too slowly takes no more."""
        waiting = participant.write(b"".join(self._frames.pop(participant)))
        if waiting > self._node.options.max_unread // 4:
            participant.congested = True
            self._congested[participant] = None

    def command(self, item: Item) -> None:
        """An ack or a nack: what the item comes to is left in it."""
        room, participant, command = item.room, item.participant, item.command
        if participant is None or not isinstance(command, messages.Ack | messages.Nack):
            return
        queue = self._node.engine.queue(room.name)
        entry = queue.holding(bytes.fromhex(command.event.replace("-", "")), participant.number)
        if entry is None:
            refused = Refused(
                "not_held",
                f"You do not hold the event {command.event} (any more): it has been, or will be,"
                " given to another. Ack each event once, before its lease ends.",
            )
            item.reply = self._node.broker.refusal(
                room, participant, refused, command.event, now_ms()
            ).reply
            return
        participant.in_flight -= 1
        if isinstance(command, messages.Ack):
            queue.settle(entry.key, participant.number)
            self._tell(room, entry, Kind.SETTLED, name=participant.name)
        else:
            self._release(room, entry, command.reason or f"{participant.name} gave it back")
        self.touch(room)

    def let_go(self, participant: Participant, reason: str) -> None:
        """All that it holds is ready again: it is gone."""
        room = participant.room
        for entry in self._node.engine.queue(room.name).held_by(participant.number):
            participant.in_flight -= 1
            self._release(room, entry, reason)
        self._congested.pop(participant, None)

    def tick(self) -> None:
        """Leases that ran out; participants that have read what was in their way."""
        clock = time.monotonic()
        for room in self._node.broker.rooms.values():
            for entry in self._node.engine.queue(room.name).expired(clock):
                self.lost(room, entry)
                self._release(room, entry, f"the lease of {entry.name} ran out")
        for participant in list(self._congested):
            if participant.transport.unread() <= self._node.options.max_unread // 8:
                del self._congested[participant]
                participant.congested = False
                self.touch(participant.room)

    @staticmethod
    def lost(room: Room, entry: Entry) -> None:
        """Whoever holds an event does so no longer."""
        for participant in room.participants.values():
            if participant.number == entry.holder:
                participant.in_flight -= 1

    def retry(self, room: Room, key: bytes) -> Entry | None:
        """The host gives a dead letter another chance."""
        entry = self._node.engine.queue(room.name).retry(key)
        if entry:
            self._tell(room, entry, Kind.RETRIED)
            self.touch(room)
        return entry

    def discard(self, room: Room, key: bytes) -> Entry | None:
        """The host gives a dead letter up."""
        entry = self._node.engine.queue(room.name).discard(key)
        if entry:
            self._tell(room, entry, Kind.DISCARDED)
        return entry

    def _release(self, room: Room, entry: Entry, reason: str) -> None:
        state = self._node.engine.queue(room.name).release(entry, reason)
        if state is State.DEAD:
            self._tell(room, entry, Kind.DEAD, attempts=entry.attempt, reason=reason)
        else:
            self._tell(room, entry, Kind.RELEASED, name=entry.name, reason=reason)
        self.touch(room)

    def _tell(self, room: Room, entry: Entry, kind: Kind, **data: object) -> None:
        self._node.pump.gather(Item(room, None, entry.tell(kind, now_ms(), **data)), urgent=False)

"""The pump: take all that waits, one append, dispatch what arrived, write.

While a batch is being committed the next one gathers, so group commit and coalesced writes are
one mechanism. At low load a batch is one event, and its latency one sync and one write.
"""

import asyncio
from typing import TYPE_CHECKING

from orders.broker import messages
from orders.broker.broker import Item
from orders.broker.modes import Mode
from orders.broker.records import Kind, Record
from orders.broker.room import Participant, Room
from orders.clock import new_id, now_ms
from orders.errors import Close, Refused, StorageFailed
from orders.journal.base import Answer, Outcome

if TYPE_CHECKING:
    from orders.server.node import Node

#: A batch this large reads no further from the sockets: TCP slows the senders, nothing is dropped.
MOST_GATHERED = 4096
MOST_GATHERED_BYTES = 8 * 1024 * 1024
#: How long what nobody waits for may wait for a batch to ride with, in seconds.
LINGER = 0.02
#: Control records kept to be stored later, while the journal takes no writes.
MOST_CARRIED = 10_000
#: What the host waits for, and is refused while the journal takes no writes.
BY_HOST = (Kind.MODES, Kind.PAUSED, Kind.RESET)

Pair = tuple[Item, Answer | None]


class Pump:
    """The only loop between what is received and what is written."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._items: list[Item] = []
        self._bytes = 0
        self._carried: list[Record] = []
        self._again = False
        self._stored: dict[Record, Item] = {}  # until they arrive
        self._empty: set[Room] = set()
        self._work = asyncio.Event()
        self._taken = asyncio.Event()
        self._riding: asyncio.TimerHandle | None = None
        self._due = False  # whether somebody waits for the next batch
        self._stopping = False
        self.failure: StorageFailed | None = None  # why the journal took no writes, the last time

    def gather(self, item: Item, *, urgent: bool = True) -> None:
        """Put an item into the next batch; what is not urgent waits a moment for company."""
        self._items.append(item)
        if item.record is not None:
            self._bytes += len(item.record.body)
        if urgent:
            self._depart()
        elif self._riding is None:
            self._riding = asyncio.get_running_loop().call_later(LINGER, self._depart)

    def _depart(self) -> None:
        self._due = True
        self._work.set()

    def try_again(self) -> None:
        """Store what could not be stored before, if there is any."""
        if self._carried:
            self._again = True
            self._work.set()

    def wake(self) -> None:
        """There may be something to hand over."""
        self._work.set()

    @property
    def is_full(self) -> bool:
        """Whether the next batch is large enough: sockets are then read no further."""
        return len(self._items) >= MOST_GATHERED or self._bytes >= MOST_GATHERED_BYTES

    async def until_taken(self) -> None:
        """Wait until the next batch has room again."""
        while self.is_full:
            self._taken.clear()
            await self._taken.wait()

    async def run(self) -> None:
        """What waits, and then what gathered meanwhile; until `stop`, and nothing waits."""
        while self._items or not self._stopping:
            await self._work.wait()
            self._work.clear()
            await self._once()

    def stop(self) -> None:
        """End when all that gathered is stored."""
        self._stopping = True
        self._work.set()

    async def _once(self) -> None:
        await self._node.queues.hand_out()
        if (items := self._take()) or self._again:
            pairs = await self._append(items)
            self._reply(pairs)
            await self._sort(pairs)
        for room, records in self._by_room(self._node.engine.arrived()).items():
            await self._dispatch(room, records)
        await self._forget_empty_rooms()
        await self._node.queues.hand_out()

    def _take(self) -> list[Item]:
        """The next batch; none while it holds only what may wait a moment for company."""
        if not (self._due or self._stopping or self.is_full):
            return []
        self._due = False
        if self._riding is not None:
            self._riding.cancel()
            self._riding = None
        items, self._items, self._bytes = self._items, [], 0
        self._taken.set()
        return items

    async def _append(self, items: list[Item]) -> list[Pair]:
        """Store a batch. Control records that could not be stored ride a later one."""
        records = [item.record for item in items if item.record is not None]
        if not records and not self._again:
            return [(item, None) for item in items]
        carried, self._carried, self._again = self._carried, [], False
        told = await self._node.engine.append([*carried, *records])
        answers = iter(told[len(carried) :])
        pairs = [(item, next(answers) if item.record is not None else None) for item in items]
        self.failure = next((a for a in told if isinstance(a, StorageFailed)), None)
        if self.failure:
            self._carried = [
                record
                for record, answer in zip([*carried, *records], told, strict=True)
                if isinstance(answer, StorageFailed) and record.kind not in (Kind.EVENT, *BY_HOST)
            ][:MOST_CARRIED]
        self._node.stats.batches += 1
        return pairs

    # ── what senders hear ───────────────────────────────────────────────────────────────────

    def _reply(self, pairs: list[Pair]) -> None:
        """Tell senders what became of their events, in the order in which they sent them."""
        replies: dict[Participant, list[bytes]] = {}
        frame, now = self._node.frame, now_ms()
        for item, answer in pairs:
            text = self._answer(item, answer, now)
            if item.answered is not None:
                item.answered(answer)
            if text is not None and item.participant is not None:
                replies.setdefault(item.participant, []).append(frame(text))
        for participant, frames in replies.items():
            if participant.gone:
                continue
            if participant.transport.write(b"".join(frames)) > self._node.options.max_unread:
                self._node.fall_behind(participant)

    def _answer(self, item: Item, answer: Answer | None, now: int) -> bytes | None:
        record, participant, stats = item.record, item.participant, self._node.stats
        if record is None:
            stats.refused += 1
            return item.reply
        if record.kind is Kind.JOINED:
            if participant is None or record.data["was"] is not None:
                return None
            participant.welcomed = True
            return None if participant.quiet else self._node.broker.welcome(participant, now)
        if record.kind is not Kind.EVENT:
            return item.reply
        id = record.parsed().id
        quiet = participant is None or participant.quiet
        if answer is Outcome.ACCEPTED:
            stats.accepted += 1
            return None if quiet else messages.say_accepted(id, now, new_id())
        if answer is Outcome.DUPLICATE:
            stats.duplicates += 1
            again = messages.Accepted(event=id, duplicate=True)
            return None if quiet else messages.say(again, now, new_id())
        stats.refused += 1
        error = answer if isinstance(answer, StorageFailed) else conflict(id)
        return self._node.broker.refusal(item.room, participant, error, id, now).reply

    async def _sort(self, pairs: list[Pair]) -> None:
        """What was stored will arrive; control records that could not be are true all the same."""
        for item, answer in pairs:
            record = item.record
            if record is None:
                continue
            if answer is Outcome.ACCEPTED:
                self._stored[record] = item
            elif not isinstance(answer, StorageFailed):
                continue
            elif record.kind in BY_HOST:
                self._node.host.refuse(record, answer)
            elif record.kind is not Kind.EVENT:
                await self._apply(item, record)

    # ── what everybody hears ────────────────────────────────────────────────────────────────

    async def _dispatch(self, room: Room, records: list[Record]) -> None:
        """Make control records true and let events go, in the order of the journal."""
        run: list[Record] = []
        for record in records:
            item = self._stored.pop(record, None)
            if record.kind is not Kind.EVENT:
                self._let_go(room, run)
                run = []
                if item is not None or record.node or record.kind in BY_HOST:
                    await self._apply(item or Item(room), record)
                else:  # it was carried, and is true already
                    self._move_head(room, record)
                continue
            self._node.broker.heard(room, record)
            run.append(record)
        self._let_go(room, run)

    def _let_go(self, room: Room, run: list[Record]) -> None:
        """Let a run of accepted events go, unless the room is paused."""
        if run and not room.paused:
            self.deliver(room, run)

    def deliver(self, room: Room, run: list[Record]) -> None:
        """Write a run of events to all who receive them: one buffer an audience, one write each."""
        room.cursor = run[-1].position
        frame, max_unread = self._node.frame, self._node.options.max_unread
        frames: dict[int, bytes] = {}
        joined: tuple[list[Record], bytes] = ([], b"")
        stats, too_slow = self._node.stats, []
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
            self._node.fall_behind(participant)
        if any(record.mode == Mode.QUEUE for record in run):
            self._node.queues.touch(room)

    async def _apply(self, item: Item, record: Record) -> None:
        """Make a control record true, as soon as the journal has it."""
        room, participant, node = item.room, item.participant, self._node
        self._move_head(room, record)
        said = node.broker.apply(item, record, now_ms())
        if said is not None:
            node.tell_all(room, said)
        if record.node and (own := room.participants.get(str(record.data.get("name")))):
            self._settle_name(own, record)
        if record.kind is Kind.JOINED and participant and not participant.gone:
            if participant.live:
                node.queues.touch(room)
            elif record.data["was"] is None:
                node.start_replay(participant)
        elif record.kind is Kind.LEFT and (participant or record.node) and room.is_forgettable:
            self._empty.add(room)
        elif record.kind is Kind.SUBSCRIBED:
            node.queues.touch(room)
        elif record.kind in BY_HOST:
            await node.host.apply(room, record)
            if record.kind is Kind.RESET and room.is_forgettable:
                self._empty.add(room)
        elif record.kind is Kind.STEPPED and record.node:
            node.spawn(node.host.step_along(room, record))
        elif record.about and record.node:
            node.queues.touch(room)

    def _settle_name(self, own: Participant, record: Record) -> None:
        """Another node says something of a name that a participant here bears."""
        if record.kind is Kind.JOINED:  # it took the name over while nobody heard us
            self._node.queues.let_go(own, "its name was taken over")
            self._node.broker.leave(own, now_ms())  # and nobody need be told
            own.transport.close(Close.TAKEN_OVER, "another connection took over your name")
        elif record.kind is Kind.LEFT and record.data.get("of"):  # but it has not
            self.gather(self._node.broker.present(own, now_ms(), own.name))

    @staticmethod
    def _move_head(room: Room, record: Record) -> None:
        is_caught_up = not room.paused and room.cursor == room.head
        room.head = record.position or room.head
        if is_caught_up:
            room.cursor = room.head

    async def _forget_empty_rooms(self) -> None:
        """Drop rooms that were left empty, but for those into which something is on its way."""
        expected = {item.room for item in self._items}
        for room in self._empty - expected:
            if self._node.broker.forget(room):
                await self._node.engine.forget(room.name)
        self._empty &= expected

    def _by_room(self, records: list[Record]) -> dict[Room, list[Record]]:
        rooms: dict[Room, list[Record]] = {}
        for record in records:
            item = self._stored.get(record)
            room = item.room if item else self._node.broker.rooms.get(record.room)
            if room is not None:
                rooms.setdefault(room, []).append(record)
        return rooms


def conflict(id: str) -> Refused:
    """Another event under an id that the room has."""
    return Refused(
        "id_conflict",
        f"Another event has the id {id} in this room already: give this one a new UUID, or leave"
        " `id` out and the broker stamps one.",
        status=409,
    )

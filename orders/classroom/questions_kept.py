"""The questions of every room of this node: read from the journal once, and told of what is new."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from orders.broker.messages import Notice
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.classroom.questions import KINDS, Question, Questions
from orders.classroom.questions_truth import ORDERS, Truth, order_of, outcome, receivers, words
from orders.domain.envelope import id_text, key_of
from orders.errors import Refused, StorageFailed
from orders.journal.base import Filter, pages
from orders.server import Node

PAGE = 500
PLACED = "order_placed"
TURN = 0.05, 20  # seconds between two looks for who took an event from its queue, and how many

#: What everyone in a room hears of a question; programs may answer, too.
NEWS = {
    Kind.ASKED: "The host asks: {}",
    Kind.CLOSED: "The answers are in: no more are taken.",
    Kind.REVEALED: "The answer is there: see GET /api/rooms/{}/questions.",
}


@dataclass(slots=True, eq=False)
class _Kept:
    """The questions of a room, read from its journal once, and told of each record from then on."""

    room: Room
    epoch: int
    head: int  # up to here the journal is read
    known: Questions = field(default_factory=Questions)
    waiting: list[Record] | None = field(default_factory=list)  # what came while it is read
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def apply(self, record: Record) -> None:
        if self.waiting is None:
            self.known.apply(record)
        else:
            self.waiting.append(record)


class KeptQuestions:
    """The questions of every room of this node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.asking = asyncio.Lock()  # one thing after the other, of what hosts do
        self._kept: dict[str, _Kept] = {}
        for kind in KINDS:
            node.context.follow(kind, self._follow)
        node.context.follow(Kind.JOINED, self._joined)

    async def of(self, room: Room) -> Questions:
        """A room's questions; `StorageFailed` where its journal cannot be read."""
        kept = self._kept.get(room.name)
        if kept is None or (kept.room, kept.epoch) != (room, room.state.epoch):
            there = self.node.rooms
            self._kept = {name: k for name, k in self._kept.items() if there.get(name) is k.room}
            kept = self._kept[room.name] = _Kept(room, room.state.epoch, room.state.head)
        async with kept.lock:
            if kept.waiting is not None:
                engine, position = self.node.engine, kept.known.position
                async for page in pages(engine, room.name, position, kept.head):
                    for record in [one for one in page if one.kind in KINDS]:
                        kept.known.apply(record)
                for record in kept.waiting:
                    kept.known.apply(record)
                kept.waiting = None
        return kept.known

    def _follow(self, room: Room, record: Record) -> None:
        kept = self._kept.get(room.name)
        if kept is not None and (kept.room, kept.epoch) == (room, room.state.epoch):
            kept.apply(record)
        if record.kind in NEWS:
            about = room.name if record.kind is Kind.REVEALED else record.data.get("text")
            self.node.context.tell_all(room, _notice(record.kind, about))

    def _joined(self, room: Room, record: Record) -> None:
        """Anyone who comes while a question is there hears of it."""
        if room.state.paused and record.data["name"] in room.participants:
            self.node.context.spawn(self._tell(room, record.data["name"]))

    async def _tell(self, room: Room, name: str) -> None:
        with contextlib.suppress(StorageFailed):  # it hears of the journal, and asks again
            question = (await self.of(room)).current
            participant = room.participants.get(name)
            if question is not None and participant is not None:
                kind = Kind.ASKED if question.state == "open" else Kind.CLOSED
                self.node.context.tell(participant, _notice(kind, question.text))

    async def check(self, room: Room) -> None:
        """Refuse to let events go as long as a question is about them."""
        if room.state.paused and (question := (await self.of(room)).current):
            raise Refused(
                "question_open",
                f"The question {question.text!r} holds the room: reveal it, and events go on.",
                status=409,
            )

    # ── what a question is about ────────────────────────────────────────────────────────────

    async def subject(self, room: Room, question: Question) -> Record | None:
        """The event that a question is about: the first after it was asked, if none was there."""
        if question.event:
            return await self.node.engine.find(room.name, key_of(question.event))
        events = room.state.events
        if question.looked_at == events:  # 300 phones ask at once, and nothing has come since
            return None
        found = await self.find(room, question.kind, question.order, question.last)
        question.looked_at = events
        if found is not None:
            question.event = id_text(found.key)
            question.text = words(question.kind, found, question.order)
        return found

    async def placed(self, room: Room, order: str | None) -> Record | None:
        """The placing that an order stands for, if it was placed before: `carol/5`."""
        customer, _, number = (order or "").partition("/")
        known = await self.node.engine.order(room.name, customer, number) if order else None
        return await self.node.engine.find(room.name, key_of(known.event)) if known else None

    async def find(self, room: Room, kind: str, order: str | None, after: int) -> Record | None:
        """The first event after a position that a question of this kind may be about."""
        if kind == "receivers":
            page = await self.node.engine.page(room.name, Filter(), 1, after=after)
            return page.events[0] if page.events else None
        async for record in self.orders(room, after):
            if record.type == PLACED and order in (None, order_of(record)):
                return record
        return None

    async def orders(self, room: Room, after: int) -> AsyncIterator[Record]:
        """The events of orders after a position."""
        more: bytes | None = b""
        while more is not None:
            page = await self.node.engine.page(room.name, Filter(ORDERS), PAGE, after=after)
            for record in page.events:
                yield record
            more = page.more
            last = await self.node.engine.find(room.name, more) if more else None
            after = last.position if last else after

    async def release(self, room: Room, question: Question, event: Record | None) -> None:
        """Let the event go: all that was held for the question, else this one and those before."""
        host = self.node.host
        if question.held:
            await host.resume(room)
        while event and room.state.paused and room.state.cursor < event.position:
            if await host.step(room) is None:
                break

    async def truth(self, room: Room, question: Question, event: Record) -> Truth:
        """What the journal says by now; of a queue once somebody had time to take it."""
        engine, (pause, times) = self.node.engine, TURN
        if question.kind == "outcome":
            later = [one async for one in self.orders(room, event.position)]
            return outcome(event, later, await engine.controls(room.name, event.position))
        while True:
            controls = await engine.controls(room.name, event.position)
            truth = receivers(event, controls, question.choices)
            times -= 1
            if not truth.so_far or not times or not workers(room, event.type, event.source):
                return truth
            await asyncio.sleep(pause)


def _notice(kind: str, about: str | None) -> Notice:
    return Notice(code="question", message=NEWS[Kind(kind)].format(about))


def mode_of(room: Room, type: str) -> str:
    """How events of a type are dispatched now."""
    return room.state.modes.get(type) or room.state.modes["*"]


def workers(room: Room, type: str, source: str = "") -> list[str]:
    """Those who take events of a type from their queue; never the sender."""
    people = room.state.members.values()
    return [one.name for one in people if one.works_on(type) and one.name != source]

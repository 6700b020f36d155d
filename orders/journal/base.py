"""What every engine promises. An engine is where the journal lies.

Order        Records of a room get ascending positions. Every reader, on every node, sees them in
             that order, each once; those of one `append` keep its order.
Duplication  An event's id is accepted once in a room: the same event again is a DUPLICATE,
             another under its id a CONFLICT. A queued event comes again after a release, and
             may come again after a crash.
Loss         When `append` answers with a position and `durable` is true, the event survives
             `kill -9` and power loss. No batch is atomic to its callers: each record has its own
             answer. An event that was answered with a failure may be there all the same.

Reads may run while an append does. Positions are internal: outside, an event's id is its place.

A journal may be `shared` by several nodes. Then a record about a queued event is stored only if
nothing else was said about that event since: `Record.expected`; one that comes too late is answered
CONFLICT, and nothing was written. What was stored, by any node, arrives at each that entered the
room; only what arrived is true there. `Unshared` is that part of an engine whose journal belongs
to one node: what is stored is true, and there is nobody to agree with.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from orders.broker.modes import matches
from orders.broker.queue import Entry
from orders.broker.records import Record
from orders.broker.room_state import Member, RoomState
from orders.domain.orders import Order
from orders.errors import StorageFailed


class Outcome(Enum):
    """Why a record has no position."""

    DUPLICATE = auto()
    CONFLICT = auto()


#: The position of a record that was accepted, or why it has none.
Answer = int | Outcome | StorageFailed


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events of a log are wanted: a type or prefix, a source, text anywhere in the event."""

    type: str | None = None
    source: str | None = None
    text: str | None = None

    @property
    def is_open(self) -> bool:
        return not (self.type or self.source or self.text)

    def admits(self, record: Record) -> bool:
        return (
            (not self.type or matches(frozenset((self.type,)), record.type))
            and (not self.source or record.source == self.source)
            and (not self.text or self.text.lower() in record.body.decode().lower())
        )


#: A log page looks at no more events than this, so that a filter that fits nothing ends.
MOST_SCANNED = 50_000

#: What is read at once ends with the record that reaches this many bytes, so that memory stays
#: bounded whatever was sent.
MOST_BYTES = 256 * 1024

#: Orders that are read at once.
PAGE_OF_ORDERS = 250
#: Records that are read at once by one who wants them all.
PAGE_OF_RECORDS = 500


def take_bytes(records: Iterable[Record]) -> list[Record]:
    """Records up to the one that reaches `MOST_BYTES`."""
    taken: list[Record] = []
    room = MOST_BYTES
    for record in records:
        taken.append(record)
        room -= len(record.body)
        if room <= 0:
            break
    return taken


@dataclass(frozen=True, slots=True)
class Page:
    """Events of a log, oldest first; `more` is the id to go on from, None at the end."""

    events: list[Record]
    more: bytes | None = None


def take_page(
    records: Iterable[Record], wanted: Filter, limit: int, scanned: int, backwards: bool
) -> Page:
    """A page from the records of a log, which come newest first when it goes backwards.

    It ends after `limit` events or `MOST_BYTES`, or when as many as `scanned` were looked at.
    """
    events: list[Record] = []
    looked_at, last, room = 0, b"", MOST_BYTES
    for record in records:
        if len(events) == limit or room <= 0:
            break
        looked_at, last = looked_at + 1, record.key
        if wanted.admits(record):
            events.append(record)
            room -= len(record.body)
    else:
        last = last if looked_at == scanned else b""
    return Page(events[::-1] if backwards else events, last or None)


class NodeCallbacks(Protocol):
    """What a shared engine asks of the node that uses it."""

    def wake(self) -> None:
        """Something arrived, or may be handed over now."""

    def submit(self, record: Record) -> object:
        """Put a control record into the next batch."""

    def has_name(self, room: str, name: str) -> bool:
        """Whether a participant here has the name."""

    async def asked(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what another node asks for, see `Engine.ask`; the answer."""


class Engine(Protocol):
    """A journal, its rooms, and where orders stand."""

    durable: bool
    shared: bool  # whether other nodes use this journal, too
    callbacks: NodeCallbacks

    async def open(self) -> list[RoomState]:
        """Take hold of the journal and return its rooms; `CannotStart` when that fails."""

    async def close(self) -> None:
        """Finish what was begun, and let go."""

    def append(self, records: Sequence[Record]) -> Awaitable[list[Answer]]:
        """Store records; one answer each, in order: the position that it has now, or why none.

        Control records are always accepted unless storage fails, or (shared) a record about a
        queued event comes too late: CONFLICT.
        """

    def arrived(self) -> list[Record]:
        """Shared: what was stored since this was asked last, in order of position within each
        room; a record that this node appended is the very object that it gave, with its position
        set. Unshared: nothing, the answers of `append` say it all."""

    async def probe(self) -> StorageFailed | None:
        """Write something that changes nothing: why that fails, or None."""

    def lost(self) -> StorageFailed | None:
        """A quick look at the journal: why what is written now would be lost, or None."""

    async def read(
        self, room: str, after: int, limit: int, epoch: int | None = None
    ) -> list[Record]:
        """Records of every kind after a position, in order; none only at the end.

        They are at most `limit`, and end with the one that reaches `MOST_BYTES`. `epoch`: the one
        that the reader is in, if not the newest that is stored; of a shared journal only that can
        be read.
        """

    async def page(
        self, room: str, wanted: Filter, limit: int, *, after: int = 0, before: int | None = None
    ) -> Page:
        """Events only: the oldest after `after`, or the newest before `before`."""

    async def find(self, room: str, key: bytes) -> Record | None:
        """The event with this id."""

    async def controls(self, room: str, about: int) -> list[Record]:
        """The control records that explain who received the event at position `about`: those
        about that event, and those of `PRESENCE_KINDS`."""

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        """Where the newest orders stand, oldest first; of one customer, or in one state."""

    def pages_of_orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> AsyncIterator[list[Order]]:
        """The same, a page at a time; each is read when it is asked for, so it may be newer."""

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        """Where one order stands; `number` is the key text of its id."""

    async def forget(self, room: str) -> None:
        """Drop a room that has no events.

        A shared one is only left: it counts as not there while nobody is in it.
        """

    async def erase(self, rooms: Sequence[str]) -> StorageFailed | None:
        """Erase rooms, in all of their epochs, so that nothing of them can be found on the disk.

        Returns why something can still be found, or None; raises `StorageFailed` if nothing was
        erased.

        A shared one ends its epoch for all nodes, and what was before that is erased.
        """

    # ── what nodes agree on ─────────────────────────────────────────────────────────────────

    async def enter(self, room: str, begin: bool) -> RoomState | None:
        """Have what is stored in a room arrive here from now on, if it does not yet.

        Returns how it stands where it was entered, None when there is none; `begin` makes it.
        What arrives is applied by the caller: the engine folds no further.
        """

    async def leave(self, state: RoomState) -> None:
        """Nobody here needs the room: nothing of it has to arrive any more."""

    async def keep(self, state: RoomState) -> None:
        """How a room stands here; an engine may keep it, so that nobody folds the whole log."""

    def gone(self, nodes: set[str]) -> set[str]:
        """Which of these nodes have ended without a word: others give back what theirs held."""

    async def take_name(self, room: str, name: str, session: str | None) -> bool:
        """Whether a name is free on every node; it is taken from then on, until its `left`."""

    async def take_over(
        self, room: str, session: str, mark: Sequence[str], members: Sequence[Member]
    ) -> str | None:
        """Put a participant with this session out of the room on another node: its name; None
        where it has none there.

        `mark` is that of the session, `members` who is on other nodes as far as the journal has
        arrived here: that tells whose a session is where the nodes' own note of it is gone, and
        which names are somebody else's.
        """

    async def ask(self, node: str, **request: Any) -> Mapping[str, Any]:
        """Have another node do something to a participant that is connected there."""

    def claim_delay(self, room: RoomState, entry: Entry) -> float:
        """Seconds that this node leaves a ready event to others, who then claim it undisturbed."""


async def pages(engine: Engine, room: str, after: int, upto: int) -> AsyncIterator[list[Record]]:
    """The records of a room after a position, up to another, oldest first, as they are read."""
    while after < upto and (page := await engine.read(room, after, PAGE_OF_RECORDS)):
        after = page[-1].position
        yield [record for record in page if record.position <= upto]


class Unshared:
    """The journal belongs to this node: what it stores is true, every name is free."""

    shared = False
    callbacks: NodeCallbacks

    def arrived(self) -> list[Record]:
        return []

    async def enter(self, room: str, begin: bool) -> RoomState | None:
        return None

    async def leave(self, state: RoomState) -> None:
        pass

    async def keep(self, state: RoomState) -> None:
        pass

    def gone(self, nodes: set[str]) -> set[str]:
        return set()

    async def take_name(self, room: str, name: str, session: str | None) -> bool:
        return True

    async def take_over(
        self, room: str, session: str, mark: Sequence[str], members: Sequence[Member]
    ) -> str | None:
        return None

    async def ask(self, node: str, **request: Any) -> Mapping[str, Any]:
        raise NotImplementedError("there is no other node")

    def claim_delay(self, room: RoomState, entry: Entry) -> float:
        return 0.0

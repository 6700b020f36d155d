"""What every engine promises. An engine is where the journal lies, and who may claim from it.

Order        Records of a room get ascending positions. Every reader, on every node, sees them in
             that order, each once; those of one `append` stand in its order.
Duplication  An event's id is accepted once in a room: the same event again is a DUPLICATE,
             another under its id a CONFLICT. A claimed event comes again after a release, and
             may come again after a crash.
Loss         When `append` answers ACCEPTED and `durable` is true, the event survives `kill -9`
             and power loss. A failed append leaves nothing behind. No batch is atomic to its
             callers: each record has its own answer.

What became of queued events is told by control records; they ride the next append and are not
waited for. Reads may run while an append does. Positions are internal: outside, an event's id
is its place.

A journal may be shared by several nodes. What was stored, by whichever of them, arrives at each
that entered the room; only what arrived is dispatched. `Alone` is the part of an engine whose
journal belongs to one node: what it stored arrives at once, and there is nobody to agree with.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from orders.broker.leases import Entry, Leases
from orders.broker.modes import matches
from orders.broker.records import Record, RoomState
from orders.domain.orders import Order
from orders.errors import StorageFailed


class Outcome(Enum):
    ACCEPTED = auto()
    DUPLICATE = auto()
    CONFLICT = auto()


Answer = Outcome | StorageFailed

#: How many events of a type, sent by these sources, the participants of a node have room for.
Credit = Callable[[str, Collection[str]], int]


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


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event handed to one participant; `entry` says for the how-manyth time, and until when."""

    record: Record
    entry: Entry


class NodeCallbacks(Protocol):
    """What an engine asks of the node that uses it: on behalf of others, or as things arrive."""

    def wake(self) -> None:
        """Something arrived."""

    def touch(self, room: str) -> None:
        """Something in this room may be handed over now."""

    def record(self, record: Record) -> None:
        """Put a control record into the next batch."""

    def bears(self, room: str, name: str) -> bool:
        """Whether a participant here bears the name."""

    def lost(self, entry: Entry) -> None:
        """Another node gave to somebody else what a participant here held."""

    async def asked(self, what: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what another node asks for, see `Engine.ask`; the answer."""


class Engine(Protocol):
    """A journal with its projections: rooms, orders and queues."""

    durable: bool
    shared: bool  # whether other nodes use this journal, too
    callbacks: NodeCallbacks

    async def open(self) -> list[RoomState]:
        """Take hold of the journal and say what it remembers; `CannotStart` when that fails."""

    async def close(self) -> None:
        """Finish what was begun, and let go."""

    async def append(self, records: Sequence[Record]) -> list[Answer]:
        """Give each record a position, and store them all; one answer per record, in order.

        Control records are always ACCEPTED unless storage fails. Events accepted in queue mode
        are ready to be claimed when this returns.
        """

    def arrived(self) -> list[Record]:
        """What was stored since this was asked last, in order of position within each room.

        A record that this node appended is the very object that it gave.
        """

    async def probe(self) -> StorageFailed | None:
        """Write something that changes nothing: why that fails, or None."""

    async def read(self, room: str, after: int, limit: int) -> list[Record]:
        """Records of every kind after a position, in order; none only at the end.

        They are at most `limit`, and end with the one that reaches `MOST_BYTES`.
        """

    async def page(
        self, room: str, wanted: Filter, limit: int, *, after: int = 0, before: int | None = None
    ) -> Page:
        """Events only: the oldest after `after`, or the newest before `before`."""

    async def find(self, room: str, key: bytes) -> Record | None:
        """The event with this id."""

    async def story(self, room: str, about: int) -> list[Record]:
        """The control records that tell who received the event at position `about`: those about
        that event, and those about who was present, what they wanted and when it was paused."""

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        """Where the newest orders stand, oldest first; of one customer, or in one state."""

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        """Where one order stands; `number` is the key text of its id."""

    async def forget(self, room: str) -> None:
        """Drop a room that has no events.

        A shared one is only left: it counts as not there while nobody is in it.
        """

    # ── what nodes agree upon ───────────────────────────────────────────────────────────────

    async def enter(self, room: str, begin: bool) -> RoomState | None:
        """Have what is stored in a room arrive here from now on, if it does not yet.

        Returns what the journal remembers of it, None when that is nothing; `begin` makes such
        a room.
        """

    async def leave(self, room: str) -> None:
        """Nobody here needs the room: nothing of it has to arrive any more."""

    async def take_name(self, room: str, name: str, session: str | None) -> bool:
        """Whether a name is free on every node; it is taken from then on, until its `left`."""

    async def take_over(self, room: str, session: str) -> str | None:
        """Put a participant with this session out of the room on another node: its name."""

    async def ask(self, node: str, **what: Any) -> Mapping[str, Any]:
        """Have another node do something to a participant that is connected there."""

    def queue(self, room: str) -> Leases:
        """The queues of a room, as they stand now."""

    def demand(self, room: str, credit: Credit) -> None:
        """Participants here may have room for events of this room's queues, as `credit` says."""

    async def claim(
        self, room: str, type: str, upto: int, name: str, holder: int, deadline: float | None
    ) -> Claimed | None:
        """Hand the oldest ready event of this type, not sent by `name`, to that participant."""


class Alone:
    """The journal belongs to this node: what it stores arrives at once, every name is free."""

    shared = False
    callbacks: NodeCallbacks

    def __init__(self) -> None:
        self._arrived: list[Record] = []

    def arrived(self) -> list[Record]:
        arrived, self._arrived = self._arrived, []
        return arrived

    async def enter(self, room: str, begin: bool) -> RoomState | None:
        return None

    async def leave(self, room: str) -> None:
        pass

    async def take_name(self, room: str, name: str, session: str | None) -> bool:
        return True

    async def take_over(self, room: str, session: str) -> str | None:
        return None

    async def ask(self, node: str, **what: Any) -> Mapping[str, Any]:
        raise NotImplementedError("there is no other node")

    def demand(self, room: str, credit: Credit) -> None:
        pass

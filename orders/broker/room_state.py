"""A room is the fold of its records: `RoomState.apply`, the only place that says what one changes.

Restoring at start, following other nodes, presence, queues, modes, *why* and time travel all
come from it. It has no clock and no connection, and passes over kinds that it does not know.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from orders.broker.modes import QUEUE, changed, works, works_on
from orders.broker.queue import Entry, Queue
from orders.broker.records import EVENT, QUEUE_KINDS, Kind, Record
from orders.broker.rules import Rules
from orders.domain.envelope import folded, id_text

MOST_SPELLINGS = 10_000
#: The part that a participant is seen to play, by what it sends.
ROLES = {
    "order_placed": "customer",
    "order_confirmed": "confirmer",
    "order_rejected": "confirmer",
}


@dataclass(slots=True, eq=False)
class Member:
    """A participant as the records know it, from joining to leaving.

    `since` is the position of its joining, 0 if it was here when the epoch began; `at` that time
    in epoch milliseconds. `after` is the position that it read on from, None if it hears only
    what is live. `last` is None until it left, then the last position that was written to it.
    """

    name: str
    node: str
    types: frozenset[str]
    ack: str
    echo: bool
    after: int | None
    since: int
    at: int
    marks: list[str] = field(default_factory=list)
    role: str = "other"
    last: int | None = None

    @property
    def works(self) -> list[str]:
        """The types from whose queues it takes: see `modes.works`."""
        return works(self.types, self.ack)

    def works_on(self, type: str) -> bool:
        """Whether it takes events of this type from their queue."""
        return works_on(self.types, self.ack, type)

    @property
    def seen_role(self) -> str:
        """The part it is seen to play: by what it sent, else by the only thing it listens to."""
        if self.role == "other" and self.types == {"order_placed"}:
            return "confirmer"
        return self.role


@dataclass(slots=True)
class Summary:
    """The part of a room that a commit writes in the room's row.

    `epoch` counts its beginnings from 1 on. `head` is its newest position, `cursor` how far its
    events may be delivered (behind `head` only while paused), `events` how many it has, `newest`
    the id of the newest as 16 bytes.
    """

    name: str
    epoch: int = 1
    modes: dict[str, str] = field(default_factory=lambda: changed({}, {}))
    paused: bool = False
    cursor: int = 0
    head: int = 0
    events: int = 0
    newest: bytes = b""
    rules: Rules = field(default_factory=Rules)

    def advance(self, record: Record, position: int) -> None:
        """What a record changes of the room's row; a RESET ends the epoch, see `next_epoch`."""
        released = not self.paused
        self.head = position or self.head  # 0: it could not be stored yet
        if record.kind is EVENT:
            self.events += 1
            self.newest = record.key
        elif record.kind not in QUEUE_KINDS:
            match record.kind:
                case Kind.MODES:
                    self.modes = changed(self.modes, record.data["changes"])
                case Kind.PAUSED:
                    self.paused = record.data["paused"]
                    released = released or not self.paused
                case Kind.MUTED | Kind.KICKED | Kind.LOCKED | Kind.LEASED:
                    self.rules = self.rules.after(record)
                case Kind.STEPPED:
                    self.cursor = max(self.cursor, record.about)
        if released:
            self.cursor = self.head

    @property
    def last(self) -> str | None:
        """The id of its newest event."""
        return id_text(self.newest) if self.newest else None

    def next_epoch(self) -> Self:
        """The room as it begins again: only its modes and rules go on."""
        return type(self)(self.name, self.epoch + 1, self.modes, rules=self.rules)


@dataclass(slots=True)
class RoomState(Summary):
    """The whole fold: the row, who is in the room, and what waits in its queues.

    `spellings` has the names that participants have had here, by their folded form: the spelling
    that came first counts.
    """

    members: dict[str, Member] = field(default_factory=dict)
    queue: Queue = field(default_factory=Queue)
    spellings: dict[str, str] = field(default_factory=dict)

    def apply(self, record: Record) -> Entry | None:
        """Make a record true; returns the queued event that it moved, if any.

        A RESET leaves the state as it was, but for its head: go on with `next_epoch`.
        """
        self.advance(record, record.position)
        if record.kind is EVENT:
            sender = self.members.get(record.source)
            if sender is not None and sender.role == "other":
                sender.role = ROLES.get(record.type, "other")
            return self.queue.add(record) if record.mode == QUEUE else None
        if record.kind in QUEUE_KINDS:
            return self.queue.apply(record)
        self.follow(record)
        return None

    def follow(self, record: Record) -> None:
        """The part of `apply` that says who is in the room, and what they want."""
        follow = _PRESENCE.get(record.kind)
        if follow is not None:
            follow(self.members, record)
        if record.kind is Kind.JOINED and len(self.spellings) < MOST_SPELLINGS:
            self.spellings.setdefault(folded(record.data["name"]), record.data["name"])

    def next_epoch(self) -> Self:
        """The same people are in the room when it begins again, and have been from its start."""
        state = Summary.next_epoch(self)
        state.spellings = self.spellings
        for name, one in self.members.items():
            after = None if one.after is None else 0
            state.members[name] = Member(
                name, one.node, one.types, one.ack, one.echo, after, 0, one.at, one.marks, one.role
            )
        return state


def _joined(members: dict[str, Member], record: Record) -> None:
    data = record.data
    name, was = data["name"], data.get("was")
    before = members.pop(name, None)
    if was is not None and before is not None:  # it was here before, and goes on
        before.types, before.node = frozenset(data["types"]), record.node
        before.after = before.after and data["after"]
        members[name] = before
        return
    if before is not None:  # its name was taken over
        before.last = record.position
    # Here before, in an epoch that does not know it: since the beginning.
    since = record.position if was is None else 0
    members[name] = Member(
        name,
        record.node,
        frozenset(data["types"]),
        data["ack"],
        data["echo"],
        data["after"],
        since,
        record.at,
        data.get("marks", []),
    )


def _left(members: dict[str, Member], record: Record) -> None:
    data = record.data
    node, goes_on_as = data.get("of", record.node), data.get("to")
    gone = list(members) if data["name"] is None else [data["name"]]
    for one in [members[name] for name in gone if name in members]:
        if one.node != node:
            continue  # the name is somebody else's by now
        del members[one.name]
        if goes_on_as is not None:
            one.name = goes_on_as
            members[goes_on_as] = one
        else:
            one.last = record.position if data["name"] is None else data["last"]


def _subscribed(members: dict[str, Member], record: Record) -> None:
    one = members.get(record.data["name"])
    if one is not None:
        one.types = frozenset(record.data["types"])


_PRESENCE: dict[str, Callable[[dict[str, Member], Record], None]] = {
    Kind.JOINED: _joined,
    Kind.LEFT: _left,
    Kind.SUBSCRIBED: _subscribed,
}


def state_at(name: str, records: Iterable[Record], position: int) -> RoomState:
    """The room as it stood once everything up to `position` had happened.

    `records` are those of one epoch, oldest first; leaving out events and what is about them
    leaves out counts and queues.
    """
    state = RoomState(name)
    for record in records:
        if record.position > position:
            break
        state.apply(record)
    return state


def presence(state: RoomState) -> dict[str, Any]:
    """Whether the room is paused, and who is in it; `since` is in epoch milliseconds."""
    return {
        "paused": state.paused,
        "participants": [
            {
                "name": one.name,
                "types": sorted(one.types),
                "ack": one.ack,
                "echo": one.echo,
                "since": one.at,
            }
            for one in state.members.values()
        ],
    }

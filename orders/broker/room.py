"""A room: who is in it, under which name, and who hears the same.

Participants with the same subscription share an *audience*, so that a batch of events is
matched and written once per audience, never once per participant and event.
"""

from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from orders.broker.modes import Mode, changed, matches
from orders.broker.records import Record, RoomState
from orders.errors import Close

#: How many queued events are fetched at once for a participant with ack=auto.
AT_ONCE = 20


class Transport(Protocol):
    """The connection of a participant, as far as the broker needs to know it."""

    def write(self, buffer: bytes) -> int:
        """Hand over frames; returns how many bytes are waiting, unread."""

    def unread(self) -> int:
        """How many bytes are waiting."""

    def close(self, code: Close, message: str) -> None:
        """End the connection."""


@dataclass(slots=True, eq=False)
class Participant:
    """A connected party. `since` is the position of its joining: it hears what lies after."""

    room: "Room"
    name: str
    transport: Transport
    named: bool = True
    types: frozenset[str] = frozenset("*")  # what it hears
    wanted: frozenset[str] = frozenset("*")  # what it asked for; true once the journal has it
    chose_types: bool = False
    ack: str = "auto"
    prefetch: int = 1
    echo: bool = True
    quiet: bool = False
    session: str | None = None
    after: int | None = None  # the position it reads on from
    number: int = 0  # tells two connections of one name apart
    joined_at: int = 0
    since: int = 0
    written: int = 0  # the last position written to it
    welcomed: bool = False  # hears nothing before its welcome
    live: bool = False  # whether it hears events as they come, or is catching up
    gone: bool = False
    congested: bool = False  # so much waits unread that it takes nothing from queues
    muted: bool = False
    in_flight: int = 0
    delivered: int = 0
    role: str = "other"
    audience: "Audience | None" = None
    held: list[bytes] | None = None  # collected while the last of a replay is read
    tokens: float = 0.0
    command_tokens: float = 0.0
    refilled: float = 0.0
    over_since: float | None = None  # since when it sends more than it may

    @property
    def seen_role(self) -> str:
        return seen_role(self.role, self.types)

    @property
    def has_credit(self) -> bool:
        """Whether it has room to take an event from a queue."""
        if not self.live or self.held is not None or self.congested:
            return False
        return self.ack == "auto" or self.in_flight < self.prefetch

    @property
    def credit(self) -> int:
        """How many events it has room to take from queues."""
        if not self.has_credit:
            return 0
        return AT_ONCE if self.ack == "auto" else self.prefetch - self.in_flight

    def write(self, buffer: bytes) -> int:
        """Write frames to its connection; returns how many bytes wait there, unread."""
        if self.held is None:
            return self.transport.write(buffer)
        self.held.append(buffer)
        return sum(map(len, self.held))


@dataclass(slots=True, eq=False)
class RemoteParticipant:
    """A participant that is connected to another node, as its records tell of it."""

    name: str
    node: str
    types: frozenset[str]
    ack: str
    echo: bool
    joined_at: int
    role: str = "other"

    @classmethod
    def told(cls, record: Record) -> "RemoteParticipant":
        """By a `joined` record of another node."""
        data = record.data
        types = frozenset(data["types"])
        return cls(data["name"], record.node, types, data["ack"], data["echo"], record.at)

    @property
    def seen_role(self) -> str:
        return seen_role(self.role, self.types)


def seen_role(role: str, types: frozenset[str]) -> str:
    """The part somebody is seen to play: by what it sent, else by the only thing it listens to."""
    return "confirmer" if role == "other" and types == {"order_placed"} else role


class Audience:
    """The participants of a room that receive the same events."""

    MAX_KNOWN_TYPES = 1000

    def __init__(self, types: frozenset[str]) -> None:
        self.types = types
        self.members: dict[Participant, None] = {}
        self.without_echo: dict[Participant, None] = {}
        self.newest = 0  # the newest member's `since`
        self._known: dict[str, bool] = {}

    def matches(self, type: str) -> bool:
        """Whether its subscription wants this type; remembered, for types are few."""
        known = self._known.get(type)
        if known is None:
            if len(self._known) >= self.MAX_KNOWN_TYPES:
                self._known.clear()
            known = self._known[type] = matches(self.types, type)
        return known

    def wants(self, record: Record) -> bool:
        """Whether this event is for all of this audience."""
        return record.mode == Mode.RELAY or (
            record.mode == Mode.PUBSUB and self.matches(record.type)
        )


@dataclass(slots=True, eq=False)
class Room:
    """An isolated class or group: own log, modes and participants.

    `head` is the newest position of its journal that was dispatched or held back, `cursor` how
    far its events were let go; they differ only while it is paused. `elsewhere` are the
    participants that other nodes serve.
    """

    name: str
    modes: dict[str, str] = field(default_factory=lambda: changed({}, {}))
    paused: bool = False
    cursor: int = 0
    head: int = 0
    events: int = 0
    last: str | None = None
    participants: dict[str, Participant] = field(default_factory=dict)
    elsewhere: dict[str, RemoteParticipant] = field(default_factory=dict)
    wanted_modes: dict[str, str] | None = None  # what was asked for, while it is on its way
    sessions: dict[str, Participant] = field(default_factory=dict)
    audiences: dict[frozenset[str], Audience] = field(default_factory=dict)
    epoch: int = 0  # how often it began anew
    used: float = 0.0  # when somebody here last asked for it, on a steady clock
    numbers: int = 0
    turn: int = 0

    @classmethod
    def restored(cls, state: RoomState) -> "Room":
        """A room as the journal remembers it: nobody is in it yet."""
        return cls(
            state.name,
            modes=changed({}, state.modes),
            paused=state.paused,
            cursor=state.cursor,
            head=state.head,
            events=state.events,
            last=state.last,
            elsewhere={one.name: one for one in map(RemoteParticipant.told, state.present)},
        )

    @property
    def is_forgettable(self) -> bool:
        """Empty and without events: nothing would be lost."""
        return not self.participants and not self.elsewhere and not self.events

    def mode_of(self, type: str) -> str:
        return self.modes.get(type) or self.modes["*"]

    @property
    def size(self) -> int:
        """How many are in it, on this node or another."""
        return len(self.participants) + len(self.elsewhere)

    def has_name(self, name: str) -> bool:
        """Whether a live connection bears this name."""
        return name in self.participants or name in self.elsewhere

    def free_name(self, wanted: str, taken: Container[str] = ()) -> str:
        """`wanted`, or `bob-2`, `bob-3`, … where a live connection bears it, or it is `taken`."""
        name, number = wanted, 1
        while self.has_name(name) or name in taken:
            number += 1
            suffix = f"-{number}"
            name = wanted[: 32 - len(suffix)] + suffix
        return name

    def guest_name(self, taken: Container[str] = ()) -> str:
        """A name for who gave none."""
        number = 1
        while self.has_name(name := f"guest-{number}") or name in taken:
            number += 1
        return name

    # ── who hears what; changed only in the order of the journal ────────────────────────────

    def listen(self, participant: Participant) -> None:
        """From now on it hears what its subscription wants; called again after a change of it."""
        self.unlisten(participant)
        types = participant.types
        audience = self.audiences.get(types)
        if audience is None:
            audience = self.audiences[types] = Audience(types)
        members = audience.members if participant.echo else audience.without_echo
        members[participant] = None
        audience.newest = max(audience.newest, participant.since)
        participant.audience = audience
        participant.live = True

    def unlisten(self, participant: Participant) -> None:
        """It hears nothing more, until it listens again."""
        audience, participant.audience = participant.audience, None
        participant.live = False
        if audience is None:
            return
        audience.members.pop(participant, None)
        audience.without_echo.pop(participant, None)
        if not audience.members and not audience.without_echo:
            del self.audiences[audience.types]

    def recipients(
        self, records: list[Record]
    ) -> Iterator[tuple[Iterable[Participant], list[Record]]]:
        """Who receives which of these relay and pubsub events, in the order of the log."""
        if not records:
            return
        for audience in list(self.audiences.values()):
            wanted = [record for record in records if audience.wants(record)]
            if len(wanted) == len(records):
                wanted = records  # the same list for every audience that wants all of it
            if not wanted:
                continue
            if records[0].position <= audience.newest:  # let go late: some joined after it
                for member in (*audience.members, *audience.without_echo):
                    yield (member,), [r for r in wanted if _may_hear(member, r)]
                continue
            if audience.members:
                yield audience.members, wanted
            if audience.without_echo:
                sources = {record.source for record in wanted}
                others = [m for m in audience.without_echo if m.name not in sources]
                if others:
                    yield others, wanted
                for member in audience.without_echo:
                    if member.name in sources:
                        yield (member,), [r for r in wanted if r.source != member.name]

    def credit(self, type: str, sources: Collection[str]) -> int:
        """How many events of this type the participants here have room to take.

        `sources` sent those that are ready: nobody takes an event of its own.
        """
        return sum(
            member.credit
            for member in self.takers(type)
            if len(sources) > 1 or member.name not in sources
        )

    def takers(self, type: str) -> list[Participant]:
        """Who could take an event of this type from its queue, whose turn it is first."""
        able = [
            member
            for audience in self.audiences.values()
            if audience.matches(type)
            for member in (*audience.members, *audience.without_echo)
            if member.has_credit
        ]
        able.sort(key=lambda member: (member.number <= self.turn, member.number))
        return able


def _may_hear(member: Participant, record: Record) -> bool:
    return record.position > member.since and (member.echo or record.source != member.name)

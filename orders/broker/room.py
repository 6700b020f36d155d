"""A room on this node: the fold of its records, and the participants that are connected here.

Participants with the same subscription share an *audience*, so that a batch of events is
matched and written once per audience, never once per participant and event.
"""

from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial

from orders.broker.backoff import Backoff
from orders.broker.leases import Leases
from orders.broker.modes import PUBSUB, RELAY, matches, works_on
from orders.broker.participants import GONE, Life, Participant
from orders.broker.records import Record
from orders.broker.room_state import Member, RoomState
from orders.broker.rules import Rules
from orders.domain.envelope import folded

REFUSALS = 20  # that are kept for those who watch
MOST_TYPES = 1000  # that an audience remembers
MOST_POSTERS = 10_000  # names that are remembered with the marks of those who had them


@dataclass(frozen=True, slots=True, eq=False)
class Refusal:
    """A message of `name` that was refused: a mistake from which everyone who watches may learn."""

    at: int
    name: str
    code: str
    message: str


class Audience:
    """The participants of a room that receive the same events."""

    def __init__(self, types: frozenset[str]) -> None:
        self.types = types
        self.members: dict[Participant, None] = {}
        self.without_echo: dict[Participant, None] = {}
        self.newest = 0  # the `since` of the member that hears the least
        # Types are few: what a subscription says of one is worked out once.
        self.matches = lru_cache(MOST_TYPES)(partial(matches, types))
        self._works_on = lru_cache(MOST_TYPES)(partial(works_on, types))

    def wants(self, record: Record) -> bool:
        """Whether this event is for all of this audience."""
        return record.mode == RELAY or (record.mode == PUBSUB and self.matches(record.type))

    def workers(self, type: str) -> Iterator[Participant]:
        """Those that take events of this type from their queue."""
        for one in (*self.members, *self.without_echo):
            if self._works_on(one.ack, type):
                yield one


@dataclass(slots=True, eq=False)
class Room:
    """An isolated class or group: own log, modes and participants.

    `cursor` is how far its events were delivered here; it trails `state.cursor` while what was
    held is let go.
    """

    name: str
    state: RoomState
    participants: dict[str, Participant] = field(default_factory=dict)
    names: dict[str, Participant] = field(default_factory=dict)  # the same, by folded name
    posters: dict[str, list[str]] = field(default_factory=dict)  # whose marks a folded name has
    sessions: dict[str, Participant] = field(default_factory=dict)
    #: Those who are about to be in it, with the folded name that each is to have, once known.
    coming: dict[Participant, str] = field(default_factory=dict)
    audiences: dict[frozenset[str], Audience] = field(default_factory=dict)
    leases: Leases = field(default_factory=Leases)
    backoff: Backoff = field(default_factory=Backoff)
    cursor: int = 0
    stepped: int = 0  # the last position that was asked to be let go by itself
    ended: bool = False  # by its host: nothing is kept of it
    used: float = 0.0  # when somebody here last asked for it, on a steady clock
    numbers: int = 0
    refusals: deque[Refusal] = field(default_factory=lambda: deque(maxlen=REFUSALS))
    turn: int = 0

    @classmethod
    def at(cls, state: RoomState) -> "Room":
        """A room as the journal has it: nobody is connected to it here yet."""
        return cls(state.name, state, cursor=state.cursor)

    @property
    def is_forgettable(self) -> bool:
        """Empty, without events, and nothing that the host set: nothing would be lost."""
        is_empty = not self.participants and not self.remote()
        is_set = self.state.rules != Rules() or self.state.paused
        return is_empty and not self.state.events and not is_set

    def remote(self) -> list[Member]:
        """The participants that are connected to other nodes."""
        return [one for one in self.state.members.values() if one.node]

    def with_session(self, participant: Participant) -> Participant | None:
        """Another connection with the session of a participant, whose name is known."""
        if participant.session is None:
            return None
        named = (one for one, name in self.coming.items() if name and one is not participant)
        coming = (one for one in named if one.session == participant.session)
        return self.sessions.get(participant.session) or next(coming, None)

    @property
    def size(self) -> int:
        """How many are in it, on this node or another."""
        return len(self.participants) + len(self.remote())

    def add(self, participant: Participant) -> None:
        """It is in the room; it hears nothing until its joining is stored."""
        self.numbers += 1
        participant.number = self.numbers
        self.participants[participant.name] = participant
        self.names[folded(participant.name)] = participant
        if participant.session:
            self.sessions[participant.session] = participant

    def remove(self, participant: Participant) -> int:
        """It is gone, and nothing more is written to it; returns the last position that was."""
        last = self.cursor if participant.life is Life.LIVE else participant.written
        self.unlisten(participant)
        participant.life = GONE
        if self.participants.get(participant.name) is participant:
            del self.participants[participant.name]
            del self.names[folded(participant.name)]
        if participant.session and self.sessions.get(participant.session) is participant:
            del self.sessions[participant.session]
        return last

    def rename(self, participant: Participant, name: str) -> None:
        """It goes on under another name."""
        del self.participants[participant.name]
        del self.names[folded(participant.name)]
        participant.name = name
        self.participants[name] = self.names[folded(name)] = participant

    # ── names ───────────────────────────────────────────────────────────────────────────────

    def has_name(self, name: str) -> bool:
        """Whether a live connection has this name, in whatever case, on this node or another."""
        wanted = folded(name)
        return self.has_here(name) or any(folded(one.name) == wanted for one in self.remote())

    def has_here(self, name: str) -> bool:
        """Whether a connection to this node has this name, in whatever case, or is about to."""
        wanted = folded(name)
        return wanted in self.names or wanted in self.coming.values()

    def free_name(self, wanted: str, taken: Container[str] = ()) -> str:
        """`wanted`, or `bob-2`, `bob-3`, … where a live connection has it, or it is `taken`."""
        wanted = self.state.spellings.get(folded(wanted), wanted)
        name, number = wanted, 1
        while self.has_name(name) or name in taken:
            number += 1
            suffix = f"-{number}"
            name = wanted[: 32 - len(suffix)] + suffix
        return name

    def guest_name(self, taken: Container[str] = ()) -> str:
        """A name for one who gave none."""
        number = 1
        while self.has_name(name := f"guest-{number}") or name in taken:
            number += 1
        return name

    def may_post(self, name: str, marks: list[str]) -> bool:
        """Whether one who is not in the room, and has these marks, may post under a name: its own,
        or one that nobody has had."""
        key = folded(name)
        theirs = self.posters.get(key, [])
        is_new = key not in self.state.spellings and self.posters.get(key, marks) == marks
        return (is_new or not set(theirs).isdisjoint(marks)) and not self.has_name(name)

    def note_poster(self, name: str, marks: list[str]) -> None:
        """From now on only one with these marks posts under this name."""
        if folded(name) in self.posters or len(self.posters) < MOST_POSTERS:
            self.posters[folded(name)] = marks

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
        participant.audience = types

    def unlisten(self, participant: Participant) -> None:
        """It hears nothing more, until it listens again."""
        types, participant.audience = participant.audience, None
        if types is None:
            return
        audience = self.audiences[types]
        audience.members.pop(participant, None)
        audience.without_echo.pop(participant, None)
        if not audience.members and not audience.without_echo:
            del self.audiences[types]

    def recipients(self, records: list[Record]) -> list[tuple[Iterable[Participant], list[Record]]]:
        """Who receives which of these relay and pubsub events, in the order of the log."""
        found: list[tuple[Iterable[Participant], list[Record]]] = []
        for audience in list(self.audiences.values()):
            wanted = [record for record in records if audience.wants(record)]
            if len(wanted) == len(records):
                wanted = records  # the same list for every audience that wants all of it
            if not wanted:
                continue
            if records[0].position <= audience.newest:  # held, and some have seen what lies behind
                found += [
                    ((member,), [r for r in wanted if _may_hear(member, r)])
                    for member in (*audience.members, *audience.without_echo)
                ]
                continue
            if audience.members:
                found.append((audience.members, wanted))
            if audience.without_echo:
                sources = {record.source for record in wanted}
                others = [m for m in audience.without_echo if m.source not in sources]
                if others:
                    found.append((others, wanted))
                for member in audience.without_echo:
                    if member.source in sources:
                        heard = [r for r in wanted if r.source != member.source]
                        found.append(((member,), heard))
        return found

    def may_take(self, worker: Participant, type: str) -> bool:
        """Whether one who works on a type has room for an event of it now."""
        return worker.credit > 0 and self.backoff.allows(worker, type, self.leases)

    def takes(self, participant: Participant, type: str) -> bool:
        """Whether it could take an event of this type from its queue."""
        works = works_on(participant.types, participant.ack, type)
        return works and self.may_take(participant, type)

    def takers(self, type: str) -> list[Participant]:
        """Who could take an event of this type from its queue, whose turn it is first."""
        able = [
            worker
            for audience in self.audiences.values()
            for worker in audience.workers(type)
            if self.may_take(worker, type)
        ]
        able.sort(key=lambda worker: (worker.number <= self.turn, worker.number))
        return able


def _may_hear(member: Participant, record: Record) -> bool:
    return record.position > member.since and (member.echo or record.source != member.source)

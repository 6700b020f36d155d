"""A participant, from the handshake to the end of its connection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from orders.broker.limits import Allowance, Limits
from orders.broker.records import Kind, Record, control
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

    def abort(self) -> None:
        """Lose the connection, without a word."""

    @property
    def is_lost(self) -> bool:
        """Whether it has ended already, though its participant has not left yet."""


class Life(Enum):
    """Where a participant stands between its joining and its leaving."""

    ARRIVING = auto()  # its joining is not stored yet: it hears nothing
    WELCOMED = auto()  # it hears notices, but no events yet
    REPLAYING = auto()  # it reads what it missed from the journal
    MEETING = auto()  # the last of it is read, and what comes live is kept until then
    LIVE = auto()
    GONE = auto()  # nothing more is written to it


GONE, LIVE = Life.GONE, Life.LIVE  # as `EVENT` in `records`

#: What may happen to a participant, and where it stands then. It may leave at any time.
LIFE: dict[tuple[Life, str], Life] = {
    (Life.ARRIVING, "is stored"): Life.WELCOMED,
    (Life.WELCOMED, "listens"): Life.LIVE,
    (Life.WELCOMED, "reads on"): Life.REPLAYING,
    (Life.REPLAYING, "is near"): Life.MEETING,
    (Life.MEETING, "listens"): Life.LIVE,
    (Life.MEETING, "lags"): Life.REPLAYING,
    (Life.LIVE, "lags"): Life.REPLAYING,
}


@dataclass(slots=True, eq=False)
class Participant:
    """A connected party. `since`: it hears what is released after this position.

    `subscription` is what it asked for, `types` what the journal has made of it; `changes` are
    those of its types, with their positions, since what it reads now was stored.
    """

    room: str
    name: str
    transport: Transport
    named: bool = True
    types: frozenset[str] = frozenset("*")
    subscription: frozenset[str] = frozenset("*")
    chose_types: bool = False
    ack: str = "auto"
    prefetch: int = 1
    echo: bool = True
    quiet: bool = False
    session: str | None = None
    after: int | None = None  # the position it reads on from
    source: str = ""  # its name as far as the journal has come: what it sent under it is its own
    number: int = 0  # tells two connections of one name apart
    joined_at: int = 0
    since: int = 0
    written: int = 0  # the last position written to it, while it is not live
    life: Life = Life.ARRIVING
    congested: bool = False  # so much waits unread that it takes nothing from queues
    marks: list[str] = field(default_factory=list)  # see `broker.rules`
    is_host: bool = False
    in_flight: int = 0
    delivered: int = 0
    looks: int = 0  # for types that it waits for and nobody sends
    past: dict[bytes, str] = field(default_factory=dict)  # what it held: see `broker.leases`
    audience: frozenset[str] | None = None  # the types of those with whom it listens
    kept: list[bytes] = field(default_factory=list)  # what came live while it is MEETING
    changes: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    #: Told first of each message that it sends; True: it goes no further. See the classroom.
    intercept: Callable[[str | bytes], bool] | None = None
    allowance: Allowance = field(default_factory=lambda: Allowance(Limits(rate=0)))
    #: Writes frames to its connection; returns how many bytes wait there, unread.
    write: Callable[[bytes], int] = field(init=False)

    def __post_init__(self) -> None:
        self._choose_write()

    def connect(self, transport: Transport) -> None:
        """What is written to it goes this way from now on."""
        self.transport = transport
        self._choose_write()

    def move(self, what: str) -> None:
        """It `listens`, `lags`, …: see `LIFE`."""
        self.life = LIFE[self.life, what]
        self._choose_write()

    def _choose_write(self) -> None:
        self.write = self._keep if self.life is Life.MEETING else self.transport.write

    def _keep(self, buffer: bytes) -> int:
        self.kept.append(buffer)
        return sum(map(len, self.kept))

    @property
    def gone(self) -> bool:
        return self.life is GONE

    @property
    def hears_notices(self) -> bool:
        return self.life not in (Life.ARRIVING, Life.GONE)

    @property
    def credit(self) -> int:
        """How many events it has room to take from queues."""
        if self.life is not LIVE or self.congested or self.transport.is_lost:
            return 0
        return (AT_ONCE if self.ack == "auto" else self.prefetch) - self.in_flight

    def types_after(self, position: int) -> tuple[frozenset[str], int | None]:
        """The types that it hears right after a position, and up to where they hold.

        None: up to where the journal is. What was stored before it joined, it hears by the types
        with which it came.
        """
        types = self.changes[0][1] if self.changes else self.types
        for changed_at, then in self.changes[1:]:
            if changed_at > position:
                return types, changed_at
            types = then
        return types, None


def joined(participant: Participant, now: int, was: str | None = None) -> Record:
    """The record that somebody is in the room; `was`: its name if it was here before.

    An epoch that does not know it has it from its beginning on: so `after` is 0 then.
    """
    after = participant.after if was is None or participant.after is None else 0
    return control(
        participant.room,
        Kind.JOINED,
        now,
        name=participant.name,
        types=sorted(participant.subscription),  # a change of it may be on its way before this
        ack=participant.ack,
        echo=participant.echo,
        after=after,
        marks=participant.marks,
        was=was,
    )

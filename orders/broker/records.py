"""What the journal is made of: one record for everything that happened in a room.

Events and control records share one sequence of positions. Who received a relay or pubsub
event is never stored: it follows from who was present, and what they had asked for.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic_core import from_json, to_json

from orders.domain.envelope import Event


class Kind(StrEnum):
    """What a record says. In brackets: its data.

    A `left` without a name: the server ended, and with it everyone who was on its node.
    """

    EVENT = "event"  # an event was accepted
    JOINED = "joined"  # [name, types, ack, echo, after, marks, was: its name if it was here before]
    LEFT = "left"  # [name, last: position written to it, of: its node, to: its new name]
    SUBSCRIBED = "subscribed"  # [name, types]
    MODES = "modes"  # [modes, changes: what was set; null removes a type]
    PAUSED = "paused"  # [paused]
    STEPPED = "stepped"  # [event]
    HANDED = "handed"  # [event, name, attempt, lease: seconds, null with ack=auto]
    SETTLED = "settled"  # [event, name]
    RELEASED = "released"  # [event, name, reason, attempt?]: ready again, after so many attempts
    DEAD = "dead"  # [event, attempts, reason]
    RETRIED = "retried"  # [event]
    DISCARDED = "discarded"  # [event]
    RESET = "reset"  # []: the last of its epoch
    MUTED = "muted"  # [name, marks, lifted]: see `broker.rules`
    KICKED = "kicked"  # [name, marks, lifted]
    LOCKED = "locked"  # [locked, admitted: marks]
    LEASED = "leased"  # [lease: seconds that an event may be held here; null: as the server says]
    EXERCISE = "exercise"  # [name, marks]: a room in which a student's program is examined
    VERDICT = "verdict"  # [stage, verdict, seed, check, failure, reason, event]
    FAULT = "fault"  # [id, name, fault, seconds, step: set/happened/lifted, event, words]
    # A round begins. [question, asks, text, choices, round, event, order; last, held, secret]
    ASKED = "asked"
    ANSWERED = "answered"  # [question, round, choice, voters], see `classroom.questions`
    CLOSED = "closed"  # [question, round]
    REVEALED = "revealed"  # [question, text, event, truth, why, so_far, votes: of each round]


#: Asked for with every event: to look a member up takes Python 3.11 ten times as long.
EVENT, HANDED, RESET = Kind.EVENT, Kind.HANDED, Kind.RESET

#: Records about one queued event, see `broker.queue`.
QUEUE_KINDS = frozenset(
    (Kind.HANDED, Kind.SETTLED, Kind.RELEASED, Kind.DEAD, Kind.RETRIED, Kind.DISCARDED)
)
#: Records that say who was in a room, what they wanted, and when it was paused.
PRESENCE_KINDS = frozenset((Kind.JOINED, Kind.LEFT, Kind.SUBSCRIBED, Kind.PAUSED, Kind.STEPPED))

_KINDS: dict[str, str] = {str(kind): kind for kind in Kind}


def kind_of(text: str) -> str:
    """The `Kind` with this text; a kind that this version does not know stays a text."""
    return _KINDS.get(text, text)


@dataclass(slots=True, eq=False, kw_only=True)
class Record:
    """One thing that happened. The engine gives the position; the rest never changes.

    `kind` is a `Kind`, or the text of one that this version does not know: readers pass over it.
    `at` is the broker's clock in epoch milliseconds. `body` is the text of the event, or of
    the control record's data. `key` is the id of the event that it is, or that it is about, as
    16 bytes; `about` the position of the latter. `node` is the node that stored it, empty for
    this one. `expected`, on a shared journal: store it only if this is still the position of
    the last record about the event, 0 where there is none.
    """

    room: str
    kind: str
    at: int
    body: bytes
    key: bytes = b""
    type: str = ""
    source: str = ""
    mode: str = ""
    about: int = 0
    position: int = 0
    node: str = ""
    expected: int | None = None
    event: Event | None = field(default=None, repr=False)
    payload: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def data(self) -> dict[str, Any]:
        """A control record's data, read again from its text when it is no longer at hand."""
        if self.payload is None:
            self.payload = from_json(self.body)
        return self.payload

    def parsed(self) -> Event:
        """The event, read again from its text when it is no longer at hand."""
        if self.event is None:
            self.event = Event.model_validate_json(self.body)
        return self.event


def control(room: str, kind: str, at: int, **data: Any) -> Record:
    """A control record about `room`."""
    return Record(room=room, kind=kind, at=at, body=to_json(data), payload=data)

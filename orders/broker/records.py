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
    """What a record tells. In brackets: its data."""

    EVENT = "event"  # an event was accepted
    JOINED = "joined"  # [name, types, ack, echo, after, was: its name if it was here before]
    LEFT = "left"  # [name, last: position written to it, of: its node]; name null: server ended
    SUBSCRIBED = "subscribed"  # [name, types]
    MODES = "modes"  # [modes, changes: what was set]
    PAUSED = "paused"  # [paused]
    STEPPED = "stepped"  # [event]
    HANDED = "handed"  # [event, name, attempt, lease: seconds, null with ack=auto]
    SETTLED = "settled"  # [event, name]
    RELEASED = "released"  # [event, name, reason]: ready again
    DEAD = "dead"  # [event, attempts, reason]
    RETRIED = "retried"  # [event]
    DISCARDED = "discarded"  # [event]
    RESET = "reset"  # []: the last of its epoch


@dataclass(slots=True, eq=False)
class Record:
    """One thing that happened. The engine gives the position; the rest never changes.

    `at` is the broker's clock in epoch milliseconds. `body` is the text of the event, or of
    the control record's data. `key` is the id of the event that it is, or that it is about;
    `about` the position of the latter.
    """

    room: str
    kind: Kind
    at: int
    body: bytes
    key: bytes = b""
    type: str = ""
    source: str = ""
    mode: str = ""
    about: int = 0
    position: int = 0
    node: str = ""  # the node that stored it; empty: this one
    event: Event | None = field(default=None, repr=False)
    told: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def data(self) -> dict[str, Any]:
        """A control record's data, read again from its text when it is no longer at hand."""
        if self.told is None:
            self.told = from_json(self.body)
        return self.told

    def parsed(self) -> Event:
        """The event, read again from its text when it is no longer at hand."""
        if self.event is None:
            self.event = Event.model_validate_json(self.body)
        return self.event


def control(room: str, kind: Kind, at: int, **data: Any) -> Record:
    """A control record about `room`."""
    return Record(room, kind, at, to_json(data), told=data)


@dataclass(slots=True)
class RoomState:
    """What a journal remembers of a room; enough to go on as if nothing had happened.

    `head` is its newest position, `cursor` how far events were let go (behind `head` only
    while paused), `last` the id of its newest event, `present` the `joined` records of who is
    in it on other nodes.
    """

    name: str
    modes: dict[str, str] = field(default_factory=dict)
    paused: bool = False
    cursor: int = 0
    head: int = 0
    events: int = 0
    last: str | None = None
    present: list[Record] = field(default_factory=list)

"""What the broker says, and what it is told: the `broker.` events.

The models are the contract: the AsyncAPI document is made from them.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from orders.broker.modes import MAX_PATTERNS, PATTERN
from orders.domain.envelope import Event, EventId
from orders.errors import Refused

BROKER = "broker"
PREFIX = "broker."

Patterns = Annotated[
    list[Annotated[str, Field(pattern=PATTERN)]], Field(min_length=1, max_length=MAX_PATTERNS)
]


class Data(BaseModel):
    """The `data` of a broker event."""

    model_config = ConfigDict(frozen=True, extra="ignore")


# ── what the broker says ────────────────────────────────────────────────────────────────────


class Welcome(Data):
    """You, first: who you are, and how the room stands. `last` is the id of its newest event."""

    room: str
    name: str
    modes: dict[str, str]
    types: list[str]
    ack: Literal["auto", "manual"]
    participants: int
    last: str | None
    durable: bool


class Accepted(Data):
    """The journal has your event; where `durable` was true, it is on disk."""

    event: str
    duplicate: bool = False


class Error(Data):
    """What was wrong, what was expected, and an example. The connection stays open."""

    code: str
    message: str
    event: str | None = None


class Subscribed(Data):
    """The types you get now."""

    types: list[str]


class CaughtUp(Data):
    """The end of an `after` replay: how many events it held."""

    events: int


class Modes(Data):
    """The dispatch modes of the room changed."""

    modes: dict[str, str]


class Notice(Data):
    """What the host did, or what befell the server."""

    code: str
    message: str


# ── what the broker is told ─────────────────────────────────────────────────────────────────


class Subscribe(Data):
    types: Patterns


class Unsubscribe(Data):
    types: Patterns


class Ack(Data):
    event: EventId


class Nack(Data):
    event: EventId
    reason: str = Field("", max_length=200)


SERVER_EVENTS: dict[str, type[Data]] = {
    "broker.welcome": Welcome,
    "broker.accepted": Accepted,
    "broker.error": Error,
    "broker.subscribed": Subscribed,
    "broker.caught_up": CaughtUp,
    "broker.modes": Modes,
    "broker.notice": Notice,
}

COMMANDS: dict[str, type[Data]] = {
    "broker.subscribe": Subscribe,
    "broker.unsubscribe": Unsubscribe,
    "broker.ack": Ack,
    "broker.nack": Nack,
}

_EXAMPLES = {
    "broker.subscribe": '{"type": "broker.subscribe", "data": {"types": ["order_*"]}}',
    "broker.unsubscribe": '{"type": "broker.unsubscribe", "data": {"types": ["order_*"]}}',
    "broker.ack": '{"type": "broker.ack", "data": {"event": "<the id of the event>"}}',
    "broker.nack": '{"type": "broker.nack", "data": {"event": "<the id>", "reason": "busy"}}',
}
_TYPES = {model: type for type, model in SERVER_EVENTS.items()}


def say(data: Data, now: int, id: str) -> bytes:
    """The text of a broker event, stamped with the time (epoch ms) and an id."""
    return to_json(
        {
            "id": id,
            "type": _TYPES[type(data)],
            "created": str(now),
            "source": BROKER,
            "data": data.model_dump(exclude_defaults=True),
        }
    )


def say_accepted(event: str, now: int, id: str) -> bytes:
    """`say(Accepted(event))` by hand: the one broker event that every event costs."""
    return (
        f'{{"id":"{id}","type":"broker.accepted","created":"{now}","source":"broker",'
        f'"data":{{"event":"{event}"}}}}'
    ).encode()


def read_command(event: Event) -> Data:
    """What the broker is told by this event; `Refused` where it makes no sense."""
    model = COMMANDS.get(event.type)
    if model is None:
        raise Refused(
            "unknown_command",
            f"`{event.type}` is not for you to send: types beginning with `broker.` are reserved."
            f" You may send {', '.join(f'`{name}`' for name in COMMANDS)}.",
        )
    try:
        return model.model_validate(event.data, strict=True)
    except ValidationError:
        raise Refused(
            "wrong_command", f"The data of `{event.type}` is wrong: send {_EXAMPLES[event.type]}."
        ) from None

"""What the broker says, and the commands it takes: the `broker.` events.

The models are the contract: the AsyncAPI document is made from them.
"""

from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from orders.broker.modes import MAX_PATTERNS, PATTERN, check_patterns
from orders.domain.envelope import Event, EventId
from orders.domain.mistakes import COMMAND_EXAMPLES, short
from orders.errors import CODES, Refused

BROKER = "broker"
PREFIX = "broker."
#: Every code of a `broker.notice`; those of a `broker.error` are in `orders.errors`.
NOTICE_CODES = (
    *("paused", "resumed", "reset", "muted", "unmuted", "going_down"),
    *("lease_ended", "dead_letter", "unknown_type", "unmatched_answer"),
    *("journal_away", "journal_back", "question"),
)

#: What somebody hears who held an event.
LOST = {
    "lease_ended": "Your lease of this event ended before you acked it, so it is given to another."
    ' Ack each event as soon as you are done with it: {"type": "broker.ack", "data":'
    ' {"event": "<its id>"}}.',
    "dead_letter": "It was given back for the last time: it is set aside as a dead letter.",
}

Patterns = Annotated[
    list[Annotated[str, Field(pattern=PATTERN)]], Field(min_length=1, max_length=MAX_PATTERNS)
]


class Data(BaseModel):
    """The `data` of a broker event."""

    model_config = ConfigDict(frozen=True, extra="ignore")


# ── what the broker says ────────────────────────────────────────────────────────────────────


class Welcome(Data):
    """You, first: who you are, and how the room stands.

    `last` is the id of its newest event. From the queues of the types that `works` names you would
    take; `["*"]`: from all that your patterns match.
    """

    room: str
    name: str
    modes: dict[str, str]
    types: list[str]
    ack: Literal["auto", "manual"] = Field(json_schema_extra={"title": "AckMode"})
    participants: int
    last: str | None
    durable: bool
    works: list[str]


class Accepted(Data):
    """The journal has your event; where `durable` was true, it is on disk."""

    event: str
    duplicate: bool = False


class Error(Data):
    """What was wrong, what was expected, and an example. The connection stays open."""

    code: Annotated[str, Field(json_schema_extra={"title": "ErrorCode", "enum": [*CODES]})]
    message: str
    event: str | None = None


class Subscribed(Data):
    """The types you get now."""

    types: list[str]


class CaughtUp(Data):
    """The end of an `after` replay: how many events it held."""

    events: int


class Heartbeat(Data):
    """Nothing was said for as long as you asked for: the connection stands."""


class Modes(Data):
    """The dispatch modes of the room changed."""

    modes: dict[str, str]


class Notice(Data):
    """What the host did, or what happens to the server."""

    code: Annotated[str, Field(json_schema_extra={"title": "NoticeCode", "enum": [*NOTICE_CODES]})]
    message: str
    event: str | None = None

    @classmethod
    def of(cls, code: str, event: str) -> "Notice":
        """What happened to an event that somebody held."""
        return cls(code=code, message=LOST[code], event=event)


# ── the commands it takes ────────────────────────────────────────────────────────────────────


class Subscribe(Data):
    """Patterns to add to what you hear. Answered by `broker.subscribed`."""

    types: Patterns


class Unsubscribe(Data):
    """Patterns to remove, literally. Answered by `broker.subscribed`."""

    types: Patterns


class Ack(Data):
    """You are done with an event that you hold; `event` is its id."""

    event: EventId


class Nack(Data):
    """You give an event back: another participant gets it, if there is one."""

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
    "broker.heartbeat": Heartbeat,
}

COMMANDS: dict[str, type[Data]] = {
    "broker.subscribe": Subscribe,
    "broker.unsubscribe": Unsubscribe,
    "broker.ack": Ack,
    "broker.nack": Nack,
}

#: The commands as they are called by one who forgets their prefix.
BARE = frozenset(type.removeprefix(PREFIX) for type in COMMANDS)

_EXPECTED = {
    "types": f"a list of 1 to {MAX_PATTERNS} types, or beginnings with a star",
    "event": "the id (a UUID) of the event that was handed to you",
    "reason": "a text of at most 200 characters",
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


# ── reading commands ────────────────────────────────────────────────────────────────────────────


def read_command(event: Event) -> Data:
    """The command that this event is; `Refused` where it makes no sense."""
    model = COMMANDS.get(event.type)
    if model is None:
        if event.type in SERVER_EVENTS:
            why = f"`{event.type}` is what the broker alone says"
        else:
            why = f"`{event.type}` is no command"
        likely = get_close_matches(event.type, COMMANDS, 1, 0.7) or ["broker.subscribe"]
        raise Refused(
            "unknown_command",
            f"{why}; you may send {', '.join(f'`{name}`' for name in COMMANDS)}, and types of your"
            f" own without `{PREFIX}`, such as {COMMAND_EXAMPLES[likely[0]]}.",
        )
    try:
        return model.model_validate(event.data, strict=True)
    except ValidationError as error:
        raise _wrong_command(event, error) from None


def _wrong_command(event: Event, error: ValidationError) -> Refused:
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0])
    sent = event.data.get(field)
    if field == "types" and isinstance(sent, list) and all(isinstance(one, str) for one in sent):
        try:
            check_patterns(sent)
        except Refused as refused:
            return refused
    is_ = "is missing" if first["type"] == "missing" else f"is {short(sent)}"
    return Refused(
        "wrong_command",
        f"`{field}` in the data of `{event.type}` {is_}; it must be {_EXPECTED[field]}, such as"
        f" {COMMAND_EXAMPLES[event.type]}.",
    )


def check_prefix(event: Event) -> None:
    """Refuse a command whose `broker.` was forgotten; with other data it is the sender's own."""
    command = f"{PREFIX}{event.type}"
    if not event.data or not event.data.keys().isdisjoint(COMMANDS[command].model_fields):
        raise Refused(
            "unknown_command",
            f"`{event.type}` is an event of your own and tells the broker nothing; the command is"
            f" `{command}`, such as {COMMAND_EXAMPLES[command]}.",
        )

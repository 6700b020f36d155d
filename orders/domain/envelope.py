"""The envelope: the five fields around every event, and every reason to refuse one.

`Event.parse` reads one JSON text. What is missing and may be missing is stamped by the
broker; what is wrong is refused with a sentence that says what was expected. The text
that travels on is written anew from what was understood, so all recipients see the same.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orders.errors import Refused

MAX_DEPTH = 32
MAX_NUMBER = 2**53
EXAMPLE = '{"type": "order_placed", "data": {"id": 5}}'

#: A participant's name; a room's; an event's type.
NAME = r"^[A-Za-z0-9._-]{1,32}$"
ROOM = r"^[a-z0-9-]{1,32}$"
TYPE = r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$"
_HEX = "[0-9a-fA-F]"
UUID = rf"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$"

is_name = re.compile(NAME, re.ASCII).fullmatch
is_room = re.compile(ROOM).fullmatch
is_uuid = re.compile(UUID).fullmatch

# Whatever a browser would change on its way through lies behind one of these: a long number, one
# with an exponent, no number at all; and U+0000, which is looked for by itself: two searches for
# one thing each are quicker than one for both. Only a text that has one is walked value by value.
_suspicious = re.compile(r"[:\[,]\s*-?(?:\d{16}|[\d.]+[eE][+\d]|NaN|Infinity)").search

EventId = Annotated[str, Field(pattern=UUID)]
EventType = Annotated[str, Field(pattern=TYPE, max_length=64)]
Milliseconds = Annotated[str, Field(pattern=r"^[0-9]{1,16}$")]
Name = Annotated[str, Field(pattern=NAME)]


class Event(BaseModel):
    """A fact in the past tense. Frozen; further top-level attributes are kept (`traceparent`, say).

    `id` is a UUID, `created` epoch milliseconds as a string of digits, `source` the name of
    the participant. These three are empty while nobody has stamped them.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    id: EventId = ""
    type: EventType
    created: Milliseconds = ""
    source: Name = ""
    data: dict[str, Any]

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read one event; `Refused` explains what is wrong with it."""
        try:
            event: Self = cls.__pydantic_validator__.validate_json(text)
        except ValidationError as error:
            raise _explained(error, text) from None
        if isinstance(text, bytes):
            text = text.decode()
        if _suspicious(text) or "\\u0000" in text or text.count("{") + text.count("[") > MAX_DEPTH:
            _check_values(event)
        if event.__pydantic_extra__ and "attempt" in event.__pydantic_extra__:
            del event.__pydantic_extra__["attempt"]  # only the broker counts attempts
        return event

    @property
    def is_stamped(self) -> bool:
        """Whether it has an id, a time and a source."""
        return bool(self.id and self.created and self.source)

    def stamped(self, *, id: str, created: str, source: str) -> "Event":
        """The same event, with what was missing filled in; itself when nothing was."""
        if self.is_stamped:
            return self
        return self.model_copy(
            update={
                "id": self.id or id,
                "created": self.created or created,
                "source": self.source or source,
            }
        )

    def to_json(self) -> bytes:
        """The one text of this event that everybody gets, UTF-8."""
        return self.__pydantic_serializer__.to_json(self)

    @property
    def key(self) -> bytes:
        """The 16 bytes of its id: how a journal knows it, however the UUID was written."""
        return bytes.fromhex(self.id.replace("-", ""))

    def says_the_same(self, other: "Event") -> bool:
        """Whether this is `other` once more: the same sender, type and data."""
        return (self.source, self.type, self.data) == (
            other.source,
            other.type,
            other.data,
        ) and json.dumps(self.data, sort_keys=True) == json.dumps(
            other.data, sort_keys=True
        )  # for Python alone says that true is 1


def id_text(key: bytes) -> str:
    """The UUID of 16 bytes."""
    text = key.hex()  # as `uuid.UUID(bytes=key)` would write it, without making one
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _check_values(event: Event) -> None:
    """Refuse what JSON allows but a browser or a database would change."""
    for value, depth in _values({**event.model_dump(), **(event.__pydantic_extra__ or {})}):
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(value, str):
            if "\0" in value:
                raise Refused(
                    "wrong_text", 'A text holds the character U+0000: leave out "\\u0000".'
                )
        elif isinstance(value, (int, float)) and not -MAX_NUMBER <= value <= MAX_NUMBER:
            if isinstance(value, float) and not math.isfinite(value):
                raise _not_a_number()
            raise Refused(
                "wrong_number",
                f"A number lies beyond ±2^53, where a browser would change it: send it as a"
                f' string, such as "{str(value)[:40]}".',
            )


def _values(root: object) -> Iterator[tuple[object, int]]:
    """Every value and key within, with its depth; a loop, so no nesting can exhaust the stack."""
    waiting = [(root, 1)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth - (not isinstance(value, dict | list))
        if isinstance(value, dict):
            waiting.extend((key, depth) for key in value)
            waiting.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            waiting.extend((inner, depth + 1) for inner in value)


def _too_deep() -> Refused:
    return Refused(
        "too_deep", f"The event is nested deeper than {MAX_DEPTH} levels: flatten its `data`."
    )


def _not_a_number() -> Refused:
    return Refused(
        "wrong_number",
        "A number is not finite (`NaN`, `Infinity` or too large): send a number, or null, instead.",
    )


def _short(value: object) -> str:
    """What was sent, short enough for a sentence."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _explained(error: ValidationError, text: str | bytes) -> Refused:
    """Turn the first thing wrong with a text into a code and a sentence."""
    first = error.errors(include_url=False, include_context=True)[0]
    if first["type"] == "json_invalid":
        return _malformed(str(first.get("ctx", {}).get("error", "")), text)
    if first["type"] == "model_type":
        return Refused(
            "not_an_object",
            f"This is JSON, but not an object: an event is one object, such as {EXAMPLE}.",
        )
    field = str(first["loc"][0]) if first["loc"] else ""
    sent = first["input"]
    if first["type"] == "missing":
        return Refused(
            f"missing_{field}",
            "`type` is missing: say what happened, in the past tense, such as"
            ' "type": "order_placed".'
            if field == "type"
            else '`data` is missing: an event carries a JSON object, such as "data": {"id": 5}.',
        )
    return Refused(f"wrong_{field}", _WRONG[field](sent))


def _wrong_created(sent: object) -> str:
    if isinstance(sent, (int, float)) and not isinstance(sent, bool):
        return (
            "`created` is a number; the envelope wants a string of milliseconds, such as"
            ' "1676554735324".'
        )
    return (
        f"`created` is {_short(sent)}; the envelope wants a string of milliseconds, such as"
        ' "1676554735324".'
    )


_WRONG: dict[str, Callable[[object], str]] = {
    "id": lambda sent: (
        f"`id` is {_short(sent)}; it must be a UUID as a string, such as"
        ' "69688550-5be2-41e4-a057-b9da2d59eb03", or be left out.'
    ),
    "type": lambda sent: (
        f"`type` is {_short(sent)}; it must be lower-case words of at most 64 characters in all,"
        ' such as "order_placed".'
    ),
    "created": _wrong_created,
    "source": lambda sent: (
        f"`source` is {_short(sent)}; it must be 1–32 letters, digits, `-`, `_` or `.`,"
        ' such as "alice".'
    ),
    "data": lambda sent: (
        f'`data` is {_short(sent)}; it must be a JSON object, such as "data": {{"id": 5}}.'
    ),
}


def _malformed(reason: str, text: str | bytes) -> Refused:
    """Say why a text is not JSON, or not the JSON that everybody reads alike."""
    if "recursion limit" in reason:
        return _too_deep()
    if "hex escape" in reason or "surrogate" in reason:
        return Refused(
            "wrong_text",
            "A text holds half a character (a lone surrogate such as \\ud800): send whole ones.",
        )
    shown = text if isinstance(text, str) else text.decode(errors="replace")
    if "number out of range" in reason or re.search(r"[:\[,]\s*-?(?:NaN|Infinity)", shown):
        return _not_a_number()
    return Refused(
        "malformed_json",
        f"This is not JSON ({reason or 'it cannot be read'}): an event is one object,"
        f" such as {EXAMPLE}.",
    )


def folded(name: str) -> str:
    """A name without regard to case: two participants whose names fold alike are one."""
    return name.casefold()

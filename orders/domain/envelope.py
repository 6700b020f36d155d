"""The envelope: the five fields around every event, and every reason to refuse one.

`Event.parse` reads one JSON text. What is missing and may be missing is stamped by the
broker; what is wrong is refused with a sentence that says what was expected. The text
that travels on is written again from what was understood, so all recipients see the same.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable
from itertools import chain
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orders.domain.mistakes import (
    MAX_DEPTH,
    MAX_VALUES,
    explained,
    not_finite,
    too_deep,
    too_many_values,
    wrong_source,
)
from orders.errors import Refused

MAX_NUMBER = 2**53
BEGINNING = 8192  # characters of a text in which values are counted first

#: A participant's name: letters, marks, digits, `-`, `_`, `.`, and not only dots; in NFC.
NAME = r"^\.*[\p{L}\p{M}\p{Nd}_-][\p{L}\p{M}\p{Nd}._-]*$"
#: Names, folded, under which only the host may speak, or (`broker`) nobody but the broker.
RESERVED = frozenset({"broker", "host", "teacher"})
#: A room's name; an event's type.
ROOM = r"^[a-z0-9-]{1,32}$"
TYPE = r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$"
_HEX = "[0-9a-fA-F]"
UUID = rf"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$"

is_room = re.compile(ROOM).fullmatch
is_uuid = re.compile(UUID).fullmatch

# Whatever a browser would change on its way through lies behind one of these: a long number, one
# with an exponent, no number at all; and U+0000, which is looked for by itself: two searches for
# one thing each are quicker than one for both. Only a text that has one is walked value by value.
_suspicious = re.compile(r"[:\[,]\s*-?(?:\d{16}|[\d.]+[eE][+\d]|NaN|Infinity)").search

_texts = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)

EventId = Annotated[str, Field(pattern=UUID)]
EventType = Annotated[str, Field(pattern=TYPE, max_length=64)]
Milliseconds = Annotated[str, Field(pattern=r"^[0-9]{1,16}$")]
Name = Annotated[str, Field(pattern=NAME, min_length=1, max_length=32)]
_name = TypeAdapter(Name).validator


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
        sent = text if isinstance(text, str) else text.decode(errors="replace")
        is_zero_in = "\\u0000" in sent
        if len(sent) > MAX_VALUES:
            sent = _counted(sent)
        try:
            event: Self = cls.__pydantic_validator__.validate_json(text)
        except ValidationError as error:
            raise explained(error, text) from None
        if not event.source.isascii():
            event = event._with_source(nfc(event.source))
        extra = event.__pydantic_extra__
        if is_zero_in or ((extra or not _is_plain(event.data)) and _may_be_wrong(sent)):
            _check_values(event)
        if extra and "attempt" in extra:
            del extra["attempt"]  # only the broker counts attempts
        return event

    def _with_source(self, source: str) -> Self:
        if source == self.source:
            return self
        if not is_name(source):
            raise Refused("wrong_source", wrong_source(source))
        return self.model_copy(update={"source": source})

    def seal(self, new_id: Callable[[], str], now: int, source: str) -> tuple[bytes, bytes]:
        """Fill in what is missing, once and for all; the text of the event then, and its key."""
        if not (self.id and self.created and self.source):
            self.__dict__.update(  # every event comes this way, and a copy costs more than it says
                id=self.id or new_id(),
                created=self.created or str(now),
                source=self.source or source,
            )
        return self.__pydantic_serializer__.to_json(self), key_of(self.id)

    def to_json(self) -> bytes:
        """The one text of this event that everybody gets, UTF-8."""
        return self.__pydantic_serializer__.to_json(self)

    @property
    def attempt(self) -> int | None:
        """Which delivery of queued work this is (1, 2, …), by the broker's count; None for news."""
        attempt = (self.model_extra or {}).get("attempt")
        return attempt if isinstance(attempt, int) else None

    @property
    def key(self) -> bytes:
        """The 16 bytes of its id: how a journal knows it, however the UUID was written."""
        return key_of(self.id)

    def says_the_same(self, other: "Event") -> bool:
        """Whether this is `other` once more: the same sender, type and data."""
        return (self.source, self.type, self.data) == (
            other.source,
            other.type,
            other.data,
        ) and json.dumps(self.data, sort_keys=True) == json.dumps(
            other.data, sort_keys=True
        )  # for Python alone says that true is 1


def key_of(id: str) -> bytes:
    """The 16 bytes of a UUID."""
    return bytes.fromhex(id.replace("-", ""))


def id_text(key: bytes) -> str:
    """The UUID of 16 bytes."""
    text = key.hex()  # as `uuid.UUID(bytes=key)` would write it, without making one
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _counted(text: str) -> str:
    """The text, without what its strings hold if that may be much; `Refused` if it holds more
    values than an event may, before they are read: that costs most of all. So does counting them:
    where there are many, its beginning tells."""
    if text.count(",") + text.count("{") + text.count("[") < MAX_VALUES:
        return text
    if len(text) > BEGINNING and _values(_texts.sub('""', text[:BEGINNING])) > MAX_VALUES + 1:
        raise too_many_values()  # one more, for a pair of brackets may be cut apart
    bare = _texts.sub('""', text)
    if (count := _values(bare)) > MAX_VALUES:
        raise too_many_values(count)
    return bare


def _values(bare: str) -> int:
    """How many values a text has, whose strings were emptied."""
    packed = "".join(bare.split())
    count = 1 + packed.count(",") + packed.count("{") + packed.count("[")
    return count - packed.count("{}") - packed.count("[]")


def _is_plain(data: dict[str, Any]) -> bool:
    """Whether it holds nothing but texts and ordinary whole numbers: most do, quickly seen."""
    for value in data.values():
        kind = type(value)
        if kind is not str and (kind is not int or not -MAX_NUMBER <= value <= MAX_NUMBER):
            return False
    return True


def _may_be_wrong(text: str) -> bool:
    """Whether its values must be looked at one by one."""
    return bool(_suspicious(text)) or text.count("{") + text.count("[") > MAX_DEPTH


def _check_values(event: Event) -> None:
    """Refuse what JSON allows but a browser or a database would change. A loop, so that no nesting
    can exhaust the stack."""
    waiting: list[tuple[dict[str, Any] | list[Any], int]] = [
        ({**event.model_dump(), **(event.__pydantic_extra__ or {})}, 1)
    ]
    while waiting:
        outer, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise too_deep()
        for value in chain(outer, outer.values()) if isinstance(outer, dict) else outer:
            kind = type(value)
            if kind is dict or kind is list:
                waiting.append((value, depth + 1))
            elif kind is str:
                if "\0" in value:
                    raise Refused(
                        "wrong_text", 'A text holds the character U+0000: leave out "\\u0000".'
                    )
            elif (kind is float or kind is int) and not -MAX_NUMBER <= value <= MAX_NUMBER:
                if kind is float and not math.isfinite(value):
                    raise not_finite()
                raise Refused(
                    "wrong_number",
                    f"A number lies beyond ±{MAX_NUMBER:,} (2^53), where a browser would change"
                    f' it: send it as a string, such as "{str(value)[:40]}".',
                )


# ── names ───────────────────────────────────────────────────────────────────────────────────────


def is_name(name: str) -> bool:
    """Whether somebody may be called that, but for those names that are reserved."""
    return _name.isinstance_python(name) and nfc(name) == name


def nfc(name: str) -> str:
    """A name in the one spelling that its letters and marks have (Unicode's form C)."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """A name without regard to case: two participants whose names fold alike are one."""
    return nfc(name).casefold()


def check_name(name: str, *, is_host: bool = False) -> None:
    """Refuse a reserved name to who may not have it."""
    if folded(name) == "broker":
        raise Refused(
            "name_reserved", "`broker` is the broker's own name; choose another, such as `bob`."
        )
    if folded(name) in RESERVED and not is_host:
        raise Refused(
            "name_reserved", f"`{name}` is a name of the host; choose another, such as `bob`."
        )

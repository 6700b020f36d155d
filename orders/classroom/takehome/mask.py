"""A lesson without names: records in which nothing leads to a person, and that mean the same.

Whatever is not known to be harmless is left out: this file lists what stays. A name becomes its
letter; the ids of events, the numbers of orders and types of a student's own are counted; times
are tenths of a second since the first record. What is said of the records, such as *why*,
is worked out from the masked ones, so it can give nothing away either.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import to_json

from orders.broker.modes import matches
from orders.broker.records import EVENT, Kind, Record
from orders.domain.confirming import REASONS
from orders.domain.envelope import folded, is_uuid, key_of
from orders.domain.menu import MENU
from orders.domain.orders import MAX_QUANTITY, order_number

#: What stands where something was left out.
UNKNOWN = "?"
TYPES = ("order_placed", "order_confirmed", "order_rejected")
#: Why an event comes back or is dead, as the broker says it; `{}` is its holder. A nack may give
#: any reason: it is said as the second of these.
RETURNS = (
    "{} left",
    "{} gave it back",
    "{} gave another back",
    "the host ended the lease of {}",
    "the lease of {} ran out",
    "its connection was lost",
    "its session was taken over",
    "its name was taken over",
    "its server is gone",
    "its server did not hear that it had it",
    "the server was restarted",
)
GAVE_BACK = RETURNS[1]


def letter(number: int) -> str:
    """The letter with this number from 0 on: A to Z, then AA, AB, …"""
    letters = ""
    while number >= 0:
        number, rest = divmod(number, 26)
        letters = chr(ord("A") + rest) + letters
        number -= 1
    return letters


def letters(records: Iterable[Record]) -> dict[str, str]:
    """A letter for each name, folded, in the records of one epoch, oldest first: the one rule by
    which a file and a student's own page agree.

    Those who joined come first, in the order in which they did, so that a letter stays what it
    is however the lesson goes on; and it needs no events. Then come senders who never joined.
    """
    joined: dict[str, None] = {}
    others: dict[str, None] = {}
    for record in records:
        if record.kind is EVENT:
            others[folded(record.source)] = None
        elif record.kind is Kind.JOINED:
            joined[folded(record.data["name"])] = None
    return {name: letter(number) for number, name in enumerate(joined | others)}


class Mask:
    """Masks the records of one epoch: it looks at all, oldest first, then masks one at a time.

    `modes` are those of the room, by which types may be named that no record names.
    """

    def __init__(self, records: list[Record], modes: Mapping[str, str]) -> None:
        self.letters = letters(records)
        self._begin = records[0].at
        events = [record for record in records if record.kind is EVENT]
        self._events = {record.key: f"e{number}" for number, record in enumerate(events, 1)}
        named = [type for record in records for type in _types_of(record)]
        others = dict.fromkeys(type for type in (*named, *modes) if type not in (*TYPES, "*"))
        width = len(str(len(others)))  # no type begins with the whole of another
        self._types = {type: type for type in TYPES} | {
            type: f"other_{number:0{width}d}" for number, type in enumerate(others, 1)
        }
        numbers = (record.parsed().data.get("id") for record in events)
        texts = dict.fromkeys(order_number(one, "") for one in numbers if one is not None)
        self._numbers = {text: number for number, text in enumerate(texts, 1)}
        self._holders: dict[str, str] = {}  # who was handed an event last

    def name(self, name: object) -> str:
        """The letter of a name; of a text that nobody here is called, that it is unknown."""
        return self.letters.get(folded(name), UNKNOWN) if isinstance(name, str) else UNKNOWN

    def masked(self, record: Record) -> Record | None:
        """The record without what could lead to a person; None where nothing is left of it."""
        if record.kind is EVENT:
            data = self._event(record)
        else:
            mask = _MASKS.get(record.kind)
            if mask is None:
                return None
            data = mask(self, record.data)
        return Record(
            room="",
            kind=record.kind,
            at=self._at(record.at),
            body=to_json(data),
            key=record.key,
            type=self._type(record.type),
            source=self.name(record.source),
            mode=record.mode,
            about=record.about,
            position=record.position,
            payload=data,
        )

    def modes(self, modes: Mapping[str, str]) -> dict[str, str]:
        """The mode of each type."""
        return {self._type(type): mode for type, mode in modes.items()}

    # ── events ──────────────────────────────────────────────────────────────────────────────

    def _event(self, record: Record) -> dict[str, Any]:
        data = record.parsed().data
        kept: dict[str, Any] = {}
        if (number := data.get("id")) is not None:
            kept["id"] = self._number(number)
        if (item := data.get("item")) is not None:
            kept["item"] = item if isinstance(item, str) and item in MENU else UNKNOWN
        if (quantity := data.get("quantity")) is not None:
            kept["quantity"] = quantity if _is_count(quantity) else UNKNOWN
        if "customer" in data:
            kept["customer"] = self.name(data["customer"])
        if "event" in data:
            kept["event"] = self._id(data["event"])
        if (reason := data.get("reason")) is not None:
            kept["reason"] = reason if reason in REASONS else "other"
        return {
            "id": self._events[record.key],
            "type": self._type(record.type),
            "source": self.name(record.source),
            "data": kept,
        }

    def _id(self, id: object) -> str:
        if not isinstance(id, str) or not is_uuid(id):
            return UNKNOWN
        return self._events.get(key_of(id), UNKNOWN)

    def _number(self, number: Any) -> int | str:
        """An order's number, the same no matter who says it; `?3` where it was none."""
        text = order_number(number, "")
        count = self._numbers[text]
        is_number = text.isascii() and text.isdigit() and text != "0"
        return count if is_number else f"{UNKNOWN}{count}"

    def _type(self, type: str) -> str:
        return type if type in ("", "*") else self._types[type]

    def _at(self, at: int) -> int:
        return round((at - self._begin) / 100) * 100

    # ── control records ─────────────────────────────────────────────────────────────────────

    def _patterns(self, types: list[str]) -> list[str]:
        """A subscription; an invented pattern becomes the types that it stands for."""
        kept: set[str] = set()
        for one in types:
            if one == "*" or not one.endswith("*"):
                kept.add(self._type(one))
                continue
            if is_usual := one == "order_*":
                kept.add(one)
            wanted = frozenset((one,))
            for type, mask in self._types.items():
                if matches(wanted, type) and not (is_usual and type in TYPES):
                    kept.add(f"{mask}*")  # a pattern listens, an exact type would work
        return sorted(kept)

    def _joined(self, data: dict[str, Any]) -> dict[str, Any]:
        kept = {key: data[key] for key in ("ack", "echo", "after")}
        was = {"was": self.name(data["was"])} if data.get("was") is not None else {}
        return (
            {"name": self.name(data["name"]), "types": self._patterns(data["types"])} | kept | was
        )

    def _left(self, data: dict[str, Any]) -> dict[str, Any]:
        to = {"to": self.name(data["to"])} if data.get("to") is not None else {}
        name = None if data["name"] is None else self.name(data["name"])
        return {"name": name, "last": data.get("last")} | to

    def _subscribed(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"name": self.name(data["name"]), "types": self._patterns(data["types"])}

    def _modes(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"modes": self.modes(data["modes"])}

    def _paused(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"paused": data["paused"]}

    def _handed(self, data: dict[str, Any]) -> dict[str, Any]:
        self._holders[data["event"]] = data["name"]
        kept = {key: data[key] for key in ("attempt", "lease")}
        return {"event": self._id(data["event"]), "name": self.name(data["name"])} | kept

    def _moved(self, data: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {key: data[key] for key in ("attempt", "attempts") if key in data}
        if data.get("name") is not None:
            kept["name"] = self.name(data["name"])
        if "reason" in data:
            kept["reason"] = self._reason(data)
        return {"event": self._id(data["event"])} | kept

    def _reason(self, data: dict[str, Any]) -> str:
        holder = data.get("name") or self._holders.get(data["event"], "")
        for words in RETURNS:
            if data["reason"] == words.format(holder):
                return words.format(self.name(holder))
        return GAVE_BACK.format(self.name(holder))

    def _fault(self, data: dict[str, Any]) -> dict[str, Any]:
        kept = {key: data.get(key) for key in ("fault", "seconds", "step", "words")}
        name = None if data["name"] is None else self.name(data["name"])
        event = {"event": self._id(data["event"])} if data.get("event") else {}
        return {"name": name} | kept | event

    def _scene(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"scene": data["scene"], "answer": data["answer"]}


_MASKS = {
    Kind.JOINED: Mask._joined,
    Kind.LEFT: Mask._left,
    Kind.SUBSCRIBED: Mask._subscribed,
    Kind.MODES: Mask._modes,
    Kind.PAUSED: Mask._paused,
    Kind.STEPPED: Mask._moved,
    Kind.HANDED: Mask._handed,
    Kind.SETTLED: Mask._moved,
    Kind.RELEASED: Mask._moved,
    Kind.DEAD: Mask._moved,
    Kind.RETRIED: Mask._moved,
    Kind.DISCARDED: Mask._moved,
    Kind.FAULT: Mask._fault,
    "scene": Mask._scene,
}


def _types_of(record: Record) -> list[str]:
    """The types that a record names."""
    if record.kind is EVENT:
        return [record.type]
    if record.kind is Kind.MODES:
        return [type for type in record.data["modes"] if type != "*"]
    if record.kind in (Kind.JOINED, Kind.SUBSCRIBED):
        return [type for type in record.data["types"] if not type.endswith("*")]
    return []


def _is_count(quantity: object) -> bool:
    return type(quantity) is int and 1 <= quantity <= MAX_QUANTITY

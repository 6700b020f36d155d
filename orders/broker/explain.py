"""Why this participant did, or did not, get this event: from journal records alone.

The story of an event is the control records about who was present, what they asked for, when
the room was paused, and what became of the event. Nothing is stored per recipient, so nothing
here can contradict the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from orders.broker.modes import Mode, matches
from orders.broker.records import Kind, Record

MOST_NAMED = 500


@dataclass(slots=True)
class Recipient:
    """What became of an event for one name. `attempts`: how often it was handed to it."""

    name: str
    received: bool
    attempts: int
    why: str


@dataclass(slots=True, eq=False)
class _Stay:
    """From joining to leaving. `last`: the last position written to it; None while it stays.

    `after`: the position it reads on from; None: it hears what is live. Who takes a name by its
    first event goes on with the same stay under that name.
    """

    name: str
    since: int
    at: int
    types: frozenset[str]
    echo: bool
    after: int | None
    last: int | None = None
    attempts: int = 0
    lost: str = ""  # why it no longer holds what it was handed


@dataclass(slots=True)
class _Fate:
    """What became of an event on its way from the broker."""

    stays: list[_Stay] = field(default_factory=list)
    is_held_back: bool = False  # the room was paused before it could go
    taker: _Stay | None = None
    taken: int = 0  # the position of the last handing-over
    is_settled: bool = False
    end: str = ""  # why nobody gets it any more


def explain(event: Record, story: Iterable[Record]) -> list[Recipient]:
    """Who received an event, who did not, and why: a sentence each, in the order of joining.

    Where there are too many to name, those who received it are named first.
    """
    fate = _read(event, story)
    recipients: dict[str, Recipient] = {}
    for stay in fate.stays:
        told = _queue(event, stay, fate) if event.mode == Mode.QUEUE else _log(event, stay, fate)
        known = recipients.get(stay.name)
        if told and known:
            told.attempts += known.attempts if event.mode == Mode.QUEUE else 0
        if told and (known is None or told.received >= known.received):
            recipients[stay.name] = told
        elif told and known:
            known.attempts = told.attempts
    all_told = list(recipients.values())
    if len(all_told) > MOST_NAMED:
        all_told.sort(key=lambda recipient: not recipient.received)
    return all_told[:MOST_NAMED]


def _read(event: Record, story: Iterable[Record]) -> _Fate:
    """Who stayed when, with what they wanted when it mattered; and what became of the event."""
    fate = _Fate()
    present: dict[str, _Stay] = {}
    for record in story:
        data = record.data
        name: str = data.get("name") or ""
        match record.kind:
            case Kind.JOINED if data.get("was") in present:
                present[name] = stay = present.pop(data["was"])
                stay.name, stay.last = name, None
            case Kind.JOINED:
                stay = _stay(record)
                fate.stays.append(stay)
                present[name] = stay
            case Kind.SUBSCRIBED if name in present and _matters(event, record, fate):
                present[name].types = frozenset(data["types"])
            case Kind.LEFT if not name:
                for stay in present.values():
                    stay.last = record.position if stay.last is None else stay.last
                present.clear()
            case Kind.LEFT if name in present:
                # It stays in `present`: should it come again under another name, it never left.
                present[name].last = data["last"]
            case Kind.PAUSED if not data["paused"]:
                fate.is_held_back = False
            case Kind.PAUSED if record.position < event.position:
                fate.is_held_back = True
            case Kind.STEPPED:
                fate.is_held_back = fate.is_held_back and record.about != event.position
            case _:
                _follow(fate, record, present)
    return fate


def _stay(record: Record) -> _Stay:
    data = record.data
    types = frozenset(data["types"])
    return _Stay(data["name"], record.position, record.at, types, data["echo"], data["after"])


def _matters(event: Record, subscribed: Record, fate: _Fate) -> bool:
    """Whether a subscription holds for the event: from a queue it may be taken later."""
    waits = event.mode == Mode.QUEUE and fate.taker is None and not fate.end
    return subscribed.position < event.position or waits


def _follow(fate: _Fate, record: Record, present: dict[str, _Stay]) -> None:
    """What a record about the event itself makes of it."""
    data = record.data
    match record.kind:
        case Kind.HANDED:
            fate.is_held_back = False
            fate.taker, fate.taken = present.get(data["name"]), record.position
            fate.is_settled = data["lease"] is None
            if fate.taker:
                fate.taker.attempts += 1
        case Kind.SETTLED:
            fate.is_settled = True
        case Kind.RELEASED | Kind.DEAD:
            if fate.taker:
                fate.taker.lost = data["reason"]
            fate.taker = None
            if record.kind is Kind.DEAD:
                fate.end = "it is a dead letter"
        case Kind.DISCARDED:
            fate.end = "the host discarded it"
        case Kind.RETRIED:
            fate.end = ""


def _log(event: Record, stay: _Stay, fate: _Fate) -> Recipient | None:
    """Relay and pubsub: it follows from who was there and what they wanted."""

    def told(received: bool, why: str) -> Recipient:
        return Recipient(stay.name, received, int(received), why)

    came_back = stay.since > event.position
    missed = stay.last is not None and stay.last < event.position
    if missed and not came_back:
        return None if (stay.last or 0) < stay.since else told(False, "Had left before.")
    if came_back and (stay.after is None or stay.after >= event.position):
        return told(False, "Joined later.")
    if event.mode == Mode.PUBSUB and not matches(stay.types, event.type):
        return told(False, f"Not subscribed to {event.type}.")
    if not stay.echo and stay.name == event.source:
        return told(False, "Sent it, and asked not to hear its own events.")
    if missed:
        return told(False, "Came back, and left before it had caught up.")
    if fate.is_held_back:
        return told(False, "Not yet: the room is paused, and the broker holds it.")
    if came_back:
        late = max(0, stay.at - event.at) / 1000
        return told(True, f"Was offline, and caught up {late:.0f} s later.")
    if event.mode == Mode.RELAY:
        return told(True, "Relay: everyone in the room gets it.")
    return told(True, f"Subscribed to {event.type}.")


def _queue(event: Record, stay: _Stay, fate: _Fate) -> Recipient:
    """Queue: exactly one, in turn; the journal says whom."""

    def told(why: str) -> Recipient:
        return Recipient(stay.name, stay.attempts > 0, stay.attempts, why)

    if stay is fate.taker:
        done = "and is done with it" if fate.is_settled else "and holds it"
        return told(f"Took it, {done}: it was its turn.")
    if stay.attempts:
        return told(f"Took it, but {stay.lost or 'let it go'}.")
    if stay.last is not None and stay.last < (fate.taken or event.position):
        before = stay.since < event.position and stay.last < event.position
        return told("Had left before." if before else "Left before its turn came.")
    if stay.name == event.source:
        return told("Sent it: a queue never hands an event to its sender.")
    if not matches(stay.types, event.type):
        return told(f"Not subscribed to {event.type}.")
    if fate.is_held_back:
        return told("Not yet: the room is paused, and the broker holds it.")
    if fate.end:
        return told(f"Nobody gets it any more: {fate.end}.")
    if fate.taker and stay.since > fate.taken:
        return told(f"Joined later: {fate.taker.name} had taken it.")
    if fate.taker:
        return told(f"It was the turn of {fate.taker.name}: in a queue one takes it.")
    return told("Nobody has taken it yet: it waits.")

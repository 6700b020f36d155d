"""Why this participant did, or did not, get this event: from journal records alone.

The story of an event is the control records about who was present, what they asked for, and
what became of the event. Nothing is stored per recipient, so nothing here can contradict the log.
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


@dataclass(slots=True)
class _Stay:
    """From joining to leaving. `last`: the last position written to it; None while it stays."""

    name: str
    since: int
    at: int
    types: frozenset[str]
    echo: bool
    after: int | None
    last: int | None = None
    handed: list[str] = field(default_factory=list)


def explain(event: Record, story: Iterable[Record]) -> list[Recipient]:
    """Who received an event, who did not, and why: a sentence each, in the order of joining."""
    stays, outcome = _read(event, story)
    recipients: dict[str, Recipient] = {}
    for stay in stays:
        told = _queue(event, stay, outcome) if event.mode == Mode.QUEUE else _log(event, stay)
        known = recipients.get(stay.name)
        if told and (known is None or told.received > known.received):
            recipients[stay.name] = told
    return list(recipients.values())[:MOST_NAMED]


@dataclass(slots=True)
class _Outcome:
    """What became of a queued event."""

    taker: str = ""
    handed: dict[str, int] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)  # name → why it was let go
    is_settled: bool = False
    dead: str = ""


def _read(event: Record, story: Iterable[Record]) -> tuple[list[_Stay], _Outcome]:
    """Who stayed when, with what they wanted when the event was accepted; and its outcome."""
    stays: list[_Stay] = []
    present: dict[str, _Stay] = {}
    outcome = _Outcome()
    for record in story:
        data = record.data
        name: str = data.get("name") or ""
        match record.kind:
            case Kind.JOINED:
                stay = _Stay(
                    name,
                    record.position,
                    record.at,
                    frozenset(data["types"]),
                    data["echo"],
                    data["after"],
                )
                stays.append(stay)
                present[name] = stay
            case Kind.SUBSCRIBED if name in present and record.position < event.position:
                present[name].types = frozenset(data["types"])
            case Kind.LEFT if not name:
                for stay in present.values():
                    stay.last = record.position
                present.clear()
            case Kind.LEFT if name in present:
                present.pop(name).last = data["last"]
            case Kind.HANDED:
                outcome.taker = name
                outcome.handed[name] = outcome.handed.get(name, 0) + 1
                outcome.is_settled = data["lease"] is None
            case Kind.SETTLED:
                outcome.is_settled = True
            case Kind.RELEASED:
                outcome.taker = ""
                outcome.lost[name] = data["reason"]
            case Kind.DEAD:
                outcome.lost[outcome.taker] = outcome.dead = data["reason"]
                outcome.taker = ""
            case Kind.RETRIED:
                outcome.dead = outcome.taker = ""
    return stays, outcome


def _log(event: Record, stay: _Stay) -> Recipient | None:
    """Relay and pubsub: it follows from who was there and what they wanted."""

    def told(received: bool, why: str) -> Recipient:
        return Recipient(stay.name, received, int(received), why)

    came_back = stay.since > event.position
    if not came_back and stay.last is not None and stay.last < event.position:
        return None if stay.last < stay.since else told(False, "Had left before.")
    if came_back and (stay.after is None or stay.after >= event.position):
        return told(False, "Joined later.")
    if event.mode == Mode.PUBSUB and not matches(stay.types, event.type):
        return told(False, f"Not subscribed to {event.type}.")
    if not stay.echo and stay.name == event.source:
        return told(False, "Sent it, and asked not to hear its own events.")
    if came_back:
        late = max(0, stay.at - event.at) / 1000
        return told(True, f"Was offline, and caught up {late:.0f} s later.")
    if event.mode == Mode.RELAY:
        return told(True, "Relay: everyone in the room gets it.")
    return told(True, f"Subscribed to {event.type}.")


def _queue(event: Record, stay: _Stay, outcome: _Outcome) -> Recipient | None:
    """Queue: exactly one, in turn; the journal says whom."""
    name, attempts = stay.name, outcome.handed.get(stay.name, 0)

    def told(why: str) -> Recipient:
        return Recipient(name, attempts > 0, attempts, why)

    if attempts:
        if name == outcome.taker:
            done = "and is done with it" if outcome.is_settled else "and holds it"
            return told(f"Took it, {done}: it was its turn.")
        return told(f"Took it, but {outcome.lost.get(name) or outcome.dead or 'let it go'}.")
    if stay.since < event.position and stay.last is not None and stay.last < event.position:
        return told("Had left before.")
    if name == event.source:
        return told("Sent it: a queue never hands an event to its sender.")
    if not matches(stay.types, event.type):
        return told(f"Not subscribed to {event.type}.")
    if outcome.dead:
        return told("Nobody gets it any more: it is a dead letter.")
    if outcome.taker:
        return told(f"It was the turn of {outcome.taker}: in a queue one takes it.")
    return told("Nobody has taken it yet: it waits.")

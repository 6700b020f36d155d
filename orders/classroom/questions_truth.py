"""What a question offers, and what was right: computed from the journal, never typed in. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orders.broker.explain import explain
from orders.broker.modes import Mode
from orders.broker.records import Kind, Record
from orders.domain.order_book import MemoryOrderBook
from orders.domain.orders import number_of
from orders.errors import counted

#: Who receives an event in relay and publish–subscribe.
RECEIVERS = {
    "everyone": "Everyone in the room",
    "those_who_asked": "Those who asked for it",
    "exactly_one": "Exactly one",
    "nobody": "Nobody",
}
#: Who receives it from a queue, besides the workers by their names.
OF_QUEUE = {"other": "Somebody else", "nobody": "Nobody: it waits"}
OUR_CODES = RECEIVERS.keys() | OF_QUEUE.keys()
BY_MODE = {"relay": "everyone", "pubsub": "those_who_asked", "queue": "exactly_one"}
#: What becomes of an order.
OUTCOMES = {
    "confirmed_once": "Confirmed once",
    "more_than_once": "Confirmed more than once",
    "rejected": "Rejected",
    "waits": "It waits",
    "dead_letter": "A dead letter",
}
ORDERS = "order_*"
MOST_NAMED = 8  # workers that are offered by name: a phone shows no more


@dataclass(frozen=True, slots=True)
class Truth:
    """The right choice, and why it is. `so_far`: what happens later may make it another."""

    choice: str
    why: str
    so_far: bool = False


def offered(kind: str, mode: str, workers: Iterable[str]) -> dict[str, str]:
    """The choices of a question and their texts. `workers`: who takes from the event's queue.

    Somebody who is called like one of our codes is one of the others.
    """
    if kind == "outcome":
        return OUTCOMES
    if mode != Mode.QUEUE:
        return RECEIVERS
    named = [name for name in workers if name not in OUR_CODES][:MOST_NAMED]
    return {**{name: name for name in named}, **OF_QUEUE}


def order_of(placed: Record) -> str:
    """`carol/5`."""
    return f"{placed.source}/{number_of(placed.parsed())}"


def words(kind: str, event: Record | None, order: str | None) -> str:
    """The question as people read it."""
    if event is not None and event.type == "order_placed":
        order = order_of(event)
    what = "the next order" if kind == "outcome" else "the next event"
    if order is not None:
        customer, _, number = order.partition("/")
        what = f"{customer}’s order {number[:20]}"
    elif event is not None:
        what = f"the {event.type} of {event.source}"
    return f"What becomes of {what}?" if kind == "outcome" else f"Who receives {what}?"


# ── who received an event ───────────────────────────────────────────────────────────────────────


def receivers(event: Record, controls: Sequence[Record], choices: Iterable[str]) -> Truth:
    """Who received an event: of a queue the first who was handed it.

    `controls` are what explains it, see `Engine.controls`.
    """
    queued = event.mode == Mode.QUEUE
    if queued:
        handed = [r for r in controls if r.kind is Kind.HANDED and _is_of(r, event)]
        got = [record.data["name"] for record in handed[:1]]
    else:
        got = [one.name for one in explain(event, controls) if one.received]
    if not got:
        why = "Nobody has taken it: it waits." if queued else "Nobody received it."
        return Truth("nobody", why, so_far=queued)
    choice = BY_MODE[event.mode]
    if "other" in choices:  # it was asked of a queue, whatever the mode has become
        is_named = len(got) == 1 and got[0] in set(choices) - OUR_CODES
        choice = got[0] if is_named else "other"
    return Truth(choice, f"{_together(got)} {'took' if queued else 'received'} it.")


def _is_of(record: Record, event: Record) -> bool:
    """Whether a record is about this event, and not about one that was there before a reset."""
    return record.about == event.position and record.key == event.key


def _together(names: list[str]) -> str:
    """`ann, ben and 3 more`."""
    if len(names) > 3:
        return f"{names[0]}, {names[1]} and {len(names) - 2} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


# ── what happened to an order ─────────────────────────────────────────────────────────────────────


def outcome(placed: Record, later: Iterable[Record], controls: Iterable[Record]) -> Truth:
    """What has become of an order: of all events of orders after its placing, and what is said of
    that. Each confirmation is a coffee made, whatever the table of orders makes of it.
    """
    confirmed, rejected = _answers(placed, later)
    if len(confirmed) > 1:
        by = _together(list(dict.fromkeys(confirmed)))
        return Truth("more_than_once", f"Confirmed {len(confirmed)} times, by {by}.", so_far=True)
    if confirmed:
        return Truth("confirmed_once", f"Confirmed by {confirmed[0]}.", so_far=True)
    if rejected:
        return Truth("rejected", f"Rejected by {rejected[0]}.", so_far=True)
    attempts = None
    for record in controls:
        if _is_of(record, placed) and record.kind in (Kind.DEAD, Kind.RETRIED):
            attempts = record.data.get("attempts")
    if attempts is not None:
        return Truth("dead_letter", f"Set aside after {counted(attempts, 'attempt')}.", so_far=True)
    return Truth("waits", "Nobody has answered it.", so_far=True)


def _answers(placed: Record, later: Iterable[Record]) -> tuple[list[str], list[str]]:
    """Who confirmed an order, once for each time, and who rejected it.

    An answer that does not say which order it means is for the oldest pending one with that number.
    """
    first, source = placed.parsed(), placed.source
    number = number_of(first)
    placings, book = {first.id}, MemoryOrderBook()
    book.apply(first, placed.at)
    confirmed: list[str] = []
    rejected: list[str] = []
    for record in later:
        event = record.parsed()
        named, customer = event.data.get("event"), event.data.get("customer")
        other = number_of(event)
        if event.type == "order_placed":
            if event.source == source and other == number:
                placings.add(event.id)
        elif isinstance(named, str):
            if named == first.id or (named in placings and event.type == "order_confirmed"):
                (confirmed if event.type == "order_confirmed" else rejected).append(event.source)
        elif named is None and other == number and customer in (None, source):
            pending = book.oldest_pending(number, customer)
            if pending is None or pending.customer == source:
                (confirmed if event.type == "order_confirmed" else rejected).append(event.source)
        book.apply(event, record.at)
    return confirmed, rejected

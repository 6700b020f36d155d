"""Bob's rules: whether an order is confirmed, and under which id the answer goes out."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from orders.domain.envelope import Event
from orders.domain.menu import MENU
from orders.domain.orders import MAX_NOTE, MAX_QUANTITY, OrderBook, number_of

#: Why an order is rejected: stable codes, in the order in which they are looked for.
REASONS = ("invalid_id", "invalid_quantity", "unknown_item", "invalid_note", "duplicate_order")


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The order is good."""

    type = "order_confirmed"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The order is not good: a stable code, and a sentence that says what was expected."""

    reason: str
    message: str

    type = "order_rejected"


def decide(placed: Event, book: OrderBook) -> Confirmed | Rejected:
    """What Bob says to this `order_placed`, by his rules and by what he knows of other orders."""
    data = placed.data
    order_id: Any = data.get("id")
    item, note = data.get("item"), data.get("note")
    quantity = 1 if data.get("quantity") is None else data["quantity"]
    if not _is_whole(order_id) or order_id < 1:
        was = "is missing" if order_id is None else f"was {_shown(order_id)}"
        return Rejected(
            "invalid_id", f"The order number {was}: give a whole number from 1, such as 5."
        )
    if not _is_whole(quantity) or not 1 <= quantity <= MAX_QUANTITY:
        return Rejected(
            "invalid_quantity",
            f"The quantity was {_shown(quantity)}: "
            f"give a whole number from 1 to {MAX_QUANTITY}, or none for 1.",
        )
    if item is not None and item not in MENU:
        return Rejected(
            "unknown_item",
            f"The item {_shown(item)} is not on the menu: choose one that is, such as {MENU[0]}.",
        )
    if note is not None and (not isinstance(note, str) or len(note) > MAX_NOTE):
        was = f"has {len(note)} characters" if isinstance(note, str) else f"was {_shown(note)}"
        return Rejected(
            "invalid_note", f"The note {was}: give a text of at most {MAX_NOTE} characters."
        )
    other = book.get(placed.source, number_of(placed))
    if other and other.event != placed.id and other.state != "rejected":
        return duplicate_of(placed)
    return Confirmed()


def duplicate_of(placed: Event) -> Rejected:
    """The rejection of an order whose number its customer has used already."""
    return Rejected(
        "duplicate_order",
        f"{placed.source} has placed an order number {number_of(placed)} already: take another"
        " number.",
    )


def answer_id(room: str, placed: Event, answer: Confirmed | Rejected) -> str:
    """The id that every careful confirmer gives to this answer, so the journal admits it once."""
    if isinstance(answer, Confirmed):
        key = f"orders:{room}/{placed.source}/{number_of(placed)}/confirmed"
        return str(uuid5(NAMESPACE_URL, key))
    return str(uuid5(NAMESPACE_URL, f"orders:{placed.id}/rejected"))


def id_after(taken: str) -> str:
    """The id of an answer where the event that has its own answers nothing."""
    return str(uuid5(NAMESPACE_URL, f"orders:{taken}/again"))


def answer_data(placed: Event, answer: Confirmed | Rejected) -> dict[str, Any]:
    """The `data` of the answering event, as in the contract."""
    data = {"id": placed.data.get("id"), "customer": placed.source, "event": placed.id}
    if isinstance(answer, Rejected):
        data |= {"reason": answer.reason, "message": answer.message}
    return data


def _is_whole(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """What was sent, as JSON, short enough for a sentence."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"

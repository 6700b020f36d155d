"""The three order events, and where each order stands: a fold of the log.

An order is (customer, number): the name of who placed it, and the number that customer gave it.

1. `order_placed` makes it `placed`. Another one under the same number waits behind it, and the
   confirmers reject it as a duplicate; once the order is confirmed, another one changes nothing.
2. The first answer to an `order_placed` counts. Later ones by others are only noted in `also`.
3. A confirmation of one that waited behind confirms the order as that one placed it.
4. A rejection passes the order to the next one that waits behind; if there is none the number is
   free, and the next `order_placed` begins the order again.
5. An answer that leaves out `customer` or `event` is for the oldest pending order with that `id`.

An `order_placed` that makes no sense is an order too, so that somebody can see it and reject it;
what is in `data` is whatever was sent, and no shape of it makes the fold fail.
"""

import json
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue, Strict
from pydantic_core import from_json, to_json

from orders.domain.envelope import Event
from orders.domain.menu import MENU

ANSWER_TYPES = frozenset({"order_confirmed", "order_rejected"})
ORDER_TYPES = ANSWER_TYPES | {"order_placed"}

State = Literal["placed", "confirmed", "rejected"]

#: Where an order stands (None: there is none), and the event that comes → where it stands then.
#: What is not here leaves the order where it stands.
TRANSITIONS: dict[tuple[State | None, str], State] = {
    (None, "order_placed"): "placed",
    ("rejected", "order_placed"): "placed",
    ("placed", "order_confirmed"): "confirmed",
    ("placed", "order_rejected"): "rejected",
}

MAX_QUANTITY = 100
MAX_NOTE = 200
LONGEST_NUMBER = 64  # characters of a key; no sensible number is longer
LONGEST_KEPT = 500  # characters of what was sent as item, note or message; orders are many
MOST_REMEMBERED = 20  # of `also` and of those waiting behind, so that nobody can swell an order

WholeNumber = Annotated[int, Strict()]


class OrderPlaced(BaseModel):
    """The data of `order_placed`, sent by a customer: what Bob accepts."""

    model_config = ConfigDict(frozen=True)

    id: WholeNumber = Field(ge=1, description="the customer's own order number", examples=[5])
    item: str | None = Field(
        default=None, description="a name from the menu", json_schema_extra={"examples": list(MENU)}
    )
    quantity: WholeNumber = Field(default=1, ge=1, le=MAX_QUANTITY)
    note: str | None = Field(default=None, max_length=MAX_NOTE)


class OrderConfirmed(BaseModel):
    """The data of `order_confirmed`, sent by a confirmer."""

    model_config = ConfigDict(frozen=True)

    id: JsonValue = Field(
        default=None, description="the order number, as it was placed", examples=[5]
    )
    customer: str | None = Field(default=None, description="the order's source")
    event: str | None = Field(default=None, description="the id of the order_placed")


class OrderRejected(OrderConfirmed):
    """The data of `order_rejected`, sent by a confirmer."""

    reason: str | None = Field(
        default=None, description="a stable code", examples=["duplicate_order"]
    )
    message: str | None = Field(default=None, description="one sentence in plain words")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """What one `order_placed` said, as it was sent. `at` is the journal's time in milliseconds."""

    event: str
    at: int
    id: Any = None
    item: Any = None
    quantity: Any = 1
    note: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Placing):
    """Where one order stands. `event` is the id of the `order_placed` that it stands for now.

    `also` says who answered after that, `behind` holds further placings, while this one is
    pending.
    """

    customer: str
    state: State = "placed"
    confirmer: str | None = None
    answer: str | None = None  # the id of the answering event
    answered_at: int | None = None
    reason: str | None = None
    message: str | None = None
    also: tuple[str, ...] = ()
    behind: tuple[Placing, ...] = ()

    @property
    def number(self) -> str:
        """The key text of the order's id, unique among its customer's orders."""
        return order_number(self.id, self.event)

    def to_json(self) -> bytes:
        """The order as a JSON object."""
        return to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Order":
        """An order that `to_json` wrote."""
        return cls.from_dict(from_json(text))

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> "Order":
        """An order as the API gives it."""
        behind = tuple(Placing(**placing) for placing in said.get("behind", ()))
        known = {field.name: said[field.name] for field in fields(cls) if field.name in said}
        return cls(**{"at": 0, **known, "also": tuple(said.get("also", ())), "behind": behind})

    @classmethod
    def of(cls, placing: Placing, customer: str, behind: tuple[Placing, ...] = ()) -> "Order":
        """An order as it was placed."""
        said = {name: getattr(placing, name) for name in PLACING}
        return cls(customer=customer, behind=behind, **said)


PLACING = tuple(field.name for field in fields(Placing))


class OrderBook(Protocol):
    """What is known of the orders so far, in one room."""

    def get(self, customer: str, number: str) -> Order | None:
        """The order, or None."""

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        """The `placed` order with this number that was placed first; None: of any customer."""


def order_number(order_id: JsonValue, event: str) -> str:
    """The key text of an order's id: its JSON text, and the event's id when there is none.

    5 and 5.0 are one number, as JSON and every browser see it.
    """
    if order_id is None:
        return event
    if type(order_id) is int and 0 < order_id < 10**LONGEST_NUMBER:
        return str(order_id)  # as its JSON text is: nearly every number, and the cheapest way
    if isinstance(order_id, float) and order_id.is_integer():
        order_id = int(order_id)
    text = json.dumps(order_id, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= LONGEST_NUMBER else event


def number_of(placed: Event) -> str:
    """The key text of the order that an `order_placed` places."""
    return order_number(placed.data.get("id"), placed.id)


def fold(event: Event, at: int, book: OrderBook) -> Order | None:
    """The order as this event leaves it, or None if it changes none.

    `at` is when the journal took the event (epoch milliseconds); the book is as it was before.
    """
    if event.type == "order_placed":
        return _place(event, at, book)
    if event.type in ANSWER_TYPES:
        return _answer(event, at, book)
    return None


def _place(event: Event, at: int, book: OrderBook) -> Order | None:
    said: dict[str, Any] = {"event": event.id, "at": at}
    for key in ("id", "item", "quantity", "note"):
        if event.data.get(key) is not None:
            said[key] = _kept(event.data[key])
    order = book.get(event.source, order_number(said.get("id"), event.id))
    if order and event.id in (order.event, *(other.event for other in order.behind)):
        return None  # heard before
    if (order.state if order else None, event.type) in TRANSITIONS:
        return Order(customer=event.source, **said)
    if order and order.state == "placed" and len(order.behind) < MOST_REMEMBERED:
        return replace(order, behind=(*order.behind, Placing(**said)))
    return None


def _answer(event: Event, at: int, book: OrderBook) -> Order | None:
    order = _answered_order(event.data, book)
    if order is None:
        return None
    names = event.data.get("event") or order.event
    if names == order.event:
        return _settle(order, event, at)
    return _settle_behind(order, names, event, at)


def _answered_order(data: dict[str, Any], book: OrderBook) -> Order | None:
    """The order that an answer with this data is for, if there is one."""
    customer, placed = data.get("customer"), data.get("event")
    if not isinstance(customer, str | None) or not isinstance(placed, str | None):
        return None
    number = order_number(data.get("id"), placed or "")
    if customer and placed:
        return book.get(customer, number)
    return book.oldest_pending(number, customer)


def _settle(order: Order, event: Event, at: int) -> Order | None:
    """The order after an answer to the placing that it stands for."""
    state = TRANSITIONS.get((order.state, event.type))
    if state is None:
        return _answered_again(order, event.source)
    if state == "rejected" and order.behind:
        following, *behind = order.behind
        return Order.of(following, order.customer, tuple(behind))
    is_rejected = state == "rejected"
    return replace(
        order,
        state=state,
        confirmer=event.source,
        answer=event.id,
        answered_at=at,
        reason=_text(event.data.get("reason")) if is_rejected else None,
        message=_text(event.data.get("message")) if is_rejected else None,
        behind=(),
    )


def _settle_behind(order: Order, names: str, event: Event, at: int) -> Order | None:
    """The order after an answer to a placing that waits behind; None if none such does."""
    placing = next((placing for placing in order.behind if placing.event == names), None)
    if placing is None:
        return None
    if event.type == "order_confirmed":
        return _settle(Order.of(placing, order.customer), event, at)
    behind = tuple(other for other in order.behind if other is not placing)
    return replace(order, behind=behind)


def _answered_again(order: Order, name: str) -> Order | None:
    if name == order.confirmer or name in order.also or len(order.also) >= MOST_REMEMBERED:
        return None
    return replace(order, also=(*order.also, name))


def _text(value: object) -> str | None:
    return value[:LONGEST_KEPT] if isinstance(value, str) else None


def _kept(value: Any) -> Any:
    """What was sent, as much of it as anyone reads: the event in the log has all."""
    if isinstance(value, str):
        return value[:LONGEST_KEPT]
    if isinstance(value, dict | list) and len(json.dumps(value)) > LONGEST_KEPT:
        return None
    return value

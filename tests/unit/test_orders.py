"""Where each order stands, as a fold of the log."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from orders.domain.envelope import Event
from orders.domain.orders import (
    LONGEST_KEPT,
    LONGEST_NUMBER,
    MOST_REMEMBERED,
    TRANSITIONS,
    Order,
    fold,
    order_number,
)


class Book:
    """The plainest order book there can be, folding what it is told."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.orders: dict[tuple[str, str], Order] = {}
        self.time = 0
        for event in events:
            self.tell(event)

    def get(self, customer: str, number: str) -> Order | None:
        return self.orders.get((customer, number))

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        pending = [
            order
            for order in self.orders.values()
            if order.state == "placed"
            and order.number == number
            and customer in (None, order.customer)
        ]
        return min(pending, key=lambda order: order.at, default=None)

    def tell(self, event: Event) -> Order | None:
        self.time += 1
        order = fold(event, self.time, self)
        if order:
            self.orders[order.customer, order.number] = order
        return order


def uuid(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


def event(n: int, type_: str, source: str, **data: Any) -> Event:
    return Event(id=uuid(n), type=type_, created="1676554735324", source=source, data=data)


def placed(n: int, source: str = "alice", **data: Any) -> Event:
    return event(n, "order_placed", source, **({"id": 5} | data))


def answered(n: int, verdict: str, of: int, source: str = "bob", **data: Any) -> Event:
    return event(
        n, f"order_{verdict}", source, **({"id": 5, "customer": "alice", "event": uuid(of)} | data)
    )


def alices(book: Book, number: str = "5") -> Order:
    order = book.get("alice", number)
    assert order is not None
    return order


def test_an_order_placed_is_an_entry_with_what_was_sent() -> None:
    order = alices(Book([placed(1, item="espresso", quantity=2, note="no sugar")]))
    assert (order.customer, order.id, order.number, order.state) == ("alice", 5, "5", "placed")
    assert (order.item, order.quantity, order.note) == ("espresso", 2, "no sugar")
    assert (order.event, order.at) == (uuid(1), 1)


def test_an_order_of_a_number_alone_is_for_one_of_something() -> None:
    order = alices(Book([placed(1)]))
    assert (order.item, order.quantity, order.note) == (None, 1, None)


def test_a_confirmation_says_who_when_and_by_which_event() -> None:
    order = alices(Book([placed(1), answered(2, "confirmed", 1)]))
    assert (order.state, order.confirmer) == ("confirmed", "bob")
    assert (order.answer, order.answered_at, order.reason) == (uuid(2), 2, None)


def test_a_rejection_keeps_its_reason() -> None:
    order = alices(
        Book([placed(1), answered(2, "rejected", 1, reason="unknown_item", message="No.")])
    )
    assert (order.state, order.reason, order.message) == ("rejected", "unknown_item", "No.")


def test_a_rejection_frees_the_number() -> None:
    book = Book([placed(1, quantity=0), answered(2, "rejected", 1, reason="invalid_quantity")])
    book.tell(placed(3, quantity=3))
    order = alices(book)
    assert (order.state, order.event, order.quantity) == ("placed", uuid(3), 3)
    assert (order.confirmer, order.reason, order.answer) == (None, None, None)


def test_two_customers_with_one_number_are_two_orders() -> None:
    book = Book([placed(1), placed(2, "carol"), answered(3, "confirmed", 1)])
    assert alices(book).state == "confirmed"
    assert book.orders["carol", "5"].state == "placed"


def test_the_first_answer_counts_and_later_ones_are_noted_once_each() -> None:
    book = Book([placed(1), answered(2, "confirmed", 1)])
    assert book.tell(answered(3, "rejected", 1, "bob-2"))
    assert not book.tell(answered(4, "confirmed", 1, "bob-2"))
    assert not book.tell(answered(5, "confirmed", 1, "bob"))
    order = alices(book)
    assert (order.state, order.confirmer, order.also) == ("confirmed", "bob", ("bob-2",))


def test_a_rejected_order_is_not_confirmed_by_a_late_answer() -> None:
    book = Book([placed(1), answered(2, "rejected", 1), answered(3, "confirmed", 1, "bob-2")])
    assert (alices(book).state, alices(book).also) == ("rejected", ("bob-2",))


def test_an_answer_to_an_event_that_is_not_the_order_changes_nothing() -> None:
    book = Book([placed(1)])
    assert book.tell(answered(2, "confirmed", 99)) is None
    assert book.tell(answered(3, "confirmed", 1, customer="carol")) is None
    assert alices(book).state == "placed"


@pytest.mark.parametrize(
    "named", [{}, {"customer": "carol"}, {"event": uuid(1)}, {"customer": None, "event": None}]
)
def test_an_answer_that_leaves_something_out_is_for_the_oldest_pending(named: Any) -> None:
    book = Book([placed(1, "carol"), placed(2, "alice")])
    book.tell(event(3, "order_confirmed", "bob", id=5, **named))
    assert book.orders["carol", "5"].state == "confirmed"
    assert alices(book).state == "placed"


def test_a_second_placing_leaves_a_pending_order_as_it_is() -> None:
    book = Book([placed(1, quantity=1), placed(2, quantity=2)])
    assert (alices(book).event, alices(book).quantity) == (uuid(1), 1)
    book.tell(answered(3, "rejected", 2, reason="duplicate_order"))
    assert (alices(book).state, alices(book).behind) == ("placed", ())


def test_a_second_placing_after_the_confirmation_changes_nothing() -> None:
    book = Book([placed(1), answered(2, "confirmed", 1)])
    assert book.tell(placed(3)) is None


def test_a_confirmation_of_the_second_placing_confirms_the_order_as_that_placed_it() -> None:
    book = Book([placed(1, quantity=1), placed(2, quantity=2)])
    book.tell(answered(3, "confirmed", 2))
    book.tell(answered(4, "rejected", 1, reason="duplicate_order"))
    order = alices(book)
    assert (order.state, order.event, order.quantity) == ("confirmed", uuid(2), 2)


def test_a_rejection_passes_the_order_to_the_placing_behind_it() -> None:
    book = Book([placed(1, quantity=0), placed(2, quantity=2), placed(3, quantity=3)])
    book.tell(answered(4, "rejected", 1))
    assert (alices(book).state, alices(book).event) == ("placed", uuid(2))
    book.tell(answered(5, "rejected", 3))
    book.tell(answered(6, "confirmed", 2))
    assert (alices(book).state, alices(book).quantity) == ("confirmed", 2)


def test_a_placing_that_is_heard_twice_changes_nothing() -> None:
    book = Book([placed(1), placed(2)])
    assert book.tell(placed(1)) is None
    assert book.tell(placed(2)) is None
    book.tell(answered(3, "rejected", 2))
    book.tell(answered(4, "rejected", 1))
    assert book.tell(placed(1)) is None
    assert alices(book).state == "rejected"


def test_nobody_can_swell_an_order() -> None:
    book = Book([placed(n) for n in range(1, 100)])
    assert len(alices(book).behind) == MOST_REMEMBERED
    book.tell(answered(200, "confirmed", 1))
    for n in range(100):
        book.tell(answered(300 + n, "confirmed", 1, f"bob-{n}"))
    assert len(alices(book).also) == MOST_REMEMBERED


def test_an_order_without_a_number_is_known_by_its_event() -> None:
    nameless = event(1, "order_placed", "alice", item="espresso")
    book = Book([nameless])
    assert alices(book, uuid(1)).number == uuid(1)
    book.tell(answered(2, "rejected", 1, id=None))
    assert alices(book, uuid(1)).state == "rejected"


@pytest.mark.parametrize("strange", ["five", 5.5, True, [1], {"a": None}, -1, "x" * 1000])
def test_an_order_with_a_strange_number_can_be_rejected_by_hand(strange: Any) -> None:
    book = Book([placed(1, id=strange)])
    (order,) = book.orders.values()
    assert order.id == (strange[:LONGEST_KEPT] if isinstance(strange, str) else strange)
    assert len(order.number) <= LONGEST_NUMBER
    book.tell(answered(2, "rejected", 1, id=strange))
    assert book.orders["alice", order.number].state == "rejected"


def test_of_what_nobody_would_read_an_order_keeps_the_beginning_or_nothing() -> None:
    book = Book([placed(1, id={"a": "x" * 1000}, item="x" * 1000, note=["x" * 1000])])
    (order,) = book.orders.values()
    assert (order.id, order.item, order.note) == (None, "x" * LONGEST_KEPT, None)
    assert order.number == uuid(1)
    book.tell(answered(2, "rejected", 1, id={"a": "x" * 1000}, message="x" * 1000))
    (order,) = book.orders.values()
    assert (order.state, order.message) == ("rejected", "x" * LONGEST_KEPT)


def test_five_and_five_point_nought_are_one_number_but_text_and_truth_are_not() -> None:
    assert order_number(5.0, "") == order_number(5, "") == "5"
    numbers: list[JsonValue] = [1, "1", True, [1]]
    assert len({order_number(number, "") for number in numbers}) == 4


def test_other_events_change_no_order() -> None:
    book = Book([placed(1)])
    assert book.tell(event(2, "order_shipped", "alice", id=5)) is None
    assert book.tell(event(3, "invoice.paid", "alice", id=5)) is None


def test_every_transition_begins_or_ends_a_pending_order() -> None:
    assert all("placed" in (before, after) for (before, _), after in TRANSITIONS.items())


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
datas = st.dictionaries(
    st.sampled_from(["id", "item", "quantity", "note", "customer", "event", "reason", "message"]),
    st.sampled_from([5, "alice", "carol", uuid(1), uuid(2)]) | json_values,
)
types = st.sampled_from(["order_placed", "order_confirmed", "order_rejected"])
logs = st.lists(st.tuples(types, st.sampled_from(["alice", "carol", "bob"]), datas), max_size=12)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(logs)
def test_no_shape_of_data_makes_the_fold_fail_and_every_order_can_be_stored(
    log: list[tuple[str, str, dict[str, Any]]],
) -> None:
    book = Book()
    for n, (type_, source, data) in enumerate(log, 1):
        order = book.tell(event(n, type_, source, **data))
        if order:
            again = Order.from_json(order.to_json())
            assert again.number == order.number
            assert json.loads(again.to_json()) == json.loads(order.to_json())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(logs)
def test_what_was_confirmed_stays_confirmed(log: list[tuple[str, str, dict[str, Any]]]) -> None:
    book = Book([placed(901), answered(902, "confirmed", 901, "bob")])
    for n, (type_, source, data) in enumerate(log, 1):
        book.tell(event(n, type_, source, **data))
    assert (alices(book).state, alices(book).event) == ("confirmed", uuid(901))

"""Bob's rules, and the ids under which he answers."""

from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orders.domain.confirming import (
    REASONS,
    Confirmed,
    Rejected,
    answer_data,
    answer_id,
    decide,
    duplicate_of,
    id_after,
)
from orders.domain.envelope import Event
from orders.domain.menu import MENU
from orders.domain.orders import Order, OrderPlaced

E1 = "69688550-5be2-41e4-a057-b9da2d59eb03"
E2 = "69688550-5be2-41e4-a057-b9da2d59eb04"


class Knowing:
    """An order book of the orders given."""

    def __init__(self, *orders: Order) -> None:
        self.orders = orders

    def get(self, customer: str, number: str) -> Order | None:
        known = (o for o in self.orders if (o.customer, o.number) == (customer, number))
        return next(known, None)

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        raise AssertionError("the rules need no such thing")


def placed(data: dict[str, Any], event: str = E1, source: str = "alice") -> Event:
    return Event(id=event, type="order_placed", created="1", source=source, data=data)


def reason(data: dict[str, Any], *known: Order) -> str | None:
    answer = decide(placed(data), Knowing(*known))
    return answer.reason if isinstance(answer, Rejected) else None


@pytest.mark.parametrize(
    "data",
    [
        {"id": 5},
        {"id": 5.0},
        {"id": 1, "quantity": 1},
        {"id": 5, "item": MENU[0], "quantity": 100, "note": "x" * 200},
        {"id": 5, "item": None, "quantity": None, "note": None},
        {"id": 5, "note": "", "colour": "blue"},
    ],
)
def test_a_good_order_is_confirmed(data: dict[str, Any]) -> None:
    assert decide(placed(data), Knowing()) == Confirmed()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "invalid_id"),
        ({"id": None}, "invalid_id"),
        ({"id": 0}, "invalid_id"),
        ({"id": -5}, "invalid_id"),
        ({"id": "5"}, "invalid_id"),
        ({"id": 5.5}, "invalid_id"),
        ({"id": True}, "invalid_id"),
        ({"id": [5]}, "invalid_id"),
        ({"id": 5, "quantity": 0}, "invalid_quantity"),
        ({"id": 5, "quantity": 101}, "invalid_quantity"),
        ({"id": 5, "quantity": "2"}, "invalid_quantity"),
        ({"id": 5, "quantity": True}, "invalid_quantity"),
        ({"id": 5, "quantity": {}}, "invalid_quantity"),
        ({"id": 5, "item": "gold"}, "unknown_item"),
        ({"id": 5, "item": ""}, "unknown_item"),
        ({"id": 5, "item": [MENU[0]]}, "unknown_item"),
        ({"id": 5, "note": "x" * 201}, "invalid_note"),
        ({"id": 5, "note": 7}, "invalid_note"),
    ],
)
def test_a_wrong_order_is_rejected_for_a_stable_reason(data: dict[str, Any], expected: str) -> None:
    answer = decide(placed(data), Knowing())
    assert isinstance(answer, Rejected)
    assert answer.reason == expected
    assert expected in REASONS
    assert answer.message.endswith(".")
    assert "\n" not in answer.message


def test_a_rejection_says_what_was_sent_and_what_was_expected() -> None:
    answer = decide(placed({"id": "five"}), Knowing())
    assert isinstance(answer, Rejected)
    assert answer.message == 'The order number was "five": give a whole number from 1, such as 5.'


def test_the_first_thing_wrong_is_what_is_said() -> None:
    assert reason({"id": 0, "quantity": 0, "item": "gold", "note": 1}) == "invalid_id"
    assert reason({"id": 5, "quantity": 0, "item": "gold", "note": 1}) == "invalid_quantity"
    assert reason({"id": 5, "item": "gold", "note": 1}) == "unknown_item"


def test_a_number_that_is_pending_or_confirmed_is_a_duplicate_and_a_rejected_one_is_free() -> None:
    known = Order(customer="alice", id=5, event=E2, at=1)
    assert reason({"id": 5}, known) == "duplicate_order"
    assert reason({"id": 5}, replace(known, state="confirmed")) == "duplicate_order"
    assert reason({"id": 5}, replace(known, state="rejected")) is None


def test_an_order_is_no_duplicate_of_itself_nor_of_another_customers() -> None:
    itself = Order(customer="alice", id=5, event=E1, at=1)
    carols = Order(customer="carol", id=5, event=E2, at=1)
    assert reason({"id": 5}, itself) is None
    assert reason({"id": 5}, replace(itself, state="confirmed")) is None
    assert reason({"id": 5}, carols) is None


def test_a_confirmation_bears_the_id_of_its_order_and_a_rejection_that_of_its_event() -> None:
    order, again = placed({"id": 5}), placed({"id": 5}, event=E2)
    expected = str(uuid5(NAMESPACE_URL, "orders:main/alice/5/confirmed"))
    assert answer_id("main", order, Confirmed()) == expected
    assert answer_id("main", again, Confirmed()) == expected
    assert answer_id("annex", order, Confirmed()) != expected
    assert id_after(expected) == "3e7456a6-2aaa-515a-b69c-c39319b809e0"  # as the pages have it
    rejected = duplicate_of(again)
    assert answer_id("main", again, rejected) == str(uuid5(NAMESPACE_URL, f"orders:{E2}/rejected"))
    assert answer_id("main", order, rejected) != answer_id("main", again, rejected)


def test_an_answer_names_its_order_and_a_rejection_says_why() -> None:
    order = placed({"id": 5})
    named = {"id": 5, "customer": "alice", "event": E1}
    assert answer_data(order, Confirmed()) == named
    assert answer_data(order, Rejected("other", "No.")) == {
        **named,
        "reason": "other",
        "message": "No.",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
likely = st.sampled_from([0, 1, 5, 100, 101, "", "x" * 201, *MENU])


@given(
    st.dictionaries(st.sampled_from(["id", "item", "quantity", "note"]), likely | json_values),
)
def test_the_rules_and_the_published_model_agree(data: dict[str, Any]) -> None:
    answer = decide(placed(data), Knowing())
    sent = {key: value for key, value in data.items() if value is not None}
    try:
        good = OrderPlaced.model_validate(sent).item in (None, *MENU)
    except ValidationError:
        good = False
    assert (answer == Confirmed()) == good
    assert answer_id("main", placed(data), answer)

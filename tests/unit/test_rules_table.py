"""Bob's rules and the fold are written twice, in Python and for the pages: one table holds both.

`tests/js/orders.test.mjs` reads the same file.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from orders.domain.confirming import Rejected, answer_id, decide
from orders.domain.envelope import Event
from orders.domain.orders import Order, fold

TABLE = json.loads(
    (Path(__file__).parents[1] / "data" / "bobs-rules.json").read_text(encoding="utf-8")
)


class Book(dict[tuple[str, str], Order]):
    """An order book in memory."""

    @classmethod
    def of(cls, events: list[dict[str, Any]]) -> "Book":
        book = cls()
        for at, event in enumerate(events, 1):
            order = fold(Event.model_validate(event), at, book)
            if order:
                book[order.customer, order.number] = order
        return book

    def get(self, customer: str, number: str) -> Order | None:  # type: ignore[override]
        return super().get((customer, number))

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        pending = (
            order
            for order in self.values()
            if order.state == "placed"
            and order.number == number
            and customer in (None, order.customer)
        )
        return min(pending, key=lambda order: order.at, default=None)


@pytest.mark.parametrize("row", TABLE["decide"], ids=lambda row: row["case"])
def test_bob_decides_as_the_table_says(row: dict[str, Any]) -> None:
    placed = Event.model_validate(row["placed"])
    answer = decide(placed, Book.of(row["before"]))
    said = {"type": answer.type}
    if isinstance(answer, Rejected):
        said |= {"reason": answer.reason, "message": answer.message}
    assert said == row["answer"]
    assert answer_id("main", placed, answer) == row["id"]


@pytest.mark.parametrize("row", TABLE["fold"], ids=lambda row: row["case"])
def test_the_fold_leaves_the_orders_as_the_table_says(row: dict[str, Any]) -> None:
    orders = Book.of(row["events"]).values()
    assert [json.loads(order.to_json()) for order in orders] == row["orders"]

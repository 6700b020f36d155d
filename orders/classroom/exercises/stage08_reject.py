"""Reject, with a reason.

Not every order is good. Your program answers a bad one with `order_rejected`: `id`, `customer`
and `event` as before, `reason` (invalid_id, invalid_quantity, unknown_item, invalid_note: the
first that applies) and `message`, a sentence.

Judged: bad orders of each kind, and a good one among them.
"""

from typing import Any

from orders.classroom.answers import answered, once
from orders.classroom.exam import Exam

HINTS = (
    "`id` is a whole number from 1; `quantity` one from 1 to 100, and 1 if it is missing.",
    "`item` is from the menu, or missing; `note` a text of at most 200 characters, or missing.",
)


async def judge(exam: Exam) -> None:
    await exam.modes("pubsub")
    alice = await exam.join()
    wrong: list[dict[str, Any]] = [
        {"id": exam.rng.choice([0, -7, "five", 2.5])},
        {"quantity": exam.rng.choice([0, 101, -1, "two"])},
        {"item": exam.rng.choice(["pizza", "Espresso", "a golden goose"])},
        {"note": "very " * 50},
    ]
    exam.rng.shuffle(wrong)
    wrong.insert(2, {})
    orders = []
    for bad in wrong:
        orders.append(await exam.send(alice, "order_placed", exam.order(**bad)))
        await answered(exam, orders[-1])
    await exam.quiet()
    for sent in orders:
        once(exam, sent, "Reject an order, or confirm it, not both.")

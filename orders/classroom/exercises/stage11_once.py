"""The same order twice, one confirmation.

At least once means: sometimes twice. The same event may come to you again; and a customer may
use a number again, for another order. The first is answered once; the second is rejected as
`duplicate_order`. A number that was rejected is free again.

Judged: an event that comes twice, a second order under its number, and an order that was rejected
and is placed again, as it should be.
"""

from orders.classroom.answers import answered, check, expected_of, once
from orders.classroom.exam import ANSWERS, Exam
from orders.classroom.exercises.stage09_queue import acked
from orders.domain.confirming import Rejected

HINTS = (
    "Remember which events you have answered, by their ids, and ack one that comes again.",
    "Remember (customer, number) of what you confirmed: that is an order.",
    "What you rejected was never an order: its number may come again.",
)
USED = "You have confirmed another order of this customer under its number: reject this one."
TWICE = "It was the same event, by its id: answer it once, and ack it."


async def judge(exam: Exam) -> None:
    await exam.modes("pubsub", "queue")
    await exam.tidy()
    alice = await exam.join()
    for name in exam.students():
        await exam.fault(name, "deliver_twice")
    order = exam.order()
    first = await exam.send(alice, "order_placed", order)
    await answered(exam, first)
    await exam.quiet()
    once(exam, first, TWICE)
    again = await exam.send(alice, "order_placed", order)
    await exam.until(lambda: exam.about(again, *ANSWERS))
    right = expected_of(again)
    right["type"] = Rejected.type
    right["data"] |= {"reason": "duplicate_order", "message": "…"}
    if not exam.about(again, *ANSWERS):
        hint = "Another id is another event, though the order's number is the same: reject it."
        await exam.silence(again, f"order_rejected, duplicate_order: {first.data['id']}", hint)
    check(again, exam.about(again, *ANSWERS)[0], right, USED)
    await acked(exam, again)
    order = exam.order()
    for quantity in (0, 1):
        sent = await exam.send(alice, "order_placed", {**order, "quantity": quantity})
        await answered(exam, sent)
    once(exam, first, TWICE)  # a slow one's second answer is here by now

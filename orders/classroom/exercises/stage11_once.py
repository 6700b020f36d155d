"""The same order twice, one confirmation.

At least once means: sometimes twice. The same event may come to you again; and a customer may
use a number again, for another order. The first is answered once; the second is rejected as
`duplicate_order`.

Judged: an event that comes twice, and a second order under its number.
"""

from orders.classroom.answers import answered, check, expected_of, once
from orders.classroom.exam import ANSWERS, Exam
from orders.domain.confirming import Rejected

HINTS = (
    "Remember which events you have answered, by their ids, and ack one that comes again.",
    "Remember (customer, number) of what you confirmed: that is an order.",
)


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
    once(exam, first, "It was the same event, by its id: answer it once, and ack it.")
    again = await exam.send(alice, "order_placed", order)
    await exam.until(lambda: exam.about(again, *ANSWERS))
    right = expected_of(again)
    right["type"] = Rejected.type
    right["data"] |= {"reason": "duplicate_order", "message": "…"}
    answers = exam.about(again, *ANSWERS)
    if not answers:
        hint = "Another id is another event, though the order's number is the same: reject it."
        await exam.silence(again, f"order_rejected, duplicate_order: {first.data['id']}", hint)
    check(again, answers[0], right)

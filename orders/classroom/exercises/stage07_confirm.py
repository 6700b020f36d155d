"""Confirm.

Now your program is Bob. It answers a good order with `order_confirmed`; in its data: `id`, the
order's number; `customer`, who placed it; `event`, the id of its order_placed.

Judged: two people order under the same number, and each is confirmed, once.
"""

from orders.classroom.answers import answered, once
from orders.classroom.exam import Exam

HINTS = (
    "Take all three from the event that you heard: data.id, source, id.",
    "Keep nothing in a variable that the next order would overwrite.",
)


async def judge(exam: Exam) -> None:
    await exam.modes("pubsub")
    alice, carol = await exam.join(), await exam.join()
    order = exam.order()
    both = [await exam.send(who, "order_placed", order) for who in (alice, carol)]
    for sent in both:
        await answered(exam, sent)
    await exam.quiet()
    for sent in both:
        once(exam, sent, "Answer an order when you hear it, and only then.")

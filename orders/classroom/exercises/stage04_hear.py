"""Hear one, and repeat its id.

Carol places an order. Your program hears it, and sends an event of its own, of any type, whose
data has `event`: the `id` of what it heard.

Judged: an event of yours that names Carol's.
"""

from orders.classroom.answers import reaction
from orders.classroom.exam import Exam

HINTS = (
    "Each message is a text with one JSON object: parse it, look at its `type`.",
    'The answer may look like this: {"type": "order_heard", "data": {"event": "…"}}.',
)


async def judge(exam: Exam) -> None:
    await exam.modes("relay")
    carol = await exam.join()
    sent = await exam.send(carol, "order_placed", exam.order())
    await reaction(exam, sent, "React to each message in a loop: your program hears more than one.")

"""Take from a queue, answer, then ack.

Orders are queued now: each goes to one worker. Your program joins with
`types=order_placed&ack=manual`, answers what it is handed, and when the broker has accepted its
answer it sends `broker.ack` with `event`, the order's id.

Judged: two orders, each handed to you, answered, and then acked.
"""

from orders.classroom.answers import answered
from orders.classroom.exam import Event, Exam, Failed, Sent

HINTS = (
    'The ack: {"type": "broker.ack", "data": {"event": "…"}}.',
    "Why in this order? If you die between the two, the order must not be lost.",
)
EXPECTED = "you take it, answer it, and then ack it"
NOT_ACKED = (
    "You answered it and did not ack it, so the broker gives it to another: ack each, also one that"
    " you reject."
)


def settled(exam: Exam, sent: Sent) -> Event | None:
    return next((one for one in exam.since(sent, "settled") if one["event"] == sent.id), None)


def acked_first(exam: Exam, sent: Sent) -> bool:
    """Whether the ack stands in the log before any answer: when we look does not count."""
    for record in exam.records[sent.since :]:
        if record["kind"] == "settled" and record["event"] == sent.id:
            return True
        if record["kind"] == "event" and record["event"] in exam.about(sent):
            return False
    return False


async def judge(exam: Exam) -> None:
    await exam.modes("pubsub", "queue")
    await exam.tidy()
    alice = await exam.join()
    for _ in range(2):
        await done(exam, await exam.send(alice, "order_placed", exam.order()))


async def done(exam: Exam, sent: Sent) -> None:
    """`Failed` unless the student takes an order, answers it, then acks it."""
    handed = await exam.until(
        lambda: [r for r in exam.since(sent, "handed") if r["event"] == sent.id]
    )
    if not handed:
        hint = "Name order_placed exactly in `types`: a pattern, or *, only listens to a queue."
        await exam.silence(sent, EXPECTED, hint)
    if handed[0]["lease"] is None:
        hint = "Add ack=manual to your address: with ack=auto handing it over settles it."
        raise Failed(str(sent), EXPECTED, "you took it with ack=auto", hint, sent.id)
    await exam.until(lambda: settled(exam, sent) or exam.about(sent))
    if acked_first(exam, sent):
        hint = "Answer first, and ack when broker.accepted has come for your answer."
        raise Failed(str(sent), EXPECTED, "an ack, and no answer before it", hint, sent.id)
    await answered(exam, sent)
    await acked(exam, sent)


async def acked(exam: Exam, sent: Sent) -> None:
    """`Failed` unless the student acks what it has answered."""
    if not await exam.until(lambda: settled(exam, sent)):
        await exam.silence(sent, EXPECTED, NOT_ACKED)

"""Finish the shift.

Another Bob is slow and goes home in the middle of an order; an ack of yours gets lost; one order
is poison: its data is nothing that you would expect. Your program answers every order once, and
acks each.

Judged: five orders; at the end all are answered, once, and nothing is left in the queue.
"""

import asyncio
from functools import partial

from orders.classroom.answers import answered, once
from orders.classroom.exam import Exam, Failed
from orders.classroom.exercises.stage09_queue import EXPECTED, NOT_ACKED, settled

HINTS = (
    "When its ack was lost an order comes again, with `attempt` 2: ack it, and answer nothing.",
    "Take nothing in an order's data for granted: it may be missing, or a list.",
)
LATE = 1.2  # seconds in which a second answer to what was answered may come
COMES_AGAIN = "An order whose ack was lost comes again, with `attempt` 2: it wants another ack."
ANSWERED = "It came again because its ack was lost: you had answered it already."
POISON = ({"id": True}, {"id": None}, {"id": [5]}, {"item": ["mint tea"]}, {"quantity": {"n": 1}})


async def judge(exam: Exam) -> None:
    await exam.modes("pubsub", "queue")
    await exam.tidy()
    alice = await exam.join()
    rival = await exam.join(listen=True, types="order_placed", ack="manual")
    for name in exam.students():
        await exam.fault(name, "lose_ack")
    poison = exam.order(**exam.rng.choice(POISON))
    orders = [exam.order() for _ in range(4)]
    orders.insert(exam.rng.randrange(1, 4), poison)
    sent = [await exam.send(alice, "order_placed", order) for order in orders]
    await exam.until(lambda: [r for r in exam.since(sent[0], "handed") if r["name"] == rival.name])
    await rival.close()  # in the middle of an order
    faults = partial(exam.since, sent[0], "fault")
    lost = await exam.until(lambda: [one["event"] for one in faults() if one["event"]]) or []
    for name in exam.students():
        await exam.fault(name, "end_lease")
    await exam.until(lambda: all(settled(exam, one) for one in sent), moving=True)
    for one in sent:
        if any(dead["event"] == one.id for dead in exam.since(one, "dead")):
            hint = "A nack only brings it again: reject what you cannot make, and ack it."
            raise Failed(str(one), EXPECTED, "you gave it back until it was dead", hint, one.id)
        await answered(exam, one)
        if not settled(exam, one):
            await exam.silence(one, EXPECTED, COMES_AGAIN if one.id in lost else NOT_ACKED)
    await asyncio.sleep(LATE)
    for one in sent:
        once(exam, one, ANSWERED if one.id in lost else "One answer is enough: it was accepted.")

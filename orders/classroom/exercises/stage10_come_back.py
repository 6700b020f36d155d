"""Be cut off, and come back.

Connections end, and nobody says so. Your program comes back, says with `after=` which event it
saw last, and so hears what it missed, in order. It answers nothing twice.

Judged: your connection is cut; two orders come meanwhile; each is answered once, and none from
before again.
"""

from orders.classroom.answers import answered, once
from orders.classroom.exam import ANSWERS, Event, Exam, Failed
from orders.clock import monotonic

HINTS = (
    "Remember the id of each event as you handle it, also those that were not for you.",
    "Where a connection ends, wait a moment and connect again, in a loop.",
)
AWAY = 10.0  # seconds in which a program must be back, if it answers at once


async def judge(exam: Exam) -> None:
    await exam.modes("pubsub")
    alice = await exam.join()
    before = await exam.send(alice, "order_placed", exam.order())
    began = monotonic()
    await answered(exam, before)
    away = max(AWAY, 20 * (monotonic() - began))  # a program on a busy machine takes its time
    names = exam.students()
    for name in names:
        await exam.fault(name, "hold_in", seconds=300)
    missed = [await exam.send(alice, "order_placed", exam.order()) for _ in range(2)]
    for name in names:
        await exam.fault(name, "cut")

    def back() -> list[Event]:
        return [one for one in exam.since(missed[1], "joined") if one["name"] not in exam.ours]

    if not await exam.until(back, away):
        await exam.check_echo()
        cut = f"we cut your connection, and {alice.name} placed two orders meanwhile"
        hint = "Wait a moment when the connection ends, then connect again: in a loop."
        expected = "your program comes back, within 10 s"
        raise Failed(cut, expected, "nobody came back", hint, missed[0].id)
    has_answered = await exam.until(lambda: exam.about(missed[0], *ANSWERS))
    if not has_answered and not any(one["after"] for one in back()):
        hint = "Add after=, with the id of the last event that you heard, when you connect again."
        came = f"{back()[0]['name']} came back without `after`"
        await exam.silence(missed[0], "it says what it saw last, and hears this", hint, came)
    for sent in missed:
        await answered(exam, sent)
    await exam.quiet()
    for sent in (before, *missed):
        once(exam, sent, "You came back too far: remember the last event that you heard.")

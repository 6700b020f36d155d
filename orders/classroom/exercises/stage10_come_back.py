"""Be cut off, and come back.

Connections end, and nobody says so. Your program comes back, says with `after=` which event it
saw last, and so hears what it missed, in order. It answers nothing twice.

Judged: your connection is cut; two orders come meanwhile; each is answered once, and none from
before again.
"""

from orders.classroom.answers import answered, once
from orders.classroom.exam import Exam, Failed

HINTS = (
    "Remember the id of each event as you handle it, also those that were not for you.",
    "Where a connection ends, wait a moment and connect again, in a loop.",
)
AWAY = 10.0  # seconds in which a program must be back


async def judge(exam: Exam) -> None:
    await exam.modes("pubsub")
    alice = await exam.join()
    before = await exam.send(alice, "order_placed", exam.order())
    await answered(exam, before)
    names = exam.students()
    for name in names:
        await exam.fault(name, "hold_in", seconds=300)
    missed = [await exam.send(alice, "order_placed", exam.order()) for _ in range(2)]
    for name in names:
        await exam.fault(name, "cut")
    cut = f"we cut your connection, and {alice.name} placed two orders meanwhile"
    await exam.until(lambda: exam.since(missed[0], "left") or not exam.students())
    back = await exam.until(
        lambda: [one for one in exam.since(missed[1], "joined") if one["name"] not in exam.ours],
        AWAY,
    )
    if not back:
        hint = "Wait a moment when the connection ends, then connect again: in a loop."
        raise Failed(cut, "your program comes back", "nobody came back, within 10 s", hint)
    if not back[0]["after"]:
        hint = "Add after=, with the id of the last event that you heard, when you connect again."
        came = f"{back[0]['name']} came back without `after`"
        raise Failed(cut, "it says what it saw last", came, hint, missed[0].id)
    for sent in missed:
        await answered(exam, sent)
    await exam.quiet()
    for sent in (before, *missed):
        once(exam, sent, "You came back too far: remember the last event that you heard.")

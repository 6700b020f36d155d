"""Pick from a relay what is yours.

In relay everybody hears everything: orders, the answers of others, the weather, and what you
sent yourself. Your program answers each `order_placed` once, and nothing else.

Judged: two orders of two people, with other events between them.
"""

from orders.classroom.answers import once, reaction
from orders.classroom.exam import Exam, Failed, described

HINTS = (
    "Compare `type` with order_placed, and let everything else pass.",
    "You hear your own events as well, unless you join with echo=false.",
)


async def judge(exam: Exam) -> None:
    await exam.modes("relay")
    alice, carol = await exam.join(), await exam.join()
    weather = await exam.send(carol, "weather_changed", {"id": exam.rng.randrange(1, 99)})
    first = await exam.send(alice, "order_placed", exam.order())
    answer = await exam.send(carol, "order_confirmed", {"id": 1, "customer": "nobody"})
    second = await exam.send(carol, "order_placed", exam.order())
    for sent in (first, second):
        await reaction(exam, sent, "Go on after the first order: answer each that comes.")
    await exam.quiet()
    noise = {one.id: str(one) for one in (weather, answer)}
    noise |= {
        event["id"]: "an event of your own came back to you"
        for event in exam.theirs(weather)
        if event["type"] != "order_placed"
    }
    for event in exam.theirs(weather):
        if what := noise.get(event["data"].get("event")):
            hint = "Answer order_placed only: look at the type first."
            raise Failed(what, "no answer", described(event), hint, event["id"])
    for sent in (first, second):
        types = [event["type"] for event in exam.about(sent)]
        if len(types) > len(set(types)):
            hint = "One answer for each event: is there a loop round your send?"
            came = f"{len(types)} answers: {', '.join(types[:4])}"
            raise Failed(str(sent), "one answer", came, hint, sent.id)
        once(exam, sent, "Confirm an order, or reject it, not both.")

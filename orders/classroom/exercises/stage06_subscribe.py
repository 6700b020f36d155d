"""Subscribe, and hear only that.

The room publishes now: you hear what you asked for. Your program asks for `order_placed` alone,
with `types=order_placed` in its address or with `broker.subscribe`.

Judged: an order reaches you and is answered; the weather does not reach you.
"""

from orders.classroom.answers import reaction
from orders.classroom.exam import Exam, Failed

HINTS = (
    "In the address: ?room=…&types=order_placed.",
    'Or as a message: {"type": "broker.subscribe", "data": {"types": ["order_placed"]}}.',
)


async def judge(exam: Exam) -> None:
    await exam.modes("pubsub")
    carol = await exam.join()
    weather = await exam.send(carol, "weather_changed", {"sun": exam.rng.randrange(1, 99)})
    sent = await exam.send(carol, "order_placed", exam.order())
    await reaction(exam, sent, "In publish–subscribe you hear nothing that you did not ask for.")
    explained = await exam.host("GET", f"events/{weather.id}")
    for one in explained["recipients"]:
        if one["received"] and one["name"] in exam.students():
            types = ", ".join(exam.present[one["name"]]["types"])
            hint = (
                "Without `types` you are subscribed to *, which is everything: name what you want."
            )
            came = f"{one['name']} heard it: it is subscribed to {types}"
            raise Failed(str(weather), "you do not hear it", came, hint, weather.id)

"""Place an order.

Your program sends an `order_placed`. In its data: `id`, a whole number of your own from 1 on;
`item`, from the menu; `quantity`, from 1 to 100; a `note` if you like.

Judged: the log holds an order of yours that Bob would confirm.
"""

from orders.classroom.answers import verdict_of
from orders.classroom.exam import Exam, Failed, described

HINTS = (
    'An order with all that it needs: {"type": "order_placed", "data": {"id": 5}}.',
    "The menu stands in the contract; capitals matter.",
)


async def judge(exam: Exam) -> None:
    sent, expected = "we wait for an order of yours", "an order_placed that Bob would confirm"
    if await exam.words("order_placed", is_right=lambda order: not verdict_of(order)):
        return
    await exam.check_echo()
    if orders := await exam.words("order_placed", seconds=0):
        raise Failed(
            sent, expected, described(orders[-1]), verdict_of(orders[-1]), orders[-1]["id"]
        )
    near = [event for event in await exam.words(seconds=0) if "order" in event["type"]]
    came = described(near[-1]) if near else "no order, within 5 s"
    hint = "letter by letter" if near else "sent as soon as the socket is open"
    raise Failed(sent, expected, came, f"The type is order_placed, {hint}.")

"""What an answer to an order must be: the part of a judgement that several stages share."""

from orders.classroom.exam import ANSWERS, Event, Exam, Failed, Sent, described, shown
from orders.domain.confirming import Confirmed, Rejected, answer_data, decide
from orders.domain.envelope import Event as Envelope
from orders.domain.order_book import MemoryOrderBook

HINTS = {
    "id": 'Copy the order\'s number from its data as it is: 5 stays 5, and does not become "5".',
    "customer": "The customer is the `source` of the event that you heard: two customers may use"
    " one number.",
    "event": "`data.event` is the `id` of the event that you heard, at the top of its envelope; the"
    " order's number is `data.id`.",
    "reason": "The reasons stand in the contract, in the order in which Bob looks for them.",
    "message": "Say in `message` what was wrong, in a sentence for Alice.",
}
WRONG_TYPE = "An answer is order_confirmed or order_rejected, letter by letter."
NO_ANSWER = "When you hear order_placed, send an answer whose data names it."


async def reaction(exam: Exam, sent: Sent, hint: str) -> None:
    """Wait for an event of the student's that names ours."""
    expected = f'an event of yours with {{"event": "{sent.id}"}} in its data'
    if await exam.until(lambda: exam.about(sent)):
        return
    if near := exam.near(sent):
        await exam.silence(sent, expected, HINTS["event"], described(near[-1]))
    await exam.silence(sent, expected, hint)


async def answered(exam: Exam, sent: Sent) -> Event:
    """The student's one right answer to an order, by Bob's rules; `Failed` for any other."""
    right = expected_of(sent)
    expected = described(right)
    await exam.until(lambda: exam.about(sent, *ANSWERS))
    answers = exam.about(sent, *ANSWERS)
    if not answers:
        if near := exam.near(sent):
            hint = HINTS["event"] if near[-1]["type"] in ANSWERS else WRONG_TYPE
            await exam.silence(sent, expected, hint, described(near[-1]))
        await exam.silence(sent, expected, NO_ANSWER)
    check(sent, answers[0])
    return answers[0]


def expected_of(sent: Sent) -> Event:
    """The answer that Bob's rules give to an order that is its number's first."""
    placed = Envelope(
        id=sent.id, type=sent.type, created="1", source=sent.source, data=dict(sent.data)
    )
    decided = decide(placed, MemoryOrderBook())
    data = answer_data(placed, decided)
    return {"type": decided.type, "data": data | ({"message": "…"} if "message" in data else {})}


def verdict_of(placed: Event) -> str:
    """What is wrong with an order of the student's own; empty where Bob would confirm it."""
    decided = decide(Envelope(**placed), MemoryOrderBook())
    return decided.message if isinstance(decided, Rejected) else ""


def check(
    sent: Sent,
    answer: Event,
    right: Event | None = None,
    hint: str = "Not every order is good: check its data before you answer.",
) -> None:
    """`Failed` where an answer is not the right one; `hint` is for one who confirms a bad order."""
    right = right or expected_of(sent)
    if answer["type"] != right["type"]:
        if right["type"] == Confirmed.type:
            hint = "This order is good by Bob's rules: confirm it."
        raise Failed(str(sent), described(right), described(answer), hint, sent.id)
    for field, value in right["data"].items():
        came = answer["data"].get(field)
        if field == "message":
            is_right = isinstance(came, str) and bool(came.strip())
        else:
            is_right = shown(came) == shown(value) or _is_number(came, value)
        if not is_right:
            raise Failed(str(sent), described(right), described(answer), HINTS[field], sent.id)


def _is_number(came: object, value: object) -> bool:
    """Whether both are the same number: some languages write 5 as 5.0."""
    return type(came) is float and type(value) in (int, float) and came == value


def once(exam: Exam, sent: Sent, hint: str) -> None:
    """`Failed` where an order was answered more than once."""
    answers = exam.about(sent, *ANSWERS)
    if len(answers) > 1:
        came = f"{len(answers)} answers, the last {described(answers[-1])}"
        raise Failed(str(sent), "one answer", came, hint, sent.id)

"""Say something true.

Your program sends one event: a JSON object with a `type`, such as `hello_said`, and `data`, an
object. What is missing of `id`, `created` and `source` the broker stamps.

Judged: the room's log holds an event of yours.
"""

from orders.classroom.exam import Exam, Failed

HINTS = (
    'The smallest event there is: {"type": "hello_said", "data": {}}.',
    "Print each message that you hear: broker.error says in a sentence what was wrong.",
    "Send once the socket is open, not before: in a browser, in `onopen`.",
)


async def judge(exam: Exam) -> None:
    if await exam.words():
        return
    await exam.check_echo()
    raise Failed(
        "we wait for an event of yours",
        'an event in the log, such as {"type": "hello_said", "data": {}}',
        "nothing that the broker accepted, within 5 s",
        "Look for a broker.error among what your program hears: it says what was wrong.",
    )

"""Connect.

Your program opens a WebSocket to the address of your room, and stays.

Judged: somebody whom we did not send is in the room, and is still there a second later.
"""

from orders.classroom.exam import Exam, Failed

HINTS = (
    "Every language has a WebSocket library; browsers bring one: new WebSocket(address).",
    "A program that has nothing more to do ends. Wait for messages in a loop.",
)


async def judge(exam: Exam) -> None:
    sent, expected = f"we wait at {exam.address}", "your program joins, and stays"
    if not await exam.until(lambda: exam.known):
        await exam.check_echo()
        hint = "Start your program while the check waits, and use the whole address, with its room."
        raise Failed(sent, expected, "nobody joined, within 5 s", hint)
    if await exam.until(lambda: not exam.students(), 1.0):
        hint = "Your program ended, or closed the socket: let it wait for messages."
        raise Failed(sent, expected, f"{min(exam.known)} joined, and left again", hint)

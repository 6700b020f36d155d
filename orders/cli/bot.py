"""`orders bot`: Bob, with a line for each order."""

from collections.abc import Callable

from orders.cli.output import as_json, clock, note, note_connections, paint, printable, say
from orders.clients.address import understood
from orders.clients.bot import Bot, Handled
from orders.domain.confirming import Rejected
from orders.domain.envelope import Event


async def confirm_orders(
    url: str, room: str, name: str, delay: float, *, naive: bool, json: bool, of_server: bool
) -> None:
    """Answer orders until the server is done with us. One that the server itself started says
    nothing of its end: both end at the same Ctrl-C."""
    if not of_server:
        note_connections()
    bot = Bot(
        url,
        room=room,
        name=name,
        delay=delay,
        naive=naive,
        on_handled=_say_json if json else _say_line,
        on_broker=_noting(str(understood(url).server), ("going_down",) if of_server else ()),
    )
    await bot.run()


_WORTH_SAYING = ("broker.error", "broker.notice")
_EVERYDAY = ("id_conflict", "not_held", "rate_limited")  # what a Bob among Bobs deals with


def _noting(url: str, passed_over: tuple[str, ...]) -> Callable[[Event], None]:
    welcomes, everyday = 0, (*_EVERYDAY, *passed_over)

    def hear(said: Event) -> None:
        nonlocal welcomes
        if said.type == "broker.welcome":
            data = said.data
            again = " again" if welcomes else ""
            welcomes += 1
            note(f"{data['name']} is in room {data['room']} at {url}{again}, confirming orders.")
        elif said.type in _WORTH_SAYING and said.data.get("code") not in everyday:
            note(printable(str(said.data.get("message"))))

    return hear


def _say_line(handled: Handled) -> None:
    order = printable(f"{handled.placed.source}/{as_json(handled.placed.data.get('id'))}")[:40]
    attempt = handled.placed.attempt or 1
    again = paint(f"  (attempt {attempt})", "muted") if attempt > 1 else ""
    say(f"{clock()}  {order:<12}  {_outcome(handled)}{again}")


def _outcome(handled: Handled) -> str:
    if handled.error:
        return paint(f"not answered  {printable(handled.error.message)}", "rejected")
    if handled.by:
        return paint(f"had been answered by {handled.by}", "muted")
    if isinstance(handled.answer, Rejected):
        return f"{paint('rejected', 'rejected')}   {printable(handled.answer.message)}"
    return paint("confirmed", "confirmed")


def _say_json(handled: Handled) -> None:
    answer, placed = handled.answer, handled.placed
    outcome = answer.type.removeprefix("order_") if answer else "answered_before"
    said = {
        "customer": placed.source,
        "id": placed.data.get("id"),
        "event": placed.id,
        "attempt": placed.attempt,
        "outcome": "not_answered" if handled.error else outcome,
        "by": handled.by,
    }
    if isinstance(answer, Rejected):
        said |= {"reason": answer.reason, "message": answer.message}
    elif handled.error:
        said |= {"reason": handled.error.code, "message": handled.error.message}
    say(as_json({key: value for key, value in said.items() if value is not None}))

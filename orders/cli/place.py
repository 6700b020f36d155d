"""`orders place`: Alice, who places orders and waits for their answers."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from orders.cli.output import as_json, clock, note, paint, printable, say
from orders.clients.address import pause_before
from orders.clients.participant import Participant
from orders.clock import monotonic
from orders.domain.envelope import Event
from orders.domain.menu import MENU
from orders.domain.orders import MAX_NOTE, MAX_QUANTITY
from orders.errors import OrdersError, Refused

#: Ways to get an order wrong: what each makes of a good one.
WRONG: tuple[dict[str, Any], ...] = (
    {"quantity": 0},
    {"item": "a golden goose"},
    {"quantity": MAX_QUANTITY + 1},
    {"note": "x" * (MAX_NOTE + 1)},
    {"id": "five"},
)


def share_of(text: str) -> float:
    """A share from 0 to 1, from `20%` or `0.2`."""
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise Refused("wrong_share", f"{text[:40]!r} is no share: give one such as 20%.")
    return share


def orders_to_place(first: int, count: int, invalid: float, given: dict[str, Any]) -> list[Any]:
    """The data of the orders: `count` from number `first` on, a share of them wrong, evenly."""
    orders, wrong = [], 0
    for n in range(count):
        order: dict[str, Any] = {
            "id": first + n,
            "item": MENU[n % len(MENU)],
            "quantity": 1,
            **given,
        }
        if int((n + 1) * invalid + 1e-9) > wrong:
            order |= WRONG[wrong % len(WRONG)]
            wrong += 1
        orders.append(order)
    return orders


@dataclass
class Customer:
    """What was placed, and what has been answered."""

    alice: Participant
    json: bool
    placed: dict[str, tuple[Any, float]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    early: dict[str, Event] = field(default_factory=dict)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def place(self, data: dict[str, Any]) -> None:
        """Place one order; over the server's rate, again a little later."""
        begun, attempt = monotonic(), 0
        while True:
            try:
                event_id = await self.alice.publish("order_placed", data)
                break
            except Refused as refused:
                if refused.code != "rate_limited":
                    raise
                attempt += 1
                await asyncio.sleep(pause_before(attempt))
        self.placed[event_id] = data["id"], begun
        if not self.json:
            say(f"{clock()}  {self._order(data['id']):<12}  {paint('stored', 'placed')}")
        if event_id in self.early:
            self._answered(event_id, self.early.pop(event_id))

    async def hear_answers(self) -> None:
        async for event in self.alice:
            of = event.data.get("event")
            if event.type in ("order_confirmed", "order_rejected") and isinstance(of, str):
                if of in self.placed:
                    self._answered(of, event)
                elif event.data.get("customer") == self.alice.name:
                    self.early[of] = event  # the answer overtook the broker.accepted

    def _answered(self, of: str, event: Event) -> None:
        if of in self.answers:
            return
        number, begun = self.placed[of]
        verdict = self.answers[of] = event.type.removeprefix("order_")
        self.settled.set()
        if self.json:
            said: dict[str, Any] = {
                "id": number,
                "event": of,
                "state": verdict,
                "confirmer": event.source,
            }
            why = {k: event.data[k] for k in ("reason", "message") if event.data.get(k)}
            say(as_json(said | why))
            return
        took = (monotonic() - begun) * 1000
        line = f"{self._order(number):<12}  {paint(f'{verdict:<9}', verdict)}"
        message = event.data.get("message")
        because = f": {printable(message)}" if isinstance(message, str) else ""
        say(f"{clock()}  {line}  by {event.source} after {took:.0f} ms{because}")

    def _order(self, number: Any) -> str:
        return f"{self.alice.name}/{number}"


async def place_orders(
    url: str,
    room: str,
    name: str,
    *,
    first: int | None,
    count: int,
    invalid: str,
    rate: float,
    wait: float,
    given: dict[str, Any],
    json: bool,
) -> int:
    """Place orders and show their answers as they come; the exit code: 1 if some are missing."""
    share = share_of(invalid)
    types = ["order_confirmed", "order_rejected"]
    async with Participant(url, room=room, name=name, types=types, echo=False) as alice:
        customer = Customer(alice, json)
        try:
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(customer.hear_answers())
                begin = first or await _next_number(alice)
                for data in orders_to_place(begin, count, share, given):
                    await customer.place(data)
                    await asyncio.sleep(1 / rate if rate else 0)
                await _wait_for_answers(customer, wait)
                listening.cancel()
        except* OrdersError as failed:
            raise failed.exceptions[0] from None
    return _summary(customer, wait, json=json)


async def _next_number(alice: Participant) -> int:
    """One more than the highest number that this customer has used."""
    orders = (await alice.get("orders", customer=str(alice.name)))["orders"]
    numbers = (o["id"] for o in orders if o["customer"] == alice.name and type(o["id"]) is int)
    return max(numbers, default=0) + 1


async def _wait_for_answers(customer: Customer, wait: float) -> None:
    """Wait until all is answered, or nothing has been for `wait` seconds."""
    while wait and len(customer.answers) < len(customer.placed):
        customer.settled.clear()
        try:
            await asyncio.wait_for(customer.settled.wait(), wait)
        except TimeoutError:
            return


def _summary(customer: Customer, wait: float, *, json: bool) -> int:
    verdicts = list(customer.answers.values())
    missing = len(customer.placed) - len(verdicts)
    if len(customer.placed) > 1 and not json:
        note(
            f"{len(customer.placed)} placed: {verdicts.count('confirmed')} confirmed,"
            f" {verdicts.count('rejected')} rejected, {missing} unanswered."
        )
    if missing and wait:
        note("Nobody answers: bring a confirmer with `orders bot`, or be one at /confirmer.")
        return 1
    return 0

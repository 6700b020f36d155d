"""Bob, who confirms orders: an ordinary participant that answers every `order_placed`.

Events may come to him more than once, and other Bobs may be at work. An order is confirmed once all
the same: whichever Bob gives an answer gives it the same id, so the journal takes the first and
refuses the others (`id_conflict`). If the event that has this id answers nothing (it stands before
its order, which was sent again after a reset, or somebody squats the id), they agree on the next
id, and after that take any. A naive Bob's answer has a random id, so Bob looks up where an
order stands if somebody may have answered it before him.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from orders.clients.address import DEFAULT_URL, pause_before
from orders.clients.memory import Memory
from orders.clients.participant import Participant
from orders.clock import new_id
from orders.domain.confirming import (
    Confirmed,
    Rejected,
    answer_data,
    answer_id,
    decide,
    duplicate_of,
    id_after,
)
from orders.domain.envelope import Event, is_uuid
from orders.domain.orders import Order, number_of
from orders.errors import NotFound, OrdersError, Refused

#: Refusals that pass by themselves: the answer is sent again.
PASSING = frozenset({"rate_limited", "storage_full", "storage_failed", "engine_unavailable"})
WAITING = 10_000  # orders that may wait for Bob before he hears no more

Answer = Confirmed | Rejected


@dataclass(frozen=True, slots=True)
class Handled:
    """What happened to one `order_placed`.

    `answer` is what Bob said, `by` is who had answered before him, `error` is why he could not.
    """

    placed: Event
    answer: Answer | None = None
    by: str | None = None
    error: OrdersError | None = None


class Cleared(Exception):
    """The room was cleared while Bob looked at an order: there is nothing to answer any more."""


class Bot:
    """Bob. `delay` is how long he looks at an order, in seconds.

    A naive Bob remembers nothing and gives his answers random ids: he shows what that care is for.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        room: str = "main",
        name: str = "bob",
        delay: float = 0.0,
        naive: bool = False,
        ack: Literal["manual", "auto"] = "manual",
        on_handled: Callable[[Handled], None] | None = None,
        on_broker: Callable[[Event], None] | None = None,
    ) -> None:
        self.participant = Participant(
            url,
            room=room,
            name=name,
            types=["order_placed"],
            ack=ack,
            patient=True,
            on_broker=self._hear_broker,
        )
        self.delay, self.naive = delay, naive
        self._on_handled, self._on_broker = on_handled, on_broker
        self._memory = Memory()
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self._came = 0  # when the broker last welcomed him, by its clock in milliseconds
        self._was_there: str | None = None  # what the journal had already when it was sent again
        self._resets = 0  # how often the room was cleared: what was placed before is gone
        self._placed_after = 0  # the resets before the order at which Bob looks
        self._lost_place = asyncio.Event()
        self._lost_place.set()
        self._has_list = asyncio.Event()  # of what waits since before he came

    async def run(self) -> None:
        """Answer orders until the server is done with us; `Refused` when we must not come back."""
        async with self.participant:
            try:
                async with asyncio.TaskGroup() as tasks:
                    others = [tasks.create_task(self._answer_all())]
                    if not self.naive:
                        others.append(tasks.create_task(self._take_up_pending()))
                    await self._listen()
                    for task in others:
                        task.cancel()
            except BaseExceptionGroup as failed:
                # Whatever else fails as it ends, fails because of this.
                refusals = failed.subgroup(OrdersError)
                raise (refusals.exceptions[0] if refusals else failed) from None

    # ── what Bob hears ──────────────────────────────────────────────────────────────────────

    async def _listen(self) -> None:
        async for event in self.participant:
            self._memory.learn(event)
            if event.type == "order_placed":
                await self._waiting.put(event)
            else:
                await self.participant.ack(event)

    def _hear_broker(self, said: Event) -> None:
        code = said.data.get("code")
        if code in ("reset", "unknown_position"):  # the second to who was away meanwhile
            self._resets += 1
            self._memory.forget_all()
            self.participant.skip_waiting()
            while not self._waiting.empty():
                self._waiting.get_nowait()
        if said.type == "broker.accepted" and said.data.get("duplicate"):
            self._was_there = said.data["event"]
        if said.type == "broker.welcome":
            self._came = int(said.created)
        if code == "unknown_position":
            self._lost_place.set()
        if self._on_broker:
            self._on_broker(said)

    async def _take_up_pending(self) -> None:
        """Answer what waits since before Bob came; what is queued is handed to somebody anyway."""
        while True:
            await self._lost_place.wait()
            self._lost_place.clear()
            orders = await self._orders(state="placed")
            self._has_list.set()
            for order in orders:
                if not self._memory.get(order.customer, order.number):
                    self._memory.keep(order)
                for placing in (order, *order.behind):
                    await self._take_up(placing.event)

    async def _take_up(self, event_id: str) -> None:
        resets = self._resets
        found = await self._find(event_id)
        if resets != self._resets:
            return
        if found and found["mode"] != "queue" and self.participant.sees_first(event_id):
            await self._waiting.put(Event.model_validate(found["event"]))

    # ── what Bob does ───────────────────────────────────────────────────────────────────────

    async def _answer_all(self) -> None:
        if not self.naive:  # else a number placed twice is answered, and the list lacks the other
            await self._has_list.wait()
        while True:
            placed = await self._waiting.get()
            resets = self._resets
            await asyncio.sleep(self.delay)
            try:
                handled = await self._handle(placed, resets)
            except Cleared:
                continue
            except OrdersError as error:
                if not self.participant.is_open:
                    raise
                handled = Handled(placed, error=error)
                settle = self.participant.nack(placed, error.message)
            else:
                settle = self.participant.ack(placed)
            with contextlib.suppress(Refused):  # it was handed to us twice meanwhile
                await settle
            heard_twice = handled.by == self.participant.name and placed.attempt is None
            if self._on_handled and not heard_twice:
                self._on_handled(handled)

    async def _handle(self, placed: Event, resets: int) -> Handled:
        """Answer an order that was heard after so many resets; `Cleared` if there was another."""
        self._placed_after = resets
        if self.naive:
            answer = decide(placed, Memory())
            await self._publish(placed, answer, new_id())
            return Handled(placed, answer)
        if self._may_be_answered(placed):
            await self._look_up(placed)
        known = self._memory.get(placed.source, number_of(placed))
        if known and known.event == placed.id and known.state != "placed":
            return Handled(placed, by=known.confirmer)
        answer = decide(placed, self._memory)
        if isinstance(answer, Rejected) and answer.reason == "duplicate_order":
            # Bob may not have heard that somebody else rejected the other one: he makes sure.
            await self._look_up(placed)
            answer = decide(placed, self._memory)
        return await self._answer(placed, answer)

    def _may_be_answered(self, placed: Event) -> bool:
        """Whether another may have answered this already, under an id that Bob cannot know.

        Not what was placed since he came and is answered at once: that needs no request.
        """
        repeated = (placed.attempt or 1) > 1
        return repeated or self.delay > 0 or int(placed.created) <= self._came

    async def _look_up(self, placed: Event) -> None:
        """Learn from the journal where this order stands."""
        for order in await self._orders(customer=placed.source, number=number_of(placed)):
            self._memory.keep(order)

    async def _answer(self, placed: Event, answer: Answer) -> Handled:
        """Give this answer, unless the journal holds it."""
        chosen = answer_id(self.participant.room, placed, answer)
        for event_id in chain((chosen, id_after(chosen)), iter(new_id, None)):
            if await self._publish(placed, answer, event_id):
                break
            found = await self._find(event_id)
            there = Event.model_validate(found["event"]) if found else None
            if there and there.type == answer.type and there.data.get("event") == placed.id:
                if not await self._came_before(there, placed):
                    self._memory.learn(there)
                    is_own = there.source == self.participant.name
                    return Handled(placed, answer) if is_own else Handled(placed, by=there.source)
            elif there and isinstance(answer, Confirmed) and await self._is_twin(there, placed):
                return await self._answer(placed, duplicate_of(placed))
        return Handled(placed, answer)

    async def _came_before(self, there: Event, placed: Event) -> bool:
        """Whether an answer stands before its order, which so waits on: both were sent again after
        a reset. A node's orders may lag behind the journal, so the times must say so, too."""
        if int(there.created) > int(placed.created):
            return False
        await self._look_up(placed)
        known = self._memory.get(placed.source, number_of(placed))
        if known is None or known.state != "placed":
            return False
        return placed.id in (known.event, *(one.event for one in known.behind))

    async def _is_twin(self, there: Event, placed: Event) -> bool:
        """Whether this confirms another `order_placed` of the same customer and number."""
        named = there.data.get("event")
        if there.type != "order_confirmed" or not isinstance(named, str) or not is_uuid(named):
            return False
        found = await self._find(named)
        if found is None:
            return False
        other = Event.model_validate(found["event"])
        return (
            other.type == "order_placed"
            and other.source == placed.source
            and number_of(other) == number_of(placed)
        )

    async def _publish(self, placed: Event, answer: Answer, event_id: str) -> bool:
        """Publish an answer; False if the journal held an event of this id."""
        data = answer_data(placed, answer)
        attempt = 0
        while True:
            if self._resets != self._placed_after:
                raise Cleared
            self._was_there = None
            try:
                await self.participant.publish(answer.type, data, id=event_id)
            except OrdersError as refused:
                if refused.code == "id_conflict":
                    return False
                if refused.code not in PASSING:
                    raise
                attempt += 1
                await asyncio.sleep(pause_before(attempt))
            else:
                break
        if self._was_there == event_id:
            return False
        said = {"id": event_id, "type": answer.type, "source": self.participant.name, "data": data}
        self._memory.learn(Event.model_validate(said))
        return True

    # ── what Bob looks up ───────────────────────────────────────────────────────────────────

    async def _orders(self, **query: str) -> list[Order]:
        answer = await self.participant.get("orders", **query)
        return [Order.from_dict(entry) for entry in answer["orders"]]

    async def _find(self, event_id: str) -> dict[str, Any] | None:
        """An event of the room as `GET /events/{id}` shows it; None if there is none."""
        try:
            return await self.participant.get(f"events/{event_id}")
        except NotFound:
            return None

"""Right Bobs that are unlike the usual one: nothing they do is wrong, so none may fail."""

import asyncio
import json
from typing import Any

import aiohttp

from tests.exercises.bobs import Bob, Event


class AddsFields(Bob):
    """More than is asked for, in another order, written by hand; and 5 as 5.0."""

    def event(self, type: str, data: Event) -> Event:
        event = super().event(type, data)
        if type.startswith("order_") and "customer" in data:
            event["data"] = {"by": "hand", **dict(reversed(data.items())), "price": 2.5}
            if type == "order_confirmed":
                event["data"]["id"] = float(data["id"])
        return {"data": event["data"], "type": type, "id": event["id"], "source": self.name}

    async def send(self, event: Any) -> None:
        await super().send(json.dumps(event, indent=2))


class TakesItsTime(Bob):
    """Two seconds for each order."""

    async def handle(self, event: Event) -> None:
        if self.wants(event) and not self.knows(event) and event["source"] != self.name:
            await asyncio.sleep(2.0)
        await super().handle(event)


class AcksAtOnce(Bob):
    """Right behind its answer, before it reads on; and takes ten at a time."""

    def query(self) -> dict[str, str]:
        return {**super().query(), "prefetch": "10"}

    async def handle(self, event: Event) -> None:
        await super().handle(event)
        if "attempt" in event:
            await self.ack(event["id"])

    async def accepted(self, id: str) -> None:
        pass


class RepeatsItsAnswer(Bob):
    """Under the same id, which the broker takes once; and says that it lives."""

    async def send(self, event: Any) -> None:
        await super().send(event)
        if event["type"].startswith("order_"):
            await super().send(event)
            await super().send(self.event("bob_lives", {}))


class ReadsAllAgain(Bob):
    """It comes back with after=start, and knows what it has answered."""

    async def talk(self) -> None:
        await super().talk()
        self.last = "start"


class HasNoName(Bob):
    """The broker calls it a guest, and each time another one; it asks for types by a message."""

    def query(self) -> dict[str, str]:
        return {"ack": "manual", "echo": "false"}

    async def talk(self) -> None:
        await self.send({"type": "broker.subscribe", "data": {"types": ["order_placed"]}})
        await super().talk()


class IsCalledAsWeAre(Bob):
    name = "examiner"


class HasTwoConnections(Bob):
    """One for what it says first, which it closes, and one that stays."""

    async def talk(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            address = self.address.update_query(name="bobs-mouth", types="nothing")
            async with aiohttp.ClientSession() as http, http.ws_connect(address) as mouth:
                for event in self.first_words():
                    await mouth.send_str(json.dumps(event))
                    await mouth.receive()
        await super().talk()


def in_short(bob: type[Bob]) -> list[int]:
    """The stages of a whole check; of the slow one those at which it might be wronged."""
    return [1, 11, 12] if bob is TakesItsTime else list(range(1, 13))


RIGHT: tuple[type[Bob], ...] = (
    AddsFields,
    TakesItsTime,
    AcksAtOnce,
    RepeatsItsAnswer,
    ReadsAllAgain,
    HasNoName,
    IsCalledAsWeAre,
    HasTwoConnections,
)

"""A right Bob, and wrong ones: each gets one thing wrong, and all else right.

`STAGE` of a wrong Bob is the stage at which that must be seen. They know nothing of Orders' own
client: a WebSocket, and JSON.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any
from uuid import UUID

import aiohttp
from yarl import URL

MENU = ["espresso", "cappuccino", "hot chocolate", "mint tea", "lemonade"]
MENU += ["croissant", "cheese sandwich", "tomato soup", "apple pie", "blueberry muffin"]
Event = dict[str, Any]


def whole(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


class Bob:
    """Passes every stage."""

    STAGE = 0
    name = "bob"

    def __init__(self, address: str, seed: int) -> None:
        self.address, self.random = URL(address), Random(seed)
        self.last: str | None = None
        self.has_begun = False
        self.answered: dict[str, str] = {}  # event → the id of its answer, until that is accepted
        self.confirmed: dict[tuple[str, str], str] = {}

    # ── what a wrong Bob gets wrong ─────────────────────────────────────────────────────────

    def query(self) -> dict[str, str]:
        return {"name": self.name, "types": "order_placed", "ack": "manual"}

    def comes_back(self) -> bool:
        return True

    def first_words(self) -> list[Any]:
        order = {"id": self.random.randrange(1, 99), "item": "espresso", "quantity": 1}
        return [self.event("hello_said", {}), self.event("order_placed", order)]

    def wants(self, event: Event) -> bool:
        return bool(event["type"] == "order_placed")

    def knows(self, event: Event) -> bool:
        return event["id"] in self.answered

    def answers(self, event: Event) -> list[Event]:
        data = {"id": event["data"].get("id"), "customer": event["source"], "event": event["id"]}
        reason = self.reason(event)
        if reason:
            return [self.rejection(data, reason)]
        self.confirmed[self.order_of(event)] = event["id"]
        return [self.confirmation(data)]

    def confirmation(self, data: Event) -> Event:
        return self.event("order_confirmed", data)

    def rejection(self, data: Event, reason: str) -> Event:
        more = {"reason": reason, "message": f"I cannot make that: {reason}."}
        return self.event("order_rejected", {**data, **more})

    def order_of(self, event: Event) -> tuple[str, str]:
        return event["source"], str(event["data"].get("id"))

    def reason(self, event: Event) -> str:
        data = event["data"]
        quantity = data.get("quantity", 1)
        if not whole(data.get("id")) or data["id"] < 1:
            return "invalid_id"
        if not whole(quantity) or not 1 <= quantity <= 100:
            return "invalid_quantity"
        if data.get("item") is not None and data["item"] not in MENU:
            return "unknown_item"
        if not isinstance(data.get("note", ""), str) or len(data.get("note", "")) > 200:
            return "invalid_note"
        if self.order_of(event) in self.confirmed:
            return "duplicate_order"
        return ""

    async def handle(self, event: Event) -> None:
        if not self.wants(event):
            return
        if not self.knows(event):
            for answer in self.answers(event):
                self.answered[event["id"]] = answer["id"]
                await self.send(answer)
        elif "attempt" in event and not self.answered[event["id"]]:
            await self.ack(event["id"])

    async def accepted(self, id: str) -> None:
        for event, answer in self.answered.items():
            if answer == id:
                self.answered[event] = ""
                await self.ack(event)

    async def ack(self, id: str) -> None:
        await self.send({"type": "broker.ack", "data": {"event": id}})

    # ── what they share ─────────────────────────────────────────────────────────────────────

    def event(self, type: str, data: Event) -> Event:
        id = str(UUID(int=self.random.getrandbits(128), version=4))
        return {"id": id, "type": type, "data": data}

    async def send(self, event: Any) -> None:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            await self.ws.send_str(event if isinstance(event, str) else json.dumps(event))

    async def run(self) -> None:
        async with aiohttp.ClientSession() as http:
            while True:
                query = {**self.address.query, **self.query()}
                if self.last:
                    query["after"] = self.last
                with contextlib.suppress(aiohttp.ClientError, ConnectionError):
                    async with http.ws_connect(self.address.with_query(query)) as self.ws:
                        await self.talk()
                if not self.comes_back():
                    await asyncio.Event().wait()
                await asyncio.sleep(0.05)

    async def talk(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            for event in self.first_words():
                await self.send(event)
        async for message in self.ws:
            event = json.loads(message.data)
            if event["type"] == "broker.accepted":
                await self.accepted(event["data"]["event"])
            elif not event["type"].startswith("broker."):
                await self.handle(event)
                self.last = event["id"]


@contextlib.asynccontextmanager
async def at_work(bob: Bob) -> AsyncIterator[None]:
    """Bob, for as long as this context."""
    running = asyncio.create_task(bob.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

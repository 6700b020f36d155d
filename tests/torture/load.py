"""Customers, publishers and a listener. They come back whatever happens, and send again under the
same id what was not answered."""

import asyncio
import contextlib
import json
import random
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

import aiohttp
from yarl import URL

from tests.torture.ledger import Ledger

WINDOW = 16  # events of one sender on their way
MOST_WAITING = 40  # orders that may wait for an answer, so that the bots keep up
MOVES_AFTER = 300  # events that the listener hears on one node, where there are several
PAUSE = 0.02  # seconds before trying again
INVALID = 0.1  # the share of orders that Bob must reject

LOST = (aiohttp.ClientError, ConnectionError, OSError)
Make = Callable[[], dict[str, Any] | None]


class Load:
    """All who send and listen, as tasks that end with `stop`.

    With several URLs each connection is to the next of them.
    """

    def __init__(self, http: aiohttp.ClientSession, ledger: Ledger, seed: int, *urls: str) -> None:
        self._http = http
        self._urls = deque(URL(url).with_scheme("ws").with_path("/ws") for url in urls)
        self.ledger = ledger
        self._random = random.Random(seed)
        self._stopping = False
        self._listening = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, *, customers: int, publishers: int, pace: float) -> None:
        """`pace`: events a second that the publishers send, all together."""
        makes: dict[str, Make] = {f"customer-{n}": self._orders() for n in range(customers)}
        ticking = self._ticks(pace)
        makes |= {f"publisher-{n}": ticking for n in range(publishers)}
        self._tasks = [asyncio.create_task(self._send(name, make)) for name, make in makes.items()]
        self._tasks.append(asyncio.create_task(self._listen()))

    def check(self) -> None:
        """Raise what a task died of: none may end before it is told to."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self) -> None:
        """Send nothing new; return when all that was sent is answered."""
        self._stopping = True
        await asyncio.gather(*self._tasks[:-1])

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ── what is sent ────────────────────────────────────────────────────────────────────────

    def _orders(self) -> Make:
        """A customer's orders, numbered, as long as the bots keep up."""
        number = 0

        def make() -> dict[str, Any] | None:
            nonlocal number
            if self.ledger.waiting >= MOST_WAITING:
                return None
            number += 1
            self.ledger.placed += 1
            quantity = 0 if self._random.random() < INVALID else 1
            return self._event("order_placed", id=number, quantity=quantity)

        return make

    def _ticks(self, pace: float) -> Make:
        """News, so many a second."""
        due = time.monotonic()

        def make() -> dict[str, Any] | None:
            nonlocal due
            now = time.monotonic()
            if now < due:
                return None
            due = max(due, now - 1) + 1 / pace
            return self._event("tick", n=len(self.ledger.sent))

        return make

    def _event(self, type: str, **data: Any) -> dict[str, Any]:
        id = str(UUID(int=self._random.getrandbits(128), version=4))
        self.ledger.sent.add(id)
        return {"id": id, "type": type, "data": data}

    # ── sending ─────────────────────────────────────────────────────────────────────────────

    async def _send(self, name: str, make: Make) -> None:
        unanswered: dict[str, str] = {}
        session = secrets.token_hex(16)
        while unanswered or not self._stopping:
            with contextlib.suppress(*LOST):
                async with self._connect(
                    name=name, session=session, echo="false", types="nothing"
                ) as ws:
                    await self._talk(ws, name, make, unanswered)
            await asyncio.sleep(PAUSE)

    async def _talk(
        self,
        ws: aiohttp.ClientWebSocketResponse,
        name: str,
        make: Make,
        unanswered: dict[str, str],
    ) -> None:
        """Send and hear answers until the connection is lost, or all is said."""
        for text in unanswered.values():
            await ws.send_str(text)
        while unanswered or not self._stopping:
            while len(unanswered) < WINDOW and not self._stopping and (event := make()):
                unanswered[event["id"]] = json.dumps(event)
                await ws.send_str(unanswered[event["id"]])
            if not unanswered:
                await asyncio.sleep(PAUSE)
                continue
            message = await ws.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            said = json.loads(message.data)
            if said["type"] == "broker.welcome":
                assert said["data"]["name"] == name, said
                self.ledger.welcomed += 1
            elif said["type"] == "broker.accepted":
                del unanswered[said["data"]["event"]]
                self.ledger.accepted.add(said["data"]["event"])
            elif said["type"] == "broker.error":
                assert said["data"]["code"] == "engine_unavailable", said
                if "event" not in said["data"]:
                    return  # it was not let in: it comes again
                self.ledger.refused += 1
                await asyncio.sleep(PAUSE)
                await ws.send_str(unanswered[said["data"]["event"]])
            else:
                assert said["type"] in ("broker.modes", "broker.notice"), said

    # ── listening ───────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> None:
        """Hear all news and answers; after each loss, or by itself, go on behind the last."""
        heard = self.ledger.heard
        while True:
            with contextlib.suppress(*LOST):
                async with self._connect(
                    name="listener",
                    types="tick,order_confirmed,order_rejected",
                    after=heard[-1] if heard else "start",
                ) as ws:
                    async for message in ws:
                        event = json.loads(message.data)
                        if event["source"] != "broker":
                            self.ledger.hear(event)
                            if len(self._urls) > 1 and len(heard) % MOVES_AFTER == 0:
                                break
            await asyncio.sleep(PAUSE)

    def _connect(self, **query: str) -> Any:
        self._urls.rotate()
        return self._http.ws_connect(self._urls[0].with_query(query), max_msg_size=0)

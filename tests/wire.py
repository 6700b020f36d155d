"""A participant that speaks raw text over a WebSocket, as any student's program does.

Nothing here knows Orders' own client: what these tests see is what goes over the wire.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp

#: Seconds after which what must come is taken for dead. It tells life from death, no more.
DEADLINE = 60.0

T = TypeVar("T")


class Wire:
    """One raw WebSocket. `heard` holds every event that was asked for, in order.

    It is read all the time, so it answers pings however long a test is busy elsewhere.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.heard: list[dict[str, Any]] = []
        self._inbox: asyncio.Queue[aiohttp.WSMessage] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            message = await self.ws.receive()
            self._inbox.put_nowait(message)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return

    async def message(self) -> aiohttp.WSMessage:
        """The next message; of an ended connection, again and again how it ended."""
        async with asyncio.timeout(DEADLINE):
            message = await self._inbox.get()
        if message.type is not aiohttp.WSMsgType.TEXT:
            self._inbox.put_nowait(message)
        return message

    async def send(self, message: str | dict[str, Any]) -> None:
        """Send a text as it is, or an object as JSON."""
        await self.ws.send_str(message if isinstance(message, str) else json.dumps(message))

    async def publish(self, type: str = "tick", **data: Any) -> str:
        """Send an event, and wait until it is accepted; its id."""
        await self.send({"type": type, "data": data})
        event: str = (await self.expect("broker.accepted"))["data"]["event"]
        return event

    async def ack(self, event: str) -> None:
        await self.send({"type": "broker.ack", "data": {"event": event}})

    async def nack(self, event: str, reason: str = "busy") -> None:
        await self.send({"type": "broker.nack", "data": {"event": event, "reason": reason}})

    async def next(self) -> dict[str, Any]:
        """The next event, whatever its type; AssertionError if the connection ends."""
        message = await self.message()
        assert message.type is aiohttp.WSMsgType.TEXT, f"expected a text, got {message!r}"
        event: dict[str, Any] = json.loads(message.data)
        self.heard.append(event)
        return event

    async def expect(self, type: str, **data: Any) -> dict[str, Any]:
        """Read on until an event of this type comes whose data has these values; return it."""
        before = len(self.heard)
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    event = await self.next()
                    if event["type"] == type and data.items() <= event["data"].items():
                        return event
        except TimeoutError:
            heard = [(e["type"], e["data"]) for e in self.heard[before:]]
            raise AssertionError(f"no {type} with {data} came; heard {heard}") from None

    async def fence(self) -> list[dict[str, Any]]:
        """All that was already on its way to us: what comes before the answer to a message.

        The answer itself, an error about malformed JSON, is left out.
        """
        before = len(self.heard)
        await self.send("fence")
        await self.expect("broker.error", code="malformed_json")
        return self.heard[before:-1]

    async def close_code(self) -> int:
        """Read on until the connection is closed; return the code the other side gave."""
        async with asyncio.timeout(DEADLINE):
            while (message := await self.message()).type is aiohttp.WSMsgType.TEXT:
                self.heard.append(json.loads(message.data))
        assert message.type is aiohttp.WSMsgType.CLOSE, f"closed without a word: {message!r}"
        code: int = message.data
        return code

    def cut(self) -> None:
        """Lose the connection without a word, as a phone does that leaves the room."""
        connection = self.ws._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()

    def of_type(self, type: str) -> list[dict[str, Any]]:
        """Every event of this type heard so far."""
        return [event for event in self.heard if event["type"] == type]


async def until(probe: Callable[[], Awaitable[T]], what: str) -> T:
    """Ask again until the answer is true, and return it; AssertionError naming `what` if never."""
    try:
        async with asyncio.timeout(DEADLINE):
            while not (answer := await probe()):
                await asyncio.sleep(0.02)
            return answer
    except TimeoutError:
        raise AssertionError(f"it never happened: {what}") from None

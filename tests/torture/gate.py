"""Stands between bots and server, sees every message pass, and strikes at a chosen one.

So a kill falls into exactly the gap that is meant: the bot has the order and its answer has not
reached the server, or the answer is stored and the bot has not heard so, and the like.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from enum import StrEnum

import aiohttp
from aiohttp import web
from yarl import URL

from tests.torture.ledger import ANSWERS, Ledger


class Gap(StrEnum):
    """When to strike."""

    WHENEVER = "whenever"  # at a random moment
    HANDED = "handed"  # an order is on its way to a bot, which does not get it
    RECEIVED = "received"  # a bot answers an order, and the answer does not reach the server
    CONFIRMED = "confirmed"  # the answer is stored, and the bot does not hear of it
    ACKED = "acked"  # the bot's ack has just gone to the server


Strike = Callable[[str], None]  # told the name of the bot whose message it was


class Gate:
    """A server for bots, behind which the real one stands."""

    def __init__(self, http: aiohttp.ClientSession, upstream: str, ledger: Ledger) -> None:
        self._http, self._upstream, self._ledger = http, URL(upstream), ledger
        self._armed: tuple[Gap, Strike] | None = None
        self.seen: deque[str] = deque(maxlen=100)  # the types of what passed lately
        self.url = ""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Gate"]:
        app = web.Application()
        app.router.add_get("/ws", self._socket)
        app.router.add_get("/{path:.*}", self._get)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def arm(self, gap: Gap, strike: Strike) -> None:
        """Strike once, at the next message of that kind."""
        self._armed = gap, strike

    def _reached(self, gap: Gap, name: str) -> bool:
        if self._armed is None or self._armed[0] is not gap:
            return False
        _, strike = self._armed
        self._armed = None
        strike(name)
        return True

    # ── what passes ─────────────────────────────────────────────────────────────────────────

    async def _get(self, request: web.Request) -> web.Response:
        url = self._upstream.with_path(request.path).with_query(request.query)
        try:
            async with self._http.get(url) as answer:
                body = await answer.read()
                return web.Response(body=body, status=answer.status, headers=_typed(answer))
        except aiohttp.ClientError:
            return web.Response(status=502)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        url = self._upstream.with_scheme("ws").with_path("/ws").with_query(request.query)
        try:
            server = await self._http.ws_connect(url, max_msg_size=0)
        except aiohttp.ClientError:
            return web.Response(status=502)
        bot = web.WebSocketResponse(max_msg_size=0)
        try:
            await bot.prepare(request)
        except ConnectionResetError:  # it was killed meanwhile
            server._response.close()
            raise
        name = request.query["name"]
        down = asyncio.create_task(self._down(server, bot, name))
        up = asyncio.create_task(self._up(bot, server, name))
        try:
            await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (down, up):
                task.cancel()
            await asyncio.gather(down, up, return_exceptions=True)
            if request.transport:  # a crash says no goodbye, to neither side
                request.transport.abort()
            server._response.close()
        return bot

    async def _down(
        self, server: aiohttp.ClientWebSocketResponse, bot: web.WebSocketResponse, name: str
    ) -> None:
        async for message in server:
            event = json.loads(message.data)
            self.seen.append(event["type"])
            if event["type"] == "order_placed":
                self._ledger.hand(event)
                if self._reached(Gap.HANDED, name):
                    return
            elif event["type"] == "broker.accepted":
                self._ledger.accepted.add(event["data"]["event"])
                if self._reached(Gap.CONFIRMED, name):
                    return
            await bot.send_str(message.data)

    async def _up(
        self, bot: web.WebSocketResponse, server: aiohttp.ClientWebSocketResponse, name: str
    ) -> None:
        async for message in bot:
            type = json.loads(message.data)["type"]
            self.seen.append(type)
            if type in ANSWERS and self._reached(Gap.RECEIVED, name):
                return
            await server.send_str(message.data)
            if type == "broker.ack" and self._reached(Gap.ACKED, name):
                return


def _typed(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {"Content-Type": answer.headers.get("Content-Type", "text/plain")}

"""Bots that the host sends in: real `orders bot` processes, so that killing one is a real crash."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from orders.broker.room import Room
from orders.errors import NotFound, Refused
from orders.web.keys import SERVER

MOST_BOTS = 10


@dataclass(frozen=True, slots=True)
class Sent:
    """A bot at work. `delay` is how long it looks at an order, in seconds."""

    room: str
    name: str
    delay: float
    naive: bool
    process: asyncio.subprocess.Process

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    async def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self.is_alive:
            self.process.kill()
            await self.process.wait()

    @property
    def shape(self) -> dict[str, Any]:
        """As the API and the observers' feed show it."""
        return {"name": self.name, "delay": self.delay, "naive": self.naive}


@dataclass(eq=False)
class Bots:
    """The bots of this server; they end with it, however it ends: they hold its end of a pipe."""

    sent: list[Sent] = field(default_factory=list)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    def of(self, room: str) -> list[Sent]:
        """Those at work in a room."""
        self.sent = [bot for bot in self.sent if bot.is_alive]
        return [bot for bot in self.sent if bot.room == room]

    async def send(self, url: str, room: Room, delay: float, naive: bool) -> Sent:
        """Start one more bot, or `Refused` when there are enough."""
        async with self.sending:  # else two at once would be given the same name
            names = {bot.name for bot in self.of(room.name)}
            if len(self.sent) >= MOST_BOTS:
                raise Refused(
                    "too_many_bots",
                    f"There are {MOST_BOTS} bots at work already: kill one first.",
                    status=409,
                )
            name, number = "bob", 1
            while name in names or name in room.participants:
                number += 1
                name = f"bob-{number}"
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "orders", "bot", url, "--until-stdin-closes"),
                *("--room", room.name, "--name", name, "--delay", str(delay)),
                *(["--naive"] if naive else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            bot = Sent(room.name, name, delay, naive, process)
            self.sent.append(bot)
            return bot

    async def kill(self, room: str, name: str) -> None:
        """End a bot as a crash would; `NotFound` where there is none of that name."""
        bot = next((bot for bot in self.of(room) if bot.name == name), None)
        if bot is None:
            raise NotFound("unknown_bot", f"No bot called {name} is at work in room {room}.")
        await bot.kill()

    async def end_those_of(self, room: str) -> None:
        """End the bots of a room."""
        for bot in self.of(room):
            await bot.kill()


BOTS = web.AppKey("bots", Bots)


async def ending_bots(app: web.Application) -> AsyncIterator[None]:
    """The bots end with the server."""
    yield
    for bot in app[BOTS].sent:
        await bot.kill()


def own_url(app: web.Application) -> str:
    """Where a bot on this machine reaches this server."""
    return f"http://localhost:{app[SERVER].port}"

"""`python -m tests.walk`: through which files an event goes, traced at run time.

For a relay, a queue delivery, an ack and a reset it prints how many distinct files of `orders/`
take part, how often one file calls into another (entries), and how often that is a file that had
been entered before (re-entries). The server runs in this process, on a journal in memory.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp

from orders.app import serving
from orders.settings import Settings

PACKAGE = str(Path(__file__).parents[1] / "orders") + "/"
#: Seconds in which all is quiet before a walk, and after it came to its end.
PAUSE = 0.3
END = "server/delivery.py"
#: What is done from time to time, whether something happens or not.
TICKING = {"_tick", "beat", "break_silence", "shed", "looked"}
LONGEST = 30.0  # seconds; a walk that does not end by then is broken


@dataclass
class Walk:
    """The files that were entered, in order; a file that calls itself enters nothing."""

    files: list[str] = field(default_factory=list)

    def trace(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call that leads from one file into another."""
        if event != "call" or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        file = frame.f_code.co_filename.removeprefix(PACKAGE)
        if frame.f_code.co_name.startswith("<"):
            return  # a comprehension
        if self._is_ticking(frame):
            return
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(PACKAGE):
            caller = caller.f_back
        if caller is None or caller.f_code.co_filename != frame.f_code.co_filename:
            self.files.append(file)

    @staticmethod
    def _is_ticking(frame: FrameType) -> bool:
        """Whether a clock does this, and no event."""
        caller: FrameType | None = frame
        while caller is not None:
            if caller.f_code.co_name in TICKING:
                return True
            caller = caller.f_back
        return False

    @property
    def counts(self) -> tuple[int, int, int]:
        """Distinct files, entries, re-entries."""
        distinct = len(set(self.files))
        return distinct, len(self.files), len(self.files) - distinct


@contextlib.contextmanager
def traced(walk: Walk) -> Iterator[None]:
    """Trace this thread, in which everything happens but the writing of SQL."""
    sys.setprofile(walk.trace)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextlib.asynccontextmanager
async def classroom() -> AsyncIterator[tuple[Any, Callable[..., Any]]]:
    """A server and a way to join it."""
    settings = Settings(_env_file=None, port=0, journal="memory", rate=0)
    async with serving(settings) as server, aiohttp.ClientSession() as http:

        async def join(name: str, **query: str) -> aiohttp.ClientWebSocketResponse:
            socket = await http.ws_connect(f"{server.url}/ws", params={"name": name, **query})
            await socket.receive()
            return socket

        async def host(method: str, path: str, data: object = None) -> None:
            await http.request(method, f"{server.url}/api/rooms/main/{path}", json=data)

        yield host, join


async def walks() -> dict[str, Walk]:
    """The four walks, by their names."""
    found: dict[str, Walk] = {}
    async with classroom() as (host, join):
        alice = await join("alice")
        bob = await join("bob", ack="manual", types="order_placed")
        order = {"type": "order_placed", "data": {"id": 5}}

        async def step(name: str, do: Callable[[], Any]) -> None:
            await asyncio.sleep(PAUSE)
            walk = found[name] = Walk()
            with traced(walk):
                await do()
                async with asyncio.timeout(LONGEST):
                    while END not in walk.files:
                        await asyncio.sleep(PAUSE)
                await asyncio.sleep(PAUSE)

        async def ack() -> None:
            held = ""
            while "attempt" not in held:
                held = str((await bob.receive()).data)
            event = held.split('"')[3]
            await bob.send_json({"type": "broker.ack", "data": {"event": event}})

        await step("relay", lambda: alice.send_json(order))
        await host("PUT", "modes", {"order_placed": "queue"})
        await alice.send_json(order)  # the first of its type, by which it is known who works on it
        await ack()
        await step("queue delivery", lambda: alice.send_json(order))
        await step("ack", ack)
        await step("reset", lambda: host("POST", "reset"))
    return found


def table(found: dict[str, Walk]) -> str:
    """What was found, as a table."""
    lines = [f"{'walk':16}{'files':>7}{'entries':>9}{'re-entries':>12}"]
    for name, walk in found.items():
        files, entries, again = walk.counts
        lines.append(f"{name:16}{files:7}{entries:9}{again:12}")
    return "\n".join(lines)


def main() -> None:
    found = asyncio.run(walks())
    print(table(found))
    if "--files" in sys.argv:
        for name, walk in found.items():
            print(f"\n{name}: {' → '.join(walk.files)}")


if __name__ == "__main__":
    main()

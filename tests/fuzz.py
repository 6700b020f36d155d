"""Bad messages without end: python -m tests.fuzz --messages 1000000

Several participants send what nobody should, as fast as it is answered; each message must get
exactly one answer. A neighbour hears what of it was accepted, which must be events as the contract
has them, and is answered throughout. The seed makes the messages of each sender come again.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from tests.bad_messages import Messages
from tests.process import Process
from tests.raw import Raw
from tests.rooms import Room
from tests.wire import DEADLINE

SENDERS = 6
BATCH = 64  # messages on their way
REQUESTS = 0.25  # HTTP requests a batch
SAYS_EVERY = 10.0  # seconds
FIELDS = {"id", "type", "created", "source", "data"}
ANSWERS = ("broker.accepted", "broker.error", "broker.subscribed")


@dataclass
class Report:
    """What came of it. `answers` counts codes; `slowest` is the neighbour's longest wait, in s."""

    sent: int = 0
    requests: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    closes: Counter[int] = field(default_factory=Counter)
    heard: int = 0
    asked: int = 0
    slowest: float = 0.0
    log: int = 0


async def fuzz(server: Process, messages: int, seed: int, tell: Callable[[Report], None]) -> Report:
    """Send so many; AssertionError at the first wrong answer, and when none comes."""
    report = Report()
    async with aiohttp.ClientSession() as http:
        room = Room(http, server)
        await room.set_modes({"*": "pubsub"})
        near = asyncio.create_task(neighbour(http, server, report))
        each = -(-messages // SENDERS)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(SENDERS):
                    sender = Sender(http, server, Messages(seed + number), number, report)
                    group.create_task(sender.send(each, near, tell))
        finally:
            near.cancel()
            await asyncio.gather(near, return_exceptions=True)
        assert near.cancelled(), "the neighbour was disturbed"
        assert (await room.get("/orders"))["orders"], "not one order made it"
    report.log = server.log.count("\n")
    assert "Traceback" not in server.log, server.log[-4000:]
    return report


class Sender:
    """One who sends bad messages. Every other one has no name, and may get one by its `source`."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        server: Process,
        messages: Messages,
        number: int,
        report: Report,
    ) -> None:
        self._http, self._server, self._messages = http, server, messages
        query = {"echo": "false", "types": "nothing"}
        self._query = query | ({"name": f"sender-{number}"} if number % 2 else {})
        self._report = report

    async def send(
        self, count: int, neighbour: "asyncio.Task[None]", tell: Callable[[Report], None]
    ) -> None:
        texts = iter(self._messages)
        while count > 0:
            async with self._connect() as ws:
                for _ in range(20):
                    size = min(BATCH, count)
                    await self._batch(ws, [next(texts) for _ in range(size)])
                    count -= size
                    if self._messages.random.random() < REQUESTS:
                        await self._request()
                    tell(self._report)
                    assert not neighbour.done(), neighbour.exception()
                await self._close(ws)

    async def _batch(self, ws: aiohttp.ClientWebSocketResponse, texts: list[str]) -> None:
        """Send these; each gets one answer, and nothing is left over."""
        for text in texts:
            if self._messages.random.random() < 0.01:
                await ws.send_bytes(text.encode())
            else:
                await ws.send_str(text)
        self._report.sent += len(texts)
        answered = 0
        async with asyncio.timeout(DEADLINE * 3):
            while answered < len(texts):
                message = await ws.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, f"{message!r} after {texts}"
                event = json.loads(message.data)
                if event["type"] in ANSWERS and event["source"] == "broker":
                    answered += 1
                    self._report.answers[event["data"].get("code", event["type"])] += 1

    async def _close(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Now and then what ends the connection."""
        code, payload = self._messages.random.choice(
            ((1000, b""), (1007, b"\xff{}"), (1009, b"x" * 70_000))
        )
        if code == 1000:
            return
        await ws._writer.send_frame(payload, aiohttp.WSMsgType.TEXT)
        async with asyncio.timeout(DEADLINE):
            while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert message.data == code, message
        self._report.closes[code] += 1

    async def _request(self) -> None:
        request = self._messages.request()
        async with Raw.open(self._server.port) as raw:
            await raw.send(request)
            status = await raw.status()
        assert status < 500, request
        self._report.requests += 1
        self._report.statuses[status] += 1

    def _connect(self) -> Any:
        url = URL(self._server.url).with_scheme("ws").with_path("/ws").with_query(self._query)
        return self._http.ws_connect(url)


async def neighbour(http: aiohttp.ClientSession, server: Process, report: Report) -> None:
    """Hears all that is accepted, which must be good, and asks all the time whether it is heard."""
    url = URL(server.url).with_scheme("ws").with_path("/ws").with_query(name="neighbour")
    async with http.ws_connect(url, max_msg_size=0) as ws:
        while True:
            await asyncio.sleep(0.05)
            asked = time.monotonic()
            await ws.send_json({"type": "tick", "data": {"asked": report.asked}})
            async with asyncio.timeout(DEADLINE):
                while (event := _read(await ws.receive()))["type"] != "broker.accepted":
                    if event["source"] != "broker":
                        check(event)
                        report.heard += 1
            report.asked += 1
            report.slowest = max(report.slowest, time.monotonic() - asked)


def _read(message: aiohttp.WSMessage) -> dict[str, Any]:
    assert message.type is aiohttp.WSMsgType.TEXT, message
    event: dict[str, Any] = json.loads(message.data, parse_constant=lambda name: 1 / 0)
    return event


def check(event: dict[str, Any]) -> None:
    """What is delivered is an event as the contract has it."""
    assert event.keys() >= FIELDS, event
    assert all(isinstance(event[name], str) and event[name] for name in FIELDS - {"data"}), event
    assert isinstance(event["data"], dict), event
    assert event["created"].isascii() and event["created"].isdigit(), event
    assert not event["type"].startswith("broker."), event
    assert "attempt" not in event, event


def own_memory(pid: int) -> int:
    """Bytes of resident memory, without the pages of the journal that the system maps into it."""
    _, resident, mapped, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
    return (resident - mapped) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000, help="(1000000)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="(random)")
    options = parser.parse_args()
    print(f"Seed {options.seed}, {options.messages} messages.", flush=True)
    began = said = time.monotonic()

    def tell(report: Report) -> None:
        nonlocal said
        if time.monotonic() - said >= SAYS_EVERY:
            said = time.monotonic()
            print(f"{said - began:6.0f} s  {report.sent} messages", flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="orders-fuzz-") as directory,
        Process(Path(directory), "--rate", "0") as server,
    ):
        report = asyncio.run(fuzz(server, options.messages, options.seed, tell))
        memory = own_memory(server.pid)
    print(f"{report.sent} messages in {time.monotonic() - began:.0f} s, each answered once:")
    for code, count in report.answers.most_common():
        print(f"  {count:>8}  {code}")
    print(f"{report.requests} requests: {dict(report.statuses)}; closed: {dict(report.closes)}")
    print(
        f"The neighbour heard {report.heard} events and was answered {report.asked} times, within"
        f" {report.slowest:.2f} s. The server's log has {report.log} lines and no traceback;"
        f" it took {memory >> 20} MiB."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

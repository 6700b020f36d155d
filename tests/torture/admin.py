"""What is done by an admin who means well: purges, upgrades, and clocks that are set."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import nats
from nats.js.errors import APIError

from tests.nats_servers import Cluster
from tests.process import Process
from tests.wire import DEADLINE

STEPPING = Path(__file__).with_name("stepping.py")


async def purge(url: str) -> None:
    """Purge every stream that allows it: the log cannot be purged, names and nodes can."""
    nc = await nats.connect(url.split(","))
    try:
        for stream in await nc.jetstream().streams_info():
            name = stream.config.name or ""
            try:
                await nc.jetstream().purge_stream(name)
            except APIError:
                assert name.startswith("ORDERS_"), f"{name} cannot be purged"
            else:
                assert not name.startswith("ORDERS_main"), "the log can be purged"
    finally:
        await nc.close()


async def upgrade(cluster: Cluster, program: Path) -> None:
    """One server after the other is stopped, and started as this version on what it stored."""
    for server in cluster.servers:
        await asyncio.to_thread(server.stop)
        server.program = program
        await asyncio.to_thread(server.start)


async def upgrade_node(node: Process, source: Path) -> None:
    """A node is stopped, and started from this checkout."""
    await asyncio.to_thread(node.stop)
    node.source = source
    await asyncio.to_thread(node.start)


class Clock:
    """The time of day of one node, which it has from `stepping.py`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.write_text("0")

    @property
    def program(self) -> tuple[str, ...]:
        """What to start in place of `python -m orders`."""
        return sys.executable, "-P", str(STEPPING), str(self._file)

    async def set(self, node: Process, http: aiohttp.ClientSession, seconds: float) -> None:
        """Its clock is off by so much from now on, also once it is started again: the id of an
        event shows that."""
        self._file.write_text(str(seconds))
        os.kill(node.pid, signal.SIGUSR1)
        url = f"{node.url}/api/rooms/clocks/events"
        async with http.post(url, json={"type": "tick", "data": {}}) as answer:
            said = await answer.json()
        off = int(said["event"].replace("-", "")[:12], 16) / 1000 - time.time()
        assert abs(off - seconds) < DEADLINE, f"the clock is {off} s off, and was set to {seconds}"

"""Nodes and NATS hurt under load: python -m tests.torture.nodes --minutes 60

Two nodes with a bot each; half the customers and publishers on either, and a listener that moves
from one to the other. A node is killed, or cut off from NATS; the NATS server is killed, or frozen
with SIGSTOP; with `--servers 3` it is a cluster that loses its leader. Each comes back after a
while. An admin purges what can be purged, which the log must not be, sets the clocks of nodes, and
upgrades NATS, server by server, and nodes. At the end the log is read from a node that was started
again on NATS that was started again.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiohttp

from tests.nats_servers import Cluster, program
from tests.process import ROOT, Process
from tests.rooms import Room
from tests.torture import admin
from tests.torture.gate import Gap, Gate
from tests.torture.kills import MODES, Bob
from tests.torture.ledger import Ledger, Verdict, judge
from tests.torture.load import Load
from tests.torture.partition import Way
from tests.wire import DEADLINE

FLAGS = ("--rate", "0", "--max-attempts", "100", "--lease", "3")
HELD = (Gap.HANDED, Gap.RECEIVED, Gap.CONFIRMED)  # between these a bot holds an order
SETTLED = {"ready": 0, "in_flight": 0, "dead": 0}
STEPS = (-3600.0, -5.0, -0.5, 0.5, 5.0, 86400.0)  # seconds by which a clock is set off
CUSTOMERS = PUBLISHERS = 2
DRAINS_WITHIN = 120.0  # seconds in which all orders must be answered once the load ends


class Fault(StrEnum):
    NODE = "node"  # a node is killed while its bot holds an order
    KILLED = "killed"  # a NATS server is killed; of a cluster, the leader
    FROZEN = "frozen"  # the same, but frozen, with all its connections open
    CUT_OFF = "cut off"  # nothing passes between a node and NATS
    PURGED = "purged"  # an admin purges every stream that allows it
    CLOCK = "clock set"  # of a node
    NATS_UPGRADED = "NATS upgraded"  # to the next version, or to the same if there is none
    NODE_UPGRADED = "node upgraded"  # the same


@dataclass(frozen=True)
class Plan:
    """Which faults, in turn, until `faults` are done or `seconds` are over.

    `rest` is how long all is well between two, `away` how long NATS is gone: at least and at most,
    in seconds. `patience` is that of the nodes; `work` how long a bot thinks about an order, in
    seconds. Unless `rereads`, NATS is not started again before the log is read. `programs` are
    versions of NATS, oldest first; nodes begin as the version in the checkout `before`.
    """

    seed: int
    servers: int = 1
    faults: int | None = None
    seconds: float | None = None
    kinds: tuple[Fault, ...] = tuple(Fault)
    pace: float = 200.0
    rest: tuple[float, float] = (1.0, 6.0)
    away: tuple[float, float] = (0.0, 20.0)
    patience: float = 4.0
    work: float = 0.0
    rereads: bool = True
    programs: tuple[Path, ...] = ()
    before: Path = ROOT


class Torture:
    """One run. `tell` is called all the time with the ledger, for progress."""

    def __init__(self, directory: Path, plan: Plan, tell: Callable[[Ledger], None]) -> None:
        self.plan, self._tell = plan, tell
        self.ledger = Ledger()
        self.faults = Counter[Fault]()
        self._random = random.Random(plan.seed)
        self._directory = directory
        self._programs = [*plan.programs] or [program()]
        self._cluster = Cluster(directory / "nats", plan.servers, self._next_version())
        self._clocks: list[admin.Clock] = []
        self._ways: list[list[Way]] = []  # of each node to each server of NATS
        self.nodes: list[Process] = []
        self._bots: list[Bob] = []
        self._gates: list[Gate] = []

    def _make(self, name: str) -> Path:
        (self._directory / name).mkdir()
        return self._directory / name

    async def run(self) -> Verdict:
        plan = self.plan
        flags = ("--engine-replicas", f"{plan.servers}", "--engine-patience", f"{plan.patience}")
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self._cluster)
            for name in ("node-1", "node-2"):
                ways = [Way(server.port) for server in self._cluster.servers]
                self._ways.append([await stack.enter_async_context(way.open()) for way in ways])
                url = ",".join(f"nats://127.0.0.1:{way.port}" for way in ways)
                clock = admin.Clock(self._directory / f"{name}.clock")
                self._clocks.append(clock)
                every = ("--engine", url, *flags, *FLAGS)
                node = Process(self._make(name), *every, program=clock.program)
                node.source = plan.before
                await asyncio.to_thread(stack.enter_context, node)
                self.nodes.append(node)
            async with aiohttp.ClientSession() as http, self._loaded(http) as load:
                await self._hurt(load, http)
                await load.stop()
                await self._until_drained(http, load)
            return judge(self.ledger, await self._log())

    @contextlib.asynccontextmanager
    async def _loaded(self, http: aiohttp.ClientSession) -> AsyncIterator[Load]:
        await Room(http, self.nodes[0]).set_modes({**MODES})
        load = Load(http, self.ledger, self.plan.seed, *(node.url for node in self.nodes))
        async with contextlib.AsyncExitStack() as stack:
            for number, node in enumerate(self.nodes, 1):
                gate = await stack.enter_async_context(Gate(http, node.url, self.ledger).open())
                self._gates.append(gate)
                self._bots.append(Bob(self._directory, gate, f"bob-{number}", self.plan.work))
            try:
                for bot in self._bots:
                    bot.start()
                load.start(customers=CUSTOMERS, publishers=PUBLISHERS, pace=self.plan.pace)
                yield load
            finally:
                await load.close()
                for bot in self._bots:
                    bot.kill()

    # ── what is done ────────────────────────────────────────────────────────────────────────

    async def _hurt(self, load: Load, http: aiohttp.ClientSession) -> None:
        deadline = time.monotonic() + DEADLINE
        while self.ledger.welcomed < CUSTOMERS + PUBLISHERS:
            assert time.monotonic() < deadline, "not all of those who load the nodes were let in"
            await self._look(load)
        end = time.monotonic() + (self.plan.seconds or float("inf"))
        for fault in self._kinds():
            await self._wait(self._random.uniform(*self.plan.rest), load)
            if self.faults.total() == self.plan.faults or time.monotonic() > end:
                return
            if fault is Fault.NODE:
                await self._kill(self._random.randrange(len(self.nodes)), load)
            elif fault is Fault.CUT_OFF:
                await self._cut_off(self._random.choice(self._ways), load)
            elif fault is Fault.PURGED:
                await admin.purge(self._cluster.url)
            elif fault is Fault.CLOCK:
                number = self._random.randrange(len(self.nodes))
                await self._clocks[number].set(self.nodes[number], http, self._random.choice(STEPS))
            elif fault is Fault.NATS_UPGRADED:
                await admin.upgrade(self._cluster, self._next_version())
            elif fault is Fault.NODE_UPGRADED:
                await admin.upgrade_node(self._random.choice(self.nodes), ROOT)
            else:
                await self._take_away(fault, load)
            self.faults[fault] += 1

    def _next_version(self) -> Path:
        """The next version of NATS; the last one stays."""
        return self._programs.pop(0) if len(self._programs) > 1 else self._programs[0]

    async def _kill(self, number: int, load: Load) -> None:
        """Kill a node while its bot holds an order, and start it again."""
        node, struck = self.nodes[number], asyncio.Event()

        def strike(_: str) -> None:
            node.kill()
            struck.set()

        self._gates[number].arm(self._random.choice(HELD), strike)
        deadline = time.monotonic() + DEADLINE
        while not struck.is_set():
            assert time.monotonic() < deadline, "no order was held on this node"
            await self._look(load)
        await asyncio.to_thread(node.start)

    def _kinds(self) -> Iterator[Fault]:
        """Each in turn, in a new order each time round."""
        kinds = list(self.plan.kinds)
        while True:
            self._random.shuffle(kinds)
            yield from kinds

    async def _take_away(self, fault: Fault, load: Load) -> None:
        server = await asyncio.to_thread(self._cluster.leader)
        away = self._random.uniform(*self.plan.away)
        if fault is Fault.FROZEN:
            server.freeze()
            await self._wait(away, load)
            server.thaw()
        else:
            server.kill()
            await self._wait(away, load)
            await asyncio.to_thread(server.start)

    async def _cut_off(self, ways: list[Way], load: Load) -> None:
        for way in ways:
            way.cut()
        await self._wait(self._random.uniform(*self.plan.away), load)
        for way in ways:
            way.heal()

    async def _wait(self, seconds: float, load: Load) -> None:
        """A time of load, in which nothing may go wrong by itself."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self._look(load)

    async def _look(self, load: Load) -> None:
        await asyncio.sleep(0.05)
        load.check()
        self._tell(self.ledger)

    # ── the end ─────────────────────────────────────────────────────────────────────────────

    async def _until_drained(self, http: aiohttp.ClientSession, load: Load) -> None:
        """Until every order is answered and acked, and the listener has heard all there is."""
        rooms = [Room(http, node) for node in self.nodes]
        deadline = time.monotonic() + DRAINS_WITHIN
        is_drained = False
        while not is_drained and time.monotonic() < deadline:
            await self._look(load)
            told = [await room.get() for room in rooms]
            is_drained = not self.ledger.waiting and all(
                one["last"] == self.ledger.heard[-1] and one["queues"]["order_placed"] == SETTLED
                for one in told
            )
        assert is_drained, f"{self.ledger.waiting} orders wait, and the nodes say {told}"
        for bot in self._bots:
            bot.check()
        for node in self.nodes:
            assert "Traceback" not in node.log, node.log

    async def _log(self) -> list[dict[str, Any]]:
        """The whole log, as a new node tells it; of what is on NATS's disks, if that `rereads`."""
        for node in self.nodes:
            node.kill()
        if self.plan.rereads:
            for server in self._cluster.servers:
                server.kill()
            await asyncio.to_thread(self._cluster.__enter__)
        await asyncio.to_thread(self.nodes[1].start)
        url = f"{self.nodes[1].url}/api/rooms/main/events?format=jsonl"
        async with (
            aiohttp.ClientSession() as http,
            http.get(url, timeout=aiohttp.ClientTimeout(None)) as answer,
        ):
            return [json.loads(line) async for line in answer.content]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="(60)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="(random)")
    parser.add_argument("--pace", type=float, default=200.0, help="news a second (200)")
    parser.add_argument("--servers", type=int, default=0, help="NATS servers (half 1, half 3)")
    parser.add_argument("--nats", type=Path, nargs="*", default=(), help="versions, oldest first")
    parser.add_argument("--before", type=Path, default=ROOT, help="a checkout that nodes begin as")
    parser.add_argument("--work", type=float, default=0.3, help="seconds an order takes (0.3)")
    options = parser.parse_args()
    from tests.torture.__main__ import Progress, summary

    sizes = [options.servers] if options.servers else [1, 3]
    clean = True
    for size in sizes:
        seconds = options.minutes * 60 / len(sizes)
        plan = Plan(
            options.seed,
            size,
            seconds=seconds,
            pace=options.pace,
            work=options.work,
            programs=tuple(options.nats),
            before=options.before.resolve(),
        )
        print(f"Seed {plan.seed}, {size} NATS server(s), {seconds / 60:g} minutes.", flush=True)
        with tempfile.TemporaryDirectory(prefix="orders-torture-") as directory:
            torture = Torture(Path(directory), plan, Progress())
            verdict = asyncio.run(torture.run())
        print("faults       " + ", ".join(f"{fault} {torture.faults[fault]}" for fault in Fault))
        print(f"refused      {torture.ledger.refused} times, as `engine_unavailable`")
        print(summary(torture.ledger, verdict))
        clean = clean and verdict.is_clean and torture.ledger.redelivered > 0
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())

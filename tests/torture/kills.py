"""The bots, the victims, and a run as a whole."""

import asyncio
import contextlib
import itertools
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.forked import Forked
from tests.process import Process, environment
from tests.rooms import Room
from tests.torture.gate import Gap, Gate
from tests.torture.ledger import Ledger, Verdict, judge
from tests.torture.load import Load
from tests.wire import DEADLINE

MODES = {"*": "pubsub", "order_placed": "queue"}
VICTIMS = ("server", "bot", "both")
TARGETS = tuple(itertools.product(VICTIMS, Gap))
FLAGS = ("--rate", "0", "--max-attempts", "100")  # a dead letter would hide a redelivery
LEASED = ("--lease", "1")  # where acks are lost: nobody waits long for the order to come again
#: What is done to the messages of a bot, and of any other.
TO_BOTS = ("lose_ack", "deliver_twice", "hold_in", "hold_out", "stall", "cut", "end_lease")
TO_OTHERS = ("hold_in", "hold_out", "stall", "cut")
DRAINS_WITHIN = 120.0  # seconds in which all orders must be answered once the load ends


@dataclass(frozen=True)
class Plan:
    """How long, how hard. It ends after `kills` or `seconds`, whichever is given and comes first.

    `rest` is how long the load runs between two kills, in seconds, at least and at most;
    `faults` how many are set on messages before each.
    """

    seed: int
    kills: int | None = None
    seconds: float | None = None
    bots: int = 2
    customers: int = 2
    publishers: int = 2
    pace: float = 400.0
    rest: tuple[float, float] = (0.5, 4.0)
    faults: int = 0
    targets: tuple[tuple[str, Gap], ...] = TARGETS


class Bob:
    """A real `orders bot` process that reaches the server through the gate.

    `work` is how long it thinks about an order, in seconds.
    """

    def __init__(self, directory: Path, gate: Gate, name: str, work: float = 0.0) -> None:
        self.name, self._gate, self._work = name, gate, work
        self._directory, self._log = directory, directory / f"{name}.log"
        self._log.touch()
        self._process: Forked | None = None

    def start(self) -> None:
        command = ["bot", self._gate.url, "--name", self.name, "--delay", f"{self._work}"]
        nowhere = Path(os.devnull)
        self._process = Forked(command, self._directory, environment(), nowhere, self._log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)

    def check(self) -> None:
        """It does not end by itself, and has nothing to complain about."""
        assert self._process is not None
        log = self._log.read_text(errors="replace")
        assert self._process.poll() is None, f"{self.name} ended: {log}"
        assert "Traceback" not in log, log


class Torture:
    """One run. `tell` is called all the time with the ledger, for progress."""

    def __init__(self, directory: Path, plan: Plan, tell: Callable[[Ledger], None]) -> None:
        self.plan, self._tell = plan, tell
        self._directory = directory
        self.ledger = Ledger()
        self.server = Process(directory, *FLAGS, *(LEASED if plan.faults else ()))
        self._random = random.Random(plan.seed)
        self._bots: dict[str, Bob] = {}

    async def run(self) -> Verdict:
        with self.server:
            async with aiohttp.ClientSession() as http, self._loaded(http) as load:
                await self._kill_on(load, Room(http, self.server))
                await load.stop()
                await self._until_drained(Room(http, self.server))
                return judge(self.ledger, await self._log(http))

    @contextlib.asynccontextmanager
    async def _loaded(self, http: aiohttp.ClientSession) -> AsyncIterator[Load]:
        await Room(http, self.server).set_modes({**MODES})
        load = Load(http, self.ledger, self.plan.seed, self.server.url)
        async with Gate(http, self.server.url, self.ledger).open() as self._gate:
            names = [f"bob-{number}" for number in range(1, self.plan.bots + 1)]
            self._bots = {name: Bob(self._directory, self._gate, name) for name in names}
            try:
                for bot in self._bots.values():
                    bot.start()
                load.start(
                    customers=self.plan.customers,
                    publishers=self.plan.publishers,
                    pace=self.plan.pace,
                )
                yield load
            finally:
                await load.close()
                for bot in self._bots.values():
                    bot.kill()

    # ── killing ─────────────────────────────────────────────────────────────────────────────

    async def _kill_on(self, load: Load, room: Room) -> None:
        began = time.monotonic()
        for victim, gap in self._targets():
            for _ in range(self.plan.faults):
                await self._rest(load)
                await self._set_fault(room)
            if self.plan.kills is not None and self.ledger.struck >= self.plan.kills:
                return
            await self._rest(load)
            if self.plan.seconds is not None and time.monotonic() - began > self.plan.seconds:
                return
            await self._kill(victim, gap, load)

    async def _set_fault(self, room: Room) -> None:
        """Do something to the messages of somebody who is there just now."""
        name = self._random.choice([*self._bots, "customer-0", "publisher-0", "listener"])
        fault = self._random.choice(TO_BOTS if name in self._bots else TO_OTHERS)
        wish = {"fault": fault, "seconds": self._random.uniform(0.05, 1.5)}
        url = f"{self.server.url}{room.path}/participants/{name}/faults"
        async with room.http.post(url, json=wish) as answer:
            assert answer.status in (201, 404), await answer.text()
            self.ledger.faults[fault] += answer.status == 201

    async def _rest(self, load: Load) -> None:
        rest = time.monotonic() + self._random.uniform(*self.plan.rest)
        while time.monotonic() < rest:
            await self._look(load)

    def _targets(self) -> Iterator[tuple[str, Gap]]:
        """Each target in turn, in a new order each time round."""
        targets = list(self.plan.targets)
        while True:
            self._random.shuffle(targets)
            yield from targets

    async def _kill(self, victim: str, gap: Gap, load: Load) -> None:
        """Strike, and start again what was killed."""
        struck: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def strike(name: str) -> None:
            if victim != "server":
                self._bots[name].kill()
            if victim != "bot":
                self.server.kill()
            struck.set_result(name)

        if gap is Gap.WHENEVER:
            strike(self._random.choice(list(self._bots)))
        else:
            self._gate.arm(gap, strike)
        deadline = time.monotonic() + DEADLINE
        while not struck.done():
            assert time.monotonic() < deadline, f"nothing passed the gate that was {gap}"
            await self._look(load)
        if victim != "server":
            self._bots[struck.result()].start()
        if victim != "bot":
            await asyncio.to_thread(self.server.start)
        self.ledger.kills[victim, gap] += 1

    async def _look(self, load: Load) -> None:
        """A moment of load, in which nothing may go wrong by itself."""
        await asyncio.sleep(0.05)
        load.check()
        self._tell(self.ledger)

    # ── the end ─────────────────────────────────────────────────────────────────────────────

    async def _until_drained(self, room: Room) -> None:
        """Until every order is answered, and the listener has heard all there is."""
        deadline = time.monotonic() + DRAINS_WITHIN
        is_drained = False
        while not is_drained and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            self._tell(self.ledger)
            last = (await room.get())["last"]
            is_drained = not self.ledger.waiting and self.ledger.heard[-1] == last
        for bot in self._bots.values():
            bot.check()
        assert "Traceback" not in self.server.log, self.server.log

    async def _log(self, http: aiohttp.ClientSession) -> list[dict[str, Any]]:
        """The whole log, as it is after one more restart: what is on disk."""
        self.server.kill()
        await asyncio.to_thread(self.server.start)
        url = f"{self.server.url}/api/rooms/main/events?format=jsonl"
        async with http.get(url, timeout=aiohttp.ClientTimeout(None)) as answer:
            return [json.loads(line) async for line in answer.content]

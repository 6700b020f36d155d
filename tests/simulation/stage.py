"""One simulation from its plan to its history: people come, things happen, and it becomes calm."""

import asyncio
import contextlib
import itertools
import json
import random
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from tests.simulation import virtual  # before anything that has a clock

# isort: split
import aiohttp

from orders import clock
from orders.clients.participant import ANSWER_WITHIN
from tests.simulation.history import History
from tests.simulation.people import PEOPLE, bob
from tests.simulation.plan import LASTS, Act
from tests.simulation.scene import LOST, SOON, Scene
from tests.simulation.world import LEASE, TOKEN, World

LONGEST = 400.0  # seconds until it must be quiet
#: What the checker asks for takes ten questions to NATS, each of up to 0.6 s on a slow network.
PATIENT = aiohttp.ClientTimeout(total=12)
LATENCIES = ((0.0005, 0.003), (0.001, 0.05), (0.001, 0.3))
PACKAGE = Path(clock.__file__).parent
#: What the host takes back once troubles are over.
AT_LAST = ("POST unlock", "DELETE faults", "POST resume")


class Stage:
    """Plays a plan. `failures` are what went wrong that no promise is about.

    What happens to the servers depends on how many there are: `one_server.py`, `two_nodes.py`.
    """

    world: World
    quiet = 16.0  # seconds without anything new after which all is done; no wait is longer

    def __init__(self, seed: int, acts: Sequence[Act], folder: Path) -> None:
        self.seed, self.acts = seed, acts
        self.loop = virtual.Loop(seed)
        clock.rng.seed(seed)
        clock._count, clock._prefix_of = itertools.count(clock.rng.getrandbits(46)), 0
        self.history = History()
        self._build(folder)
        self.room = f"{self.world.url('host')}/api/rooms/main"
        self.scene = Scene(self.world, seed, resets=any(a.what == "reset room" for a in acts))
        self._people: dict[str, asyncio.Task[Any]] = {}
        self._host: aiohttp.ClientSession | None = None

    def _build(self, folder: Path) -> None:
        """Make the world, which may keep its files in a folder."""
        raise NotImplementedError

    @property
    def failures(self) -> list[str]:
        return self.world.failures

    def play(self) -> History:
        """Everything, from the beginning to what is left on the disk."""
        self.loop.set_exception_handler(self._unhandled)
        self.loop.net.set_flow_control()
        latency = random.Random(f"{self.seed}:latency").choice(LATENCIES)
        self.loop.net.set_defaults(latency=latency)
        try:
            self.loop.run_until_complete(self._play())
            self.history.journal = self.world.read_journal()
        except Exception:
            self.failures.append(traceback.format_exc()[-1500:])
        return self.history

    def _unhandled(self, _: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None or self.world.is_over():
            return  # of a process that is no more
        lines = traceback.format_exception(error)
        is_ours = any(f"{PACKAGE}/" in line for line in lines)  # aiohttp has some of its own
        if is_ours and "I/O error" not in lines[-1]:
            self.failures.append(f"{context.get('message')}: {''.join(lines)[-1500:]}")

    async def _play(self) -> None:
        self.world.start()
        async with aiohttp.ClientSession(
            timeout=SOON, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as self._host:
            begun = [self.loop.create_task(self._act(act)) for act in self.acts]
            await asyncio.sleep(LASTS)
            await asyncio.gather(*begun)
            await self._calm()
            await self._look()
            self.scene.over.set()
            await asyncio.sleep(1)
            for task in self._people.values():
                task.cancel()
            ended = await asyncio.gather(*self._people.values(), return_exceptions=True)
            for name, error in zip(self._people, ended, strict=True):
                if isinstance(error, Exception):
                    lines = "".join(traceback.format_exception(error))
                    self.failures.append(f"{name} failed: {lines[-1500:]}")
        await self.world.stop()

    async def _act(self, act: Act) -> None:
        await asyncio.sleep(act.at)
        if act.what in PEOPLE:
            self._come(act)
            return
        if act.what != "modes" or act.at > 2:
            self.world.note("plan", "act", text=str(act))
        how: Callable[..., Awaitable[None]] = getattr(self, f"_{act.what.replace(' ', '_')}")
        await how(**act.options)

    def _come(self, act: Act) -> None:
        self.world.note(act.name, "comes", text=str(act), prefetch=act.options.get("prefetch"))
        person = PEOPLE[act.what](self.scene, act.name, **act.options)
        self._people[act.name] = self.loop.machine(act.name, person)  # type: ignore[arg-type]

    # ── what the host does ──────────────────────────────────────────────────────────────────

    async def _ask(self, act: str, body: object = None, *, until_done: bool = False) -> int:
        """An act of the host, such as `POST pause`: its HTTP status, 0 where none came."""
        method, path = act.split(" ")
        assert self._host is not None
        while True:
            began, status = self.loop.now, 0
            with contextlib.suppress(*LOST):
                async with self._host.request(method, f"{self.room}/{path}", json=body) as answer:
                    status = answer.status
                    await answer.read()
            self.world.note("host", "did", act=act, status=status, began=began, body=body)
            if 200 <= status < 500 or not until_done:
                return status
            await asyncio.sleep(0.7)

    async def _modes(self, modes: dict[str, str]) -> None:
        await self._ask("PUT modes", modes, until_done=True)

    async def _pause(self, seconds: float, steps: int) -> None:
        await self._ask("POST pause")
        for _ in range(steps):
            await asyncio.sleep(seconds / 3)
            await self._ask("POST step")
        await asyncio.sleep(seconds)
        await self._ask("POST resume", until_done=True)

    async def _step(self) -> None:
        await self._ask("POST step")

    async def _reset_room(self) -> None:
        await self._ask("POST reset")

    async def _mute(self, name: str, seconds: float) -> None:
        await self._ask(f"POST participants/{name}/mute")
        await asyncio.sleep(seconds)
        await self._ask(f"POST participants/{name}/unmute", until_done=True)

    async def _kick(self, name: str, seconds: float) -> None:
        await self._ask(f"POST participants/{name}/kick")
        await asyncio.sleep(seconds)
        await self._ask(f"DELETE kicked/{name}", until_done=True)

    async def _lock(self, seconds: float) -> None:
        await self._ask("POST lock")
        await asyncio.sleep(seconds)
        await self._ask("POST unlock", until_done=True)

    async def _fault(self, name: str, fault: str, seconds: float) -> None:
        await self._ask(f"POST participants/{name}/faults", {"fault": fault, "seconds": seconds})

    # ── what goes wrong ─────────────────────────────────────────────────────────────────────

    def _known(self, who: Sequence[str]) -> list[str]:
        return [name for name in who if name in self._people]

    async def _cut(self, who: list[str], seconds: float) -> None:
        if here := self._known(who):
            self.loop.cut(here, self.world.servers)
            await asyncio.sleep(seconds)
            self.loop.heal()

    async def _slow(self, who: list[str], seconds: float) -> None:
        for name in self._known(who):
            self.loop.slow(name, self.world.server_of(name), (0.5, 1.5))
        await asyncio.sleep(seconds)
        for name in self._known(who):
            self.loop.slow(name, self.world.server_of(name), (0.001, 0.02))

    async def _reset(self, who: list[str]) -> None:
        self.loop.reset(*who)

    async def _forget(self, who: list[str]) -> None:
        self.loop.forget(*who)

    async def _jump(self, seconds: float) -> None:
        virtual.jump(seconds)

    async def _bob_dies(self, name: str, has_power: bool) -> None:
        if task := self._people.get(name):
            self.loop.end_process(name, has_power=has_power)
            await asyncio.wait({task})
            self.loop.power(name)
            self._people[name] = self.loop.machine(name, bob(self.scene, name, delay=0.1))

    def _end_troubles(self) -> None:
        """Nothing goes wrong any more."""

    # ── the end ─────────────────────────────────────────────────────────────────────────────

    async def _calm(self) -> None:
        """Troubles are over; wait until nothing happens any more."""
        self.loop.heal()
        self.loop.slowness = 1.0
        self._end_troubles()
        self.scene.calm.set()
        self.world.note("plan", "calm")
        for act in AT_LAST:
            await self._ask(act, until_done=True)
        for retried in range(2):
            await self._quiet()
            if retried or not await self._retry_dead():
                break

    async def _quiet(self) -> None:
        until = self.loop.now + LONGEST
        facts = -1
        while facts != len(self.history.facts):
            facts = len(self.history.facts)
            await asyncio.sleep(self.quiet)
            if self.loop.now > until:
                self.failures.append("it does not become quiet")
                return

    async def _retry_dead(self) -> bool:
        """The host has dead letters tried again: careful workers are done with them now."""
        dead = await self._get("dead-letters")
        for letter in dead["dead_letters"]:
            await self._ask(f"POST dead-letters/{letter['event']['id']}/retry")
        return bool(dead["dead_letters"])

    async def _get(self, path: str) -> Any:
        assert self._host is not None
        url = f"{self.room}/{path}" if path else self.room
        async with self._host.get(url, timeout=PATIENT) as answer:
            said = json.loads(await answer.read())
            if answer.status != 200:
                self.failures.append(f"GET {path}: {answer.status} {said}")
            return said

    async def _look(self) -> None:
        """How the server says that everything stands: orders, queues, and why for some events."""
        world, chance = self.world, random.Random(f"{self.seed}:look")
        world.note("api", "room", room=await self._get(""))
        for letter in (await self._get("dead-letters"))["dead_letters"]:
            world.note("api", "dead at the end", event=letter["event"]["id"])
        orders = await self._get("orders")
        world.note("api", "orders", orders=orders["orders"])
        page = await self._get("events?limit=1000")
        world.note("api", "events", events=[event["id"] for event in page["events"]])
        for event in chance.sample(page["events"], min(12, len(page["events"]))):
            said = await self._get(f"events/{event['id']}")
            world.note("api", "why", event=event["id"], recipients=said["recipients"])


assert Stage.quiet > LEASE + ANSWER_WITHIN

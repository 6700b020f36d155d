"""Two nodes that share a journal on NATS, a model of which runs on a machine of its own.

The nodes, their engine and its client are the real ones; the model is `tests/jetstream`, which is
held to what the real NATS is held to by `contract/test_engines.py`.
"""

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from nats.aio.client import Client

from orders.errors import CannotStart
from orders.journal.nats import subjects
from orders.web.keys import NODE
from tests.jetstream.api import JetStream
from tests.jetstream.server import Server
from tests.jetstream.streams import Stream, header_of
from tests.simulation import virtual
from tests.simulation.history import Fact, History
from tests.simulation.plan import NODES
from tests.simulation.stage import Stage
from tests.simulation.world import World

NATS = "nats"
PATIENCE = 2.0  # seconds after which NATS counts as silent
JUST = 2.0  # seconds after a process ended in which what fails may be its own


@dataclass
class Process:
    """One life of a node."""

    number: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    app: web.Application | None = None


class TwoNodes(World):
    """The nodes and NATS, whose disk keeps all that it accepted."""

    servers = NODES

    def __init__(self, loop: virtual.Loop, history: History, seed: int) -> None:
        super().__init__(loop, history, seed)
        self.jetstream = JetStream()
        self.processes = {node: Process(0) for node in NODES}
        self.ended = -JUST

    def is_over(self) -> bool:
        return self.loop.now < self.ended + JUST

    def start(self) -> None:
        self.start_nats()
        for node in NODES:
            self.start_node(node)

    # ── NATS ────────────────────────────────────────────────────────────────────────────────

    def start_nats(self) -> None:
        self.loop.power(NATS)
        self.loop.machine(NATS, self._nats())

    async def _nats(self) -> None:
        server = Server(self.jetstream)
        await server.serve(None, 4222)
        self.note(NATS, "up")
        await server.tick()

    def kill_nats(self) -> None:
        self.note(NATS, "killed")
        self.loop.end_process(NATS, has_power=True)

    # ── nodes ───────────────────────────────────────────────────────────────────────────────

    def start_node(self, node: str) -> None:
        """A new process of a node."""
        self.loop.power(node)
        process = self.processes[node] = Process(self.processes[node].number + 1)
        process.task = self.loop.machine(node, self._run(node, process))

    async def _run(self, node: str, process: Process) -> None:
        journal = {"engine": f"nats://{NATS}:4222", "engine_synced": True}
        while self.processes[node] is process:
            try:
                more = {**journal, "engine_patience": PATIENCE}
                await self._serve(node, process.number, process.stop, **more)
                break
            except CannotStart as error:  # NATS is away
                self.note(node, "cannot start", why=error.message)
                await asyncio.sleep(0.5)

    def begun(self, machine: str, app: web.Application) -> None:
        self.processes[machine].app = app

    def kill_node(self, node: str, *, has_power: bool) -> None:
        """What is left of the process says nothing to NATS any more."""
        self.note(node, "killed" if has_power else "lost power")
        self.ended = self.loop.now
        if app := self.processes[node].app:
            engine: Any = app[NODE].engine
            engine._connection.nc._status = Client.CLOSED
        self.loop.end_process(node, has_power=has_power)

    async def stop(self) -> None:
        for node, process in self.processes.items():
            process.stop.set()
            assert process.task is not None
            await asyncio.wait({process.task}, timeout=60)
            if not process.task.done():
                self.failures.append(f"{node} does not end")

    # ── what is left ────────────────────────────────────────────────────────────────────────

    def read_journal(self) -> dict[str, list[list[Fact]]]:
        """All records in NATS: of each room its epochs, of each epoch what happened."""
        rooms: dict[str, dict[int, list[Fact]]] = {}
        for name, stream in self.jetstream.streams.items():
            if name.startswith("ORDERS_") and name != subjects.MARK:
                _, room, epoch = name.split("_")
                rooms.setdefault(room, {})[int(epoch)] = _facts(room, stream)
        return {
            room: [facts for _, facts in sorted(epochs.items()) if facts or len(epochs) == 1]
            for room, epochs in rooms.items()
        }


def _facts(room: str, stream: Stream) -> list[Fact]:
    facts: list[Fact] = []
    for number, message in stream.messages.items():
        header = header_of(message.head)[subjects.HEADER.lower()]
        record = subjects.record(room, number, header, message.body, "")
        about = str(uuid.UUID(bytes=record.key)) if record.key else None
        fact: Fact = {"position": number, "kind": str(record.kind), "at": record.at}
        fact |= {"event": about, "mode": record.mode, "node": record.node}
        is_event = record.kind == "event"
        facts.append(fact | {"body" if is_event else "data": json.loads(message.body)})
    return facts


class TwoNodesStage(Stage):
    world: TwoNodes
    quiet = 34.0  # a node counts as gone after some time

    def _build(self, folder: Path) -> None:
        self.world = TwoNodes(self.loop, self.history, self.seed)
        self._restarting = {machine: asyncio.Lock() for machine in (*NODES, NATS)}

    async def _node_dies(self, node: str, seconds: float, has_power: bool) -> None:
        async with self._restarting[node]:
            self.world.kill_node(node, has_power=has_power)
            await asyncio.sleep(seconds)
            self.world.start_node(node)
            await asyncio.sleep(0.5)

    async def _nats_dies(self, seconds: float) -> None:
        async with self._restarting[NATS]:
            self.world.kill_nats()
            await asyncio.sleep(seconds)
            self.world.start_nats()
            await asyncio.sleep(0.5)

    async def _cut_off(self, nodes: list[str], seconds: float) -> None:
        """Nothing passes between these nodes and NATS, or it stands still: nobody can tell."""
        self.loop.cut(nodes, [NATS])
        await asyncio.sleep(seconds)
        self.loop.heal()
        self.world.note("plan", "healed")

    async def _forgotten(self, by: str) -> None:
        """The connections between nodes and NATS are lost, and one side does not hear of it."""
        self.loop.forget(by)

    async def _slow_nats(self, nodes: list[str], seconds: float) -> None:
        for node in nodes:
            self.loop.slow(node, NATS, (0.2, 0.8))
        await asyncio.sleep(seconds)
        for node in nodes:
            self.loop.slow(node, NATS, (0.001, 0.01))

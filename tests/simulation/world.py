"""The server of a simulation: the real application on a real SQLite, and how its process ends."""

import asyncio
import contextlib
import functools
import json
import logging
import random
import shutil
import sqlite3
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import patch

import structlog
from aiohttp import web

from orders import app as orders
from orders.app import make_engine
from orders.errors import CannotStart, Close
from orders.journal.sqlite import ids, views
from orders.journal.sqlite.engine import SqliteEngine
from orders.settings import Settings
from orders.web.keys import SERVER
from orders.web.static import Files
from tests.simulation import virtual
from tests.simulation.disk import Disk
from tests.simulation.history import Fact, History

TOKEN = "the-token-of-the-host"
LEASE, MAX_ATTEMPTS = 5.0, 3
#: Small, so that what happens once in a thousand events happens here; no wait is longer than some
#: seconds, so that it is soon known that nothing more will happen; and files are read once.
PATCHES: dict[str, Any] = {
    "orders.app.make_engine": lambda made: (
        SqliteEngine(made.journal_path, virtual.Writer)
        if made.engine == "sqlite"
        else make_engine(made)
    ),
    "orders.server.replay.PAGE": 4,
    "orders.server.delivery.PAGE": 3,
    "orders.broker.queue.AT_HAND": 600,
    "orders.clients.connection.HEARTBEAT": 3.0,
    "orders.clients.address.LONGEST_PAUSE": 3.0,
    "orders.clients.address._AWAY": {Close.GOING_AWAY: (0.0, 5.0), Close.FULL: (4.0, 7.0)},
    "orders.broker.backoff.LONGEST": 8.0,
    "orders.web.app.Files": functools.cache(Files),
    "orders.web.security.own_names": set,
    "orders.web.security.own_addresses": set,
}
#: How much the views of the journal have wait, and how much they fold at once.
VIEWS = {"slice": 3, "waiting_when_idle": 6, "waiting_at_most": 15}

logging.disable(logging.CRITICAL)
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
for target, value in PATCHES.items():
    patch(target, value).start()
for view in (views.OrderTable, views.QueueTable, ids.IdIndex):
    for name, value in VIEWS.items():
        setattr(view, name, value)


def warm_up() -> None:
    """Load all that a server needs, once for all processes that are forked from this one."""
    orders.create_app(Settings(_env_file=None, journal="memory"))
    make_engine(Settings(_env_file=None, engine="nats://nats:4222"))


class World:
    """What all servers have in common; `servers` are the machines that they run on."""

    servers: tuple[str, ...] = ()

    def __init__(self, loop: virtual.Loop, history: History, seed: int) -> None:
        self.loop, self.history, self.seed = loop, history, seed
        self.chance = random.Random(f"{seed}:world")
        self.max_unread = self.chance.choice([2048, 16 * 1024, 1 << 20])
        self.failures: list[str] = []

    def note(self, who: str, what: str, **more: Any) -> None:
        """Something happened."""
        fact = {"at": round(self.loop.now, 6), "who": who, "what": what, **more}
        self.history.facts.append(fact)

    def server_of(self, name: str) -> str:
        """The machine of the server at which somebody takes part."""
        return random.Random(f"{self.seed}:{name}:server").choice(self.servers)

    def url(self, name: str) -> str:
        return f"http://{self.server_of(name)}:8080"

    def start(self) -> None:
        """All servers begin."""
        raise NotImplementedError

    async def stop(self) -> None:
        """All servers end, as on SIGTERM."""
        raise NotImplementedError

    def read_journal(self) -> dict[str, list[list[Fact]]]:
        """All records that are stored: of each room its epochs, of each epoch what happened."""
        raise NotImplementedError

    def is_over(self) -> bool:
        """Whether some process has just ended, so that what fails in it says nothing."""
        raise NotImplementedError

    async def _serve(self, machine: str, number: int, stop: asyncio.Event, **more: Any) -> None:
        """One process of a server, until it is to stop."""
        settings = Settings(
            _env_file=None,
            allow_host=self.servers,
            host_token=TOKEN,
            rate=0,
            lease=LEASE,
            max_attempts=MAX_ATTEMPTS,
            max_unread=self.max_unread,
            heartbeat=2.0,
            heartbeat_timeout=5.0,
            **more,
        )
        app = orders.create_app(settings)
        app[SERVER].port, app[SERVER].url = 8080, f"http://{machine}:8080"
        runner = web.AppRunner(app, **orders.RUNNER)
        try:
            await runner.setup()
            await web.TCPSite(runner, None, 8080).start()
            self.begun(machine, app)
            self.note(machine, "up", process=number)
            await stop.wait()
        finally:
            with contextlib.suppress(Exception):
                await runner.cleanup()
        self.note(machine, "ended", process=number)

    def begun(self, machine: str, app: web.Application) -> None:
        """A process listens."""


class OneServer(World):
    """One server after the other, each on what the disk had when the one before it ended."""

    servers = (virtual.SERVER,)

    def __init__(self, loop: virtual.Loop, folder: Path, history: History, seed: int) -> None:
        super().__init__(loop, history, seed)
        self._home = folder
        self.disk = Disk(folder, random.Random(f"{seed}:disk"))
        for module in ("log", "opening"):
            patch(f"orders.journal.sqlite.{module}.write_again", self.disk.write_again).start()
        self.number = 0
        self._stop: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def folder(self) -> Path:
        """Where the journal of this process lies."""
        return self._home / str(self.number)

    def is_over(self) -> bool:
        return self.folder in self.disk.dead

    # ── beginning ───────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """A new process, on what is on the disk."""
        self.number += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stop = asyncio.Event()
        work = self._run(self.number, self._stop)
        self._task = self.loop.machine(virtual.SERVER, work)

    async def _run(self, number: int, stop: asyncio.Event) -> None:
        journal = str(self.folder / "orders.db")
        while self.number == number:
            try:
                await self._serve(virtual.SERVER, number, stop, journal=journal)
                break
            except CannotStart as error:
                troubled = self.disk.trouble or "disk I/O error" in error.message
                self.note("server", "cannot start", why=error.message)
                if not troubled:
                    self.failures.append(f"process {number} cannot start: {error.message}")
                await asyncio.sleep(0.5)

    # ── ending ──────────────────────────────────────────────────────────────────────────────

    def kill(self, *, has_power: bool) -> None:
        """The process ends at once: what it wrote is there, or with the power off what it synced,
        and of the rest what chance leaves."""
        self.note("server", "killed" if has_power else "lost power", process=self.number)
        after = self._home / str(self.number + 1)
        after.mkdir()
        self.disk.dead.add(self.folder)
        for path in self.folder.glob("orders.db*"):
            stored = self.disk.files.get(path)
            if has_power or stored is None:  # one that was never opened lies on the disk
                left = path.read_bytes()
            else:
                left = stored.after_power_cut(self.disk.chance)
            if not path.name.endswith((".lock", "-shm")):
                (after / path.name).write_bytes(left)
        self.loop.end_process(virtual.SERVER, has_power=has_power)

    async def restart(self, after: float) -> None:
        """The next process, so many seconds later."""
        await asyncio.sleep(after)
        self.loop.power(virtual.SERVER)
        self.start()

    async def stop(self) -> None:
        """As on SIGTERM; the next process finds the same files."""
        assert self._stop is not None
        assert self._task is not None
        self._stop.set()
        await asyncio.wait({self._task}, timeout=60)
        if not self._task.done():
            self.failures.append(f"process {self.number} does not end")
        after = self._home / str(self.number + 1)
        after.mkdir()
        self.disk.dead.add(self.folder)
        for path in self.folder.iterdir():
            if path.suffix != ".lock" and not path.name.endswith("-shm"):
                shutil.copy(path, after / path.name)

    # ── what is left ────────────────────────────────────────────────────────────────────────

    def read_journal(self) -> dict[str, list[list[Fact]]]:
        """All records on the disk: of each room its epochs, of each epoch what happened."""
        after = self._home / str(self.number + 1)
        db = sqlite3.connect(after / "orders.db")
        damage = db.execute("PRAGMA integrity_check").fetchone()[0]
        if damage != "ok":
            self.failures.append(f"the journal is damaged: {damage}")
        rooms: dict[str, list[list[Fact]]] = {}
        for key, room in db.execute("SELECT key, name FROM rooms ORDER BY name, epoch").fetchall():
            rows = db.execute(
                "SELECT place & ((1 << 40) - 1), kind, at, key, mode, body FROM records"
                " WHERE place >> 40 = ? ORDER BY place",
                (key,),
            )
            rooms.setdefault(room, []).append([_record(*row) for row in rows])
        db.close()
        return rooms


def _record(position: int, kind: str, at: int, key: bytes | None, mode: str, body: bytes) -> Fact:
    data = json.loads(body)
    about = str(uuid.UUID(bytes=key)) if key else None
    return {"position": position, "kind": kind, "at": at, "event": about, "mode": mode} | {
        "body" if kind == "event" else "data": data
    }

"""Real servers for tests, in this process or as one of their own; each on a port of its own."""

import contextlib
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import hypothesis
import pytest
from pytest_aiohttp import AiohttpServer
from yarl import URL

from orders.settings import Settings
from tests.process import Process
from tests.rooms import Address, Room
from tests.wire import Wire

#: The first opens a page for a fifth of the work, having no windows of its own to draw.
CHROMIUM = ("chromium-headless-shell", "chromium")

# No test asserts a duration: not of an example, and not of making one on a busy machine.
hypothesis.settings.register_profile(
    "orders", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("orders")


class Connect(Protocol):
    async def __call__(self, server: Address, path: str = "/ws", **query: object) -> Wire: ...


class Come(Protocol):
    async def __call__(self, server: Address, **query: Any) -> Wire: ...


class MakeSettings(Protocol):
    def __call__(self, **changes: Any) -> Settings: ...


class Serve(Protocol):
    def __call__(self, **changes: Any) -> AbstractAsyncContextManager[Any]: ...


class Start(Protocol):
    def __call__(self, *flags: str, wrapper: tuple[str, ...] = ()) -> Process: ...


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ORDERS_") and not name.startswith("ORDERS_REQUIRE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def no_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test sends a server in this process, nothing in it may be unhandled."""
    caplog.set_level(logging.INFO)
    yield
    for phase in ("setup", "call"):
        for record in caplog.get_records(phase):
            assert record.exc_info is None, record.getMessage()
            assert "Traceback" not in record.getMessage()


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Settings for a test: any free port, a journal of its own, and what the test changes."""

    def make(**changes: Any) -> Settings:
        values = {"port": 0, "journal": str(tmp_path / "orders.db"), **changes}
        return Settings(_env_file=None, **values)

    return make


@pytest.fixture
def serve(make_settings: MakeSettings, aiohttp_server: AiohttpServer) -> Serve:
    """`async with serve(rate=0) as server`: a real server in this process."""
    from orders.app import RUNNER, create_app, found_at
    from orders.web.keys import SERVER

    @contextlib.asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[Any]:
        app = create_app(make_settings(**changes))
        running = await aiohttp_server(app, **RUNNER)
        found_at(app[SERVER], int(running.port or 0))
        yield app[SERVER]
        await running.close()

    return start


@pytest.fixture
async def server(serve: Serve, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A real server in this process, with default settings but those in `@settings(rate=0)`."""
    marker = request.node.get_closest_marker("settings")
    async with serve(**(marker.kwargs if marker else {})) as server:
        yield server


@pytest.fixture
def guesses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token of the host's is refused at once, and not a second later."""
    monkeypatch.setattr("orders.web.security.SLOWED", 0.0)


class Clock:
    """The clock by which leases run out. It goes on by itself, and at once where a test says so."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def forward(self, seconds: float) -> None:
        self._ahead += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Put it forward, and in servers of this process what was held that long is let go."""
    clock = Clock()
    monkeypatch.setattr("orders.server.queues.monotonic", clock.monotonic)
    return clock


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start("--rate", "0")`: a real `orders serve` process, ended with the test."""
    started: list[Process] = []

    def begin(*flags: str, wrapper: tuple[str, ...] = ()) -> Process:
        process = Process(tmp_path, *flags, wrapper=wrapper)
        started.append(process)
        return process.start()

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


@pytest.fixture
async def connect(http: aiohttp.ClientSession) -> AsyncIterator[Connect]:
    """`await connect(server, name="alice", room="main")`: a raw participant until the test ends."""
    wires: list[Wire] = []

    async def open_(server: Address, path: str = "/ws", **query: object) -> Wire:
        url = URL(server.url).with_scheme("ws").with_path(path)
        wire = Wire(await http.ws_connect(url.with_query({k: str(v) for k, v in query.items()})))
        wires.append(wire)
        return wire

    yield open_
    for wire in wires:
        await wire.ws.close()


@pytest.fixture
def come(connect: Connect) -> Come:
    """`await come(server, name="bob")`: join, and be welcome."""

    async def join(server: Address, **query: Any) -> Wire:
        wire = await connect(server, **query)
        await wire.expect("broker.welcome")
        return wire

    return join


@pytest.fixture
async def alice(server: Any, connect: Connect) -> Wire:
    """Alice, who is in the room before the test begins."""
    return await connect(server, name="alice")


@pytest.fixture
def room(http: aiohttp.ClientSession, server: Any) -> Room:
    """The room `main`, over HTTP."""
    return Room(http, server)


def _required(variable: str, *tools: str) -> str:
    """Where the first of the tools is that is here.

    Without any, the test is skipped, or fails where the variable demands it.
    """
    for tool in tools:
        path = shutil.which(tool)
        if path is not None:
            return path
    reason = f"{tools[0]} is not installed (Debian: apt-get install {tools[0]})"
    if os.environ.get(variable):
        pytest.fail(f"{reason}, and {variable} is set")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    return _required("ORDERS_REQUIRE_BROWSER", *CHROMIUM)


@pytest.fixture(scope="session")
def dumpcap() -> str:
    """The path of dumpcap, which comes with tshark."""
    _required("ORDERS_REQUIRE_TSHARK", "tshark")
    return _required("ORDERS_REQUIRE_TSHARK", "dumpcap")


@pytest.fixture(scope="session")
def strace() -> str:
    """The path of strace, where tracing is allowed."""
    import subprocess

    path = _required("ORDERS_REQUIRE_STRACE", "strace")
    tried = subprocess.run([path, "-o", "/dev/null", "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.decode().strip()}")
    return path

"""The composition root: the only place that names concrete engines, and that binds ports."""

import asyncio
import contextlib
import gc
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

from aiohttp import web

from orders import logs
from orders.broker.limits import Limits
from orders.clock import token
from orders.errors import CannotStart
from orders.journal.base import Engine
from orders.journal.sqlite.engine import SqliteEngine
from orders.network import lan_addresses
from orders.server import Node, Options
from orders.settings import DEFAULT_PORT, Settings
from orders.web.app import build
from orders.web.keys import NODE, SERVER, Server
from orders.web.socket import frame

SHUTDOWN = 2.0  # seconds that requests may take to end
KEEP_ALIVE = 30.0  # seconds that a connection may wait for its next request: it costs a file
PORTS_TRIED = 20
RECEIVED = 64 * 1024  # bytes of a connection that wait unread, in the system or when read at once
#: When the garbage collector looks at what is new, newer and all (see `gc`): often, and briefly.
GARBAGE = (2_000, 3, 40)
MUCH = 20_000  # queued events that it looks at, at most: of each 10,000 it takes 2 ms
#: How aiohttp runs the application.
RUNNER: dict[str, Any] = {
    "access_log": None,
    "shutdown_timeout": SHUTDOWN,
    "keepalive_timeout": KEEP_ALIVE,
    "max_headers": 48,  # of 8 KiB at most: a request that never ends keeps as many
    "auto_decompress": False,  # nobody may make a large message of a small one
}


def make_engine(settings: Settings) -> Engine:
    """The engine that the settings name."""
    if settings.engine != "sqlite":
        return _nats_engine(settings)
    return SqliteEngine(settings.journal_path)


def _nats_engine(settings: Settings) -> Engine:
    try:
        from orders.journal.nats import NatsEngine
    except ImportError:
        raise CannotStart(
            "engine_missing",
            "The engine on NATS needs a library that is not installed: pip install nats-py.",
        ) from None
    return NatsEngine(
        [address.strip() for address in settings.engine.split(",")],
        replicas=settings.engine_replicas,
        synced=settings.engine_synced,
        creds=settings.engine_creds,
        ca=settings.engine_ca,
        patience=settings.engine_patience,
    )


def create_app(settings: Settings) -> web.Application:
    """The whole server as an application; nothing is opened before it starts."""
    limits = Limits(
        rate=settings.rate,
        burst=settings.burst,
        abusive_grace=settings.abusive_grace,
        max_participants=settings.max_participants,
        max_rooms=settings.max_rooms,
    )
    options = Options(
        limits, settings.lease, settings.max_attempts, settings.max_unread, settings.slow_grace
    )
    host_token = settings.host_token or token(16)
    server = Server(token=host_token, is_loopback=not settings.lan)
    app = build(Node(make_engine(settings), options, frame), settings, server)
    if importlib.util.find_spec("orders.classroom"):  # all else works without that folder
        from orders.classroom import install

        install(app)
    return app


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Server]:
    """A running server, and where it is reached; it ends with this context."""
    app = create_app(settings)  # which may refuse a setting, and has opened nothing then
    sockets = bind(settings)
    server = app[SERVER]
    found_at(server, sockets[0].getsockname()[1], settings.address)
    runner = web.AppRunner(app, **RUNNER)
    looked = spare(app[NODE])
    gc.callbacks.append(looked)
    try:
        await runner.setup()
        for bound in sockets:
            await web.SockSite(runner, bound, backlog=1024).start()
        yield server
    finally:
        await runner.cleanup()
        gc.callbacks.remove(looked)
        for bound in sockets:
            bound.close()


def found_at(server: Server, port: int, address: str | None = None) -> None:
    """Note where a server is reached that listens on this port: first by the address chosen."""
    server.port = port
    server.url = f"http://localhost:{port}"
    known = [] if server.is_loopback else lan_addresses(address)
    server.urls = [f"http://{name}:{port}" for name in known] or [server.url]
    server.host_url = f"{server.urls[0]}/host?token={quote(server.token)}"


# ── ports ───────────────────────────────────────────────────────────────────────────────────────


def bind(settings: Settings) -> list[socket.socket]:
    """Sockets on the port asked for, else on the next free one from the default."""
    for _ in range(PORTS_TRIED if settings.port == 0 else 0):
        with contextlib.suppress(OSError):  # the port drawn may be taken on IPv6
            return _bind(0, settings.lan)
    if settings.port is not None:
        try:
            return _bind(settings.port, settings.lan)
        except OSError as error:
            raise CannotStart(
                "port_taken",
                f"Port {settings.port} cannot be used ({error.strerror}): stop what uses it, or"
                " choose another, such as --port 0 for any free one.",
            ) from None
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        with contextlib.suppress(OSError):
            return _bind(port, settings.lan)
    raise CannotStart(
        "port_taken",
        f"The ports {DEFAULT_PORT} to {DEFAULT_PORT + PORTS_TRIED - 1} are all taken: choose"
        " another, such as --port 0 for any free one.",
    )


def _bind(port: int, lan: bool) -> list[socket.socket]:
    """One IPv4 and, where there is one, one IPv6 socket on the same port."""
    first = _listen(socket.AF_INET, "" if lan else "127.0.0.1", port)
    if not socket.has_ipv6:
        return [first]
    port = port or first.getsockname()[1]
    try:
        return [first, _listen(socket.AF_INET6, "::" if lan else "::1", port)]
    except OSError as error:
        if "in use" in str(error):
            first.close()
            raise
        return [first]  # this machine speaks no IPv6


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
        bound.bind((host, port))
        bound.listen(1024)
    except OSError:
        bound.close()
        raise
    return bound


# ── running ─────────────────────────────────────────────────────────────────────────────────────


def run(
    settings: Settings, *, on_ready: Callable[[Server], Awaitable[None] | None] | None = None
) -> None:
    """Serve until Ctrl-C or SIGTERM; a second Ctrl-C ends at once."""
    logs.configure(settings.log_json)
    allow_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, on_ready))


def allow_files() -> None:
    """Open as many files as the system lets us: each connection is one."""
    try:
        import resource
    except ImportError:  # Windows sets no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS names a limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(
    settings: Settings, on_ready: Callable[[Server], Awaitable[None] | None] | None
) -> None:
    stop, failed = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """What nobody handled in the broker ends the server loudly; the journal is safe."""
        if stop.is_set() and "_start_serving" in str(context.get("message")):
            return  # asyncio would accept again, after the files were used up: we end
        loop.default_exception_handler(context)
        if context.get("message") == "the broker failed":
            failed.set()
            stop.set()

    loop.set_exception_handler(end)

    def interrupted() -> None:
        if stop.is_set():
            os._exit(130)  # what was accepted is on disk, and bots end with us
        stop.set()

    for signal_number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(signal_number, interrupted)
        except NotImplementedError:  # Windows
            signal.signal(signal_number, lambda *_: loop.call_soon_threadsafe(interrupted))
    gc.disable()  # of what a start makes nothing is garbage, and a long log makes much
    async with serving(settings) as server:
        gc.freeze()  # what is here now stays: the collector need not look at it again
        gc.set_threshold(*GARBAGE)
        gc.enable()
        if on_ready is not None:
            waiting = on_ready(server)
            if waiting is not None:
                await waiting
        await stop.wait()
    if failed.is_set():
        raise CannotStart("broker_failed", "The broker failed: the log says why.")


def spare(node: Node) -> Callable[[str, dict[str, int]], None]:
    """Have the garbage collector (see `gc.callbacks`) pass over what waits in queues.

    It would find nothing, and hold up everyone for as long as it looks. Whatever else is there at
    that moment is passed over from then on, too: some connections, each time that so many more
    wait, which cost some 20 KiB each if they end badly.
    """
    spared = 0

    def looked(phase: str, info: dict[str, int]) -> None:
        nonlocal spared
        waiting = sum(len(room.state.queue.entries) for room in list(node.rooms.values()))
        spared = min(spared, waiting)
        if phase == "stop" and info["generation"] and waiting > spared + MUCH:
            gc.freeze()
            spared = waiting

    return looked


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; nothing depends on it."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop

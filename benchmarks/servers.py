"""The servers that are measured: processes of their own, on one core of their own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
STARTS_WITHIN = 60.0  # seconds


class DidNotStart(SystemExit):
    """A server that ended, or was not ready in time; its last words are the message."""


@dataclass(frozen=True)
class Server:
    """A running server: its process id and port, and the seconds until it was ready."""

    pid: int
    port: int
    seconds: float

    @property
    def memory(self) -> int:
        """Resident memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def own_memory(self) -> int:
        """Resident memory in bytes without what is mapped from files, such as a journal's pages."""
        return self._status("RssAnon")

    @property
    def peak_memory(self) -> int:
        """The most resident memory that it ever took, in bytes."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    @property
    def cpu(self) -> float:
        """Seconds of processor time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """A peer that is not installed here; the message says what to do about it."""


def cores() -> tuple[int, int]:
    """The core for the server, and the one for the load."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise SystemExit("Two cores are needed: one for the server, one for the load.")
    return available[0], available[1]


@contextmanager
def orders(
    core: int | None, directory: str | None = None, journal: Path | None = None, **settings: object
) -> Iterator[Server]:
    """`orders serve` with this journal, else one in a new directory (within `directory`).

    Without a core it takes any.
    """
    with tempfile.TemporaryDirectory(prefix="orders-", dir=directory) as home:
        environment = {f"ORDERS_{name.upper()}": str(value) for name, value in settings.items()}
        path = str(journal or Path(home) / "orders.db")
        command = ["-m", "orders", "serve", "--port", "0", "--journal", path]
        with running([sys.executable, *command], home, core, environment, "/readyz") as server:
            yield server


def node_ws(core: int) -> AbstractContextManager[Server]:
    """A bare relay on Node's `ws`; raises `Missing` where that is not installed."""
    if reason := without_node("ws"):
        raise Missing(reason)
    return relay(["node", str(PEERS / "relay_ws.js")], core)


def without_node(package: str) -> str:
    """Why a peer that runs on Node cannot be had here, or nothing."""
    if not shutil.which("node"):
        return "Node is not installed"
    there = (PEERS / "node_modules" / package).exists()
    return "" if there else f"{package} is not installed: npm install in benchmarks/peers"


@contextmanager
def relay(command: Sequence[str], core: int) -> Iterator[Server]:
    """A program that prints `http://localhost:PORT` once it listens."""
    with (
        tempfile.TemporaryDirectory(prefix="relay-") as home,
        running(command, home, core, {"NODE_ENV": "production"}) as server,
    ):
        yield server


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    home: str,
    core: int | None,
    environment: dict[str, str] | None = None,
    ready: str | None = None,
    port: int | None = None,
) -> Iterator[Server]:
    """A process on a core. It is ready when it answers `ready`, or else when its port opens."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    own = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    log = Path(home) / "log"
    before = os.sched_getaffinity(0)
    cores = before if core is None else {core}
    os.sched_setaffinity(0, cores)  # a child keeps the cores of its parent, and so do its threads
    try:
        began = time.perf_counter()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=home,
                env={**kept, **own, **(environment or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
    finally:
        os.sched_setaffinity(0, before)
    try:
        port = port or _port(process, log, began)
        while not (_answers(f"http://127.0.0.1:{port}{ready}") if ready else _opens(port)):
            _still_starting(process, log, began)
        yield Server(process.pid, port, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path, began: float) -> int:
    """The port it prints."""
    while (found := re.search(rb"http://localhost:(\d+)", log.read_bytes())) is None:
        _still_starting(process, log, began)
    return int(found[1])


def _still_starting(process: subprocess.Popen[bytes], log: Path, began: float) -> None:
    if process.poll() is not None or time.perf_counter() - began > STARTS_WITHIN:
        raise DidNotStart(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")
    time.sleep(0.005)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=STARTS_WITHIN) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _opens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=STARTS_WITHIN).close()
    except ConnectionError:
        return False
    return True

"""What would go wrong in this classroom: each thing looked at, and what to do about it."""

import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orders.errors import Refused, counted
from orders.files import check_file
from orders.journal.sqlite.inspection import Tell, inspect, save, tell_nobody
from orders.network import lan_addresses
from orders.settings import DEFAULT_PORT, Settings

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 37)
SPARE_FILES = 64  # besides one per participant
MOST_NAMED = 10  # damaged records
LEAST_SPACE = 200 * 1024 * 1024  # bytes: about a million events

State = Literal["ok", "hint", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` says what to do, where there is something to do."""

    state: State
    what: str
    advice: str = ""


def examine(settings: Settings, tell: Tell = tell_nobody) -> list[Finding]:
    """Look at everything that a server with these settings needs."""
    return [
        _python(),
        _sqlite(),
        *_journal(settings, tell),
        _port(settings),
        _open_files(settings),
        *_network(settings),
    ]


def save_intact(settings: Settings, to: Path, tell: Tell = tell_nobody) -> str:
    """Write what is intact of a journal to a new file: what was saved, in a sentence."""
    path = settings.journal_path
    if path is None or not path.exists():
        raise Refused("bad_journal", "Name the journal's file, such as --journal class.db.")
    if to.exists():
        raise Refused("bad_journal", f"{to} exists: name a new file.")
    try:
        check_file(path)
        found = save(path, to, tell)
    except (sqlite3.Error, OSError) as error:
        to.unlink(missing_ok=True)
        raise Refused("bad_journal", f"{path} cannot be saved to {to}: {error}.") from None
    left_out = ", ".join(str(one) for one in found.damaged[:MOST_NAMED])
    intact = found.records - len(found.damaged)
    why = f"; left out: {left_out}" if left_out else ""
    return f"{to} has {intact:,} of {counted(found.records, 'record')}{why}."


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("ok", f"Python is {version}.")
    return Finding("problem", f"Python is {version}.", "Install Python 3.11 or newer.")


def _sqlite() -> Finding:
    what = f"SQLite is {sqlite3.sqlite_version}."
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return Finding("problem", what, "Use a newer Python: it brings its own SQLite.")
    return Finding("ok", what)


def _journal(settings: Settings, tell: Tell) -> Iterator[Finding]:
    path = settings.journal_path
    if path is None:
        yield Finding("hint", "The journal is kept in memory.", "It is gone when the server ends.")
        return
    try:
        check_file(path)
        folder = path.absolute().parent
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"orders")
            os.fsync(file.fileno())
        if path.exists():
            with path.open("r+b"):
                pass
    except OSError as error:
        yield Finding(
            "problem",
            f"The journal {path} cannot be written: {error.strerror}.",
            "Choose another place with --journal FILE.",
        )
        return
    yield Finding("ok", f"The journal {path.absolute()} can be written.")
    if path.exists():
        yield from _records(path, tell)
    free = shutil.disk_usage(folder).free
    what = f"{free // 1024**2} MiB are free for it."
    if free < LEAST_SPACE:
        yield Finding("problem", what, "Make room, or choose another disk with --journal FILE.")
    else:
        yield Finding("ok", what)


def _records(path: Path, tell: Tell) -> Iterator[Finding]:
    """Whether what lies in a journal is as it was written, and what can be saved."""
    found = inspect(path, tell)
    if found.is_intact:
        yield Finding("ok", f"It holds {counted(found.records, 'record')}, as written.")
        return
    for one in found.damaged[:MOST_NAMED]:
        yield Finding("problem", f"In the journal {one}.", "Restore the journal from a copy.")
    if found.structure:
        yield Finding(
            "problem",
            f"The journal's file is damaged: {found.structure}.",
            "Restore it from a copy.",
        )
    intact = found.records - len(found.damaged)
    yield Finding(
        "hint",
        f"Of {counted(found.records, 'record')} that can be read {intact:,} can be saved.",
        f"Stop the server, run `orders doctor --journal {path} --save saved.db`, and start it with"
        " `--journal saved.db`.",
    )


def _port(settings: Settings) -> Finding:
    port = DEFAULT_PORT if settings.port is None else settings.port
    error = _bind_error("" if settings.lan else "127.0.0.1", port)
    if error is None:
        return Finding("ok", f"Port {port} is free." if port else "Any free port will be taken.")
    if _is_orders(port):
        return Finding("ok", f"An Orders server is running on port {port}.")
    return Finding(
        "problem" if settings.port is not None else "hint",
        f"Port {port} cannot be had: {error}.",
        "End the program that has it, or choose another with --port; without --port the next free"
        " one is taken.",
    )


def _bind_error(address: str, port: int) -> str | None:
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _is_orders(port: int) -> bool:
    try:
        url = f"http://localhost:{port}/api/rooms/main"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(url, timeout=2) as answer:
            return b'"modes"' in answer.read(64 * 1024)
    except OSError:
        return False


def _open_files(settings: Settings) -> Finding:
    try:
        import resource
    except ImportError:  # Windows sets no such limit
        return Finding("ok", "Open files are not limited.")
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)  # the server takes all it may
    needed = settings.max_participants + SPARE_FILES
    if limit != resource.RLIM_INFINITY and limit < needed:
        return Finding(
            "problem",
            f"Only {limit} files may be open at once: too few for"
            f" {settings.max_participants} participants.",
            f"Run `ulimit -n {max(4096, needed)}` in this terminal before `orders serve`.",
        )
    return Finding("ok", f"{limit} files may be open at once.")


def _network(settings: Settings) -> Iterator[Finding]:
    addresses = lan_addresses()
    if not addresses:
        yield Finding(
            "problem" if settings.lan else "hint",
            "This machine has no address in a network.",
            "Join the classroom's network, or open a hotspot on this machine or a phone.",
        )
        return
    for address in addresses:
        yield _reachable(address)
    proxy = urllib.request.getproxies().get("http")
    if proxy and not urllib.request.proxy_bypass("localhost"):
        yield Finding(
            "hint",
            f"Programs here go through the proxy {proxy}, even to this machine.",
            f"Set no_proxy=localhost,127.0.0.1,{addresses[0]} where they run.",
        )
    port = DEFAULT_PORT if settings.port is None else settings.port
    yield Finding(
        "hint",
        "Whether the network lets its clients talk to each other cannot be seen from here.",
        f"Run `orders serve --lan` and open http://{settings.address or addresses[0]}:{port} on a"
        " phone. If nothing comes, let this port through this machine's firewall; if that does not"
        " help, the network keeps its clients apart (client isolation): use a hotspot instead.",
    )
    yield Finding(
        "hint",
        "Browsers keep empty tabs and https pages from a server in this network, and some schools"
        " cut WebSockets.",
        "Type programs on a page of the server, with `new WebSocket(…)` (Node: 22 or newer) and not"
        " Socket.IO. If a page says Offline, see docs/connecting.md.",
    )


def _reachable(address: str) -> Finding:
    """Whether a connection to this address comes back to us."""
    try:
        with (
            socket.create_server((address, 0)) as server,
            socket.create_connection(server.getsockname(), timeout=2),
        ):
            return Finding("ok", f"{address} is an address of this machine, and answers.")
    except OSError as error:
        return Finding(
            "problem",
            f"{address} is an address of this machine, but does not answer ({error}).",
            "Let Python accept connections in this machine's firewall.",
        )

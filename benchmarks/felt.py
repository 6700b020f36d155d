"""Where much waits, or many look: what it costs now, beside the code before.

    git worktree add /tmp/before COMMIT
    python -m benchmarks.felt --before /tmp/before
    python -m benchmarks.felt types start       some of it; without --before only what is now

Each case is measured by turns with the code before and with ours, both on the same journal. What a
second of the server's processor did counts, where it can: others on the machine hardly change it.
"""

import argparse
import contextlib
import http.client
import json
import math
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks import bench, clients, journals, servers, shops, wire
from benchmarks.cores import Cores
from benchmarks.tapped import running
from orders.journal.sqlite.rows import QUERIES

QUEUED, TYPES, OF_EACH, ORDERS, STARTED = 200_000, 1_000, 5, 400_000, 1_000_000
OBSERVERS, RATE, SECONDS = 50, 1_000, 4.0
WINDOW, PREFETCH = 256, 100
ACCEPTED = b'"broker.accepted"'
#: An event that was handed over; only these have an attempt.
TAKEN = rb'"id":"([^"]{36})"[^{]*\{[^}]*\},"attempt":'


class Publisher:
    """Places so many orders as fast as a window of those that are not yet accepted allows."""

    def __init__(self, load: wire.Load, port: int, types: list[bytes], count: int) -> None:
        self._socket, _ = wire.connect(port, f"/ws?room={journals.ROOM}&name=alice&types=none")
        self._socket.settimeout(60)
        self._through, self._sent, self._count = wire.Occurrences(ACCEPTED), 0, count
        self._types, self._ids = types, wire.random_ids()
        load.add(self._socket, self._through)

    @property
    def accepted(self) -> int:
        return self._through.count

    def send(self, most: int = WINDOW) -> None:
        free = min(most - (self._sent - self.accepted), self._count - self._sent)
        if free > 0:
            self._socket.sendall(b"".join(wire.frame(self._text()) for _ in range(free)))

    def _text(self) -> bytes:
        type = self._types[self._sent % len(self._types)]
        self._sent += 1
        return b'{"id":"%s","type":"%s","data":{"n":%d}}' % (next(self._ids), type, self._sent)


class Worker:
    """Takes whatever it is handed, and acks it at once."""

    def __init__(self, load: wire.Load, port: int, prefetch: int) -> None:
        query = f"room={journals.ROOM}&name=bob&types=*&ack=manual&prefetch={prefetch}&quiet=true"
        self._socket, _ = wire.connect(port, f"/ws?{query}")
        self.acked = 0
        load.add(self._socket, shops.Matches(TAKEN, self._take))

    def _take(self, matches: list[Any]) -> None:
        text = b'{"type":"broker.ack","data":{"event":"%s"}}'
        self.acked += len(matches)
        self._socket.settimeout(60)
        self._socket.sendall(b"".join(wire.frame(text % match[1]) for match in matches))


def ask(port: int, method: str, path: str, data: object = None) -> tuple[float, bytes]:
    """Seconds until a request to the API was answered, and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    body = None if data is None else json.dumps(data)
    headers = {"Content-Type": "application/json"}
    connection.request(method, f"/api/rooms/{journals.ROOM}{path}", body, headers)
    text = connection.getresponse().read()
    took = time.perf_counter() - began
    connection.close()
    return took, text


def stall(port: int) -> float:
    """The longest that the server's loop was late, in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    found = next(line for line in lines if "stall" in line and not line.startswith("#"))
    return float(found.split()[-1]) * 1000


def settle(server: servers.Server) -> None:
    """Wait until the server has done what it does when there is time."""
    busy = math.inf
    while busy > 0.02:
        before = server.cpu
        time.sleep(0.5)
        busy = server.cpu - before


def queues(types: int, count: int, prefetch: int, server: servers.Server) -> dict[str, float]:
    """So many events are queued; then a worker takes and acks each."""
    load = wire.Load()
    try:
        names = [b"t%d" % number for number in range(types)]
        publisher = Publisher(load, server.port, names, count)
        ask(server.port, "PUT", "/modes", {"*": "queue"})
        cores = Cores(server)
        while publisher.accepted < count:
            publisher.send()
            load.turn()
        queued = cores.stop().seconds
        settle(server)
        worker, cores = Worker(load, server.port, prefetch), Cores(server)
        while worker.acked < count:
            load.turn()
        taken = cores.stop().seconds
        return {
            "queue_us": queued / count * 1e6,
            "take_and_ack_us": taken / count * 1e6,
            "longest_stall_ms": stall(server.port),
        }
    finally:
        load.close()


def paused(server: servers.Server) -> dict[str, float]:
    """A room that is paused, in which everything waits, and one who would take it comes."""
    load = wire.Load()
    try:
        publisher = Publisher(load, server.port, [b"order"], QUEUED + 1000)
        ask(server.port, "PUT", "/modes", {"*": "queue"})
        ask(server.port, "POST", "/pause")
        while publisher.accepted < QUEUED:
            publisher.send()
            load.turn()
        Worker(load, server.port, PREFETCH)
        settle(server)
        cores, before = Cores(server), publisher.accepted
        while publisher.accepted < QUEUED + 1000:
            publisher.send(1)  # one at a time: each asks whether it may be handed over
            load.turn()
        return {"event_us": cores.stop().seconds / (publisher.accepted - before) * 1e6}
    finally:
        load.close()


def api(server: servers.Server) -> dict[str, float]:
    """The API is asked for what few of very many orders are, or none."""
    asked = {
        "unknown_customer_ms": "/orders?customer=nobody",
        "unknown_state_ms": "/orders?state=rejected",
        "unknown_state_of_customer_ms": "/orders?customer=alice&state=rejected",
        "one_order_ms": "/orders?customer=alice&number=5",
    }
    for path in asked.values():
        ask(server.port, "GET", path)
    return {
        name: statistics.median(ask(server.port, "GET", path)[0] for _ in range(9)) * 1000
        for name, path in asked.items()
    }


def start(server: servers.Server) -> dict[str, float]:
    """From the command to the first answer, with very much in a queue."""
    return {"seconds": server.seconds}


def observers(looking: int, server: servers.Server) -> dict[str, float]:
    """Events at a fixed rate, and so many who look at the room."""
    load = wire.Load()
    try:
        count = int(RATE * SECONDS)
        publisher = Publisher(load, server.port, [b"tick"], count)
        for _ in range(looking):
            load.add(wire.connect(server.port, f"/observe/{journals.ROOM}")[0], shops.ignore)
        cores, began = Cores(server), time.perf_counter()
        for number in range(0, count, 10):
            while (wait := began + number / RATE - time.perf_counter()) > 0:
                load.turn(wait)
            publisher.send(number + 10 - publisher.accepted)
        return {"share_of_core": cores.stop().server}
    finally:
        load.close()


# ── journals ────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _changed(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = off")
    db.execute("BEGIN")
    yield db
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def with_queue(path: Path) -> None:
    """A journal in which a million events wait in a queue."""
    journals.make(path, STARTED)
    with _changed(path) as db:
        ready = ((1, position, "ready", 0, "", "") for position in range(1, STARTED + 1))
        db.executemany(QUERIES["save_entry"], ready)


def with_orders(path: Path) -> None:
    """A journal with very many orders, of four customers."""
    journals.make(path, 1)
    names = ("alice", "bob", "carol", "dave")
    with _changed(path) as db:
        for number in range(ORDERS):
            said: dict[str, Any] = {"customer": names[number % 4], "number": str(number)}
            said |= {"room": 1, "position": number + 1, "state": "confirmed"}
            body = {"event": "", "at": 0, "id": number, "item": "tea"} | said
            db.execute(QUERIES["save_order"], said | {"body": json.dumps(body)})


# ── all of it ───────────────────────────────────────────────────────────────────────────────────

Measure = Callable[[servers.Server], dict[str, float]]
#: What is measured, and what makes the journal for it, if it is not a new one.
CASES: dict[str, tuple[Measure, Callable[[Path], None] | None]] = {
    "queued": (partial(queues, 1, QUEUED, PREFETCH), None),
    "types": (partial(queues, TYPES, TYPES * OF_EACH, 1), None),
    "paused": (paused, None),
    "api": (api, with_orders),
    "start": (start, with_queue),
    "watched": (partial(observers, OBSERVERS), None),
    "unwatched": (partial(observers, 0), None),
    **{kind: (partial(clients.measure, kind), None) for kind in clients.DATA},
}
RATES = dict.fromkeys(clients.DATA, 50)  # events a second that one may send; else as many as it can


def measured(name: str, tree: Path, core: int, made: Callable[[str], Path]) -> dict[str, float]:
    """The figures of a case with the code in this folder."""
    measure, make = CASES[name]
    with tempfile.TemporaryDirectory(prefix="felt-") as home:
        journal = Path(home) / "orders.db"
        if make is not None:
            shutil.copy(made(name), journal)
        with running(tree, core, journal, RATES.get(name, 0)) as server:
            return measure(server)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), help=" ".join(CASES))
    parser.add_argument("--before", type=Path, help="a checkout of other code")
    parser.add_argument("--runs", type=int, default=3, help="(3)")
    options = parser.parse_args()
    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    bench.allow_files()
    trees = {"before": options.before.resolve()} if options.before else {}
    trees["now"] = servers.ROOT
    with tempfile.TemporaryDirectory(prefix="felt-") as home:

        @cache
        def made(name: str) -> Path:
            path = Path(home) / f"{name}.db"
            if make := CASES[name][1]:
                make(path)
            return path

        for name in options.cases:
            if name not in CASES:
                sys.exit(f"{name!r} is not measured here: {', '.join(CASES)} are.")
            found: dict[str, list[dict[str, float]]] = {which: [] for which in trees}
            for _ in range(options.runs):
                for which, tree in trees.items():
                    found[which].append(measured(name, tree, server_core, made))
            for figure in found["now"][0]:
                print(f"{name:<12} {figure:<30} {shown(found, figure)}", flush=True)


def shown(found: dict[str, list[dict[str, float]]], figure: str) -> str:
    """A figure's medians, lowest and highest, and the ratio of ours to the code before."""
    parts, medians = [], {}
    for which, runs in found.items():
        values = sorted(run[figure] for run in runs)
        medians[which] = statistics.median(values)
        parts.append(f"{which} {medians[which]:,.4g} ({values[0]:,.4g}–{values[-1]:,.4g})")
    if medians.get("before"):
        parts.append(f"ratio {medians['now'] / medians['before']:.3f}")
    return ", ".join(parts)


if __name__ == "__main__":
    main()

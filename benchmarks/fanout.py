"""Fan-out: deliveries a second, beside a bare aiohttp relay on the same machine in the same run.

One publisher sends 150-byte events into a room of 100 subscribers and keeps a window of events
that are not yet accepted. Orders checks each, commits it to SQLite on disk, and only then delivers
it; the bare relay checks and stores nothing. Both run on one core, the load on another:

    python -m benchmarks.fanout --runs 3
"""

import argparse
import itertools
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

from benchmarks import servers, wire

SIZE = 150  # bytes of an event as it is sent
WARM_UP = 1.0  # seconds
FULL = 0.95  # the share of its core that the bare relay uses when nothing else runs there
BEGINS_WITHIN = 20.0  # seconds until every subscriber has heard something


@dataclass(frozen=True)
class Run:
    """What one run measured: deliveries a second, and the share of a core that each side used."""

    deliveries: float
    server: float
    load: float
    others: tuple[float, ...] = ()


def event(id: bytes) -> bytes:
    """An event of SIZE bytes, written as the broker writes it."""
    head = (
        b'{"id":"%s","type":"tick","created":"1676554735324","source":"publisher","data":{"text":"'
        % id
    )
    return head + b"x" * (SIZE - len(head) - 3) + b'"}}'


def measure(
    server: servers.Server,
    accepted: bytes,
    options: argparse.Namespace,
    nodes: Sequence[servers.Server] = (),
    watched: Sequence[servers.Server] = (),
) -> Run:
    """Load one server. `accepted` is the word that tells the publisher that an event is through.

    With further `nodes` the subscribers are spread over all; `others` of the result are the shares
    of these, and of those who are only `watched`.
    """
    all_nodes, others = (server, *nodes), (*nodes, *watched)
    load = wire.Load()
    received = [0] * options.subscribers
    tick = wire.frame_size(SIZE)

    def subscriber(number: int) -> Callable[[memoryview], None]:
        def heard(piece: memoryview) -> None:
            received[number] += len(piece)

        return heard

    try:
        for number in range(options.subscribers):
            port = all_nodes[number % len(all_nodes)].port
            sock, _ = wire.connect(port, f"/ws?room=bench&name=s{number}&types=tick&quiet=true")
            load.add(sock, subscriber(number))
        publisher, rest = wire.connect(
            server.port, "/ws?room=bench&name=publisher&types=none&echo=false"
        )
        publisher.settimeout(BEGINS_WITHIN)  # a large window may have to wait for room
        through = wire.Occurrences(accepted)
        through(memoryview(rest))
        load.add(publisher, through)
        frames = (wire.frame(event(id)) for id in wire.random_ids())
        ready = list(itertools.islice(frames, options.window))
        sent = 0

        def run_until(done: Callable[[], bool]) -> None:
            nonlocal sent
            while not done():
                free = options.window - (sent - through.count)
                if free > 0:
                    publisher.sendall(b"".join(ready[:free]))
                    sent += free
                    ready[:free] = itertools.islice(frames, free)  # made while the server works
                load.turn()

        began = time.perf_counter()
        run_until(lambda: min(received) >= tick or time.perf_counter() > began + BEGINS_WITHIN)
        if min(received) < tick:
            raise SystemExit("Not every subscriber was served: there is nothing to measure.")
        warm = time.perf_counter() + WARM_UP
        run_until(lambda: time.perf_counter() >= warm)

        before, own, its, theirs, start = (
            sum(received),
            time.process_time(),
            server.cpu,
            [other.cpu for other in others],
            time.perf_counter(),
        )
        run_until(lambda: time.perf_counter() >= start + options.seconds)
        took = time.perf_counter() - start
        return Run(
            (sum(received) - before) / tick / took,
            (server.cpu - its) / took,
            (time.process_time() - own) / took,
            tuple((one.cpu - cpu) / took for one, cpu in zip(others, theirs, strict=True)),
        )
    finally:
        load.close()


def sync_time(directory: str | None) -> float:
    """The median seconds of writing 4 KiB and waiting for the disk, where the journal will be."""
    times = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(50):
            start = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--window", type=int, default=64, help="events not yet accepted (64)")
    parser.add_argument("--subscribers", type=int, default=100, help="(100)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (5)")
    parser.add_argument("--runs", type=int, default=3, help="(3)")
    parser.add_argument(
        "--directory", help="where the journal lies (the system's for temporary files)"
    )
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("Two cores are needed: one for the server, one for the load.")
    server_core, load_core = cores[:2]
    os.sched_setaffinity(0, {load_core})

    print(
        f"Python {platform.python_version()}, aiohttp {version('aiohttp')}, {platform.system()}"
        f" {platform.machine()}, {os.cpu_count()} cores; server on core {server_core}, load on"
        f" {load_core}\n{SIZE}-byte events to {options.subscribers} subscribers, a window of"
        f" {options.window}; a sync to disk takes {sync_time(options.directory) * 1e3:.2f} ms"
    )
    kinds: dict[str, tuple[Callable[[], AbstractContextManager[servers.Server]], bytes]] = {
        "bare relay": (partial(servers.baseline, server_core), b'"type":"tick"'),
        "Orders": (
            partial(servers.orders, server_core, options.directory, rate=0),
            b'"broker.accepted"',
        ),
    }
    ratios = []
    for number in range(1, options.runs + 1):
        runs = {}
        for name, (start, accepted) in kinds.items():
            print(f"run {number} of {options.runs}: {name:<10} ", end="", flush=True)
            with start() as server:
                runs[name] = run = measure(server, accepted, options)
            print(
                f"{run.deliveries:>12,.0f} deliveries/s"
                f"   (server {run.server:.0%} of its core, load {run.load:.0%} of its own)"
            )
        ratios.append(runs["Orders"].deliveries / runs["bare relay"].deliveries)
        disturbed = " (disturbed: others use this core)" if runs["bare relay"].server < FULL else ""
        print(f"run {number} of {options.runs}: {ratios[-1]:.1f} times the bare relay{disturbed}")
    print(f"median of {options.runs}: {statistics.median(ratios):.1f} times the bare relay")


if __name__ == "__main__":
    main()

"""What growth costs: deliveries a second and memory as subscribers, rooms and the log grow.

    python -m benchmarks.growth                      up to 1,000 subscribers, 100 rooms, 1 M events
    python -m benchmarks.growth log --length 10000000    the long one: a few GB of disk, minutes

Each figure is of a server of its own. Of a log it says how soon the server is ready, how many
events a second it appends, how soon who missed the last 1,000 has them, and what memory it takes.
"""

import argparse
import itertools
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import idle, journals, servers, wire
from benchmarks.cores import Cores
from benchmarks.results import OURS, Result
from orders.cli.progress import show
from orders.journal.sqlite.ids import IdIndex

SUBSCRIBERS = (10, 100, 1000)
ROOMS = (1, 10, 100)
LENGTHS = (0, 100_000, 1_000_000)
A_ROOM = 10  # subscribers in each, while rooms grow
WINDOW = 64  # events of each publisher that are not yet accepted
WARM_UP = 1.0  # seconds
WITHIN = 60.0  # seconds until everyone has heard something
MISSED = 1000
LONG = 1_000_000  # events of a log that takes a while to make, and is not copied for each run
ACCEPTED = b'"broker.accepted"'
#: Load that is busy answers no pings, and may read late: neither is what is measured here.
PATIENT: dict[str, Any] = {"rate": 0, "slow_grace": WITHIN, "heartbeat_timeout": 3600}


class Publisher:
    """Sends as fast as a window of events that are not yet accepted allows."""

    def __init__(self, load: wire.Load, port: int, room: str) -> None:
        path = f"/ws?room={room}&name=publisher&types=none&echo=false"
        self._socket, rest = wire.connect(port, path)
        self._socket.settimeout(WITHIN)  # a large window may have to wait for room
        self.through = wire.Occurrences(ACCEPTED)
        self.through(memoryview(rest))
        load.add(self._socket, self.through)
        self._frames = (wire.frame(journals.event(id)) for id in wire.random_ids())
        self._sent = 0

    @property
    def accepted(self) -> int:
        return self.through.count

    def send(self) -> None:
        free = WINDOW - (self._sent - self.accepted)
        if free > 0:
            self._socket.sendall(b"".join(itertools.islice(self._frames, free)))
            self._sent += free


class Traffic:
    """A publisher in each room, and so many subscribers, shared out among the rooms."""

    def __init__(self, port: int, rooms: list[str], subscribers: int = 0) -> None:
        self.load = wire.Load()
        self.meters = [wire.Sizes(wire.frame_size(journals.SIZE)) for _ in range(subscribers)]
        for number, meter in enumerate(self.meters):
            room = rooms[number % len(rooms)]
            path = f"/ws?room={room}&name=s{number}&types=tick&quiet=true"
            self.load.add(wire.connect(port, path)[0], meter)
        self.publishers = [Publisher(self.load, port, room) for room in rooms]

    @property
    def accepted(self) -> int:
        return sum(publisher.accepted for publisher in self.publishers)

    @property
    def delivered(self) -> int:
        return sum(meter.count for meter in self.meters)

    def run_until(self, done: Callable[[], bool]) -> None:
        while not done():
            for publisher in self.publishers:
                publisher.send()
            self.load.turn()

    def warm_up(self) -> None:
        """Run until everyone was served, and a moment longer."""
        late = time.perf_counter() + WITHIN
        all_served: list[wire.Meter] = [*self.meters, *(p.through for p in self.publishers)]
        self.run_until(lambda: all(m.count for m in all_served) or time.perf_counter() > late)
        if not all(meter.count for meter in all_served):
            raise SystemExit("Not everyone was served: there is nothing to measure.")
        warm = time.perf_counter() + WARM_UP
        self.run_until(lambda: time.perf_counter() > warm)


def measure_crowd(grows: str, size: int, seconds: float, server_core: int, run: int = 1) -> Result:
    """One run with so many "subscribers" in a room, or so many "rooms" of 10 each."""
    subscribers, rooms = (size, 1) if grows == "subscribers" else (size * A_ROOM, size)
    limits = {"max_rooms": rooms + 1, "max_participants": subscribers + 1}
    with servers.orders(server_core, None, None, **(PATIENT | limits)) as server:
        names = [f"room-{number}" for number in range(rooms)]
        traffic = Traffic(server.port, names, subscribers)
        try:
            traffic.warm_up()
            delivered, accepted = traffic.delivered, traffic.accepted
            cores, end = Cores(server), time.perf_counter() + seconds
            traffic.run_until(lambda: time.perf_counter() > end)
            cores.stop()
            figures = {
                "deliveries_per_second": (traffic.delivered - delivered) / cores.took,
                "cpu_us_per_append": cores.seconds / (traffic.accepted - accepted) * 1e6,
                "memory_mib": server.own_memory / 2**20,
                "others": cores.others,
            }
        finally:
            traffic.load.close()
    case = {grows: float(size)}
    return Result(f"growth_{grows}", OURS, case, figures, cores.server, cores.load, run)


def measure_log(
    journal: Path, length: int, missed: str | None, server_core: int, run: int = 1
) -> Result:
    """One run on a journal that holds so many events; `missed`: an id, 1,000 before the last.

    As many ids as may wait in memory are appended first, and as many again are measured: so each
    event pays for moving one id to its table, which costs more the longer the log is.
    """
    figures: dict[str, float] = {}
    with servers.orders(server_core, None, journal, **PATIENT) as server:
        started = server.own_memory
        if missed:
            figures["resume_ms"] = resume(server.port, missed) * 1000
        traffic = Traffic(server.port, [journals.ROOM])
        try:
            traffic.run_until(lambda: traffic.accepted >= IdIndex.waiting_at_most)
            accepted, slowest = traffic.accepted, math.inf
            cores, second = Cores(server), time.perf_counter()
            while (before := traffic.accepted) < 2 * IdIndex.waiting_at_most:
                second += 1
                traffic.run_until(lambda: time.perf_counter() > second)  # noqa: B023 - at once
                slowest = min(slowest, traffic.accepted - before)
            cores.stop()
            accepted = traffic.accepted - accepted
        finally:
            traffic.load.close()
        figures = {
            "appends_per_second": accepted / cores.took,
            "slowest_second_appends": slowest,
            "cpu_us_per_append": cores.seconds / accepted * 1e6,
            "start_seconds": server.seconds,
            **figures,
            "started_mib": started / 2**20,
            "memory_mib": server.own_memory / 2**20,
            "others": cores.others,
        }
    case = {"events": float(length)}
    return Result("growth_log", OURS, case, figures, cores.server, cores.load, run)


def resume(port: int, after: str) -> float:
    """Seconds from the connection until all that came after an event was heard."""
    start = time.perf_counter()
    sock, heard = wire.connect(port, f"/ws?room={journals.ROOM}&name=late&after={after}")
    sock.settimeout(WITHIN)
    while b"broker.caught_up" not in heard[-2 * journals.SIZE :]:
        piece = sock.recv(1 << 20)
        if not piece:
            raise ConnectionError("the server hung up during the replay")
        heard += piece
    sock.close()
    return time.perf_counter() - start


def of_crowds(seconds: float, server_core: int, runs: int) -> Iterator[Result]:
    """As subscribers grow in one room, then as rooms grow."""
    cases = [("subscribers", size) for size in SUBSCRIBERS] + [("rooms", size) for size in ROOMS]
    for run, (grows, size) in itertools.product(range(1, runs + 1), cases):
        yield measure_crowd(grows, size, seconds, server_core, run)


def of_logs(
    longest: int, server_core: int, runs: int, directory: str | None = None
) -> Iterator[Result]:
    """As the log grows to `longest`. It lies in a new directory (within `directory`, if given)."""
    for length in sorted({n for n in LENGTHS if n < longest} | {longest}):
        with tempfile.TemporaryDirectory(prefix="growth-", dir=directory) as home:
            journal = Path(home) / "orders.db"
            began = time.perf_counter()
            ids = journals.make(journal, length, partial(show_made, length))
            show("")
            if length >= LONG:
                size = journal.stat().st_size / 1e9
                took = time.perf_counter() - began
                print(f"made in {took:.0f} s, {size:.1f} GB of disk", file=sys.stderr)
            for run in range(1, runs + 1):
                copy = journal
                if length < LONG:  # what one run appends would count in the next
                    copy = Path(home) / f"run-{run}.db"
                    shutil.copy(journal, copy)
                missed = ids[0] if len(ids) == MISSED else None
                yield measure_log(copy, length, missed, server_core, run)


def show_made(length: int, made: int) -> None:
    """On a terminal: how much of a log there is."""
    show(f"making a log: {made:,} of {length:,} events")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("all", "crowds", "log"), default="all")
    parser.add_argument("--length", type=int, default=LENGTHS[-1], help="of the log (1000000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each crowd (5)")
    parser.add_argument("--runs", type=int, default=1, help="(1)")
    parser.add_argument("--directory", help="where the log lies")
    options = parser.parse_args()
    idle.allow_files(max(SUBSCRIBERS) + 200)
    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    results: list[Iterator[Result]] = []
    if options.what != "log":
        results.append(of_crowds(options.seconds, server_core, options.runs))
    if options.what != "crowds":
        results.append(of_logs(options.length, server_core, options.runs, options.directory))
    try:
        for result in itertools.chain.from_iterable(results):
            print(line(result), flush=True)
    except OSError as error:
        sys.exit(str(error))


def line(result: Result) -> str:
    """A result with all its figures as a line to read."""
    ((grows, size),) = result.case.items()
    figures = ", ".join(f"{name} {value:,.4g}" for name, value in result.figures.items())
    return f"{size:,.0f} {grows}: {figures} (server {result.server:.0%}, load {result.load:.0%})"


if __name__ == "__main__":
    main()

"""What it costs that somebody may look at the wire: nothing, while nobody does.

    git worktree add /tmp/before COMMIT
    python -m benchmarks.tapped --before /tmp/before

Fan-out to 100, in turn by the code before, by ours while nobody looks, and by ours while two look
at one subscriber. Printed are deliveries for each second of the server's processor, as ratios of
one run.
"""

import argparse
import contextlib
import os
import socket
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks import bench, fanout, servers, wire
from benchmarks.peers import ORDERS

LOOKED_AT = "/observe/bench/wire/s0"


@contextlib.contextmanager
def running(
    tree: Path, core: int, journal: Path | None = None, rate: float = 0
) -> Iterator[servers.Server]:
    """`orders serve` of the code in this folder, on this journal or a new one."""
    with tempfile.TemporaryDirectory(prefix="orders-") as home:
        path = str(journal or Path(home) / "orders.db")
        command = [sys.executable, "-m", "orders", "serve", "--port", "0", "--journal", path]
        environment = {"PYTHONPATH": str(tree), "ORDERS_RATE": str(rate)}
        environment["ORDERS_HEARTBEAT_TIMEOUT"] = "3600"  # the load answers no pings
        with servers.running(command, home, core, environment, "/readyz") as server:
            yield server


def read(sock: socket.socket) -> None:
    """Read all that a viewer is sent, until the server ends."""
    sock.setblocking(True)
    with contextlib.suppress(OSError):
        while sock.recv(1 << 16):
            pass


def measured(tree: Path, core: int, viewers: int, seconds: float, run: int) -> float:
    """Deliveries for each second of the server's processor, while so many look at one of 100."""
    with running(tree, core) as server:
        for _ in range(viewers):
            sock, _ = wire.connect(server.port, LOOKED_AT)
            threading.Thread(target=read, args=(sock,), daemon=True).start()
        result = fanout.measure(ORDERS, server, seconds=seconds, run=run)
    return result.figures["deliveries_per_core_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="a checkout of other code")
    parser.add_argument("--runs", type=int, default=5, help="(5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement (2)")
    options = parser.parse_args()
    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    bench.allow_files()
    cases = {
        "nobody looks": (servers.ROOT, 0),
        "two look at one of 100": (servers.ROOT, 2),
    }
    ratios: dict[str, list[float]] = {name: [] for name in cases}
    for run in range(1, options.runs + 1):
        before = measured(options.before.resolve(), server_core, 0, options.seconds, run)
        for name, (tree, viewers) in cases.items():
            now = measured(tree, server_core, viewers, options.seconds, run)
            ratios[name].append(now / before)
            bench.say(f"run {run}: {name:<24} {now / before:.3f} of the code before")
    for name, found in ratios.items():
        low, high = min(found), max(found)
        print(f"{name:<24} median {statistics.median(found):.3f}, {low:.3f}–{high:.3f}")


if __name__ == "__main__":
    main()

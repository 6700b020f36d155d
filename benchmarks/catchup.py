"""Catching up: a crowd comes back and reads the whole log, at once.

1,000 clients connect with `after=start` to a room of 100,000 events of 150 bytes. It ends when
each has heard `broker.caught_up` with the number of them: 100 million deliveries.

    python -m benchmarks.catchup --clients 1000 --events 100000
"""

import argparse
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import idle, journals, servers, wire
from benchmarks.cores import Cores
from benchmarks.results import OURS, Result

TAIL = 400  # bytes in which the last message of a replay surely is


def measure(clients: int, events: int, server_core: int, run: int = 1) -> Result:
    """One run: a new server on a journal made for it, and so many who come back."""
    with tempfile.TemporaryDirectory(prefix="catchup-") as home:
        path = Path(home) / "orders.db"
        journals.make(path, events)
        with servers.orders(server_core, journal=path, heartbeat_timeout=3600) as server:
            empty, cores = server.memory, Cores(server)
            received = catch_up(server.port, clients, events)
            cores.stop()
            peak = server.peak_memory
    figures = {
        "events_per_second": clients * events / cores.took,
        "seconds": cores.took,
        "mb_per_second": received / cores.took / 1e6,
        "empty_mib": empty / 2**20,
        "peak_mib": peak / 2**20,
        "others": cores.others,
    }
    case = {"clients": float(clients), "events": float(events)}
    return Result("catchup", OURS, case, figures, cores.server, cores.load, run)


def catch_up(port: int, clients: int, events: int) -> int:
    """Connect all and read until each has caught up; the bytes that came."""
    load = wire.Load()
    received = missing = 0

    def client() -> Callable[[memoryview], None]:
        tail = b""

        def heard(piece: memoryview) -> None:
            nonlocal tail, received, missing
            received += len(piece)
            tail = (tail + bytes(piece[-TAIL:]))[-TAIL:]
            if b"broker.caught_up" in tail:
                if b'"events":%d' % events not in tail:
                    raise ValueError(f"one missed events: {tail!r}")
                missing -= 1
                tail = b""

        return heard

    try:
        for number in range(clients):
            path = f"/ws?room={journals.ROOM}&name=c{number}&after=start"
            sock = socket.create_connection(("127.0.0.1", port), timeout=20)
            sock.sendall(idle.handshake(port, path))
            load.add(sock, client())
            missing += 1
        while missing:
            load.turn()
        return received
    finally:
        load.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=1000, help="(1000)")
    parser.add_argument("--events", type=int, default=100_000, help="(100000)")
    parser.add_argument("--runs", type=int, default=1, help="(1)")
    options = parser.parse_args()
    idle.allow_files(options.clients + 100)
    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    for run in range(1, options.runs + 1):
        result = measure(options.clients, options.events, server_core, run)
        figures = result.figures
        print(
            f"run {run}: {options.clients} clients caught up with {options.events:,} events"
            f" in {figures['seconds']:.1f} s: {figures['events_per_second']:,.0f} events/s,"
            f" {figures['mb_per_second']:,.0f} MB/s; the server took"
            f" {figures['empty_mib']:.0f} MiB before and {figures['peak_mib']:.0f} at most"
            f" (server {result.server:.0%} of its core, load {result.load:.0%} of its own)",
            flush=True,
        )


if __name__ == "__main__":
    main()

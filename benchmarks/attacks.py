"""What one who keeps within every limit does to a neighbour, and what twenty do.

Quiet, attack, quiet, attack, … on one server. A neighbour sends ten events a second, at moments
that nobody can guess, and hears each back; how long that took is counted from the moment at which
it was to be sent. Attackers are a process of their own on the core of the load.

One may raise the neighbour's p99 by a tenth, the spread of the quiet runs or 3 ms, whichever is
most; twenty may double it (and the same slack).
"""

import argparse
import json
import os
import random
import re
import select
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import servers, wire
from benchmarks.attackers import ATTACKS, Attack
from benchmarks.cores import Cores
from benchmarks.latency import percentile

RATE = 10.0  # events of the neighbour a second
SLACK = 0.003  # seconds
ENDS_WITHIN = 5.0  # seconds
SETTLES = 1.0  # seconds
JOBS = 200  # that wait in a queue, to be nacked
MIB = 1 << 20
AT = re.compile(rb'"at":(\d+)\}')


class Neighbour:
    """Sends ten events a second, and notes how long each took to come back."""

    def __init__(self, port: int, room: str = "main") -> None:
        self._sock, _ = wire.connect(port, f"/ws?room={room}&name=neighbour&quiet=true")
        self._random = random.Random(5)
        self._tail = b""

    def run(self, seconds: float, rate: float = RATE) -> list[float]:
        """Seconds that each event took, in order of size; what never came took very long."""
        due = {
            int(1e9 * (time.monotonic() + (n + self._random.random()) / rate))
            for n in range(int(seconds * rate))
        }
        waiting, took = sorted(due, reverse=True), list[float]()
        last = time.monotonic() + seconds + ENDS_WITHIN
        while len(took) < len(due) and time.monotonic() < last:
            while waiting and waiting[-1] <= time.monotonic_ns():
                text = {"type": "tick", "data": {"at": waiting.pop()}}
                self._sock.send(wire.frame(json.dumps(text, separators=(",", ":")).encode()))
            left = (waiting[-1] - time.monotonic_ns()) / 1e9 if waiting else ENDS_WITHIN
            if select.select([self._sock], [], [], max(0.0, left))[0]:
                took += self._read(due)
        return sorted(took + [ENDS_WITHIN] * (len(due) - len(took)))

    def _read(self, due: set[int]) -> Iterator[float]:
        text = self._tail + self._sock.recv(1 << 20)
        now, end = time.monotonic_ns(), 0
        for found in AT.finditer(text):
            end = found.end()
            if int(found[1]) in due:
                yield (now - int(found[1])) / 1e9
        self._tail = text[max(end, len(text) - 64) :]
        if b"\x89\x00" in text:
            self._sock.send(b"\x8a\x80\0\0\0\0")


@contextmanager
def attacking(name: str, count: int, port: int, room: str) -> Iterator[None]:
    """So many attackers, in a process of their own, until this context ends."""
    command = [sys.executable, "-m", "benchmarks.attackers", name, str(count), str(port), room]
    process = subprocess.Popen(command, cwd=servers.ROOT)
    try:
        time.sleep(SETTLES)
        yield
    finally:
        process.kill()
        process.wait()


def measure(name: str, count: int, core: int, options: argparse.Namespace) -> bool:
    """One attack by so many; whether the neighbour was disturbed no more than it may be."""
    quiet, attacked = list[float](), list[float]()
    medians, busy = (list[float](), list[float]()), list[float]()
    with servers.orders(core) as server:
        prepare(ATTACKS[name], server.port, options.room)
        neighbour = Neighbour(server.port)
        neighbour.run(SETTLES)
        for number in range(2 * options.runs + 1):
            if number % 2:
                with attacking(name, count, server.port, options.room):
                    used = Cores(server)
                    took = neighbour.run(options.seconds)
                    busy.append(used.stop().server)
            else:
                time.sleep(SETTLES)
                took = neighbour.run(options.seconds)
            (attacked if number % 2 else quiet).append(percentile(took, 0.99))
            medians[number % 2].append(percentile(took, 0.5))
        peak = server.peak_memory / MIB
    before, during = statistics.median(quiet), statistics.median(attacked)
    spread = max(quiet) - min(quiet)
    allowed = max(before * (0.1 if count == 1 else 1.0), spread, SLACK)
    is_good = during - before <= allowed
    print(
        f"{name:<10} by {count:>2}: p50 {_ms(medians[0])} → {_ms(medians[1])} ms,"
        f" p99 {_ms(quiet)} → {_ms(attacked)} ms ({during / before:.1f} times; quiet runs"
        f" {min(quiet) * 1e3:.1f}–{max(quiet) * 1e3:.1f}, attacked {min(attacked) * 1e3:.1f}–"
        f"{max(attacked) * 1e3:.1f}; allowed +{allowed * 1e3:.1f}), {peak:.0f} MiB at most,"
        f" the server used {statistics.median(busy):.0%} of its core:"
        f" {'good' if is_good else 'TOO MUCH'}",
        flush=True,
    )
    return is_good


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.1f}"


def prepare(attack: Attack, port: int, room: str) -> None:
    """A queue with jobs, where the attack needs one."""
    if not attack.nacks:
        return
    sock, _ = wire.connect(port, f"/ws?room={room}&name=boss&quiet=true&echo=false")
    host(port, room, "modes", {"job": "queue"})
    for number in range(JOBS):
        sock.send(wire.frame(b'{"type":"job","data":{"n":%d}}' % number))
        time.sleep(0.02)
    sock.close()


def host(port: int, room: str, path: str, data: object | None = None) -> None:
    """What the host of a room does: PUT with data, else POST."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/rooms/{room}/{path}",
        json.dumps(data).encode() if data is not None else b"",
        method="PUT" if data is not None else "POST",
    )
    urllib.request.urlopen(request, timeout=60).close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", help=f"some of {', '.join(ATTACKS)}")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 20], help="(1 20)")
    parser.add_argument("--runs", type=int, default=5, help="(5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run (5)")
    parser.add_argument("--room", default="main", help="of the attackers (main)")
    options = parser.parse_args()
    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    wrong = 0
    for count in options.counts:
        for name in options.which or ATTACKS:
            wrong += not measure(name, count, server_core, options)
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())

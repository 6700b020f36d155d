"""Memory of the server in attacks that hoard it, and what they do to a neighbour meanwhile.

Each attack has a server of its own, without limits of rate, so that it takes seconds and not
minutes to do what is within the limits. Memory is the most that was ever resident.

What leads to the moment that counts comes before a `yield`, where there is one: then the
neighbour is watched from there on, and may be delayed by no more than `STALL`.
"""

import argparse
import inspect
import json
import os
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import servers, wire
from benchmarks.attacks import MIB, Neighbour, host
from benchmarks.latency import percentile

MOST = 300  # MiB
HELD = 60_000  # events that are let go at once
WORKERS, PREFETCH = 600, 100  # who hold as many
STALL = 0.030  # seconds that this may delay another room
RATE = 50.0  # events of the neighbour a second, in a room of its own


class Sender:
    """Sends as fast as it is read, and reads nothing but at the end."""

    def __init__(self, port: int, query: str) -> None:
        self._sock, _ = wire.connect(port, f"/ws?quiet=true&echo=false&types=none&{query}")
        self._sock.setblocking(True)
        self._sock.settimeout(60)

    def event(self, type: str, data: object) -> None:
        self._sock.sendall(wire.frame(json.dumps({"type": type, "data": data}).encode()))

    def through(self) -> None:
        """Wait until all of it was read: what comes last is answered last."""
        self._sock.sendall(wire.frame(b"the end"))
        text = b""
        while b"malformed_json" not in text:
            text = text[-100:] + self._sock.recv(1 << 16)


def queued_large(port: int) -> None:
    """3,000 events of 65 KB in 30 types wait in queues."""
    host(port, "main", "modes", {"*": "queue"})
    sender = Sender(port, "name=eve")
    for number in range(3000):
        sender.event(f"large_{number % 30}", {"text": "x" * 65_000})
    sender.through()


def queued_types(port: int) -> None:
    """20,000 types wait in queues, with 20 who take them by 60 patterns."""
    host(port, "main", "modes", {"*": "queue"})
    sender = Sender(port, "name=eve")
    for number in range(20_000):
        sender.event(f"t{number}", {})
    sender.through()
    for number in range(20):
        types = ",".join(f"t{number}{n}*" for n in range(60))
        wire.connect(port, f"/ws?name=w{number}&ack=manual&types={types}")
    time.sleep(2)


def orders_unread(port: int) -> None:
    """10,000 orders, and 300 who ask for them and read nothing."""
    sender = Sender(port, "name=eve")
    for number in range(1, 10_001):
        sender.event(
            "order_placed", {"id": number, "item": "x" * 100, "note": os.urandom(50).hex()}
        )
    sender.through()
    _unread(port, "/api/rooms/main/orders")


def log_unread(port: int) -> None:
    """A log of 100 MB, and 300 who ask for a page, an export and the records, and read nothing."""
    sender = Sender(port, "name=eve")
    for number in range(1600):
        sender.event("large", {"n": number, "text": os.urandom(31_000).hex()})
    sender.through()
    for path in ("events?limit=1000", "events?format=csv", "records?limit=1000"):
        _unread(port, f"/api/rooms/main/{path}", 100)


def feeds_unread(port: int) -> None:
    """200 who observe a room of large events and 200 who take part, and read nothing."""
    kept = [
        wire.connect(port, path)[0]
        for number in range(200)
        for path in (f"/ws?name=deaf-{number}&after=start", "/observe/main?after=start")
    ]
    sender = Sender(port, "name=eve")
    for number in range(600):
        sender.event("large", {"n": number, "text": os.urandom(31_000).hex()})
    sender.through()
    time.sleep(3)
    for sock in kept:
        sock.close()


def _unread(port: int, path: str, count: int = 300) -> None:
    kept = []
    for _ in range(count):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", port))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        kept.append(sock)
    time.sleep(5)
    for sock in kept:
        sock.close()


def resumed(port: int) -> Iterator[None]:
    """60,000 events that were held are let go in one room."""
    host(port, "main", "pause")
    _tick(port)
    yield
    listening = [wire.connect(port, f"/ws?name=l{n}")[0] for n in range(20)]
    deaf = threading.Event()
    threading.Thread(target=_drain, args=(listening, deaf), daemon=True).start()
    host(port, "main", "resume")
    deaf.set()


def left(port: int) -> Iterator[None]:
    """600 who hold 60,000 events of a queue leave at once."""
    host(port, "main", "modes", {"tick": "queue"})
    query = f"ack=manual&types=tick&prefetch={PREFETCH}"
    workers = [wire.connect(port, f"/ws?name=w{n}&{query}")[0] for n in range(WORKERS)]
    full = threading.Event()
    threading.Thread(target=_drain, args=(workers, full), daemon=True).start()
    _tick(port)
    _until_queued(port, "in_flight")
    full.set()
    yield
    for sock in workers:
        sock.close()
    _until_queued(port, "ready")


def _until_queued(port: int, state: str) -> None:
    """Wait until all of the queue is in this state."""
    queued: dict[str, int] = {}
    while queued.get(state, 0) < HELD:
        time.sleep(0.2)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/rooms/main") as answer:
            queued = json.load(answer)["queues"].get("tick", {})


def _tick(port: int) -> None:
    sender = Sender(port, "name=eve")
    for number in range(HELD):
        sender.event("tick", {"n": number})
    sender.through()


def _drain(sockets: list[socket.socket], until: threading.Event) -> None:
    while not until.is_set():
        for sock in sockets:
            try:
                sock.recv(1 << 20)
            except OSError:  # nothing there, or closed
                continue
        time.sleep(0.005)


HOARDS: dict[str, Callable[[int], Iterator[None] | None]] = {
    hoard.__name__: hoard
    for hoard in (
        *(queued_large, queued_types, orders_unread, log_unread, feeds_unread),
        *(resumed, left),
    )
}


def measure(name: str, core: int) -> bool:
    """One attack; whether memory and the neighbour's room were left alone as they must."""
    hoard = HOARDS[name]
    is_sudden = inspect.isgeneratorfunction(hoard)
    with servers.orders(core, rate=0, heartbeat_timeout=600, lease=600) as server:
        neighbour = Neighbour(server.port, "other")
        quiet = neighbour.run(3.0, RATE)
        work: Callable[[], object] = partial(hoard, server.port)
        if is_sudden and (sudden := hoard(server.port)):
            next(sudden)
            work = partial(next, sudden, None)
        working = threading.Thread(target=work)
        working.start()
        took: list[float] = []
        while working.is_alive():
            took += neighbour.run(0.5, RATE)
        took.sort()
        peak = server.peak_memory / MIB
    is_good = peak < MOST
    if is_sudden:
        is_good &= took[-1] - quiet[-1] < STALL
    print(
        f"{name:<14} {peak:4.0f} MiB at most; a neighbour in another room waited"
        f" {percentile(took, 0.5) * 1e3:.1f} ms (p99 {percentile(took, 0.99) * 1e3:.1f}, at most"
        f" {took[-1] * 1e3:.1f}; quiet {percentile(quiet, 0.5) * 1e3:.1f},"
        f" {percentile(quiet, 0.99) * 1e3:.1f}, {quiet[-1] * 1e3:.1f}):"
        f" {'good' if is_good else 'TOO MUCH'}. {(hoard.__doc__ or '').splitlines()[0]}",
        flush=True,
    )
    return is_good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", help=f"some of {', '.join(HOARDS)}")
    options = parser.parse_args()
    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    return len([name for name in options.which or HOARDS if not measure(name, server_core)])


if __name__ == "__main__":
    sys.exit(main())

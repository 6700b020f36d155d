"""Idle participants: what each costs in memory, and how soon all of them are connected.

5,000 WebSockets that say nothing, in rooms of 1,000 where there are rooms. Memory is what the
server's resident memory grew by. A participant of Orders counts as connected when it has its
welcome, which comes after the journal has stored that it joined; with others, when the handshake
was answered.

    python -m benchmarks.idle --participants 5000 --runs 3
"""

import argparse
import base64
import os
import resource
import selectors
import socket
import sys
import time
from collections.abc import Iterable, Iterator

from benchmarks import servers
from benchmarks.cores import Cores
from benchmarks.results import OURS, Result

WARM_UP = 50  # participants whose cost is not counted: what is loaded once is loaded by then
SETTLES = 2.0  # seconds in which a server may finish what joining began
A_ROOM = 900  # participants: a room takes 1,000 by default, and keeps some places for hosts
AT_ONCE = 200  # handshakes under way: a class that comes in, not one after the other
WITHIN = 60.0  # seconds
KEY = base64.b64encode(bytes(16))
PEERS = (OURS, "Node ws")


def measure(peer: str, participants: int, server_core: int, run: int = 1) -> Result:
    """One run: a server of its own, and so many participants."""
    case = {"participants": float(participants)}
    try:
        starting = servers.orders(server_core) if peer == OURS else servers.node_ws(server_core)
    except servers.Missing as missing:
        return Result("idle", peer, case, note=str(missing), run=run)
    word = b"broker.welcome" if peer == OURS else b"\r\n\r\n"
    with starting as server:
        first = connected(server.port, paths(WARM_UP, "first"), word)
        time.sleep(SETTLES)
        before = server.memory
        cores = Cores(server)
        idle = connected(server.port, paths(participants, "idle"), word)
        cores.stop()
        time.sleep(SETTLES)
        after = server.memory
        for sock in (*first, *idle):
            sock.close()
    figures = {
        "memory_kib": (after - before) / participants / 1024,
        "connect_seconds": cores.took,
        "cpu_us_per_connection": cores.seconds / participants * 1e6,
        "server_mib": after / 2**20,
        "others": cores.others,
    }
    return Result("idle", peer, case, figures, cores.server, cores.load, run)


def paths(count: int, name: str) -> Iterator[str]:
    """Where so many participants connect: as many rooms as it takes."""
    for number in range(count):
        yield f"/ws?room={name}-{number // A_ROOM}&name={name}-{number}"


def connected(port: int, paths: Iterable[str], word: bytes) -> list[socket.socket]:
    """Open a WebSocket for each path, several at once; each has heard `word` when this returns."""
    waiting, sockets = iter(paths), list[socket.socket]()
    selector = selectors.EpollSelector()
    deadline = time.monotonic() + WITHIN

    def begin() -> bool:
        path = next(waiting, None)
        if path is None:
            return False
        sock = socket.create_connection(("127.0.0.1", port), timeout=WITHIN)
        sock.sendall(handshake(port, path))
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ, bytearray())
        return True

    under_way = sum(begin() for _ in range(AT_ONCE))
    while under_way:
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {WITHIN:.0f} s only {len(sockets)} were connected")
        for key, _ in selector.select(1.0):
            sock: socket.socket = key.fileobj  # type: ignore[assignment]
            piece = sock.recv(65536)
            if not piece:
                raise ConnectionError(f"the server hung up: {bytes(key.data)!r}")
            key.data.extend(piece)
            if word in key.data:
                if not key.data.startswith(b"HTTP/1.1 101"):
                    raise ConnectionError(f"no WebSocket: {bytes(key.data)!r}")
                selector.unregister(sock)
                sockets.append(sock)
                under_way += begin() - 1
    selector.close()
    return sockets


def handshake(port: int, path: str) -> bytes:
    """The request that opens a WebSocket."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {KEY.decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def allow_files(count: int) -> None:
    """Let this process, and the servers it starts, open so many files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        sys.exit(f"This system allows {hard} open files; {count} are needed (ulimit -Hn).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--participants", type=int, default=5000, help="(5000)")
    parser.add_argument("--runs", type=int, default=1, help="(1)")
    options = parser.parse_args()
    allow_files(options.participants + WARM_UP + 100)
    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    for run in range(1, options.runs + 1):
        for peer in PEERS:
            result = measure(peer, options.participants, server_core, run)
            if result.note:
                print(f"run {run}: {peer:<8} {result.note}")
                continue
            figures = result.figures
            print(
                f"run {run}: {peer:<8} {figures['memory_kib']:6.1f} KiB a participant,"
                f" all {options.participants} connected within {figures['connect_seconds']:.2f} s"
                f" ({figures['cpu_us_per_connection']:.0f} µs of processor each;"
                f" the server takes {figures['server_mib']:.0f} MiB with all)",
                flush=True,
            )


if __name__ == "__main__":
    main()

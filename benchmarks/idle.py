"""Memory: what one participant that says nothing costs a real server process.

python -m benchmarks.idle --participants 500
"""

import argparse
import os
import resource
import socket
import time

from benchmarks import servers, wire

WARM_UP = 50  # participants whose cost is not counted: what is loaded once is loaded by then
SETTLES = 2.0  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--participants", type=int, default=500, help="(500)")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    core = min(os.sched_getaffinity(0))
    with servers.orders(core) as server:
        empty = server.memory
        first = join(server.port, WARM_UP, "first")
        before = settled(server)
        idle = join(server.port, options.participants, "idle")
        after = settled(server)
        print(
            f"{(after - before) / options.participants / 1024:.1f} KiB per idle participant"
            f" ({options.participants} of them; the server took {empty / 2**20:.0f} MiB with none"
            f" and {after / 2**20:.0f} MiB with all)"
        )
        for sock in (*first, *idle):
            sock.close()


def settled(server: servers.Server) -> int:
    """The server's memory, once it has had time to finish what joining began."""
    time.sleep(SETTLES)
    return server.memory


def join(port: int, count: int, name: str) -> list[socket.socket]:
    """So many participants of the room `main`, each of which has been welcomed."""
    sockets = []
    for number in range(count):
        sock, heard = wire.connect(port, f"/ws?name={name}-{number}")
        sock.settimeout(servers.STARTS_WITHIN)
        while b"broker.welcome" not in heard:
            piece = sock.recv(65536)
            if not piece:
                raise ConnectionError(f"{name}-{number} was not welcomed: {heard!r}")
            heard += piece
        sockets.append(sock)
    return sockets


if __name__ == "__main__":
    main()

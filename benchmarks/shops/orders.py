"""The order workflow on Orders: a queue with manual acks, and publish–subscribe for the answers."""

import json
import re
import socket
import urllib.request
from collections.abc import Callable

from benchmarks import shops, wire

ROOM = "bench"
MODES = {"*": "pubsub", "order_placed": "queue"}
PREFETCH = 100
TAKEN = shops.PLACED + rb'[^}]*\},"attempt":1\}'  # from the queue: nothing else has an attempt
ACCEPTED = rb'"type":"broker\.accepted"[^{]*\{"event":"([^"]{36})"'


class Orders:
    """Alice and Bob. Bob acks an order when its confirmation is accepted, which means on disk."""

    def __init__(self, port: int, heard: shops.Confirmed) -> None:
        self._heard = heard
        self._ids = wire.random_ids()
        self._holds: dict[bytes, bytes] = {}  # an answer's id, and that of what it answers
        _set_modes(port)
        self._alice, _ = wire.connect(
            port, f"/ws?room={ROOM}&name=alice&types=order_confirmed&echo=false"
        )
        self._bob, _ = wire.connect(
            port,
            f"/ws?room={ROOM}&name=bob&types=order_placed&echo=false"
            f"&ack=manual&prefetch={PREFETCH}",
        )

    def sockets(self) -> list[tuple[socket.socket, Callable[[memoryview], None]]]:
        work = shops.Matches(TAKEN + b"|" + ACCEPTED, self._work)
        return [(self._alice, shops.Matches(shops.CONFIRMED, self._hear)), (self._bob, work)]

    def place(self, numbers: range, ids: list[bytes]) -> None:
        self._alice.sendall(
            b"".join(
                wire.frame(shops.placed(id, number))
                for number, id in zip(numbers, ids, strict=True)
            )
        )

    def _hear(self, matches: list[re.Match[bytes]]) -> None:
        for match in matches:
            self._heard(int(match[1]))

    def _work(self, matches: list[re.Match[bytes]]) -> None:
        answers = []
        for match in matches:
            event, number, accepted = match.groups()
            if accepted:
                held = self._holds.pop(accepted)
                answers.append(b'{"type":"broker.ack","data":{"event":"%s"}}' % held)
            else:
                id = next(self._ids)
                self._holds[id] = event
                answers.append(shops.confirmed(id, number, event))
        self._bob.sendall(b"".join(map(wire.frame, answers)))


def _set_modes(port: int) -> None:
    request = urllib.request.Request(
        f"http://localhost:{port}/api/rooms/{ROOM}/modes",
        json.dumps(MODES).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=20):
        pass

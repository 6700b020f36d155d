"""The order workflow on NATS JetStream, as its own examples do it, in its protocol of text lines.

Orders go to a stream with work-queue retention, where a durable pull consumer hands each to the
worker until it acks; answers go to a second stream, and a consumer without acks pushes them to the
customer, so that she too hears of what is stored. Both streams lie in files.
"""

import json
import re
import socket
from collections.abc import Callable

from benchmarks import shops, wire
from benchmarks.dialects import ANSWERS_WITHIN, hear

BATCH = 100  # orders that the worker asks for in advance
EXPIRES = 600 * 10**9  # nanoseconds that asking for them is good for
ACK = b"+ACK"
WORK = rb"MSG order_placed \S+ (\S+) \d+\r\n\{" + shops.PLACED
STORED = rb"MSG _INBOX\.bob\.(\d+) "
STREAMS = {
    "ORDERS": {"subjects": ["order_placed"], "retention": "workqueue", "storage": "file"},
    "CONFIRMED": {"subjects": ["order_confirmed"], "retention": "limits", "storage": "file"},
}


class JetStream:
    """Alice and Bob. Bob acks an order when the stream has answered that it has his answer."""

    def __init__(self, port: int, heard: shops.Confirmed) -> None:
        self._heard = heard
        self._ids = wire.random_ids()
        self._holds: dict[bytes, bytes] = {}  # an answer's number, and how to ack what it answers
        self._asked = 0
        self._answered = 0
        self._alice = _connect(port, b"SUB _INBOX.alice 1\r\nSUB alice.confirmed 2\r\n")
        self._bob = _connect(port, b"SUB _INBOX.bob.* 1\r\nSUB _INBOX.bob-orders 2\r\n")
        for name, config in STREAMS.items():
            self._make(f"STREAM.CREATE.{name}", {"name": name, **config})
        worker = {"durable_name": "bob", "ack_policy": "explicit"}
        customer = {"deliver_subject": "alice.confirmed", "ack_policy": "none"}
        self._make("CONSUMER.DURABLE.CREATE.ORDERS.bob", _of("ORDERS", worker))
        self._make("CONSUMER.CREATE.CONFIRMED", _of("CONFIRMED", customer))
        self._bob.sendall(self._ask())

    def sockets(self) -> list[tuple[socket.socket, Callable[[memoryview], None]]]:
        work = shops.Matches(WORK + b"|" + STORED, self._work)
        return [(self._alice, shops.Matches(shops.CONFIRMED, self._hear)), (self._bob, work)]

    def place(self, numbers: range, ids: list[bytes]) -> None:
        self._alice.sendall(
            b"".join(
                _publish(b"order_placed", shops.placed(id, number), b"_INBOX.alice")
                for number, id in zip(numbers, ids, strict=True)
            )
        )

    def _hear(self, matches: list[re.Match[bytes]]) -> None:
        for match in matches:
            self._heard(int(match[1]))

    def _work(self, matches: list[re.Match[bytes]]) -> None:
        answers = []
        for match in matches:
            ack, event, number, stored = match.groups()
            if stored:
                answers.append(_publish(self._holds.pop(stored), ACK))
            else:
                self._asked -= 1
                self._answered += 1
                mark = b"%d" % self._answered
                self._holds[mark] = ack
                text = shops.confirmed(next(self._ids), number, event)
                answers.append(_publish(b"order_confirmed", text, b"_INBOX.bob." + mark))
        answers.append(self._ask())
        self._bob.sendall(b"".join(answers))

    def _ask(self) -> bytes:
        """Ask for more orders when half of those that were asked for have come."""
        if self._asked > BATCH // 2:
            return b""
        wanted = BATCH - self._asked
        self._asked += wanted
        request = json.dumps({"batch": wanted, "expires": EXPIRES}).encode()
        return _publish(b"$JS.API.CONSUMER.MSG.NEXT.ORDERS.bob", request, b"_INBOX.bob-orders")

    def _make(self, what: str, config: dict[str, object]) -> None:
        text = json.dumps(config).encode()
        self._alice.sendall(_publish(b"$JS.API." + what.encode(), text, b"_INBOX.alice"))
        answer = hear(self._alice, rb"MSG _INBOX\.alice .*\r\n\{.*\}\r\n")
        if b'"error"' in answer:
            raise ConnectionError(f"{what}: {answer!r}")


def _of(stream: str, config: dict[str, str]) -> dict[str, object]:
    return {"stream_name": stream, "config": config}


def _publish(subject: bytes, text: bytes, reply: bytes = b"") -> bytes:
    return b"PUB %s %s %d\r\n%s\r\n" % (subject, reply, len(text), text)


def _connect(port: int, subscriptions: bytes) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=ANSWERS_WITHIN)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n' + subscriptions)
    sock.sendall(b"PING\r\n")
    hear(sock, b"PONG\r\n")
    return sock

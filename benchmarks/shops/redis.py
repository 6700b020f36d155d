"""The order workflow on Redis Streams: XADD, XREADGROUP, XACK, with an append-only file.

The worker's answer and its ack go in one pipeline, in this order: Redis does one after the other.
"""

import re
import socket
from collections.abc import Callable

from benchmarks import shops, wire
from benchmarks.dialects import ANSWERS_WITHIN, hear

BATCH = b"100"  # entries at most that one read takes
HEAD = rb"(?:placed|confirmed)\r\n\*(\d+)\r\n"
ENTRY = rb"\$\d+\r\n(\d+-\d+)\r\n\*2\r\n\$5\r\nevent\r\n\$\d+\r\n\{"


class Redis:
    """Alice, with a connection to place on and one to listen on, and Bob."""

    def __init__(self, port: int, heard: shops.Confirmed) -> None:
        self._heard = heard
        self._ids = wire.random_ids()
        self._alice, self._ear, self._bob = _connect(port), _connect(port), _connect(port)
        self._bob.sendall(_command(b"XGROUP", b"CREATE", b"placed", b"bob", b"0", b"MKSTREAM"))
        hear(self._bob, rb"\+OK\r\n")
        self._unread = 0  # entries of the answer that is being read: a read is asked for after it
        self._unheard = 0
        self._bob.sendall(self._take())
        self._ear.sendall(self._listen(b"0"))

    def sockets(self) -> list[tuple[socket.socket, Callable[[memoryview], None]]]:
        hear = shops.Matches(HEAD + b"|" + ENTRY + b".*?" + shops.CONFIRMED, self._hear)
        work = shops.Matches(HEAD + b"|" + ENTRY + shops.PLACED, self._work)
        return [(self._alice, shops.ignore), (self._ear, hear), (self._bob, work)]

    def place(self, numbers: range, ids: list[bytes]) -> None:
        self._alice.sendall(
            b"".join(
                _command(b"XADD", b"placed", b"*", b"event", shops.placed(id, number))
                for number, id in zip(numbers, ids, strict=True)
            )
        )

    def _hear(self, matches: list[re.Match[bytes]]) -> None:
        for match in matches:
            count, entry, number = match.groups()
            if count:
                self._unheard += int(count)
                continue
            self._heard(int(number))
            self._unheard -= 1
            if not self._unheard:
                self._ear.sendall(self._listen(entry))

    def _work(self, matches: list[re.Match[bytes]]) -> None:
        answers = []
        for match in matches:
            count, entry, event, number = match.groups()
            if count:
                self._unread += int(count)
                continue
            text = shops.confirmed(next(self._ids), number, event)
            answers.append(_command(b"XADD", b"confirmed", b"*", b"event", text))
            answers.append(_command(b"XACK", b"placed", b"bob", entry))
            self._unread -= 1
            if not self._unread:
                answers.append(self._take())
        self._bob.sendall(b"".join(answers))

    def _take(self) -> bytes:
        reader = (b"XREADGROUP", b"GROUP", b"bob", b"bob", b"COUNT", BATCH, b"BLOCK", b"0")
        return _command(*reader, b"STREAMS", b"placed", b">")

    def _listen(self, after: bytes) -> bytes:
        return _command(b"XREAD", b"COUNT", BATCH, b"BLOCK", b"0", b"STREAMS", b"confirmed", after)


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def _connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=ANSWERS_WITHIN)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock

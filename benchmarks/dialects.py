"""How the load speaks with each peer: join it, publish to it, and count what it delivers.

The event is the same for all, 150 bytes; what a protocol puts around it is its own affair.
"""

import re
import socket
from collections.abc import Iterator
from typing import Protocol

from benchmarks import wire

SIZE = 150  # bytes of an event as it is sent
ANSWERS_WITHIN = 20.0  # seconds
TICK = b'"type":"tick"'


def event(id: bytes) -> bytes:
    """An event of SIZE bytes, written as our broker writes it."""
    head = (
        b'{"id":"%s","type":"tick","created":"1676554735324","source":"publisher","data":{"text":"'
        % id
    )
    return head + b"x" * (SIZE - len(head) - 3) + b'"}}'


class Dialect(Protocol):
    """What a load must be able to say to a peer, and to hear.

    `through` says what tells the publisher that an event is through.
    """

    through: str

    def subscribe(self, port: int, number: int) -> tuple[socket.socket, wire.Meter]:
        """Join as one who hears every event; nothing but events is counted."""
        ...

    def publish(self, port: int) -> tuple[socket.socket, wire.Meter]:
        """Join as the publisher; counts its events that are through."""
        ...

    def frames(self) -> Iterator[bytes]:
        """Events without end, each as it goes over the wire."""
        ...


class Plain:
    """A relay of text messages: all who are connected hear them, the sender as well."""

    through = "its echo"

    def subscribe(self, port: int, _: int) -> tuple[socket.socket, wire.Meter]:
        sock, _rest = wire.connect(port, "/ws")
        return sock, wire.Sizes(wire.frame_size(SIZE))

    def publish(self, port: int) -> tuple[socket.socket, wire.Meter]:
        sock, _ = wire.connect(port, "/ws")
        return sock, wire.Occurrences(TICK)

    def frames(self) -> Iterator[bytes]:
        return (wire.frame(event(id)) for id in wire.random_ids())


class Orders(Plain):
    """Ourselves. An event is through when it is on disk."""

    through = "broker.accepted"

    def subscribe(self, port: int, number: int) -> tuple[socket.socket, wire.Meter]:
        sock, _ = wire.connect(port, f"/ws?room=bench&name=s{number}&types=tick&quiet=true")
        return sock, wire.Sizes(wire.frame_size(SIZE))

    def publish(self, port: int) -> tuple[socket.socket, wire.Meter]:
        query = "room=bench&name=publisher&types=none&echo=false"
        sock, rest = wire.connect(port, f"/ws?{query}")
        through = wire.Occurrences(b'"broker.accepted"')
        through(memoryview(rest))
        return sock, through


class SocketIO(Plain):
    """Socket.IO over WebSocket: a packet is `42["tick", event]`."""

    PATH = "/socket.io/?EIO=4&transport=websocket"

    def subscribe(self, port: int, _: int) -> tuple[socket.socket, wire.Meter]:
        return self._join(port), wire.Sizes(wire.frame_size(len(self._packet(event(b"")))))

    def publish(self, port: int) -> tuple[socket.socket, wire.Meter]:
        return self._join(port), wire.Occurrences(TICK)

    def frames(self) -> Iterator[bytes]:
        return (wire.frame(self._packet(event(id))) for id in wire.random_ids())

    def _join(self, port: int) -> socket.socket:
        sock, _ = wire.connect(port, self.PATH)
        sock.sendall(wire.frame(b"40"))
        hear(sock, rb'40\{"sid":"[^"]*"\}')
        return sock

    def _packet(self, text: bytes) -> bytes:
        return b'42["tick",%s]' % text


class Nats(Plain):
    """NATS over WebSocket: its lines of text within frames, as many as it likes in each."""

    def subscribe(self, port: int, _: int) -> tuple[socket.socket, wire.Meter]:
        return self._join(port), wire.Occurrences(b"MSG tick 1 ")

    def publish(self, port: int) -> tuple[socket.socket, wire.Meter]:
        return self._join(port), wire.Occurrences(b"MSG tick 1 ")

    def frames(self) -> Iterator[bytes]:
        return (
            wire.frame(b"PUB tick %d\r\n%s\r\n" % (SIZE, event(id))) for id in wire.random_ids()
        )

    def _join(self, port: int) -> socket.socket:
        sock, _ = wire.connect(port, "/")
        sock.sendall(wire.frame(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n'))
        sock.sendall(wire.frame(b"SUB tick 1\r\nPING\r\n"))
        hear(sock, b"PONG\r\n")
        return sock


def hear(sock: socket.socket, pattern: bytes) -> bytes:
    """Read until a pattern comes, and nothing is expected behind it; what came. Then it is
    non-blocking, as `wire.connect` gives it."""
    sock.settimeout(ANSWERS_WITHIN)
    heard = b""
    while not re.search(pattern, heard):
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError(f"the server hung up; it had said {heard!r}")
        heard += piece
    sock.setblocking(False)
    return heard


DIALECTS: dict[str, Dialect] = {
    "plain": Plain(),
    "orders": Orders(),
    "socketio": SocketIO(),
    "nats": Nats(),
}

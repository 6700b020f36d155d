"""WebSocket over plain sockets: just enough to load a server at little cost to itself.

A subscriber counts bytes, a publisher counts how often a word occurs: no frame is parsed.
"""

import base64
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Protocol

BUFFER = memoryview(bytearray(1 << 20))
AT_ONCE = 32  # sockets that are read before the urgent ones are looked at again


def connect(port: int, path: str) -> tuple[socket.socket, bytes]:
    """Open a WebSocket; its non-blocking socket, and what came right behind the handshake."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError(f"the server hung up on {path}")
        answer += chunk
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"no WebSocket at {path}: {head.splitlines()[0].decode()}")
    sock.setblocking(False)
    return sock, rest


def frame(text: bytes) -> bytes:
    """A client's text frame. The mask is zero: still a mask, and costs nothing to put on."""
    size = len(text)
    if size < 126:
        return struct.pack("!BBI", 0x81, 0x80 | size, 0) + text
    return struct.pack("!BBHI", 0x81, 0x80 | 126, size, 0) + text


def frame_size(text: int) -> int:
    """The bytes of a server's frame around a text of so many bytes."""
    return text + (2 if text < 126 else 4)


def random_ids() -> Iterator[bytes]:
    """Random UUIDs as text, without the cost of uuid4."""
    while True:
        digits = os.urandom(16 * 4096).hex().encode()
        for i in range(0, len(digits), 32):
            d = digits[i : i + 32]
            yield b"-".join((d[:8], d[8:12], b"4" + d[13:16], b"8" + d[17:20], d[20:]))


PING, PONG = b"\x89\x00", b"\x8a\x80\0\0\0\0"


def staying(
    sock: socket.socket, heard: Callable[[memoryview], None] | None = None
) -> Callable[[memoryview], None]:
    """`heard`, for one who stays for minutes: it answers pings, whose bytes no JSON text holds."""

    def answering(piece: memoryview) -> None:
        if PING in bytes(piece):
            sock.send(PONG)
        if heard:
            heard(piece)

    return answering


class Meter(Protocol):
    """Is given what came on a socket, and knows how many events that was."""

    @property
    def count(self) -> int: ...

    def __call__(self, piece: memoryview) -> None: ...


class Load:
    """Many sockets read in one loop. Each has a function that is given whatever came.

    A thousand that are ready at once take milliseconds to read. Those that were added as `urgent`
    (a publisher, who goes on as soon as it hears) do not wait behind them.
    """

    def __init__(self) -> None:
        self._poll, self._urgent = select.epoll(), select.epoll()
        self._sockets: dict[int, tuple[socket.socket, Callable[[memoryview], None]]] = {}

    def add(
        self, sock: socket.socket, heard: Callable[[memoryview], None], urgent: bool = False
    ) -> None:
        self._sockets[sock.fileno()] = sock, heard
        self._poll.register(sock, select.EPOLLIN)
        if urgent:
            self._urgent.register(sock, select.EPOLLIN)

    def turn(self, timeout: float = 0.1) -> int:
        """Read from some sockets that have something; returns how many had."""
        ready = self._poll.poll(timeout, AT_ONCE)
        urgent = self._urgent.poll(0)
        for fd, _ in urgent:
            self._read(fd)
        done = {fd for fd, _ in urgent}
        for fd, _ in ready:
            if fd not in done:
                self._read(fd)
        return len(ready)

    def _read(self, fd: int) -> None:
        sock, heard = self._sockets[fd]
        size = sock.recv_into(BUFFER)
        if not size:
            raise ConnectionError("the server hung up during the measurement")
        heard(BUFFER[:size])

    def close(self) -> None:
        for sock, _ in self._sockets.values():
            sock.close()
        self._poll.close()
        self._urgent.close()


class Sizes:
    """Counts events that are all of one size, by their bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._bytes = 0

    @property
    def count(self) -> int:
        return self._bytes // self._size

    def __call__(self, piece: memoryview) -> None:
        self._bytes += len(piece)


class Occurrences:
    """Counts a word in a stream that comes in pieces."""

    def __init__(self, word: bytes) -> None:
        self.word = word
        self.count = 0
        self._tail = b""

    def __call__(self, piece: memoryview) -> None:
        text = self._tail + bytes(piece)
        self.count += text.count(self.word)
        self._tail = text[-(len(self.word) - 1) :]

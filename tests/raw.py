"""A plain TCP socket that says what a WebSocket library would never say."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from tests.wire import DEADLINE

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x01\x02\x03\x04"


def upgrade(path: str = "/ws", *, method: str = "GET", version: str = "1.1", **headers: str) -> str:
    """An upgrade as text; headers replace those of a good one, and an empty one leaves it out."""
    good = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}\r\n" for name, value in {**good, **given}.items() if value]
    return f"{method} {path} HTTP/{version}\r\n{''.join(lines)}\r\n"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    size: int | None = None,
    size_bytes: int | None = None,
) -> bytes:
    """One frame of a client. `size` may lie about the payload, `size_bytes` may waste some."""
    size = len(payload) if size is None else size
    if size_bytes is None:
        size_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    length = {0: size, 2: 126, 8: 127}[size_bytes]
    head = bytes(((0x80 if fin else 0) | reserved << 4 | opcode, (0x80 if masked else 0) | length))
    head += {0: b"", 2: struct.pack("!H", size & 0xFFFF), 8: struct.pack("!Q", size)}[size_bytes]
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Raw:
    """One TCP connection to a server. It reads only when it is asked to."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._heard = b""
        self.port: int = sock.getsockname()[1]  # by which the server's end is told from others

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator[Self]:
        with socket.socket() as sock:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            yield cls(sock)

    async def send(self, data: bytes | str) -> None:
        """Send it all, or what the server takes of it before it ends the connection."""
        with contextlib.suppress(ConnectionError):
            text = data.encode() if isinstance(data, str) else data
            await asyncio.get_running_loop().sock_sendall(self._sock, text)

    async def status(self) -> int:
        """The status of an HTTP answer, whose headers are read away."""
        while b"\r\n\r\n" not in self._heard:
            await self._hear()
        head, _, self._heard = self._heard.partition(b"\r\n\r\n")
        return int(head.split()[1])

    async def join_deaf(self, name: str) -> None:
        """Be in the room, and read nothing of what is said there."""
        await self.send(upgrade(f"/ws?name={name}"))
        assert await self.status() == 101

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server: opcode and payload. EOFError at the end."""
        first, size = await self._read(2)
        if size == 126:
            (size,) = struct.unpack("!H", await self._read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._read(8))
        return first & 0x0F, await self._read(size)

    async def _read(self, size: int) -> bytes:
        while len(self._heard) < size:
            await self._hear()
        taken, self._heard = self._heard[:size], self._heard[size:]
        return taken

    async def _hear(self) -> None:
        """Wait for more; EOFError at the end, which is not told from a reset."""
        piece = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(DEADLINE):
                piece = await asyncio.get_running_loop().sock_recv(self._sock, 1 << 16)
        if not piece:
            raise EOFError
        self._heard += piece

    async def said(self) -> list[str]:
        """All that the server says until it answers one of our messages, or ends the connection.

        In few words: `accepted`, `error malformed_json`, `pong hey`, `close 1002`.
        """
        said: list[str] = []
        await self.send(frame(TEXT, b'{"type": "broker.fence", "data": {}}'))
        try:
            while (word := _word(*await self.frame())) != "error unknown_command":
                said.append(word)
        except EOFError:
            said.append("end")
        return said


def _word(opcode: int, payload: bytes) -> str:
    if opcode == TEXT:
        event = json.loads(payload)
        type = event["type"].removeprefix("broker.")
        return f"error {event['data']['code']}" if type == "error" else str(type)
    if opcode == CLOSE:
        return f"close {int.from_bytes(payload[:2], 'big')}"
    name = {PING: "ping", PONG: "pong"}.get(opcode, str(opcode))
    return f"{name} {payload.decode()}"

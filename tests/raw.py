"""A plain TCP socket that says what a WebSocket library would never say."""

import asyncio
import json
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
    """One TCP connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator[Self]:
        raw = cls(*await asyncio.open_connection("127.0.0.1", port))
        try:
            yield raw
        finally:
            raw.writer.transport.abort()

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def status(self) -> int:
        """The status of an HTTP answer, whose headers are read away."""
        async with asyncio.timeout(DEADLINE):
            head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split()[1])

    async def join_deaf(self, name: str) -> None:
        """Be in the room, and read nothing from now on."""
        self.send(upgrade(f"/ws?name={name}"))
        assert await self.status() == 101
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def listen(self) -> None:
        """Read again."""
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server: opcode and payload."""
        async with asyncio.timeout(DEADLINE):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def until_ended(self) -> None:
        """Read on to the end of the connection; AssertionError if it never comes."""
        try:
            async with asyncio.timeout(DEADLINE):
                while await self.reader.read(65536):
                    pass
        except ConnectionError:
            pass
        except TimeoutError:
            raise AssertionError("the server keeps the connection open") from None

    async def said(self) -> list[str]:
        """All that the server says until it answers a message of ours, or ends the connection.

        In few words: `accepted`, `error malformed_json`, `pong hey`, `close 1002`.
        """
        said: list[str] = []
        self.send(frame(TEXT, b'{"type": "broker.fence", "data": {}}'))
        try:
            while (word := _word(*await self.frame())) != "error unknown_command":
                said.append(word)
        except (asyncio.IncompleteReadError, ConnectionError):
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

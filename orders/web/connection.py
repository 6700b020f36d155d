"""A WebSocket as the broker's transport, and how it ends."""

import asyncio
import struct
from collections.abc import Iterable
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from orders.broker.limits import NAP, weight
from orders.clock import monotonic
from orders.errors import Close

CLOSE_GRACE = 2.0  # seconds in which a client may answer our close before its socket is aborted
PING = b"\x89\x00"
#: Messages of one connection that are handled before others have their turn; one that weighs so
#: much counts as all of them.
AT_ONCE = 32
LARGE = 8192
#: What a participant says; anything else is the end of its connection.
SAID = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)


def frame(text: bytes) -> bytes:
    """A text message as one WebSocket frame (RFC 6455, 5.2: from a server, unmasked)."""
    length = len(text)
    if length < 126:
        return bytes((0x81, length)) + text
    if length < 65536:
        return struct.pack("!BBH", 0x81, 126, length) + text
    return struct.pack("!BBQ", 0x81, 127, length) + text


class Connection:
    """A WebSocket as the broker's transport: aiohttp reads it; what we say bypasses aiohttp."""

    __slots__ = ("_closing", "answered_at", "request", "silence", "transport", "wrote_at", "ws")

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        if request.transport is None:
            raise ConnectionResetError("the client went away during the handshake")
        self.ws, self.request, self.transport = ws, request, request.transport
        self._closing: asyncio.Task[None] | None = None
        self.answered_at = self.wrote_at = monotonic()
        self.silence: float | None = None  # seconds after which it wants to hear a heartbeat

    def write(self, buffer: bytes) -> int:
        if self._closing is None and not self.transport.is_closing():
            self.transport.write(buffer)
            if self.silence is not None:
                self.wrote_at = monotonic()
        return self.transport.get_write_buffer_size()

    def write_through(self, transport: asyncio.Transport) -> None:
        """From now on all that is written goes this way, what aiohttp says by itself as well."""
        self.transport = transport
        if self.ws._writer is not None:
            self.ws._writer.transport = transport

    def unread(self) -> int:
        return self.transport.get_write_buffer_size()

    @property
    def is_lost(self) -> bool:
        """Whether the other side is gone."""
        return self.transport.is_closing()

    def abort(self) -> None:
        """Free the socket and all that waits in it, without a word: the other side sees 1006."""
        self.transport.abort()

    def close(self, code: Close, message: str) -> None:
        """Say goodbye, and free the socket soon, whether that is answered or not."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(code, message))

    async def _close(self, code: Close, message: str) -> None:
        deadline = monotonic() + CLOSE_GRACE
        self.ws._reader = InTurns(self.ws._reader)  # type: ignore[assignment]
        try:
            await self.ws.close(code=code, message=message.encode()[:120], drain=False)
            while self.unread() and monotonic() < deadline:
                await asyncio.sleep(0.02)  # one that reads on hears the code
        finally:
            # aiohttp would leave the buffer of a reader that stopped, and its socket, behind
            if self.unread() or not self.transport.is_closing():
                self.transport.abort()

    async def closed(self) -> None:
        """Wait until a close that was begun is done."""
        if self._closing is not None:
            await asyncio.wait({self._closing})

    def beat(self, now: float, timeout: float) -> None:
        """Ask whether it is alive; one that has not answered for too long is gone."""
        if now - self.answered_at > timeout:
            self.abort()
        elif not self.transport.is_closing():
            self.transport.write(PING)


class InTurns:
    """What aiohttp reads while it waits for the answer to a close: a little at a time, for who
    sends without end is not charged any more."""

    def __init__(self, reader: Any) -> None:
        self._reader, self._left = reader, AT_ONCE

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def read(self) -> WSMessage:
        if self._left <= 0:
            self._left = AT_ONCE
            await asyncio.sleep(NAP)
        message: WSMessage = await self._reader.read()
        self._left -= weight_of(message)
        return message


def weight_of(message: WSMessage) -> int:
    """How many of `AT_ONCE` a message counts as."""
    return AT_ONCE * weight(message.data) // LARGE or 1 if message.type in SAID else 1


CONNECTIONS = web.AppKey("connections", dict[Connection, None])


def cut_off_largest(connections: Iterable[Connection], most: int) -> int:
    """Cut off those of whose output most is unread, until all of it together is at most so many
    bytes; how many those were."""
    unread = sorted(((one.unread(), one) for one in connections), key=lambda pair: pair[0])
    total, cut = sum(size for size, _ in unread), 0
    while total > most:
        size, largest = unread.pop()
        largest.abort()
        total, cut = total - size, cut + 1
    return cut

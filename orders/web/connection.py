"""A WebSocket as the broker's transport: whole frames, written to the transport at once."""

import asyncio
import struct

from aiohttp import web

from orders.clock import monotonic
from orders.errors import Close

CLOSE_GRACE = 2.0  # seconds in which a client may answer our close before its socket is aborted
PING = b"\x89\x00"


def frame(text: bytes) -> bytes:
    """A text message as one WebSocket frame (RFC 6455, 5.2: from a server, unmasked)."""
    length = len(text)
    if length < 126:
        return bytes((0x81, length)) + text
    if length < 65536:
        return struct.pack("!BBH", 0x81, 126, length) + text
    return struct.pack("!BBQ", 0x81, 127, length) + text


class Connection:
    """One WebSocket. aiohttp reads it; what we say bypasses aiohttp, frame by frame."""

    __slots__ = ("_closing", "_transport", "_ws", "answered_at", "silence", "wrote_at")

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self._ws = ws
        self._transport = transport
        self._closing: asyncio.Task[None] | None = None
        self.answered_at = self.wrote_at = monotonic()
        self.silence: float | None = None  # seconds after which it wants to hear a heartbeat

    def write(self, buffer: bytes) -> int:
        if self._closing is None and not self._transport.is_closing():
            self._transport.write(buffer)
            self.wrote_at = monotonic()
        return self._transport.get_write_buffer_size()

    def unread(self) -> int:
        return self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """Free the socket and all that waits in it, without a word."""
        self._transport.abort()

    def close(self, code: Close, message: str) -> None:
        """Say goodbye, and free the socket soon, whether that is answered or not."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(code, message))

    async def _close(self, code: Close, message: str) -> None:
        deadline = monotonic() + CLOSE_GRACE
        try:
            await self._ws.close(code=code, message=message.encode()[:120], drain=False)
            while self.unread() and monotonic() < deadline:
                await asyncio.sleep(0.02)  # one that reads on hears the code
        finally:
            # aiohttp would leave the buffer of a reader that stopped, and its socket, behind
            if self.unread() or not self._transport.is_closing():
                self._transport.abort()

    async def closed(self) -> None:
        """Wait until a close that was begun is done."""
        if self._closing is not None:
            await asyncio.wait({self._closing})

    def beat(self, now: float, timeout: float) -> None:
        """Ask whether it is alive; one that has not answered for too long is gone."""
        if now - self.answered_at > timeout:
            self.abort()
        elif not self._transport.is_closing():
            self._transport.write(PING)

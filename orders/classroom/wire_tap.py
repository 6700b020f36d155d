"""A tap on the bytes of a connection, there only while somebody looks.

It stands where bytes are still raw: between the transport and aiohttp, which parses what comes, and
between the transport and all who write to it. With the last viewer both are put back as they were.

Frames cannot be told apart from the middle of one on. So the client is asked for a pong with bytes
that nobody could guess: where that begins, a frame begins.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import structlog
from aiohttp import hdrs, web
from pydantic_core import to_json

from orders.broker.participants import Participant
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.classroom.line import connection_of
from orders.classroom.wire_frames import PING, PONG, Dissector, Frame, inflater, unmask
from orders.classroom.wire_shown import shown
from orders.clock import monotonic, now_ms, token
from orders.domain.envelope import folded
from orders.server import Node
from orders.web.socket import Connection

log = structlog.get_logger()

KEPT = 200  # frames of a connection; older ones are forgotten
ASKS_AGAIN = 2.0  # seconds until a pong that did not come is asked for again
EXPECTED = 5.0  # seconds that a connection is tapped whose name somebody may be waiting for
MOST_EXPECTED = 20


@dataclass(slots=True, eq=False)
class Seen:
    """A frame that was seen; what is made of it is made when first somebody reads it."""

    frame: Frame
    sender: str
    number: int
    at: int
    _json: bytes = b""

    @property
    def json(self) -> bytes:
        """As JSON."""
        if not self._json:
            frame = shown(self.frame, sender=self.sender, number=self.number, at=self.at)
            self._json = to_json(frame)
        return self._json


class Tap:
    """The newest frames of one connection, and how many there were since it began.

    `is_whole`: it began with the connection, and so has seen all of it.
    """

    def __init__(self, connection: Connection, *, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.viewers = 0
        self.count = 0
        self.frames: deque[Seen] = deque(maxlen=KEPT)
        self.over = connection.transport.is_closing()
        agreed = connection.ws.headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS, "")
        self._in = Dissector(True, inflater(agreed, from_client=True))
        self._out = Dissector(False, inflater(agreed, from_client=False))
        self._fence = b"" if is_whole else token(6).encode()  # 8 bytes, until a pong brings them
        self._asked = 0.0
        self._before = b""  # what may be the beginning of that pong
        self._connection, self._transport = connection, connection.transport
        self._protocol = self._transport.get_protocol()
        if not self.over:
            self._transport.set_protocol(cast(asyncio.Protocol, _Protocol(self, self._protocol)))
            connection.write_through(cast(asyncio.Transport, _Transport(self, self._transport)))
            self.ask()

    @property
    def is_asking(self) -> bool:
        """Whether what the client says cannot be read yet."""
        return bool(self._fence)

    def ask(self) -> None:
        """Ask for the pong where we begin to read, unless it came or was asked for just now."""
        is_closing = self.over or self._transport.is_closing()
        if self._fence and not is_closing and monotonic() > self._asked + ASKS_AGAIN:
            self._asked = monotonic()
            self._connection.transport.write(bytes((0x80 | PING, len(self._fence))) + self._fence)

    def came(self, data: bytes) -> None:
        """The client said something."""
        self._note("client", self._in.feed(self._begun(data) if self._fence else data))

    def went(self, data: bytes) -> None:
        """Something is on its way to the client."""
        self._note("server", self._out.feed(data))

    def end(self) -> None:
        """The connection is lost; what was not complete is shown as it is."""
        self.over = True
        for sender, dissector in (("client", self._in), ("server", self._out)):
            self._note(sender, filter(None, [dissector.end()]))

    def remove(self) -> None:
        """Nobody looks any more."""
        if not self.over:
            self.over = True
            self._transport.set_protocol(self._protocol)
            self._connection.write_through(self._transport)

    def _note(self, sender: str, frames: Iterable[Frame]) -> None:
        """Keep them. Whatever goes wrong here does the connection no harm."""
        try:
            for frame in frames:
                self.count += 1
                self.frames.append(Seen(frame, sender, self.count, now_ms()))
        except Exception:
            log.exception("a frame could not be read")

    def _begun(self, data: bytes) -> bytes:
        """What comes from the pong on that was asked for; nothing before."""
        data = self._before + data
        size, begin = 6 + len(self._fence), bytes((0x80 | PONG, 0x80 | len(self._fence)))
        at = data.find(begin)
        while at >= 0 and at + size <= len(data):
            if unmask(data[at + 6 : at + size], data[at + 2 : at + 6]) == self._fence:
                self._fence = self._before = b""
                return data[at:]
            at = data.find(begin, at + 1)
        self._before = data[at:] if at >= 0 else data[-1:]
        return b""


class _Protocol:
    """aiohttp's end of a connection, with the tap before it."""

    def __init__(self, tap: Tap, inner: Any) -> None:
        self._tap, self._inner = tap, inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def data_received(self, data: bytes) -> None:
        self._tap.came(data)
        self._inner.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._tap.end()
        self._inner.connection_lost(error)


class _Transport:
    """The network's end of a connection, with the tap before it."""

    def __init__(self, tap: Tap, inner: asyncio.Transport) -> None:
        self._tap, self._inner = tap, inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, data: bytes) -> None:
        self._tap.went(data)
        self._inner.write(data)


@dataclass(frozen=True, slots=True, eq=False)
class Awaited:
    """Somebody who may come, by room and folded name; `came` is told once."""

    room: str
    name: str
    came: asyncio.Future[tuple[Participant, Connection]]


class Taps:
    """The taps of this node, one for each connection that somebody looks at.

    A new connection that may be an awaited one is tapped from its handshake on: so nothing of it
    is missed.
    """

    def __init__(self, node: Node) -> None:
        self.taps: dict[Connection, Tap] = {}
        self.awaited: dict[Awaited, None] = {}
        node.context.follow(Kind.JOINED, self._joined)

    def watch(self, connection: Connection) -> Tap:
        """Look at a connection."""
        tap = self.taps.get(connection)
        if tap is None:
            tap = self.taps[connection] = Tap(connection, is_whole=False)
        tap.viewers += 1
        return tap

    def leave(self, connection: Connection) -> None:
        """Look no more."""
        self.taps[connection].viewers -= 1
        self._drop(connection)

    def opened(self, connection: Connection) -> None:
        """A connection was opened: is it one that is awaited?"""
        if not self.awaited or len(self.taps) >= MOST_EXPECTED:
            return
        query = connection.request.query
        room, name = query.get("room", "main"), folded(query.get("name", ""))
        if connection.request.path in ("/", "/ws") and any(
            one.room == room and name in ("", one.name) for one in self.awaited
        ):
            self.taps[connection] = Tap(connection, is_whole=True)
            asyncio.get_running_loop().call_later(EXPECTED, self._drop, connection)

    def _joined(self, room: Room, record: Record) -> None:
        """Somebody came: those who wait look from here on."""
        if not self.awaited:
            return
        name = record.data["name"]
        participant = room.participants.get(name)
        connection = connection_of(participant)
        for one in self.awaited:
            is_the_one = (one.room, one.name) == (room.name, folded(name))
            if is_the_one and participant and connection and not one.came.done():
                self.watch(connection)
                one.came.set_result((participant, connection))

    def _drop(self, connection: Connection) -> None:
        tap = self.taps.get(connection)
        if tap is not None and tap.viewers <= 0:
            self.taps.pop(connection).remove()


TAPS = web.AppKey("taps", Taps)

"""`/ws`: one connection is one participant. Text in, bytes out."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable

from aiohttp import HttpVersion11, web, web_ws

from orders.broker import messages
from orders.broker.limits import NAP
from orders.broker.participants import Participant
from orders.clock import monotonic, slept, stamp
from orders.domain.envelope import check_name
from orders.domain.mistakes import short
from orders.errors import Close, Full, OrdersError, Refused, StorageFailed
from orders.web.closing import InTurns, cut_off_largest
from orders.web.connect_options import ConnectOptions
from orders.web.keys import NODE, SETTINGS
from orders.web.marks import marks_of
from orders.web.security import Handler, check_stranger, holds_token, is_host
from orders.web.turns import BINARY, PONG, SAID, TEXT, Turn

SUBPROTOCOL = "orders.v1"
SHED = 0.25  # seconds between two looks at how much output is unread in all
CLOSE_GRACE = 2.0  # seconds in which a client may answer our close before its socket is aborted
PING = b"\x89\x00"
#: Bytes of messages that aiohttp reads ahead (twice as many, at most), and knows no setting for: of
#: many who send as fast as they can it would keep 0.7 MB each.
web_ws.DEFAULT_CHUNK_SIZE = 16 * 1024  # type: ignore[attr-defined]


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


CONNECTIONS = web.AppKey("connections", dict[Connection, None])
TURN = web.AppKey("turn", asyncio.Lock)
SOCKETS = web.AppKey("sockets", list[Handler])  # where a WebSocket is
OPENED = web.AppKey("opened", list[Callable[[Connection], None]])  # told of each, right then


async def socket(request: web.Request) -> web.StreamResponse:
    """An upgrade, and everything the participant sends until its connection ends."""
    check_upgrade(request)
    check_stranger(request)
    ws, connection = await open_socket(request)
    node = request.app[NODE]
    participant = None
    try:
        options = ConnectOptions.read(request.query)
        check_name(options.name or "", is_host=is_host(request))
        participant = options.participant(connection)
        connection.silence = options.heartbeat
        participant.marks, participant.is_host = marks_of(request), holds_token(request)
        await node.join(participant, options.name, options.after)
        await _listen(ws, request.app, participant, connection)
    except OrdersError as error:
        refuse_and_close(connection, error)
    finally:
        request.app[CONNECTIONS].pop(connection, None)
        if participant is not None:
            await _leave(request.app, participant)
        await connection.closed()
    return ws


async def _leave(app: web.Application, participant: Participant) -> None:
    """Many may leave at once: those that give something back do so one in a turn of the loop."""
    try:
        if participant.in_flight:
            async with app[TURN]:
                await asyncio.sleep(0)
    finally:
        app[NODE].leave(participant)


async def wrong_path(request: web.Request) -> web.StreamResponse:
    """An upgrade where no WebSocket is: a browser would hide a 404 from who wrote the address."""
    check_upgrade(request)
    ws, connection = await open_socket(request)
    refuse_and_close(
        connection,
        Refused(
            "wrong_path",
            f"No WebSocket is at {short(request.path)}; it is at /ws or /, such as"
            f" ws://{request.host}/ws?name=alice.",
        ),
    )
    request.app[CONNECTIONS].pop(connection, None)
    await connection.closed()
    return ws


async def _listen(
    ws: web.WebSocketResponse,
    app: web.Application,
    participant: Participant,
    connection: Connection,
) -> None:
    node, max_unread, allowance = app[NODE], app[SETTINGS].max_unread, participant.allowance
    turn = Turn(app[TURN], rests=allowance.limits.rate > 0)
    while True:
        message = await ws.receive()
        is_over = allowance.over_since is not None
        if message.type not in SAID or (is_over and connection.is_lost):
            return  # what is beyond the limits of one who has gone is not worth the work
        if turn.is_over(message):
            await turn.next()
        if message.type is PONG:
            connection.answered_at = monotonic()
        if message.type is TEXT or message.type is BINARY:
            busy = node.receive(participant, message.data)
            turn.work += monotonic() - turn.at
            if busy is not None:
                await busy
        elif node.answers_ping(participant) and message.type is not PONG:
            await ws.pong(message.data)
        if allowance.pause >= NAP:
            await asyncio.sleep(allowance.pause)
            allowance.pause = 0.0
        if node.inbox.is_full:
            await node.inbox.until_taken()
        while connection.unread() > max_unread and not participant.gone and not ws.closed:
            await asyncio.sleep(0.02)  # it does not read what we say: neither do we
        if is_over and allowance.is_abused(monotonic()):
            connection.close(Close.TOO_MANY, "too many messages for too long")
            return


def refuse_and_close(connection: Connection, error: OrdersError) -> None:
    """What a browser could not see of a refused upgrade: said after the handshake, then closed."""
    said = messages.Error(code=error.code, message=error.message)
    connection.write(frame(messages.say(said, *stamp())))
    if isinstance(error, Full):
        code = Close.FULL
    elif error.code in ("kicked", "room_ended"):
        code = Close.REMOVED
    elif isinstance(error, StorageFailed):
        code = Close.GOING_AWAY  # it may come back soon
    else:
        code = Close.WRONG_PARAMETER
    connection.close(code, error.code)


async def open_socket(request: web.Request) -> tuple[web.WebSocketResponse, Connection]:
    """Shake hands; the connection is asked from now on whether it is alive."""
    ws = web.WebSocketResponse(
        protocols=(SUBPROTOCOL,),
        autoping=False,
        compress=False,
        max_msg_size=request.app[SETTINGS].max_message + 1,  # the size that is too large
        timeout=CLOSE_GRACE,
    )
    try:
        await ws.prepare(request)
    except (ValueError, web.HTTPBadRequest):
        raise Refused(
            "wrong_upgrade",
            "The handshake of a WebSocket needs the headers `Connection: Upgrade`,"
            " `Sec-WebSocket-Version: 13` and `Sec-WebSocket-Key`, 16 random bytes in Base64, such"
            " as dGhlIHNhbXBsZSBub25jZQ==.",
        ) from None
    connection = Connection(ws, request)
    request.app[CONNECTIONS][connection] = None
    for hear in request.app[OPENED]:
        hear(connection)
    return ws, connection


def check_upgrade(request: web.Request) -> None:
    """Refuse with HTTP 400 what is no proper upgrade."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        ConnectOptions.read(request.query)
        raise Refused(
            "upgrade_expected",
            "This address speaks WebSocket: connect with new WebSocket('ws://…/ws').",
        )
    if request.method != "GET":
        raise Refused("wrong_upgrade", f"A WebSocket begins with GET, not with {request.method}.")
    if request.version < HttpVersion11:
        raise Refused("wrong_upgrade", "A WebSocket begins with HTTP/1.1, not with HTTP/1.0.")
    if request.body_exists:
        raise Refused("wrong_upgrade", "A WebSocket upgrade has no body: send it without one.")


async def heart(app: web.Application) -> AsyncIterator[None]:
    """Ask every connection from time to time whether it is alive, as long as the server runs."""
    app_settings, connections = app[SETTINGS], app[CONNECTIONS]

    async def beat() -> None:
        while True:
            before = monotonic()
            await asyncio.sleep(app_settings.heartbeat)
            now = monotonic()
            asleep = slept(now - before - app_settings.heartbeat)
            for connection in list(connections):
                connection.answered_at += asleep
                connection.beat(now, app_settings.heartbeat_timeout)

    async def break_silence() -> None:
        while True:
            await asyncio.sleep(1)
            now, said = monotonic(), messages.Heartbeat()
            for connection in list(connections):
                if connection.silence and now - connection.wrote_at >= connection.silence:
                    connection.write(frame(messages.say(said, *stamp())))

    async def shed() -> None:
        while True:
            await asyncio.sleep(SHED)
            app[NODE].stats.slow += cut_off_largest(connections, app_settings.max_unread_total)

    tasks = [asyncio.create_task(work()) for work in (beat, break_silence, shed)]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

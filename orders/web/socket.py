"""`/ws`: one connection is one participant. Text in, bytes out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import HttpVersion11, WSMsgType, web

from orders.broker import messages
from orders.broker.modes import check_patterns
from orders.broker.participants import Participant
from orders.broker.protocol import check_name
from orders.clock import monotonic, new_id, now_ms
from orders.domain.envelope import is_name, is_room, is_uuid
from orders.errors import Close, Full, OrdersError, Refused, StorageFailed, WrongParameter
from orders.server import Node
from orders.web.connection import CLOSE_GRACE, Connection, frame
from orders.web.keys import NODE, SETTINGS
from orders.web.marks import marks_of
from orders.web.security import check_stranger, holds_token

D = TypeVar("D")

SUBPROTOCOL = "orders.v1"
CONNECTIONS = web.AppKey("connections", dict[Connection, None])
#: Messages of one connection that are handled before others have their turn.
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What the query of an upgrade asks for."""

    room: str = "main"
    name: str | None = None
    types: frozenset[str] | None = None
    after: str | None = None
    ack: str = "auto"
    prefetch: int = 1
    echo: bool = True
    quiet: bool = False
    session: str | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "ConnectOptions":
        """Every parameter, or `WrongParameter` with the first that is wrong."""
        types = query.get("types")
        return cls(
            room=_checked(query, "room", "main", is_room, "1–32 of a–z, 0–9 and `-`, such as main"),
            name=_name(query),
            types=None if types is None else _types(types),
            after=_checked(
                query,
                "after",
                None,
                lambda after: after == "start" or is_uuid(after),
                "the id of the last event you saw, or `start`",
            ),
            ack=_checked(query, "ack", "auto", ("auto", "manual").__contains__, "auto or manual"),
            prefetch=int(
                _checked(
                    query,
                    "prefetch",
                    "1",
                    lambda n: n.isascii() and n.isdigit() and len(n) < 4 and 1 <= int(n) <= 100,
                    "a number from 1 to 100",
                )
            ),
            echo=_flag(query, "echo", "true"),
            quiet=_flag(query, "quiet", "false"),
            session=_checked(
                query,
                "session",
                None,
                lambda secret: 16 <= len(secret) <= 64,
                "a secret of your own, of 16 to 64 characters",
            ),
        )

    def participant(self, connection: Connection) -> Participant:
        types = frozenset("*") if self.types is None else self.types
        return Participant(
            self.room,
            self.name or "",
            connection,
            types=types,
            subscription=types,
            chose_types=self.types is not None,
            ack=self.ack,
            prefetch=self.prefetch,
            echo=self.echo,
            quiet=self.quiet,
            session=self.session,
        )


def _checked(
    query: Mapping[str, str],
    parameter: str,
    default: D,
    is_right: Callable[[str], object],
    expected: str,
) -> str | D:
    """A parameter's value, its default, or `WrongParameter` with what was expected."""
    value = query.get(parameter)
    if value is None:
        return default
    if not is_right(value):
        raise WrongParameter(
            "wrong_parameter", f"`{parameter}` is {value[:64]!r}; it must be {expected}."
        )
    return value


def _flag(query: Mapping[str, str], parameter: str, default: str) -> bool:
    value = _checked(query, parameter, default, ("true", "false").__contains__, "true or false")
    return bool(value == "true")


def _name(query: Mapping[str, str]) -> str | None:
    name = _checked(
        query, "name", None, is_name, "1–32 letters, digits, `-`, `_` or `.`, such as alice"
    )
    try:
        check_name(name or "")
    except Refused as refused:
        raise WrongParameter("wrong_parameter", refused.message) from None
    return name


def _types(types: str) -> frozenset[str]:
    try:
        return check_patterns([type for type in types.split(",") if type])
    except Refused as refused:
        raise WrongParameter("wrong_parameter", refused.message) from None


# ── the handler ─────────────────────────────────────────────────────────────────────────────────


async def socket(request: web.Request) -> web.StreamResponse:
    """An upgrade, and everything the participant sends until its connection ends."""
    check_upgrade(request)
    check_stranger(request)
    ws, connection = await open_socket(request)
    node = request.app[NODE]
    participant = None
    try:
        wishes = ConnectOptions.read(request.query)
        participant = wishes.participant(connection)
        participant.marks, participant.is_host = marks_of(request), holds_token(request)
        await node.join(participant, wishes.name, wishes.after)
        await _listen(ws, node, participant, connection, request.app[SETTINGS].max_unread)
    except OrdersError as error:
        refuse_and_close(connection, error)
    finally:
        if participant is not None:
            node.leave(participant)
        request.app[CONNECTIONS].pop(connection, None)
        await connection.closed()
    return ws


async def _listen(
    ws: web.WebSocketResponse,
    node: Node,
    participant: Participant,
    connection: Connection,
    max_unread: int,
) -> None:
    handled = 0
    while True:
        message = await ws.receive()
        match message.type:
            case WSMsgType.TEXT:
                busy = node.receive(participant, message.data)
                if busy is not None:
                    await busy
            case WSMsgType.BINARY:
                node.receive(participant, None)
            case WSMsgType.PONG:
                connection.answered_at = monotonic()
            case WSMsgType.PING:
                if node.heard_ping(participant):
                    await ws.pong(message.data)
            case _:
                return
        handled += 1
        if handled % AT_ONCE == 0:
            await asyncio.sleep(0)  # others have their turn, however much is buffered here
        if node.inbox.is_full:
            await node.inbox.until_taken()
        while connection.unread() > max_unread and not participant.gone and not ws.closed:
            await asyncio.sleep(0.02)  # it does not read what we say: neither do we
        if participant.allowance.is_abused(monotonic()):
            connection.close(Close.TOO_MANY, "too many messages for too long")


def refuse_and_close(connection: Connection, error: OrdersError) -> None:
    """What a browser could not see of a refused upgrade: said after the handshake, then closed."""
    said = messages.Error(code=error.code, message=error.message)
    connection.write(frame(messages.say(said, now_ms(), new_id())))
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
        max_msg_size=request.app[SETTINGS].max_message,
        timeout=CLOSE_GRACE,
    )
    try:
        await ws.prepare(request)
    except ValueError:
        raise Refused(
            "wrong_upgrade", "The `Sec-WebSocket-Key` is wrong: it is 16 bytes in base64."
        ) from None
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client went away during the handshake")
    connection = Connection(ws, transport)
    request.app[CONNECTIONS][connection] = None
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
    offered = [
        name.strip()
        for line in request.headers.getall("Sec-WebSocket-Protocol", [])
        for name in line.split(",")
    ]
    if offered and SUBPROTOCOL not in offered:
        raise Refused(
            "wrong_subprotocol",
            f"This server speaks `{SUBPROTOCOL}`, not {', '.join(offered)[:80]!r}: offer that one,"
            " or none.",
        )


async def heart(app: web.Application) -> AsyncIterator[None]:
    """Ask every connection from time to time whether it is alive, as long as the server runs."""
    app_settings, connections = app[SETTINGS], app[CONNECTIONS]

    async def beat() -> None:
        while True:
            await asyncio.sleep(app_settings.heartbeat)
            now = monotonic()
            for connection in list(connections):
                connection.beat(now, app_settings.heartbeat_timeout)

    task = asyncio.create_task(beat())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

"""The wire: handshake and frames of one connection, for the host, or for its own participant."""

import asyncio
from itertools import islice
from typing import Any

from aiohttp import hdrs, web
from pydantic_core import to_json

from orders.broker.participants import Participant
from orders.broker.room import Room
from orders.classroom.line import connection_of
from orders.classroom.wire_shown import accept, message
from orders.classroom.wire_tap import TAPS, Awaited, Tap, Taps
from orders.domain.envelope import folded, is_name
from orders.errors import Forbidden, NotFound, WrongParameter
from orders.web.connect_options import HEARTBEAT
from orders.web.keys import NODE
from orders.web.marks import marks_of
from orders.web.observe import feeding
from orders.web.pages import shown
from orders.web.query import Query
from orders.web.security import is_host
from orders.web.socket import OPENED, SOCKETS, Connection, frame

PAUSE = 0.1  # seconds between two batches
LOOKS_AGAIN = 1.0  # seconds until it is looked whether somebody came to another node
MOST_IN_A_BATCH = 25  # frames; the tap keeps the others for a while


class WireQuery(Query):
    """The one who looks."""

    session: str | None = None  # see `web.marks`
    heartbeat: float | None = HEARTBEAT


def install(app: web.Application) -> None:
    """Let people look at the wire."""
    app[TAPS] = Taps(app[NODE])
    app[OPENED].append(app[TAPS].opened)
    app[SOCKETS].append(feed)
    app.router.add_get("/wire", page)
    app.router.add_get("/observe/{room}/wire/{name}", feed)


async def page(request: web.Request) -> web.Response:
    """The wire, for the projector, or for a student."""
    return shown(request, "wire", others=request.url.without_query_params("name").relative())


async def feed(request: web.Request) -> web.StreamResponse:
    """Handshake and frames of the one with a name in a room, now or later, as JSON."""
    return await feeding(request, _begin)


async def _begin(request: web.Request, connection: Connection) -> Any:
    name = request.match_info["name"]
    if not is_name(name):
        raise WrongParameter("invalid_name", "A name has letters or digits, such as `alice`.")
    connection.silence = WireQuery.read(request.query).heartbeat
    return _Feed(request, connection, name).run()


class _Feed:
    """What one viewer is told; see docs/api.md."""

    def __init__(self, request: web.Request, connection: Connection, name: str) -> None:
        self._request, self._connection, self._name = request, connection, name
        self._node, self._taps = request.app[NODE], request.app[TAPS]
        self._room = request.match_info["room"]
        self._last: dict[str, dict[str, Any]] = {}  # the last of each kind

    async def run(self) -> None:
        """Wait for somebody of that name, look at the connection until it ends, and again."""
        while True:
            participant, looked_at = await self._found()
            try:
                self._check(participant)
                await self._look(participant, looked_at, self._taps.taps[looked_at])
            finally:
                self._taps.leave(looked_at)

    async def _found(self) -> tuple[Participant, Connection]:
        """Who is connected here and has the name, as soon as somebody does; looked at from then."""
        came: asyncio.Future[tuple[Participant, Connection]] = asyncio.Future()
        awaited = Awaited(self._room, folded(self._name), came)
        self._taps.awaited[awaited] = None
        try:
            while not came.done():
                self._look_around(await self._enter(), came)
                await asyncio.wait({came}, timeout=LOOKS_AGAIN)
            return came.result()
        except BaseException:  # it leaves, or may not stay: so it looks no more
            if came.done():
                self._taps.leave(came.result()[1])
            raise
        finally:
            del self._taps.awaited[awaited]

    def _look_around(
        self, room: Room | None, came: asyncio.Future[tuple[Participant, Connection]]
    ) -> None:
        name = room.state.spellings.get(folded(self._name), self._name) if room else ""
        participant = room.participants.get(name) if room else None
        connection = connection_of(participant)
        if came.done():
            return
        if participant and connection and not connection.is_lost:
            self._taps.watch(connection)
            came.set_result((participant, connection))
            return
        member = room.state.members.get(name) if room else None
        self._tell(state="elsewhere" if member and member.node else "waiting")

    async def _enter(self) -> Room | None:
        try:
            return await self._node.enter(self._room)
        except NotFound:
            return None

    def _check(self, participant: Participant) -> None:
        marks = set(marks_of(self._request))
        if not is_host(self._request) and not marks & set(participant.marks):
            raise Forbidden(
                "not_yours",
                f"What {participant.name} says and hears is for the host, and for who takes part"
                " under this name: open this page in the browser in which you do.",
            )

    async def _look(self, participant: Participant, looked_at: Connection, tap: Tap) -> None:
        """Tell the handshake, then the frames, to the end of the connection."""
        self._last.clear()
        self._tell(state="open", whole=tap.is_whole, **handshake(looked_at))
        seen = 0
        while not (tap.over and seen == tap.count):
            tap.ask()
            self._tell(name=participant.name, reads=not tap.is_asking)
            if tap.count > seen and self._connection.unread() == 0:
                forgotten = tap.count - len(tap.frames)
                skipped = max(forgotten - seen, 0)
                seen += skipped
                new = list(islice(tap.frames, seen - forgotten, seen - forgotten + MOST_IN_A_BATCH))
                seen += len(new)
                frames = b",".join(one.json for one in new)
                self._send(b'{"frames":[%b],"skipped":%d}' % (frames, skipped))
            await asyncio.sleep(PAUSE)
        self._tell(state="closed")

    def _tell(self, **news: Any) -> None:
        """Say it, unless it was said already."""
        kind = next(iter(news))
        if self._last.get(kind) != news:
            self._last[kind] = news
            self._send(to_json(news))

    def _send(self, text: bytes) -> None:
        self._connection.write(frame(text))


def handshake(connection: Connection) -> dict[str, Any]:
    """Request, answer, and the steps from the key to the accept, of a connection that lives."""
    request, answer = connection.request, connection.ws
    key = request.headers.get(hdrs.SEC_WEBSOCKET_KEY, "")
    asked = f"{request.method} {request.raw_path} HTTP/1.1"
    sent = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers
    ]
    return {
        "request": message(asked, sent),
        "accept": accept(key),
        "response": message(f"HTTP/1.1 {answer.status} {answer.reason}", answer.headers.items()),
    }

"""`/observe/{room}`: what happened in a room, for the log and the stage.

An observer reads the journal at its own pace, at most twenty batches a second, and is no
participant: nothing that it does, or fails to read, ever touches the room.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog
from aiohttp import WSMsgType, web
from pydantic import Field
from pydantic_core import from_json, to_json

from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.clock import monotonic, now_ms
from orders.domain.envelope import key_of
from orders.errors import Close, Forbidden, OrdersError, StorageFailed
from orders.server import Node
from orders.server.single_flight import SingleFlight
from orders.web.api import snapshot
from orders.web.bots import BOTS
from orders.web.closing import InTurns
from orders.web.connect_options import HEARTBEAT
from orders.web.keys import NODE
from orders.web.query import PLACE, Query
from orders.web.security import check_stranger
from orders.web.socket import (
    CONNECTIONS,
    Connection,
    check_upgrade,
    frame,
    open_socket,
    refuse_and_close,
)

log = structlog.get_logger()

PAUSE = 0.05  # seconds between two batches
MOST_IN_A_BATCH = 500
LOOK = 0.25  # seconds between two looks at what is not in the journal
SLOW_PART = 8  # slow: more than this part of what may wait unread does
#: What no observer learns of a record: positions, by what people are known, what they answered.
INSIDE = (
    *("last", "changes", "of", "to", "marks", "admitted"),
    *("choice", "voters", "held", "secret"),
)
MOST_READ = 16  # batches that are kept for other observers
FAR_BEHIND = 5_000  # records; an observer that is further behind gets a number instead


class ObserveQuery(Query):
    """From where on an observer wants to know."""

    after: str | None = Field(None, pattern=PLACE, description="the id of an event, or start")
    heartbeat: float | None = HEARTBEAT


#: Finds out what was asked for, and gives what to tell of it until the connection ends.
Begin = Callable[[web.Request, Connection], Awaitable[Coroutine[Any, Any, None]]]


async def observe(request: web.Request) -> web.StreamResponse:
    """A room's records, as they come, from `after` on."""
    return await feeding(request, _begin)


async def _begin(request: web.Request, connection: Connection) -> Coroutine[Any, Any, None]:
    node = request.app[NODE]
    room = await node.enter(request.match_info["room"])
    query = ObserveQuery.read(request.query)
    connection.silence = query.heartbeat
    after = await _position(node, room, query.after)
    return _feed(request.app, room, after, connection)


async def feeding(request: web.Request, begin: Begin) -> web.StreamResponse:
    """A WebSocket on which only we have something to say."""
    check_upgrade(request)
    check_stranger(request)
    ws, connection = await open_socket(request)
    ws._reader = InTurns(ws._reader)  # type: ignore[assignment] # it has nothing to say
    feed = None
    try:
        feed = asyncio.create_task(await begin(request, connection))
        feed.add_done_callback(partial(_feed_ended, connection))
        while True:
            message = await ws.receive()
            if message.type is WSMsgType.PONG:
                connection.answered_at = monotonic()
            elif message.type is WSMsgType.PING:
                await ws.pong(message.data)
            elif message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
    except OrdersError as error:
        refuse_and_close(connection, error)
    finally:
        if feed is not None:
            feed.cancel()
        request.app[CONNECTIONS].pop(connection, None)
        await connection.closed()
    return ws


def _feed_ended(connection: Connection, feed: "asyncio.Task[None]") -> None:
    """A feed ends with its connection; one that failed takes it along, so that it comes back."""
    error = None if feed.cancelled() else feed.exception()
    if isinstance(error, OrdersError):
        refuse_and_close(connection, error)
    elif error is not None:
        log.error("an observer's feed failed", exc_info=error)
        connection.close(Close.GOING_AWAY, "the feed failed")


async def _position(node: Node, room: Room, after: str | None) -> int | None:
    """The position of `after`; None: there is no such event, or none was asked for."""
    if after is None:
        return None
    if after == "start":
        return 0
    found = await node.engine.find(room.name, key_of(after))
    return found.position if found else None


class Feeds:
    """What observers share: they all look at the same moment, so what one reads serves all."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None
        self._read: SingleFlight[tuple[Room, int, int, int, int], tuple[int, bytes]] = SingleFlight(
            MOST_READ
        )

    async def wait(self) -> None:
        """Until the next look."""
        if self._next is None or self._next.done():
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            loop.call_later(PAUSE, self._next.set_result, None)
        await asyncio.shield(self._next)  # others wait for it, too

    async def read(
        self, node: Node, room: Room, after: int, upto: int, skipped: int
    ) -> tuple[int, bytes]:
        """What lies between two positions, or the beginning of it: up to where, and as a frame."""

        async def read() -> tuple[int, bytes]:
            count = min(MOST_IN_A_BATCH, upto - after)
            records = await node.engine.read(room.name, after, count)
            seen = [observed(record) for record in records if record.kind is not Kind.RESET]
            return records[-1].position if records else after, batch(seen, skipped)

        key = room, room.state.epoch, after, upto, skipped
        return await self._read.get(key, read)


FEEDS = web.AppKey("feeds", Feeds)


async def _feed(
    app: web.Application, room: Room, after: int | None, connection: Connection
) -> None:
    node, feeds = app[NODE], app[FEEDS]
    position = room.state.head if after is None else after
    begin = {"snapshot": snapshot(app, room), "resumed": after is not None}
    connection.write(frame(to_json(begin)))
    begun, aside = (room, room.state.epoch), _Aside(app, room)
    while True:
        known = node.rooms.get(room.name)
        if known is None and room.ended:
            raise Forbidden("room_ended", f"The host ended the room `{room.name}`.")
        room = known or room  # it may have been forgotten, and begun again
        room.used = monotonic()
        if (room, room.state.epoch) != begun:
            position, begun = 0, (room, room.state.epoch)
            connection.write(batch([{"kind": "reset"}]))
        head = room.state.head
        if head > position and connection.unread() == 0:
            skipped = 0
            if head - position > FAR_BEHIND:
                skipped = head - position - MOST_IN_A_BATCH
            try:
                last, text = await feeds.read(node, room, position + skipped, head, skipped)
            except StorageFailed:
                last = position  # the journal is away, and comes back
            if last > position and (room, room.state.epoch) == begun:
                position = last
                connection.write(text)
        if changes := aside.changes(room):
            connection.write(batch(changes))
        await feeds.wait()


def batch(records: list[dict[str, Any]], skipped: int = 0) -> bytes:
    """Records as an observer is sent them."""
    return frame(to_json({"records": records, "skipped": skipped}))


class _Aside:
    """What no journal holds and a picture shows all the same: the bots, who reads slowly, what was
    refused, and that the journal itself is away."""

    def __init__(self, app: web.Application, room: Room) -> None:
        self._bots, self._node = app[BOTS], app[NODE]
        self._slow_from = self._node.options.max_unread // SLOW_PART
        self._shown: dict[str, Any] = {"bots": None, "slow": [], "away": None}
        self._next = 0.0
        self._refused = room.refusals[-1] if room.refusals else None

    def changes(self, room: Room) -> list[dict[str, Any]]:
        """What is otherwise than when it was last shown; looked at a few times a second."""
        if monotonic() < self._next:
            return []
        self._next = monotonic() + LOOK
        bots = [bot.shape for bot in self._bots.of(room.name)]
        people = room.participants.values()
        slow = [one.name for one in people if one.transport.unread() > self._slow_from]
        changes: list[dict[str, Any]] = []
        if bots != self._shown["bots"]:
            changes.append({"kind": "bots", "at": now_ms(), "bots": bots})
        if slow != self._shown["slow"]:
            changes.append({"kind": "slow", "at": now_ms(), "names": slow})
        if (away := self._node.away) != self._shown["away"]:
            changes.append({"kind": "journal", "at": now_ms(), "away": away})
        self._shown = {"bots": bots, "slow": slow, "away": away}
        return changes + self._refusals(room)

    def _refusals(self, room: Room) -> list[dict[str, Any]]:
        """What was refused since it was last told."""
        new: list[dict[str, Any]] = []
        for refusal in reversed(room.refusals):
            if refusal is self._refused:
                break
            new.append({"kind": "refused", **asdict(refusal)})
        self._refused = room.refusals[-1] if room.refusals else None
        return new[::-1]


def observed(record: Record) -> dict[str, Any]:
    """A record as an observer hears it; how somebody answered a question stays inside."""
    data = from_json(record.body)
    if record.kind is Kind.EVENT:
        return {"kind": "event", "at": record.at, "mode": record.mode, "event": data}
    if record.kind is Kind.JOINED:
        data["after"] = data["after"] is not None
    for inside in INSIDE:
        data.pop(inside, None)
    return {"kind": record.kind, "at": record.at, **data}

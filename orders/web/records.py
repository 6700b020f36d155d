"""What a picture of a room begins with: its journal in pages, and what waits in its queues.

The journal is as the observers' feed has it, for going back in time. A place in it is outside the
id of an event and how many records lie between, such as `69688550-…~3`; so it means the same
after a restart, and nothing after the room was cleared. The numbers of a room's queues are in its
snapshot; here are the events behind them.
"""

import asyncio
from typing import Any

from aiohttp import web
from pydantic import Field
from pydantic_core import from_json

from orders.broker.queue import State
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.broker.room_state import presence, state_at
from orders.clock import monotonic, now_ms
from orders.domain.envelope import id_text
from orders.errors import NotFound
from orders.server import Node
from orders.web.api import answer, record_named, room_named
from orders.web.observe import observed
from orders.web.query import Query
from orders.web.turns import in_line

MOST = 1000
MOST_LATEST = 100_000
START = "start"
MOST_QUEUED = 100  # of each state, oldest first
MOST_PARKED = 500


class RecordsQuery(Query):
    """A page of the journal; `after` is a place, see above."""

    after: str = START
    limit: int = Field(500, ge=1, le=MOST, description=f"a number from 1 to {MOST}")
    latest: int | None = Field(
        None, ge=1, le=MOST_LATEST, description=f"a number from 1 to {MOST_LATEST}"
    )


def routes() -> list[web.RouteDef]:
    room = "/api/rooms/{room}"
    return [web.get(f"{room}/records", get_records), web.get(f"{room}/queue", get_queue)]


@in_line
async def get_records(request: web.Request) -> web.Response:
    """Records of every kind `after` a place, or the `latest` so many; oldest first, paged.

    `next` is where to go on from, `more` whether there is anything yet. With `latest` the
    answer has `standing`, too: who was in the room before the first of them; and `earlier`,
    whether anything had happened before.
    """
    query = RecordsQuery.read(request.query)
    node, room = await room_named(request)
    more: dict[str, Any] = {}
    if query.latest is not None:
        base, begins = START, max(0, room.state.head - query.latest)
        position = begins
        more["earlier"] = position > 0
        controls = await node.engine.controls(room.name, -1) if position else []
        # in a room of long standing many have come and gone: the loop does not wait for that
        then = await asyncio.to_thread(state_at, room.name, controls, position)
        more["standing"] = presence(then)
    else:
        base, begins, position = await _place(node, room, query.after)
    records = await node.engine.read(room.name, position, query.limit)
    for record in records:
        position = record.position
        if record.kind is Kind.EVENT:
            base, begins = id_text(record.key), position
    return answer(
        {
            "records": [observed(record) for record in records if record.kind is not Kind.RESET],
            "next": _written(base, begins, position),
            "more": bool(records) and position < room.state.head,
            **more,
        }
    )


def _written(base: str, begins: int, position: int) -> str:
    between = position if base == START else position - begins
    return f"{base}~{between}" if between else base


async def _place(node: Node, room: Room, place: str) -> tuple[str, int, int]:
    """What a place means: the event it counts from, that one's position, and its own."""
    base, _, between = place.partition("~")
    is_count = between.isascii() and between.isdigit() and len(between) < 12
    count = int(between) if is_count else 0
    begins = 0
    if base != START:
        found: Record = await record_named(node, room, base)
        begins = found.position
    if begins + count > room.state.head or (between and not is_count):
        raise NotFound(
            "unknown_position",
            f"{place[:64]!r} is no place in room {room.name} (any more): begin with after=start.",
        )
    return base, begins, begins + count


@in_line
async def get_queue(request: web.Request) -> web.Response:
    """Events that are ready, held or dead, and those held at the broker while it is paused.

    `left` is how many seconds of the lease are left to who holds it, else null; `at` is the
    broker's clock in epoch milliseconds.
    """
    Query.read(request.query)
    node, room = await room_named(request)
    now = monotonic()
    queued: list[dict[str, Any]] = []
    for entry in room.state.queue.oldest(MOST_QUEUED):
        lease = room.leases.held.get(entry.key)
        record = entry.record or await node.engine.find(room.name, entry.key)
        if record is None:
            continue
        is_held = entry.state is State.HELD
        queued.append(
            {
                "event": from_json(record.body),
                "state": entry.state,
                "name": entry.name if is_held else None,
                "attempt": entry.attempt,
                "reason": entry.reason or None,
                "lease": (room.state.rules.lease or node.options.lease) if is_held else None,
                "left": round(max(0.0, lease.deadline - now), 1) if lease else None,
            }
        )
    held_back = []
    if room.state.paused and room.state.cursor < room.state.head:
        held_back = await node.engine.read(room.name, room.state.cursor, MOST_PARKED)
    parked = [
        {"event": from_json(record.body), "mode": record.mode}
        for record in held_back
        if record.kind is Kind.EVENT
    ]
    return answer({"queued": queued, "parked": parked, "at": now_ms()})

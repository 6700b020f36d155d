"""What waits in a room: for a picture that begins in the middle of things.

The numbers of a room's queues are in its snapshot; here are the events behind them.
"""

from typing import Any

from aiohttp import web
from pydantic_core import from_json

from orders.broker.queue import State
from orders.broker.records import Kind
from orders.clock import monotonic, now_ms
from orders.web.api import answer, room_named
from orders.web.query import Query

MOST_QUEUED = 100  # of each state, oldest first
MOST_PARKED = 500


def routes() -> list[web.RouteDef]:
    return [web.get("/api/rooms/{room}/queue", get_queue)]


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

"""What waits in a room: for a picture that begins in the middle of things.

The numbers of a room's queues are in its snapshot; here are the events behind them.
"""

import time
from typing import Any

from aiohttp import web
from pydantic_core import from_json

from orders.broker.leases import State
from orders.broker.records import Kind
from orders.clock import now_ms
from orders.web.api import answer, room_named

MOST_QUEUED = 100  # of each state, oldest first
MOST_PARKED = 500


def routes() -> list[web.RouteDef]:
    return [web.get("/api/rooms/{room}/queue", get_queue)]


async def get_queue(request: web.Request) -> web.Response:
    """Events that are ready, held or dead, and those held at the broker while it is paused.

    `left` is how many seconds of the lease are left to who holds it, else null; `at` is the
    broker's clock in epoch milliseconds.
    """
    node, room = await room_named(request)
    queue, clock = node.engine.queue(room.name), time.monotonic()
    told: list[dict[str, Any]] = []
    for entry in queue.oldest(MOST_QUEUED):
        record = entry.record or await node.engine.find(room.name, entry.key)
        if record is None:
            continue
        is_held = entry.state is State.HELD
        told.append(
            {
                "event": from_json(record.body),
                "state": entry.state,
                "name": entry.name if is_held else None,
                "attempt": entry.attempt,
                "reason": entry.reason or None,
                "lease": node.options.lease if is_held else None,
                "left": round(max(0.0, entry.deadline - clock), 1) if is_held else None,
            }
        )
    held_back = []
    if room.paused and room.cursor < room.head:
        held_back = await node.engine.read(room.name, room.cursor, MOST_PARKED)
    parked = [
        {"event": from_json(record.body), "mode": record.mode}
        for record in held_back
        if record.kind is Kind.EVENT
    ]
    return answer({"queued": told, "parked": parked, "at": now_ms()})

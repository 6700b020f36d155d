"""The HTTP API: one room's log, orders and queues, and what its host may do.

Refusals are raised as `OrdersError`; the middleware of `web/app.py` answers them.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any, Literal

from aiohttp import web
from pydantic import Field
from pydantic_core import from_json, to_json

from orders.broker.explain import explain
from orders.broker.queue import State
from orders.broker.records import Record
from orders.broker.room import Room
from orders.domain.envelope import UUID, id_text, is_uuid, key_of
from orders.errors import NotFound, Refused, WrongParameter
from orders.journal.base import MOST_BYTES, Filter
from orders.server import Node
from orders.web.bots import BOTS
from orders.web.export import FORMATS, export, streamed
from orders.web.keys import NODE
from orders.web.query import PLACE, Query
from orders.web.turns import LINE, in_line

MOST_EVENTS, MOST_ORDERS = 1000, 10_000


class EventsQuery(Query):
    """A page of the log, or all of it in some other format."""

    after: str = Field("start", pattern=PLACE, description="the id of an event, or start")
    before: str | None = Field(
        None, pattern=rf"^end$|{UUID}", description="the id of an event, or end"
    )
    type: str | None = None
    source: str | None = None
    text: str | None = None
    limit: int = Field(100, ge=1, le=MOST_EVENTS, description=f"a number from 1 to {MOST_EVENTS}")
    format: Literal["json", "jsonl", "csv", "mermaid"] = Field(
        "json", description=f"json, {', '.join(FORMATS)}"
    )


class OrdersQuery(Query):
    """Which orders."""

    customer: str | None = None
    number: str | None = None
    state: Literal["placed", "confirmed", "rejected"] | None = Field(
        None, description="placed, confirmed or rejected"
    )


def routes() -> list[web.RouteDef]:
    """Everything under /api."""
    room = "/api/rooms/{room}"
    return [
        web.get(room, get_room),
        web.get(f"{room}/events", get_events),
        web.get(f"{room}/events/{{event}}", get_event),
        web.get(f"{room}/orders", get_orders),
        web.get(f"{room}/dead-letters", get_dead_letters),
    ]


def answer(data: object, status: int = 200) -> web.Response:
    return web.Response(body=to_json(data), status=status, content_type="application/json")


async def room_named(request: web.Request) -> tuple[Node, Room]:
    """The room of the address, or `NotFound`."""
    node = request.app[NODE]
    return node, await node.enter(request.match_info["room"])


async def record_named(node: Node, room: Room, id: str) -> Record:
    """The event with this id, or `NotFound`."""
    if not is_uuid(id):
        raise Refused(
            "wrong_id", f"{id[:64]!r} is no event's id: it must be a UUID, as in the log."
        )
    record = await node.engine.find(room.name, key_of(id))
    if record is None:
        raise NotFound("unknown_event", f"There is no event {id} in room {room.name}.")
    return record


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


def snapshot(app: web.Application, room: Room) -> dict[str, Any]:
    """A room as it stands."""
    node = app[NODE]
    state = room.state
    return {
        "room": room.name,
        "modes": state.modes,
        "paused": state.paused,
        "participants": participants(room),
        "bots": [bot.shape for bot in app[BOTS].of(room.name)],
        "durable": node.engine.durable,
        "queues": state.queue.depths(),
        "events": state.events,
        "locked": state.rules.locked,
        "muted": sorted(state.rules.muted),
        "kicked": sorted(state.rules.kicked),
        "last": state.last,
    }


def participants(room: Room) -> list[dict[str, Any]]:
    """Who is in a room, on this node or another; who has been there longest comes first."""
    held = Counter(entry.name for entry in room.state.queue.held.values())
    people, rules = [], room.state.rules
    for one in room.state.members.values():
        here = None if one.node else room.participants.get(one.name)
        if not one.node and here is None:
            continue  # its connection is gone, and the record of its leaving is on its way
        people.append(
            {
                "name": one.name,
                "types": sorted(one.types),
                "works": one.works,
                "ack": one.ack,
                "echo": one.echo,
                "in_flight": held[one.name],
                "delivered": here.delivered if here else 0,
                "role": one.seen_role,
                "since": one.at,
                "muted": rules.mutes(one.name, one.marks),
            }
        )
    return sorted(people, key=lambda one: (one["since"], one["name"]))


async def get_room(request: web.Request) -> web.Response:
    Query.read(request.query)
    _, room = await room_named(request)
    return answer(snapshot(request.app, room))


async def get_events(request: web.Request) -> web.StreamResponse:
    """The log, oldest first: `after` an event, or the page `before` one or before the end."""
    query, (node, room) = EventsQuery.read(request.query), await room_named(request)
    wanted = Filter(query.type, query.source, query.text)
    if query.format in FORMATS:
        return await export(request, room, wanted, query.format)
    async with request.app[LINE].piece(request):
        return await _get_page(node, room, wanted, query)


async def _get_page(node: Node, room: Room, wanted: Filter, query: EventsQuery) -> web.Response:
    limit = query.limit
    if query.before is not None:
        end = room.state.head + 1
        if query.before != "end":
            end = (await record_named(node, room, query.before)).position
        page = await node.engine.page(room.name, wanted, limit, before=end)
        return _page(page.events, next=None, previous=page.more)
    position = 0
    if query.after != "start":
        position = (await record_named(node, room, query.after)).position
    page = await node.engine.page(room.name, wanted, limit, after=position)
    return _page(page.events, next=page.more, previous=None)


def _page(records: list[Record], **ids: bytes | None) -> web.Response:
    """A page of the log; the events' texts go out as they are."""
    events = b",".join(record.body for record in records)
    more = to_json({name: id_text(key) if key else None for name, key in ids.items()})
    return web.Response(
        body=b'{"events":[' + events + b"]," + more[1:], content_type="application/json"
    )


@in_line
async def get_event(request: web.Request) -> web.Response:
    """One event: who received it, who did not, and why."""
    Query.read(request.query)
    node, room = await room_named(request)
    record = await record_named(node, room, request.match_info["event"])
    controls = await node.engine.controls(room.name, record.position)
    recipients = await asyncio.to_thread(explain, record, controls)  # of all who came and went
    return answer(
        {
            "event": from_json(record.body),
            "at": record.at,
            "mode": record.mode,
            "recipients": [asdict(recipient) for recipient in recipients],
        }
    )


async def get_orders(request: web.Request) -> web.StreamResponse:
    """Each order, and where it stands; the newest, oldest first, read as the answer is read."""
    query, (node, room) = OrdersQuery.read(request.query), await room_named(request)
    line = request.app[LINE]
    if query.number is not None:
        if query.customer is None:
            example = f"customer=alice&number={query.number}"
            raise WrongParameter(
                "wrong_parameter",
                f"`number` is each customer's own: say whose, such as {example}.",
            )
        async with line.piece(request):
            found = await node.engine.order(room.name, query.customer, query.number)
        is_asked = found is not None and query.state in (None, found.state)
        return answer({"orders": [found] if is_asked else []})
    pages = node.engine.pages_of_orders(room.name, query.customer, MOST_ORDERS, query.state)

    async def next_page() -> bytes:
        async with line.piece(request):
            return to_json(await anext(pages, []))[1:-1]

    first = await next_page()  # what cannot be read at all is refused

    async def parts() -> AsyncIterator[bytes]:
        yield b'{"orders":[' + first
        while more := await next_page():
            yield b"," + more
        yield b"]}"

    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    return await streamed(request, response, parts())


@in_line
async def get_dead_letters(request: web.Request) -> web.Response:
    """What was set aside after the last attempt, oldest first."""
    Query.read(request.query)
    node, room = await room_named(request)
    letters, left = [], MOST_BYTES
    for entry in room.state.queue.oldest(MOST_EVENTS, (State.DEAD,)):
        if left <= 0:
            break  # the others follow once these are retried or discarded
        record = await node.engine.find(room.name, entry.key)
        if record is not None:
            left -= len(record.body)
            letters.append(
                {
                    "event": from_json(record.body),
                    "attempts": entry.attempt,
                    "reason": entry.reason,
                }
            )
    return answer({"dead_letters": letters})

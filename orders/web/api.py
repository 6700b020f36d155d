"""The HTTP API: one room's log, orders and queues, and what its host may do.

Refusals are raised as `OrdersError`; the middleware of `web/app.py` answers them.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web
from pydantic_core import from_json, to_json

from orders.broker.explain import explain
from orders.broker.limits import Bucket
from orders.broker.queue import State
from orders.broker.records import Record
from orders.broker.room import Room
from orders.clock import monotonic
from orders.domain.envelope import Event, id_text, is_name, is_room, is_uuid
from orders.errors import NotFound, Refused
from orders.journal.base import MOST_BYTES, Filter
from orders.server import Node
from orders.web.bots import BOTS
from orders.web.export import FORMATS, export
from orders.web.keys import NODE
from orders.web.marks import marks_of
from orders.web.proxy import visitor
from orders.web.security import is_host

MOST_EVENTS = 1000
MOST_ORDERS = 10_000


def routes() -> list[web.RouteDef]:
    """Everything under /api."""
    room = "/api/rooms/{room}"
    return [
        web.get(room, get_room),
        web.get(f"{room}/events", get_events),
        web.post(f"{room}/events", post_event),
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
    record = await node.engine.find(room.name, bytes.fromhex(id.replace("-", "")))
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
        "bots": [bot.told() for bot in app[BOTS].of(room.name)],
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
        people.append(
            {
                "name": one.name,
                "types": sorted(one.types),
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
    _, room = await room_named(request)
    return answer(snapshot(request.app, room))


async def get_events(request: web.Request) -> web.StreamResponse:
    """The log, oldest first: `after` an event, or the page `before` one or before the end."""
    node, room = await room_named(request)
    query = request.query
    wanted = Filter(query.get("type"), query.get("source"), query.get("text"))
    format = query.get("format", "json")
    if format in FORMATS:
        return await export(request, node.engine, room, wanted, format)
    if format != "json":
        raise Refused(
            "wrong_parameter", f"`format` is {format[:20]!r}; it must be {', '.join(FORMATS)}."
        )
    limit = _limit(query.get("limit", "100"))
    before = query.get("before")
    if before is not None:
        end = room.state.head + 1
        if before != "end":
            end = (await record_named(node, room, before)).position
        page = await node.engine.page(room.name, wanted, limit, before=end)
        return _page(page.events, next=None, previous=page.more)
    after = query.get("after", "start")
    position = 0
    if after != "start":
        position = (await record_named(node, room, after)).position
    page = await node.engine.page(room.name, wanted, limit, after=position)
    return _page(page.events, next=page.more, previous=None)


def _page(records: list[Record], **ids: bytes | None) -> web.Response:
    """A page of the log; the events' texts go out as they are."""
    events = b",".join(record.body for record in records)
    more = to_json({name: id_text(key) if key else None for name, key in ids.items()})
    return web.Response(
        body=b'{"events":[' + events + b"]," + more[1:], content_type="application/json"
    )


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_EVENTS):
        raise Refused(
            "wrong_parameter",
            f"`limit` is {text[:20]!r}; it must be a number from 1 to {MOST_EVENTS}, such as 100.",
        )
    return int(text)


async def get_event(request: web.Request) -> web.Response:
    """One event: who received it, who did not, and why."""
    node, room = await room_named(request)
    record = await record_named(node, room, request.match_info["event"])
    controls = await node.engine.controls(room.name, record.position)
    return answer(
        {
            "event": from_json(record.body),
            "mode": record.mode,
            "recipients": [asdict(recipient) for recipient in explain(record, controls)],
        }
    )


async def get_orders(request: web.Request) -> web.Response:
    """Each order, and where it stands; the newest, oldest first."""
    node, room = await room_named(request)
    query = request.query
    customer, number = query.get("customer"), query.get("number")
    if customer is not None and number is not None:
        order = await node.engine.order(room.name, customer, number)
        orders = [order] if order else []
    else:
        orders = await node.engine.orders(room.name, customer, MOST_ORDERS, query.get("state"))
    return answer({"orders": orders})


async def get_dead_letters(request: web.Request) -> web.Response:
    """What was set aside after the last attempt, oldest first."""
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


# ── publishing ──────────────────────────────────────────────────────────────────────────────────


async def post_event(request: web.Request) -> web.Response:
    """Publish one event, as `name` of the query or as its `source` says."""
    node = request.app[NODE]
    room_name = request.match_info["room"]
    if not is_room(room_name):
        raise Refused("wrong_parameter", "A room's name is 1–32 of a–z, 0–9 and `-`, such as main.")
    request.app[PUBLISHERS].spend(visitor(request), monotonic())
    event = Event.parse(await request.read())
    name = request.query.get("name", event.source)
    if name and (not is_name(name) or name == "broker"):
        raise Refused(
            "wrong_parameter", f"`name` is {name[:64]!r}; it must be a name such as alice."
        )
    if event.source and event.source != name:
        raise Refused(
            "wrong_source",
            f"`source` is {event.source!r}, but `name` is {name!r}: they must be the same.",
        )
    if event.type.startswith("broker."):
        raise Refused(
            "reserved_type",
            f"`{event.type}` is the broker's own: over HTTP you publish events of your own,"
            " such as order_placed.",
        )
    host = is_host(request)
    room = await node.enter(room_name, begin=host)
    name = node.presence.poster(room, name, marks_of(request), host)
    id, duplicate = await node.publish(room, event, name)
    return answer({"event": id, "duplicate": duplicate}, 200 if duplicate else 201)


@dataclass(eq=False)
class Publishers:
    """How fast each address publishes; as fast as a participant may."""

    rate: float
    burst: int
    buckets: dict[str, Bucket] = field(default_factory=dict)
    most: int = 10_000

    def spend(self, address: str, clock: float) -> None:
        """Take one token of this address, or refuse."""
        if not self.rate:
            return
        bucket = self.buckets.pop(address, None) or Bucket(self.rate, self.burst, filled=clock)
        if len(self.buckets) >= self.most:
            del self.buckets[next(iter(self.buckets))]  # the one that was quiet for longest
        self.buckets[address] = bucket
        if not bucket.take(1, clock):
            raise Refused(
                "rate_limited",
                f"This address publishes more than {self.rate:g} events a second: wait a moment.",
                status=429,
            )


PUBLISHERS = web.AppKey("publishers", Publishers)

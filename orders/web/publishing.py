"""Publishing over HTTP: one event a request, as fast from each address as a participant may."""

from dataclasses import dataclass, field

from aiohttp import web

from orders.broker.limits import Bucket
from orders.broker.protocol import poster
from orders.clock import monotonic
from orders.domain.envelope import Event, check_name
from orders.errors import Refused, counted
from orders.web.api import answer
from orders.web.connect_options import NAME, QueryName
from orders.web.keys import NODE
from orders.web.marks import marks_of
from orders.web.proxy import visitor
from orders.web.query import Query, room_in_path
from orders.web.security import is_host


class PublishQuery(Query):
    """Who publishes."""

    name: QueryName | None = NAME


def routes() -> list[web.RouteDef]:
    return [web.post("/api/rooms/{room}/events", post_event)]


async def post_event(request: web.Request) -> web.Response:
    """Publish one event, as `name` of the query or as its `source` says."""
    node, room_name = request.app[NODE], room_in_path(request)
    request.app[PUBLISHERS].spend(visitor(request), monotonic())
    given = PublishQuery.read(request.query).name
    event = Event.parse(await request.read())
    name = event.source if given is None else given
    host = is_host(request)
    check_name(name, is_host=host)
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
    room = await node.enter(room_name, begin=host)
    name = poster(room, name, marks_of(request), host)
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
                f"This address publishes more than {counted(self.rate, 'event')} a second: wait a"
                " moment.",
                status=429,
            )


PUBLISHERS = web.AppKey("publishers", Publishers)

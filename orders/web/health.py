"""Whether it lives, whether it is ready, and what it counted."""

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orders.server import Node
from orders.web.keys import NODE

REGISTRY = web.AppKey("registry", CollectorRegistry)


async def healthz(_: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def readyz(request: web.Request) -> web.Response:
    """Ready only while the journal takes writes (else HTTP 503, with the reason)."""
    failure = await request.app[NODE].storage_failure()
    if failure:
        error = {"code": failure.code, "message": failure.message}
        return web.json_response({"error": error}, status=503)
    return web.json_response({"ready": True})


async def metrics(request: web.Request) -> web.Response:
    return web.Response(
        body=generate_latest(request.app[REGISTRY]),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


def registry(node: Node) -> CollectorRegistry:
    """The metrics of one node, read when they are asked for: counting costs the pump nothing."""
    registry = CollectorRegistry()
    registry.register(_NodeCollector(node))
    return registry


class _NodeCollector(Collector):
    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> Iterable[Metric]:
        stats, rooms = self._node.stats, self._node.rooms.values()
        for name, value, says in (
            ("accepted", stats.accepted, "Events the journal took"),
            ("duplicates", stats.duplicates, "Events that were in their room already"),
            ("refused", stats.refused, "Messages refused with a broker.error"),
            ("delivered", stats.delivered, "Events written to participants"),
            ("batches", stats.batches, "Appends to the journal"),
            ("slow", stats.slow, "Participants cut off because they did not read"),
        ):
            yield CounterMetricFamily(f"orders_{name}", says, value=value)
        participants = sum(len(room.participants) for room in rooms)
        for name, gauge, says in (
            ("rooms", len(rooms), "Rooms"),
            ("participants", participants, "Participants in all rooms"),
            ("event_loop_stall_seconds", stats.stall, "The longest stall of the event loop"),
        ):
            yield GaugeMetricFamily(f"orders_{name}", says, value=gauge)
        depth = GaugeMetricFamily(
            "orders_queued", "Events in queues", labels=("room", "type", "state")
        )
        for room in rooms:
            for type, states in room.state.queue.depths().items():
                for state, count in states.items():
                    depth.add_metric((room.name, type, state), count)
        yield depth

"""Fan-out: deliveries a second from one publisher to many subscribers.

The publisher keeps a window of events that are not yet through. With Orders an event is through
when it is accepted: checked, and on disk. With the others it is when its echo is back.
"""

import itertools
import time
from collections.abc import Callable, Sequence

from benchmarks import servers, wire
from benchmarks.cores import Cores
from benchmarks.dialects import DIALECTS
from benchmarks.peers import Peer
from benchmarks.results import Result

WARM_UP = 0.6  # seconds
BEGINS_WITHIN = 20.0  # seconds until every subscriber has heard something


def measure(
    peer: Peer,
    server: servers.Server,
    subscribers: int = 100,
    window: int = 64,
    seconds: float = 1.0,
    run: int = 1,
    nodes: Sequence[servers.Server] = (),
    watched: Sequence[servers.Server] = (),
) -> Result:
    """Load one server for so many seconds. The caller's process is the load, on its own core.

    With further `nodes` the subscribers are spread over all; the figures `share_1`, … are the
    shares of a core of these, and of those who are only `watched`.
    """
    all_nodes, beside = (server, *nodes), (*nodes, *watched)
    load = wire.Load()
    dialect = DIALECTS[peer.speaks]
    try:
        meters = []
        for number in range(subscribers):
            sock, meter = dialect.subscribe(all_nodes[number % len(all_nodes)].port, number)
            load.add(sock, meter)
            meters.append(meter)
        publisher, through = dialect.publish(server.port)
        load.add(publisher, through, urgent=True)
        publisher.settimeout(BEGINS_WITHIN)  # a large window may have to wait for room
        frames = dialect.frames()
        ready = list(itertools.islice(frames, window))
        sent = 0

        def run_until(done: Callable[[], bool]) -> None:
            nonlocal sent
            while not done():
                free = window - (sent - through.count)
                if free > 0:
                    publisher.sendall(b"".join(ready[:free]))
                    sent += free
                    ready[:free] = itertools.islice(frames, free)  # made while the server works
                load.turn()

        began = time.perf_counter()
        run_until(
            lambda: (
                all(meter.count for meter in meters) or time.perf_counter() > began + BEGINS_WITHIN
            )
        )
        if not all(meter.count for meter in meters):
            raise ConnectionError("not every subscriber was served: there is nothing to measure")
        warm = time.perf_counter() + WARM_UP
        run_until(lambda: time.perf_counter() >= warm)

        before, events = sum(meter.count for meter in meters), through.count
        cores, end = Cores(server, beside), time.perf_counter() + seconds
        run_until(lambda: time.perf_counter() >= end)
        cores.stop()
        delivered = sum(meter.count for meter in meters) - before
        return Result(
            work="fanout",
            peer=peer.name,
            case={"subscribers": subscribers, "window": window},
            figures={
                "deliveries_per_second": delivered / cores.took,
                "deliveries_per_core_second": delivered / cores.seconds,
                "events_per_second": (through.count - events) / cores.took,
                "others": cores.others,
                **{f"share_{at}": share for at, share in enumerate(cores.beside, 1)},
            },
            server=cores.server,
            load=cores.load,
            run=run,
        )
    finally:
        load.close()

"""Latency at a fixed rate, whatever the server does: an open loop.

Each event has a moment at which it is to be sent, and its latency is counted from that moment: if
the server, or the load itself, holds up the sender, that is part of it (else a stall would hide
the events that were not even sent). How late the load sent them is measured too.
"""

import gc
import math
import time
from collections.abc import Callable

from benchmarks import servers, wire
from benchmarks.cores import Cores
from benchmarks.dialects import DIALECTS
from benchmarks.peers import Peer
from benchmarks.results import Result

WARM_UP = 0.6  # seconds
BEGINS_WITHIN = 20.0  # seconds until every subscriber has heard all of the warm-up
ENDS_WITHIN = 5.0  # seconds after the last event was sent; what is not there by then never comes
WAKES = 0.002  # seconds before an event is due in which the load stays awake: epoll is that rough


def measure(
    peer: Peer,
    server: servers.Server,
    subscribers: int = 500,
    rate: float = 100.0,
    seconds: float = 2.5,
    run: int = 1,
) -> Result:
    """Send `rate` events a second to all; the latency of each event at each subscriber."""
    load = wire.Load()
    dialect = DIALECTS[peer.speaks]
    scheduled: list[float] = []
    latencies: list[float] = []

    def listener(meter: wire.Meter) -> Callable[[memoryview], None]:
        def heard(piece: memoryview) -> None:
            before = meter.count
            meter(piece)
            now = time.perf_counter()
            for number in range(before, meter.count):
                latencies.append(now - scheduled[number])

        return heard

    try:
        meters = []
        for number in range(subscribers):
            sock, meter = dialect.subscribe(server.port, number)
            load.add(sock, listener(meter))
            meters.append(meter)
        publisher, through = dialect.publish(server.port)
        load.add(publisher, through)
        publisher.settimeout(BEGINS_WITHIN)
        frames = dialect.frames()
        late: list[float] = []

        def send(count: int) -> None:
            """So many events, each at its moment, reading what comes meanwhile."""
            start = time.perf_counter() + WAKES
            for number in range(count):
                due = start + number / rate
                frame = next(frames)
                while (wait := due - time.perf_counter()) > 0:
                    load.turn(max(0.0, wait - WAKES))
                scheduled.append(due)
                publisher.sendall(frame)
                late.append(time.perf_counter() - due)

        def settle(within: float) -> bool:
            """Read until everyone has heard everything."""
            last = time.perf_counter() + within
            while min(meter.count for meter in meters) < len(scheduled):
                if time.perf_counter() > last:
                    return False
                load.turn()
            return True

        send(math.ceil(rate * WARM_UP))
        if not settle(BEGINS_WITHIN):
            raise ConnectionError("not every subscriber heard every event of the warm-up")
        latencies.clear()
        late.clear()
        gc.collect()
        gc.disable()  # the load's own pauses are not the server's latency
        cores = Cores(server)
        count = math.ceil(rate * seconds)
        send(count)
        cores.stop()
        settle(ENDS_WITHIN)
        missing = count * subscribers - len(latencies)
        latencies += [ENDS_WITHIN] * missing
        return Result(
            work="latency",
            peer=peer.name,
            case={"subscribers": subscribers, "rate": rate},
            figures={
                **percentiles(latencies),
                "late_p99_ms": percentile(sorted(late), 0.99) * 1e3,
                "missing": missing,
                "others": cores.others,
            },
            server=cores.server,
            load=cores.load,
            run=run,
        )
    finally:
        gc.enable()
        load.close()


def percentiles(seconds: list[float]) -> dict[str, float]:
    """The figures of a distribution, in milliseconds."""
    ordered = sorted(seconds)
    return {
        "p50_ms": percentile(ordered, 0.5) * 1e3,
        "p99_ms": percentile(ordered, 0.99) * 1e3,
        "p999_ms": percentile(ordered, 0.999) * 1e3,
        "max_ms": ordered[-1] * 1e3 if ordered else math.nan,
    }


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that at least so large a share of them does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan

"""The order workflow: placed → queue → worker → answer stored, then acked → customer.

An order counts when the customer hears that it is confirmed, and its time runs from the moment she
placed it. She keeps a window of orders that are not yet answered: with 1 it shows the way of a
single order, with 64 what the broker can do.
"""

import gc
import itertools
import time
from collections.abc import Callable

from benchmarks import servers, wire
from benchmarks.cores import Cores
from benchmarks.latency import percentiles
from benchmarks.peers import Peer
from benchmarks.results import Result
from benchmarks.shops import Confirmed, Shop
from benchmarks.shops.jetstream import JetStream
from benchmarks.shops.orders import Orders
from benchmarks.shops.redis import Redis

WARM_UP = 0.5  # seconds
BEGINS_WITHIN = 20.0  # seconds until the first order is confirmed
SHOPS: dict[str, Callable[[int, Confirmed], Shop]] = {
    "orders": Orders,
    "jetstream": JetStream,
    "redis": Redis,
}


def measure(
    peer: Peer, server: servers.Server, window: int = 64, seconds: float = 1.0, run: int = 1
) -> Result:
    """Place orders for so many seconds. The caller's process is the customer and the worker."""
    load = wire.Load()
    waiting: dict[int, float] = {}  # each order that is not yet confirmed, and when it was placed
    times: list[float] = []

    def heard(number: int) -> None:
        times.append(time.perf_counter() - waiting.pop(number))

    try:
        shop = SHOPS[peer.speaks](server.port, heard)
        for sock, handler in shop.sockets():
            load.add(sock, handler)
        ids = wire.random_ids()
        number = 0

        def run_until(done: Callable[[], bool]) -> None:
            nonlocal number
            while not done():
                free = window - len(waiting)
                if free > 0:
                    numbers = range(number + 1, number + 1 + free)
                    number += free
                    waiting.update(dict.fromkeys(numbers, time.perf_counter()))
                    shop.place(numbers, list(itertools.islice(ids, free)))
                load.turn()

        began = time.perf_counter()
        run_until(lambda: bool(times) or time.perf_counter() > began + BEGINS_WITHIN)
        if not times:
            raise ConnectionError("no order was confirmed: there is nothing to measure")
        warm = time.perf_counter() + WARM_UP
        run_until(lambda: time.perf_counter() >= warm)

        times.clear()
        gc.collect()
        gc.disable()  # the load's own pauses are not the server's latency
        cores, end = Cores(server), time.perf_counter() + seconds
        run_until(lambda: time.perf_counter() >= end)
        cores.stop()
        if not times:
            raise ConnectionError(f"no order was confirmed for {seconds:g} s")
        return Result(
            work="workflow",
            peer=peer.name,
            case={"window": window},
            figures={
                "orders_per_second": len(times) / cores.took,
                **percentiles(times),
                "others": cores.others,
            },
            server=cores.server,
            load=cores.load,
            run=run,
        )
    finally:
        gc.enable()
        load.close()

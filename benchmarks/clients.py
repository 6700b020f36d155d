"""What real clients send: a class within its limits, and what an event of each kind costs.

Fifty participants send a few events a second each, the rate limit is on, and ten hear all of it.
The load is the same however fast the server is; what an event costs the server's processor counts.
"""

import itertools
import json
import time
from collections.abc import Callable, Generator

from benchmarks import servers, shops, wire
from benchmarks.cores import Cores

SENDERS, EACH, LISTENERS, SECONDS = 50, 5, 10, 4.0
ROOM = "clients"
ACCEPTED = b'"broker.accepted"'
#: The `data` of an event, by its number.
DATA: dict[str, Callable[[int], object]] = {
    "plain": lambda n: {"id": n, "item": "espresso", "note": "no sugar, please"},
    "numbers": lambda n: {"at": 1_676_554_735_324_000 + n, "card": 4_000_000_000_000_000 + n},
    "floats": lambda n: {"price": n * 1.1, "tax": 0.07, "at": [n / 7, n / 9]},
    "nested": lambda n: {"order": {"id": n, "lines": [{"item": "tea", "tags": ["a", "b"]}] * 5}},
    "2 KB": lambda n: {"id": n, "text": "x" * 2_000},
    "20 KB": lambda n: {"id": n, "text": "x" * 20_000},
    "come and go": lambda n: {"id": n},
}


def measure(kind: str, server: servers.Server) -> dict[str, float]:
    """Processor time of an event of this kind, in µs; of all that happens beside it, too."""
    load, guests = wire.Load(), _guests(server.port)
    try:
        for number in range(LISTENERS):
            query = f"room={ROOM}&name=listener-{number}&types=tick&quiet=true"
            load.add(wire.connect(server.port, f"/ws?{query}")[0], shops.ignore)
        senders, accepted = [], []
        for number in range(SENDERS):
            sock, _ = wire.connect(server.port, f"/ws?room={ROOM}&name=p{number}&types=none")
            senders.append(sock)
            accepted.append(wire.Occurrences(ACCEPTED))
            load.add(sock, accepted[-1])
        numbers = itertools.count(1)
        cores, began = Cores(server), time.perf_counter()
        for at in range(int(EACH * SECONDS)):
            for number, sock in enumerate(senders):
                due = began + (at + number / SENDERS) / EACH
                while (wait := due - time.perf_counter()) > 0:
                    load.turn(wait)
                text = json.dumps({"type": "tick", "data": DATA[kind](next(numbers))})
                sock.sendall(wire.frame(text.encode()))
                if kind == "come and go" and number % 10 == 0:
                    next(guests)
        sent = next(numbers) - 1
        while sum(one.count for one in accepted) < sent:
            load.turn()
        return {"event_us": cores.stop().seconds / sent * 1e6}
    finally:
        guests.close()
        load.close()


def _guests(port: int) -> Generator[None]:
    """Each comes as the one before goes."""
    for number in itertools.count():
        sock, _ = wire.connect(port, f"/ws?room={ROOM}&name=guest-{number}&quiet=true")
        with sock:
            yield

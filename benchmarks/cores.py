"""Who used the cores while something was measured: server, load, and anybody else."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.servers import Server

TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds
IDLE = (3, 4)  # the fields of a line of /proc/stat in which a core did nothing


class Cores:
    """From its making to `stop()`: seconds that passed, and the share of a core that each used."""

    def __init__(self, server: Server, beside: Sequence[Server] = ()) -> None:
        self._servers = (server, *beside)
        self._before = self._now()

    def stop(self) -> "Cores":
        took, own, all_of_it, *used = [
            now - before for now, before in zip(self._now(), self._before, strict=True)
        ]
        self.took = took
        self.seconds = max(used[0], TICK)
        """Of processor time that the server used."""
        self.server = used[0] / took
        self.beside = [each / took for each in used[1:]]
        self.load = own / took
        self.others = max(0.0, all_of_it - own - sum(used)) / took
        """What is none of them, or was taken by the machine's host: it disturbs."""
        return self

    def _now(self) -> tuple[float, ...]:
        used = (server.cpu for server in self._servers)
        return time.perf_counter(), time.process_time(), _busy(), *used


def _busy() -> float:
    """Seconds that the cores we may use were busy since the machine started."""
    ours = {f"cpu{core}" for core in range(os.cpu_count() or 1)}
    total = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in ours:
            spent = [int(field) for field in fields[:8]]  # what follows is within the first two
            total += sum(spent) - sum(spent[index] for index in IDLE)
    return total * TICK

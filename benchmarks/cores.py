"""Who used the cores while something was measured: server, load, and anybody else."""

import os
import time
from pathlib import Path

from benchmarks.servers import Server

TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds
IDLE = (3, 4)  # the fields of a line of /proc/stat in which a core did nothing


class Cores:
    """From its making to `stop()`: seconds that passed, and the share of a core that each used."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = self._now()

    def stop(self) -> "Cores":
        before, now = self._before, self._now()
        self.took = now[0] - before[0]
        used = now[1] - before[1]
        own = now[2] - before[2]
        all_of_it = now[3] - before[3]
        self.seconds = max(used, TICK)
        """Of processor time that the server used."""
        self.server = used / self.took
        self.load = own / self.took
        self.others = max(0.0, all_of_it - used - own) / self.took
        """What is neither of them, or was taken by the machine's host: it disturbs."""
        return self

    def _now(self) -> tuple[float, float, float, float]:
        return time.perf_counter(), self._server.cpu, time.process_time(), _busy()


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

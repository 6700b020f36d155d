"""`make bench-quick`: is it slower now? Fan-out to 100 beside the bare relay, and idle memory.

Both are shown beside what was stored, with the difference; nothing is asserted. `--store` keeps
what was measured, for those who measured it on a quiet machine.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from benchmarks import bench, fanout, servers
from benchmarks.dialects import DIALECTS
from benchmarks.peers import ORDERS, RELAYS
from benchmarks.report import DISTURBED

STORED = Path(__file__).parent / "stored.json"
BARE = RELAYS[-1]
FIRST, IDLE = 50, 500  # participants whose cost is not counted, and whose is
SETTLES = 1.0  # seconds
SECONDS = 1.5  # of each measurement


def times_the_bare_relay(core: int, run: int) -> float:
    """Deliveries a second, as a multiple of what the bare relay manages right before."""
    measured = []
    for peer in (BARE, ORDERS):
        with peer.start(core, None) as server:
            result = fanout.measure(peer, server, seconds=SECONDS, run=run)
        measured.append(result.figures["deliveries_per_second"])
        noise = result.figures["others"]
        bench.say(
            f"run {run}: {peer.name:<14} {measured[-1]:>12,.0f} deliveries/s (server"
            f" {result.server:.0%}, load {result.load:.0%})"
            + (f", disturbed: others used {noise:.0%} of a core" if noise > DISTURBED else "")
        )
    return measured[1] / measured[0]


def idle_kib(core: int) -> float:
    """What one participant that says nothing costs in resident memory."""
    with ORDERS.start(core, None) as server:
        subscribe, sockets = DIALECTS[ORDERS.speaks].subscribe, []
        memory = []
        for numbers in (range(FIRST), range(FIRST, FIRST + IDLE)):
            sockets += [subscribe(server.port, number)[0] for number in numbers]
            time.sleep(SETTLES)
            memory.append(server.memory)
        for sock in sockets:
            sock.close()
    return (memory[1] - memory[0]) / IDLE / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="(3)")
    parser.add_argument("--store", help="keep the figures, measured on this machine (in words)")
    options = parser.parse_args()
    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    bench.allow_files()

    ratios = [times_the_bare_relay(server_core, run + 1) for run in range(options.runs)]
    now = {
        "times_the_bare_relay": round(statistics.median(ratios), 1),
        "idle_kib": round(idle_kib(server_core), 1),
    }
    stored = json.loads(STORED.read_text("utf-8"))
    print(f"\nBeside what was stored ({stored['measured']}):")
    for name, value in now.items():
        change = value / stored[name] - 1
        print(f"  {name.replace('_', ' '):<22} {value:>6} stored {stored[name]:>6} {change:>+7.0%}")
    print(f"  the runs' ratios: {min(ratios):.1f}–{max(ratios):.1f}")
    if options.store:
        text = json.dumps({"measured": options.store, **now}, indent=2)
        STORED.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()

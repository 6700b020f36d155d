"""`make bench`: every work on every peer, in turn, and a report of it all.

One run of each peer after the other, and then all again, so that a noisy moment hits all alike.
Servers run on one core, the load, which is this process, on another. What is measured goes to
results.jsonl at once; the report is made of that. What was measured before on this machine, of
works that are not measured now, stays in it:

    python -m benchmarks.bench
    python -m benchmarks.bench --works catchup growth     the long ones
"""

import argparse
import itertools
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import (
    catchup,
    fanout,
    growth,
    idle,
    latency,
    machine,
    report,
    results,
    servers,
    workflow,
)
from benchmarks.peers import QUEUES, RELAYS, Peer
from benchmarks.results import OURS, Result
from orders.cli.progress import show

WORKS = ("fanout", "latency", "workflow", "idle")
LONG = ("catchup", "growth")
PARTICIPANTS = 5_000  # that say nothing
GROWTH_SECONDS = 3  # of each measurement of what grows
REPORT = Path(__file__).parent / "report"
FILES = 20_000  # open at once, at most


@dataclass(frozen=True)
class Step:
    """One measurement, to be done once in every run; or in the first, and then it is all runs."""

    work: str
    peer: str
    case: Mapping[str, float]
    measure: Callable[[int], Iterable[Result]]
    once: bool = False


def plan(options: argparse.Namespace, core: int) -> Iterator[Step]:
    """All that is measured in a run, in this order."""

    def step(peer: Peer, work: str, measure: Callable[..., Result], **case: float) -> Step:
        seconds = options.seconds * (2.5 if work == "latency" else 1)

        def once(run: int) -> Iterator[Result]:
            with peer.start(core, options.directory) as server:
                yield measure(peer, server, **case, seconds=seconds, run=run)

        return Step(work, peer.name, case, once)

    for subscribers in options.subscribers:
        for peer in RELAYS:
            yield step(
                peer, "fanout", fanout.measure, subscribers=subscribers, window=options.window
            )
    for peer in RELAYS:
        yield step(peer, "latency", latency.measure, subscribers=500, rate=100)
    for window in (64, 1):
        for peer in QUEUES:
            yield step(peer, "workflow", workflow.measure, window=window)
    for name in idle.PEERS:
        idle_one = partial(idle.measure, name, PARTICIPANTS, core)
        yield Step("idle", name, {"participants": PARTICIPANTS}, single(idle_one))
    yield Step("catchup", OURS, {}, single(partial(catchup.measure, 1_000, 100_000, core)))
    for grows, sizes in (("subscribers", growth.SUBSCRIBERS), ("rooms", growth.ROOMS)):
        for size in sizes:
            crowd = partial(growth.measure_crowd, grows, size, GROWTH_SECONDS, core)
            yield Step("growth", OURS, {grows: size}, single(crowd))
    logs = partial(growth.of_logs, options.length, core, options.runs)
    yield Step("growth", OURS, {}, lambda _: logs(options.directory), once=True)


def single(measure: Callable[[int], Result]) -> Callable[[int], Iterable[Result]]:
    """A run that gives one result."""
    return lambda run: [measure(run)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="(3)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a measurement (1)")
    parser.add_argument("--works", nargs="+", default=WORKS, help=" ".join(WORKS + LONG))
    parser.add_argument("--peers", nargs="+", help="only these, by their names in the report")
    parser.add_argument("--subscribers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--window", type=int, default=64, help="events not yet through (64)")
    parser.add_argument("--length", type=int, default=1_000_000, help="the log grows to (1000000)")
    parser.add_argument("--directory", help="where journals lie (the system's for temporary files)")
    parser.add_argument("--to", type=Path, default=REPORT, help="where the report goes")
    options = parser.parse_args()

    server_core, load_core = servers.cores()
    os.sched_setaffinity(0, {load_core})
    allow_files()
    options.to.mkdir(parents=True, exist_ok=True)
    file = options.to / "results.jsonl"
    here = machine.describe(options.directory)
    kept = list(of_before(file, here, options.works))
    file.unlink(missing_ok=True)
    results.write(file, [here])

    absent = {}
    for peer in dict.fromkeys((*RELAYS, *QUEUES)):
        if reason := peer.missing():
            absent[peer.name] = reason
            say(f"{peer.name}: {reason}")
        else:
            what = f"{peer.version()}; {peer.carries}"
            results.write(file, [Result("peer", peer.name, note=what)])
    results.write(file, kept)
    steps = [
        step
        for step in plan(options, server_core)
        if step.work in options.works and (not options.peers or step.peer in options.peers)
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that servers end as well
    try:
        measure(steps, options.runs, file, absent)
    except KeyboardInterrupt:
        say("interrupted: the report is of what was measured until now")
    for path in report.write(file, options.to):
        say(f"written: {os.path.relpath(path)}")


def measure(steps: list[Step], runs: int, file: Path, absent: Mapping[str, str]) -> None:
    """Do every step once, and then all of them again, for so many runs."""
    began, total = time.monotonic(), len(steps) * runs
    for number, (run, step) in enumerate(itertools.product(range(1, runs + 1), steps), 1):
        if step.once and run > 1:
            continue
        show(f"{number:>3} of {total}: {step.work}, {step.peer} …")
        for result in attempt(step, run, absent.get(step.peer, "")):
            results.write(file, [result])
            passed = time.monotonic() - began
            say(f"{number:>3} of {total}, {passed:>3.0f} s: {report.line(result)}")


def of_before(file: Path, here: Result, works: Iterable[str]) -> Iterator[Result]:
    """What was measured on this very machine before, of other works than these."""
    before = list(results.read(file)) if file.exists() else []
    if any(result.work == "machine" and result.note == here.note for result in before):
        for result in before:
            if result.work.partition("_")[0] not in ("machine", "peer", *works):
                yield result


def attempt(step: Step, run: int, absent: str) -> Iterator[Result]:
    """A step's results; where it fails, one that says why, and the rest goes on."""
    try:
        if absent:
            raise servers.Missing(absent)
        yield from step.measure(run)
    except (servers.Missing, servers.DidNotStart, OSError) as error:
        yield Result(step.work, step.peer, step.case, run=run, note=str(error))


def allow_files() -> None:
    """Let this process, and the servers it starts, open many sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def say(*words: str) -> None:
    show("")
    print(*words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""Ten thousand classes in virtual time: each seed is one, and the same each time it is played.

python -m tests.simulation [--seeds 300] [--first 0]    many, in processes of their own
python -m tests.simulation --seed 17 [--only 0,3,9]     one again, and a page with all that happened
With --nodes 2 the classes are on two nodes that share a journal on NATS.

A seed whose class broke a promise is shrunk: acts are left out as long as the same promise breaks.
"""

import argparse
import gc
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

REAL = time.monotonic
if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets must come again with the seed
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])

from tests.simulation.one_server import OneServerStage  # noqa: E402 # isort: skip
from orders.cli.progress import show  # noqa: E402
from tests.simulation.page import page  # noqa: E402
from tests.simulation.plan import Act, kinds, plan  # noqa: E402
from tests.simulation.promises import broken  # noqa: E402
from tests.simulation.two_nodes import TwoNodesStage  # noqa: E402
from tests.simulation.world import warm_up  # noqa: E402

HOME = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
PAGES = Path("build") / "simulation"
LONGEST = 120.0  # real seconds of one seed: one that takes longer hangs
MOST_TRIES = 60  # plays of a failing seed to shrink it


@dataclass
class Played:
    """How a seed went. `broken` are sentences, `seconds` real ones, `virtual` of its own time."""

    seed: int
    digest: str = ""
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0
    virtual: float = 0.0
    events: int = 0
    troubles: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> set[str]:
        """Which promises it broke, without the details."""
        return {one.partition(":")[0] for one in self.broken}


def play(seed: int, acts: Sequence[Act], nodes: int, write: Path | None = None) -> Played:
    """Play a plan in this process."""
    began = REAL()
    folder = HOME / f"orders-simulation-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        stage = (OneServerStage if nodes == 1 else TwoNodesStage)(seed, acts, folder)
        history = stage.play()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sentences = [*stage.failures, *(broken(history) if history.journal else ())]
    if write is not None:
        write.parent.mkdir(parents=True, exist_ok=True)
        text = page(seed, again(seed, acts, nodes), acts, history, sentences)
        write.write_text(text, encoding="utf-8")
    return Played(
        seed,
        history.digest(),
        sentences,
        REAL() - began,
        history.facts[-1]["at"] if history.facts else 0.0,
        sum(fact["what"] == "accepted" for fact in history.facts),
        [act.kind for act in acts if act.name in ("host", "world", "disk")],
    )


def again(seed: int, acts: Sequence[Act], nodes: int) -> str:
    """The command that plays this again."""
    line = f"make simulate SEED={seed}" + (f" NODES={nodes}" if nodes > 1 else "")
    if len(acts) < len(plan(seed, nodes=nodes)):
        line += f" ONLY={','.join(str(act.number) for act in sorted(acts, key=lambda a: a.number))}"
    return line


class Crowd:
    """Seeds, each in a process of its own, some at once: nothing of one reaches another."""

    def __init__(self, jobs: int, nodes: int) -> None:
        self._jobs, self.nodes = jobs, nodes
        self._running: dict[int, tuple[int, Path, float]] = {}

    def play(self, plans: Iterator[tuple[int, Sequence[Act]]]) -> Iterator[Played]:
        """Each as soon as it is done."""
        is_more = True
        while is_more or self._running:
            while is_more and len(self._running) < self._jobs:
                if (following := next(plans, None)) is None:
                    is_more = False
                else:
                    self._begin(*following)
            if self._running:
                yield self._wait()

    def _begin(self, seed: int, acts: Sequence[Act]) -> None:
        answer = HOME / f"orders-simulation-{os.getpid()}-{seed}.json"
        pid = os.fork()
        if pid:
            self._running[pid] = seed, answer, REAL()
            return
        try:
            answer.write_text(json.dumps(asdict(play(seed, acts, self.nodes))), encoding="utf-8")
        finally:
            os._exit(0)  # without ending anything that the parent began

    def _wait(self) -> Played:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                break
            for late, (_, _, began) in self._running.items():
                if REAL() - began > LONGEST:
                    os.kill(late, 9)
            time.sleep(0.002)
        seed, answer, began = self._running.pop(pid)
        shutil.rmtree(HOME / f"orders-simulation-{pid}", ignore_errors=True)
        if not answer.exists():
            why = f"the process ended with {status}, after {REAL() - began:.0f} s"
            return Played(seed, broken=[f"it crashed or hung: {why}"])
        played = Played(**json.loads(answer.read_text(encoding="utf-8")))
        answer.unlink()
        return played


def shrink(crowd: Crowd, failed: Played) -> list[Act]:
    """The smallest part of a plan, as far as it was tried, that breaks the same promise."""
    acts, tries = plan(failed.seed, nodes=crowd.nodes), 0
    part = max(1, len(acts) // 2)
    while part and tries < MOST_TRIES:
        begun = range(0, len(acts), part)
        for begin in begun:
            fewer = [*acts[:begin], *acts[begin + part :]]
            (tried,) = crowd.play(iter([(failed.seed, fewer)]))
            tries += 1
            show(f"shrinking seed {failed.seed}: {len(acts)} acts, try {tries} of {MOST_TRIES} …")
            if tried.kinds & failed.kinds:
                acts = fewer
                break
            if tries >= MOST_TRIES:
                break
        else:
            part //= 2
    return acts


def report(crowd: Crowd, failed: Played) -> None:
    """Say what a seed broke, and how to see it again."""
    print(f"\nSeed {failed.seed} broke a promise:", flush=True)
    for sentence in failed.broken[:5]:
        print(f"  {sentence}")
    acts = shrink(crowd, failed)
    show("")
    file = PAGES / f"seed-{failed.seed}.html"
    pid = os.fork()
    if not pid:
        try:
            play(failed.seed, acts, crowd.nodes, file)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    shutil.rmtree(HOME / f"orders-simulation-{pid}", ignore_errors=True)
    line = again(failed.seed, acts, crowd.nodes)
    print(f"  again: {line}\n  all that happened: {file}\n", flush=True)


def many(first: int, count: int, crowd: Crowd, *, hunt: bool = False) -> int:
    """Play seeds from the first on: how many broke a promise. A `hunt` ends with the first one."""
    began, shown = REAL(), REAL()
    failed: list[Played] = []
    done, virtual, events = 0, 0.0, 0
    troubles: Counter[str] = Counter()
    seeds = range(first, first + count)
    for played in crowd.play((seed, plan(seed, nodes=crowd.nodes)) for seed in seeds):
        done, virtual, events = done + 1, virtual + played.virtual, events + played.events
        troubles.update(played.troubles)
        show("")
        if played.broken:
            failed.append(played)
            print(f"seed {played.seed}: {played.broken[0][:300]}", flush=True)
            if hunt:
                print(f"after {done} seeds")
                sys.stdout.flush()
                os._exit(1)
        if REAL() - shown > 5 or done == count:
            shown = REAL()
            print(
                f"{done}/{count} seeds, {len(failed)} failed, {done / (shown - began):.1f} a"
                f" second; {virtual / 3600:.1f} virtual hours, {events} events accepted",
                flush=True,
            )
        show(f"{done} of {count} seeds, {len(failed)} failed …")
    show("")
    troubles.update(dict.fromkeys(kinds(crowd.nodes), 0))  # what never happened is said, too
    print("what happened:", ", ".join(f"{what} {n}" for what, n in troubles.most_common()))
    seen: set[str] = set()
    for one in failed:  # of each kind one is shrunk
        if not one.kinds <= seen:
            seen |= one.kinds
            report(crowd, one)
    return len(failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=300, help="how many")
    parser.add_argument("--first", type=int, default=0, help="from which on")
    parser.add_argument("--hunt", action="store_true", help="end with the first that fails")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument("--nodes", type=int, choices=(1, 2), default=1, help="with one journal")
    parser.add_argument("--seed", type=int, help="one alone, with a page of what happened")
    parser.add_argument("--only", help="the numbers of its acts, with commas between them")
    options = parser.parse_args()
    warm_up()
    gc.collect()
    gc.freeze()
    if options.seed is None:
        crowd = Crowd(options.jobs, options.nodes)
        return 1 if many(options.first, options.seeds, crowd, hunt=options.hunt) else 0
    only = {int(number) for number in options.only.split(",")} if options.only else None
    acts = plan(options.seed, only, nodes=options.nodes)
    print(*acts, sep="\n")
    file = PAGES / f"seed-{options.seed}.html"
    played = play(options.seed, acts, options.nodes, file)
    print(*(played.broken or ["No promise was broken."]), sep="\n")
    print(f"history {played.digest}, {played.virtual:.0f} virtual seconds; all of it: {file}")
    sys.stdout.flush()
    os._exit(bool(played.broken))  # SQLite is not taken down with what stands before it


if __name__ == "__main__":
    sys.exit(main())

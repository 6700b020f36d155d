"""Wrong Bobs through whole checks, right ones with many seeds: python -m tests.exercises --help"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.exercises.bobs import Bob
from tests.exercises.found_out import (
    AT_ONCE,
    GOLDEN,
    SEED,
    TOKEN,
    as_text,
    its_own,
    of_all,
    of_class,
    of_seeds,
)
from tests.exercises.right import RIGHT
from tests.exercises.wrong import every
from tests.process import Process


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seeds",
        type=int,
        default=100,
        help="for the usual right Bob, a tenth for unusual ones (100)",
    )
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help=f"({AT_ONCE})")
    parser.add_argument("--golden", action="store_true", help="write the verdicts on wrong Bobs")
    parser.add_argument("--students", type=int, default=0, help="a class that checks at once")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        Process(Path(directory), "--host-token", TOKEN) as server,
    ):
        if options.golden:
            found = asyncio.run(of_all(server.url, every(), SEED, its_own))
            GOLDEN.write_text("\n".join(as_text(name, found[name][-1]) for name in sorted(found)))
            return 0
        if options.students:
            verdicts, seconds = asyncio.run(of_class(server.url, options.students))
            print(f"seconds: median {seconds[len(seconds) // 2]:.0f}, last {seconds[-1]:.0f}")
        else:
            asyncio.run(check_wrong(server.url))
            verdicts = []
            bobs: tuple[type[Bob], ...] = (Bob, *RIGHT)
            for bob in bobs:
                seeds = range(options.seeds if bob is Bob else options.seeds // 10)
                verdicts += asyncio.run(of_seeds(server.url, bob, seeds, options.at_once))
    counts = {verdict: verdicts.count(verdict) for verdict in ("passed", "unknown", "failed")}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 1 if counts["failed"] else 0


async def check_wrong(url: str) -> None:
    """Each wrong Bob passes what comes before its stage, and fails there."""
    found = await of_all(url, every(), SEED)
    for bob in every():
        came = [(verdict["stage"], verdict["verdict"]) for verdict in found[bob.__name__]]
        passed = [(stage, "passed") for stage in range(1, bob.STAGE)]
        assert came == [*passed, (bob.STAGE, "failed")], f"{bob.__name__}: {came}"
    print(f"{len(found)} wrong Bobs failed, each at its stage.", flush=True)


if __name__ == "__main__":
    sys.exit(main())

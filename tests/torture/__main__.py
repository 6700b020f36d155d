"""`kill -9` under load, for as long as you like: python -m tests.torture --minutes 60

Prints progress, and at the end what was killed, what was redelivered, and what went wrong: each
of these must be 0. The seed makes a run's choices come again, not its timing.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.torture.gate import Gap
from tests.torture.kills import TO_BOTS, VICTIMS, Plan, Torture
from tests.torture.ledger import Ledger, Verdict

SAYS_EVERY = 10.0  # seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="(60)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="(random)")
    parser.add_argument("--pace", type=float, default=400.0, help="news a second (400)")
    parser.add_argument("--bots", type=int, default=2, help="(2)")
    parser.add_argument("--faults", type=int, default=2, help="on messages, before each kill (2)")
    options = parser.parse_args()
    plan = Plan(
        options.seed,
        seconds=options.minutes * 60,
        bots=options.bots,
        pace=options.pace,
        faults=options.faults,
    )
    print(f"Seed {plan.seed}, {options.minutes:g} minutes.", flush=True)
    with tempfile.TemporaryDirectory(prefix="orders-torture-") as directory:
        torture = Torture(Path(directory), plan, Progress())
        verdict = asyncio.run(torture.run())
    print(summary(torture.ledger, verdict))
    return 0 if verdict.is_clean and torture.ledger.redelivered else 1


class Progress:
    """A line from time to time."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said = self._began

    def __call__(self, ledger: Ledger) -> None:
        now = time.monotonic()
        if now - self._said < SAYS_EVERY:
            return
        self._said = now
        print(
            f"{now - self._began:6.0f} s  kills {ledger.struck}  accepted {len(ledger.accepted)}"
            f"  answered {len(ledger.answered)}  redelivered {ledger.redelivered}",
            flush=True,
        )


def summary(ledger: Ledger, verdict: Verdict) -> str:
    victims = Counter[str]()
    gaps = Counter[str]()
    for (victim, gap), count in ledger.kills.items():
        victims[victim] += count
        gaps[gap] += count
    return "\n".join(
        [
            f"kills        {ledger.struck}: {_counts(VICTIMS, victims)}; {_counts(Gap, gaps)}",
            f"faults       {_counts(TO_BOTS, ledger.faults)}",
            f"sent         {verdict.sent}",
            f"accepted     {verdict.accepted}  (bots' answers among them)",
            f"stored       {verdict.stored}",
            f"handed over  {ledger.handed.total()}, of which redelivered {ledger.redelivered}"
            + ("" if ledger.redelivered else "  (so this run proved nothing)"),
            f"answered     {verdict.confirmed} confirmed, {verdict.rejected} rejected",
            *(f"{name:<28} {count}" for name, count in verdict.wrongs.items()),
        ]
    )


def _counts(names: object, counts: Counter[str]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in names)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())

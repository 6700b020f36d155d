"""Whether the guarantees are tested: break each in one line, and see its test fail.

python -m tests.mutants [WORDS OF A GUARANTEE]
python -m tests.mutants --seeds     plays the seeds as well that found a broken line
python -m tests.mutants --table     writes the table in docs/guarantees.md

Works on copies of the project; `mutants.toml` beside this file says what is broken and which test
must notice. A test must pass on a copy as it is, or its failing would prove nothing. What was
noticed is kept in `build/`: a run that was interrupted goes on, as long as no file has changed.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[1]
SIMULATION = ROOT / ".venv-simulation" / "bin" / "python"  # see `make simulate`
LEFT_BEHIND = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.db*")
PAGE = ROOT / "docs" / "guarantees.md"
BEGINS, ENDS = "<!-- table of tests/mutants.toml -->", "<!-- end of the table -->"
NOTICED = ROOT / "build" / "mutants.json"
ENDS_WITHIN = 180  # seconds; a test that hangs has noticed, too
#: How long the tests in a copy wait for what does not come, as they would here, in seconds.
DEADLINE = 30.0


@dataclass(frozen=True)
class Mutant:
    """`line`, which stands once in `file`, becomes `broken`: then `test` must fail.

    Of several lines the last is broken; the others only say where it stands. A `seed` of the
    simulation, where there is one, found it too; a seed means something only for the code it was
    found with, so one that finds it no more is said, and is no failure.
    """

    guarantee: str
    file: str
    line: str
    broken: str
    test: str
    seed: int | None = None
    played: int | None = None
    nodes: int = 1


def mutants() -> list[Mutant]:
    rows = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text(encoding="utf-8"))
    return [Mutant(**row) for row in rows["mutant"]]


def table() -> str:
    """What docs/guarantees.md shows: each test, and the promises that it sees broken."""
    promises: dict[str, list[str]] = {}
    for mutant in mutants():
        test = mutant.test.removeprefix("tests/").partition("::")[0]
        seed = f"; seed {mutant.seed}" if mutant.seed is not None else ""
        seed += " with `NODES=2`" if mutant.nodes > 1 else ""
        seed += f" ({mutant.played})" if mutant.played else ""
        promises.setdefault(test, []).append(mutant.guarantee + seed)
    rows = [f"| `{test}` | {'<br>'.join(kept)} |" for test, kept in promises.items()]
    return "\n".join(["| test | fails when broken |", "|---|---|", *rows]) + "\n"


def shown(page: str) -> str:
    """The page with the table in its place, between two remarks."""
    before, _, rest = page.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n\n{table()}\n{ENDS}{after}"


def broken(text: str, mutant: Mutant) -> str:
    """The source with that one line broken; AssertionError unless it stands there once."""
    lines = text.splitlines(keepends=True)
    *before, line = mutant.line.splitlines()
    found = [
        number
        for number, there in enumerate(lines)
        if there.strip() == line
        and [above.strip() for above in lines[number - len(before) : number]] == before
    ]
    assert len(found) == 1, f"{mutant.file} has this line {len(found)} times: {mutant.line}"
    lines[found[0]] = lines[found[0]].replace(line, mutant.broken)
    return "".join(lines)


def make_copy(home: Path, number: int) -> Path:
    """A copy of the project, whose tests give up sooner."""
    copy = home / f"orders-{number}"
    shutil.copytree(ROOT, copy, ignore=LEFT_BEHIND)
    wire = copy / "tests" / "wire.py"
    text = re.sub(r"(?m)^DEADLINE = .*", f"DEADLINE = {DEADLINE}", wire.read_text(encoding="utf-8"))
    wire.write_text(text, encoding="utf-8")
    return copy


def digest() -> str:
    """The same as long as nothing has changed that a test could notice."""
    whole = hashlib.sha256()
    for folder in ("orders", "static", "templates", "starters", "tests"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix not in (".pyc", "") and file.stem != "mutants":
                whole.update(str(file).encode() + file.read_bytes())
    return whole.hexdigest()


def failing(copy: Path, tests: Iterable[str], *more: str, within: float | None = None) -> set[str]:
    """Those of the tests that fail there; all of them if they hang."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE", *more]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    names = sorted(set(tests))
    try:
        ended = subprocess.run(
            [*command, *names],
            cwd=copy,
            env=environment | {"COLUMNS": "1000"},
            capture_output=True,
            timeout=within,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return set(names)
    said = ended.stdout.decode()
    assert ended.returncode in (0, 1), f"{names}: {said[-2000:]}"
    failed = re.findall(r"(?m)^(?:FAILED|ERROR) ([^\s\[]+)", said)
    assert len(failed) > 0 or ended.returncode == 0, said[-2000:]
    return set(failed)


def finds(copy: Path, mutant: Mutant) -> bool:
    """Whether its seed breaks a promise there."""
    command = [str(SIMULATION), "-m", "tests.simulation", "--seed", str(mutant.seed)]
    command += ["--nodes", str(mutant.nodes)]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False)
    return ended.returncode != 0


def outcome(copy: Path, mutant: Mutant, *, seeds: bool) -> str:
    """What noticed that the line is broken: `SURVIVED` if nothing did."""
    file = copy / mutant.file
    whole = file.read_text(encoding="utf-8")
    file.write_text(broken(whole, mutant), encoding="utf-8")
    try:
        if not failing(copy, [mutant.test], "-x", within=ENDS_WITHIN):
            return "SURVIVED"
        if mutant.seed is None or not seeds:
            return "noticed"
        return "noticed" if finds(copy, mutant) else f"noticed, not by seed {mutant.seed}"
    finally:
        file.write_text(whole, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only guarantees that hold these words")
    parser.add_argument("--table", action="store_true", help="write the table, and break nothing")
    parser.add_argument("--seeds", action="store_true", help="needs `make simulate` once before")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    options = parser.parse_args()
    if options.table:
        PAGE.write_text(shown(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    now, kept = digest(), {}
    if NOTICED.exists() and (said := json.loads(NOTICED.read_text(encoding="utf-8")))["of"] == now:
        kept = said["noticed"]
    words = " ".join(options.words)
    chosen = [mutant for mutant in mutants() if words in mutant.guarantee]
    left = [mutant for mutant in chosen if kept.get(mutant.guarantee) != repr(mutant)]
    if len(left) < len(chosen):
        print(f"{len(chosen) - len(left)} of {len(chosen)} were noticed before.", flush=True)
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="orders-mutants-") as home:
        copies = SimpleQueue[Path]()
        for number in range(options.jobs):
            copies.put(make_copy(Path(home), number))
        tests = {mutant.test for mutant in left}
        print(f"{len(tests)} tests as they are …", flush=True)
        first = Path(home) / "orders-0"
        fail_anyway = failing(first, tests, "-n", f"{options.jobs}") & tests
        if fail_anyway:  # on a busy machine: once more, alone
            fail_anyway &= failing(first, fail_anyway)
        for test in sorted(fail_anyway):
            print(f"fails as it is: {test}", flush=True)

        def play(mutant: Mutant) -> tuple[str, float]:
            copy, began = copies.get(), time.monotonic()
            try:
                return outcome(copy, mutant, seeds=options.seeds), time.monotonic() - began
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(options.jobs) as pool:
            played = {pool.submit(play, mutant): mutant for mutant in left}
            for number, ended in enumerate(as_completed(played), 1):
                mutant, (word, took) = played[ended], ended.result()
                line = f"{number:>3}/{len(left)}  {word:<8} {took:4.0f} s  {mutant.guarantee}"
                print(line, flush=True)
                survivors += word == "SURVIVED"
                if word != "SURVIVED" and mutant.test not in fail_anyway:
                    kept[mutant.guarantee] = repr(mutant)
                    NOTICED.parent.mkdir(exist_ok=True)
                    NOTICED.write_text(json.dumps({"of": now, "noticed": kept}), encoding="utf-8")
    print(
        f"{len(left)} broken lines, {survivors} not noticed,"
        f" {len(fail_anyway)} tests failing anyway"
    )
    return 1 if survivors or fail_anyway or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())

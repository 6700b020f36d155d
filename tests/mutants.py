"""Whether the guarantees are tested: break each in one line, and see its test fail.

python -m tests.mutants [WORDS OF A GUARANTEE]
python -m tests.mutants --table     writes the table in docs/guarantees.md

Works on a copy of the project; `mutants.toml` beside this file says what is broken and which test
must notice. A test must pass on the copy as it is, or its failing would prove nothing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIMULATION = ROOT / ".venv-simulation" / "bin" / "python"  # see `make simulate`
LEFT_BEHIND = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.db*")
PAGE = ROOT / "docs" / "guarantees.md"
BEGINS, ENDS = "<!-- table of tests/mutants.toml -->", "<!-- end of the table -->"
ENDS_WITHIN = 180  # seconds; a test that hangs has noticed, too


@dataclass(frozen=True)
class Mutant:
    """`line`, which stands once in `file`, becomes `broken`: then `test` must fail.

    Of several lines the last is broken; the others only say where it stands. A `seed` of the
    simulation, where there is one, must find it too; a seed means something only for the code it
    was found with, so any other that finds it may take its place.
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
    """What docs/guarantees.md shows of all rows."""
    lines = ["| promise | the line that keeps it | its test |", "|---|---|---|"]
    for mutant in mutants():
        line = mutant.line.splitlines()[-1].partition("  #")[0].replace("|", "\\|")
        notices = f"`{mutant.test.removeprefix('tests/').partition('::')[0]}`"
        if mutant.seed is not None:
            notices += f"; seed {mutant.seed}"
            notices += " with `NODES=2`" if mutant.nodes > 1 else ""
            notices += f" ({mutant.played})" if mutant.played else ""
        kept = f"`{line}` in `{mutant.file.removeprefix('orders/')}`"
        lines.append(f"| {mutant.guarantee} | {kept} | {notices} |")
    return "\n".join(lines) + "\n"


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


def passes(copy: Path, test: str) -> bool:
    """Whether a test passes there."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            timeout=ENDS_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    assert ended.returncode in (0, 1), f"{test}: {ended.stdout.decode()[-2000:]}"
    return ended.returncode == 0


def keeps(copy: Path, seed: int, nodes: int) -> bool:
    """Whether a simulated class goes well there."""
    command = [str(SIMULATION), "-m", "tests.simulation", "--seed", str(seed)]
    command += ["--nodes", str(nodes)]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False)
    return ended.returncode == 0


def survives(copy: Path, mutant: Mutant) -> bool:
    """Whether its test, or its seed where the simulation is installed, does not notice it."""
    file = copy / mutant.file
    whole = file.read_text(encoding="utf-8")
    file.write_text(broken(whole, mutant), encoding="utf-8")
    try:
        if passes(copy, mutant.test):
            return True
        if mutant.seed is None or not SIMULATION.exists():
            return False
        return keeps(copy, mutant.seed, mutant.nodes)
    finally:
        file.write_text(whole, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only guarantees that hold these words")
    parser.add_argument("--table", action="store_true", help="write the table, and break nothing")
    options = parser.parse_args()
    if options.table:
        PAGE.write_text(shown(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    words = " ".join(options.words)
    chosen = [mutant for mutant in mutants() if words in mutant.guarantee]
    with tempfile.TemporaryDirectory(prefix="orders-mutants-") as home:
        copy = Path(home) / "orders"
        shutil.copytree(ROOT, copy, ignore=LEFT_BEHIND)
        tests = sorted({mutant.test for mutant in chosen})
        failing = [test for test in tests if not passes(copy, test)]
        for test in failing:
            print(f"fails as it is: {test}", flush=True)
        survivors = 0
        for number, mutant in enumerate(chosen, 1):
            began = time.monotonic()
            is_alive = survives(copy, mutant)
            survivors += is_alive
            word = "SURVIVED" if is_alive else "noticed"
            took = time.monotonic() - began
            print(
                f"{number:>3}/{len(chosen)}  {word:<8} {took:4.0f} s  {mutant.guarantee}",
                flush=True,
            )
    print(
        f"{len(chosen)} broken lines, {survivors} not noticed, {len(failing)} tests failing anyway"
    )
    return 1 if survivors or failing or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())

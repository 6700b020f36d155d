"""What a run measured, kept as one line of JSON; a report is made of such lines alone.

Every work is a module with `measure(...) -> Result` for one run of one peer. `benchmarks.bench`
runs them in turn, peer by peer and run by run, and `benchmarks.report` reads what they wrote.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

OURS = "Orders"


@dataclass(frozen=True)
class Result:
    """One run of one work on one peer.

    `work`: "fanout", "latency", "workflow", "idle", "catchup", "growth", …
    `peer`: as the report shows it: "Orders", "Node ws", …
    `case`: what was varied: {"subscribers": 100, "window": 64}
    `figures`: what was measured, each name ending in its unit: {"deliveries_per_second": 3.1e6,
      "p99_ms": 2.5, "memory_kib": 17.0}
    `server`, `load`: the share of its core (0–1) that each side used, None where not measured
    `run`: from 1
    `note`: why there are no figures, where there are none ("redis-server is not installed")
    """

    work: str
    peer: str
    case: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    server: float | None = None
    load: float | None = None
    run: int = 1
    note: str = ""


def write(path: Path, results: Iterable[Result]) -> None:
    """Add results to a file of JSON lines."""
    with path.open("a", encoding="utf-8") as file:
        for result in results:
            file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")


def read(path: Path) -> Iterator[Result]:
    """The results of a file, in the order they were measured."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Result(**json.loads(line))

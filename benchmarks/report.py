"""The report: tables and plots, made of the lines of results alone.

python -m benchmarks.report benchmarks/report     makes it again of its results.jsonl
"""

import math
import statistics
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks import plots, results, works
from benchmarks.plots import short
from benchmarks.results import OURS, Result

DISTURBED = 0.1  # of a core, used by something else
FULL = 0.9  # of its core: a load that is as busy as this may be what was measured
Case = tuple[tuple[str, float], ...]
Key = TypeVar("Key", bound=Hashable)


def write(file: Path, to: Path) -> list[Path]:
    """Make the report of a file of results; what was written."""
    return list(_write(list(results.read(file)), to))


def line(result: Result) -> str:
    """A result in one line, to follow what is being measured."""
    work = works.of(result.work, result.figures)
    who = f"{work.title.lower()}, {_words(result.case)}: {result.peer:<24}"
    if result.note:
        return f"{who} {result.note.splitlines()[-1]}"
    main = work.compared
    said = f"{who} {short(result.figures[main]):>8} {work.figures[main]}"
    return f"{said} (server {_share(result.server)}, load {_share(result.load)})"


def _write(all: Sequence[Result], to: Path) -> Iterator[Path]:
    text = ["# Beside its peers", "", *_head(all)]
    names = dict.fromkeys(result.work for result in all if result.work not in ("machine", "peer"))
    for name in names:
        own = [result for result in all if result.work == name]
        figures = {figure: 0.0 for result in own for figure in result.figures}
        work = works.of(name, figures)
        text += [f"## {work.title}", "", *([work.method, ""] if work.method else [])]
        if work.plot == "lines":
            curves = _curves(own, work.compared)
            if curves:
                plot = to / f"{name}.svg"
                plot.write_text(plots.lines(work.title, work.below, curves, OURS), "utf-8")
                text += [f"![{work.title}]({plot.name})", ""]
                yield plot
            text += [*_table(work, _by(own, lambda result: _words(result.case))), ""]
            continue
        for case, those in _by(own, lambda result: _key(result.case)).items():
            words = _words(dict(case))
            text += [f"### {words[:1].upper()}{words[1:]}", ""]
            if len({result.peer for result in those if result.figures}) > 1:
                plot = to / f"{name}-{'-'.join(f'{value:g}' for _, value in case)}.svg"
                plot.write_text(_plot(work, f"{work.title}, {words}", those), "utf-8")
                text += [f"![{work.title}, {words}]({plot.name})", ""]
                yield plot
            text += [*_table(work, _by(those, lambda result: result.peer)), ""]
    report = to / "report.md"
    report.write_text("\n".join(text).rstrip() + "\n", "utf-8")
    yield report


def _head(all: Sequence[Result]) -> list[str]:
    """Where it was measured, how well, and who takes part."""
    lines = []
    for result in all:
        if result.work == "machine":
            sync = result.figures["sync_ms"]
            lines += [f"Measured on {result.note}, where a sync of 4 KiB takes {sync:.2f} ms.", ""]
    measured = [result for result in all if result.figures and result.work != "machine"]
    disturbed = [result for result in measured if result.figures.get("others", 0) > DISTURBED]
    lines += [
        f"{max((result.run for result in measured), default=0)} runs of each, peers in turn; a"
        " figure is the median of them, and in brackets are the lowest and the highest. In"
        f" {len(disturbed)} of {len(measured)} measurements something else used more than"
        f" {DISTURBED:.0%} of a core"
        + (
            "."
            if len(disturbed) * 10 < len(measured)
            else ": **this machine was not quiet, and its figures are worth little.**"
        ),
        "",
        "*Orders ÷ it* compares the figure in bold, run by run. The shares are of the core that the"
        " server, and the load, had to itself: a server's that is not full was waiting; where the"
        " load's is full (†) the peer could do more than is shown.",
        "",
        "| who | version, and what it does for an event beside passing it on |",
        "|---|---|",
    ]
    lines += [f"| {result.peer} | {result.note} |" for result in all if result.work == "peer"]
    missing = {r.peer: r.note for r in all if r.note and r.work not in ("machine", "peer")}
    for peer, why in missing.items():
        lines += [f"| {peer} | **not measured**, or not always: {' '.join(why.split())[:300]} |"]
    return [*lines, ""]


def _table(work: works.Work, rows: Mapping[str, Sequence[Result]]) -> list[str]:
    """A line for each row, with the median and the spread of its figures."""
    main = work.compared
    ours = {result.run: result for result in rows.get(OURS, ())}
    compared = bool(ours) and len(rows) > 1
    names = [f"**{text}**" if key == main else text for key, text in work.figures.items()]
    head = ["", *names, *(["Orders ÷ it"] if compared else []), "server", "load"]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for name, those in rows.items():
        good = [result for result in those if result.figures]
        if not good:
            lines += [f"| {name} |" + " |" * (len(head) - 1)]
            continue
        cells = [f"**{name}**" if name == OURS else name]
        cells += [
            _spread([r.figures.get(figure, math.nan) for r in good]) for figure in work.figures
        ]
        if compared:
            pairs = [(ours[r.run], r) for r in good if r.run in ours and ours[r.run].figures]
            ratios = [a.figures[main] / b.figures[main] for a, b in pairs if b.figures[main]]
            cells += ["" if name == OURS else _spread(ratios)]
        server, load = _middle(r.server for r in good), _middle(r.load for r in good)
        full = (load or 0) > FULL > (server or 0)
        cells += [_share(server), _share(load) + (" †" if full else "")]
        lines += ["| " + " | ".join(cells) + " |"]
    return lines


def _plot(work: works.Work, title: str, those: Sequence[Result]) -> str:
    rows = {
        peer: good
        for peer, its in _by(those, lambda result: result.peer).items()
        if (good := [result for result in its if result.figures])
    }
    main = work.compared
    if work.plot == "dots":
        points = {
            peer: {
                label.partition(",")[0]: statistics.median(
                    result.figures[figure] for result in good
                )
                for figure, label in work.figures.items()
                if figure in works.MILLISECONDS
            }
            for peer, good in rows.items()
        }
        best = sorted(points, key=lambda peer: points[peer][work.figures[main].partition(",")[0]])
        return plots.dots(title, work.below, {peer: points[peer] for peer in best}, OURS)
    bars = []
    for peer, good in rows.items():
        values = [result.figures[main] for result in good]
        middle = statistics.median(values)
        bars += [plots.Bar(peer, middle, min(values), max(values), short(middle), peer == OURS)]
    bars.sort(key=lambda bar: bar.value, reverse=work.more_is_better)
    return plots.bars(title, work.below, bars)


def _curves(own: Sequence[Result], figure: str) -> dict[str, list[tuple[float, float]]]:
    """For each peer the medians of a figure over the only thing that was varied."""
    curves = {}
    for peer, those in _by(own, lambda result: result.peer).items():
        good = [result for result in those if figure in result.figures and result.case]
        at = _by(good, lambda result: next(iter(result.case.values())))
        points = [(x, statistics.median(r.figures[figure] for r in rs)) for x, rs in at.items()]
        if points:
            curves[peer] = sorted(points)
    return curves


def _by(those: Iterable[Result], key: Callable[[Result], Key]) -> dict[Key, list[Result]]:
    groups: dict[Key, list[Result]] = {}
    for result in those:
        groups.setdefault(key(result), []).append(result)
    return groups


def _key(case: Mapping[str, float]) -> Case:
    return tuple(case.items())


def _words(case: Mapping[str, float]) -> str:
    """{"subscribers": 100, "window": 64} is "100 subscribers, window 64"."""
    return ", ".join(
        f"{value:,.0f} {name if value != 1 else name[:-1]}"
        if name.endswith("s")
        else f"{name.replace('_', ' ')} {value:g}"
        for name, value in case.items()
    )


def _spread(measured: Iterable[float]) -> str:
    values = [value for value in measured if not math.isnan(value)]
    if not values:
        return ""
    middle = short(statistics.median(values))
    return f"{middle} ({short(min(values))}–{short(max(values))})" if len(values) > 1 else middle


def _middle(shares: Iterable[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return statistics.median(known) if known else None


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


if __name__ == "__main__":
    where = Path(sys.argv[1])
    write(where / "results.jsonl", where)

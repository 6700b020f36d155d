"""Plots of the report as SVG, drawn by matplotlib on paper of the colour that the pages have."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

INK, MUTED, PAPER, GRID, PEER, OWN = (
    "#16181d",
    "#55585f",
    "#fbfaf7",
    "#dcd8cd",
    "#8c8980",
    "#0a7350",
)
#: Text stays text, and the same figures make the same file.
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "orders",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "axes.edgecolor": GRID,
    "grid.color": GRID,
}
WIDTH, ROW, FRAME = 7.9, 0.31, 1.1  # inches: of a plot, of a row, of what stands round the rows


@dataclass(frozen=True)
class Bar:
    """A name with its value and the lowest and highest of its runs."""

    name: str
    value: float
    low: float
    high: float
    text: str
    ours: bool = False


def bars(title: str, below: str, rows: Sequence[Bar]) -> str:
    """One horizontal bar a row, from zero; a thin line from the lowest to the highest run."""
    figure, axes = _paper(title, below, FRAME + ROW * len(rows))
    for y, row in enumerate(rows):
        axes.barh(y, row.value, 0.7, color=OWN if row.ours else PEER)
        axes.plot((row.low, row.high), (y, y), color=INK, linewidth=1.2)
        _beside(axes, row.text, (row.high, y), (6, 0), va="center", weight=_weight(row.ours))
    _names(axes, {row.name: row.ours for row in rows})
    axes.set_xlim(0, 1.15 * max((row.high for row in rows), default=1) or 1)
    axes.xaxis.set_visible(False)
    return _svg(figure)


def dots(title: str, below: str, rows: Mapping[str, Mapping[str, float]], ours: str) -> str:
    """One row of named values each, on a scale whose every step is ten times the last."""
    figure, axes = _paper(title, below, FRAME + ROW * len(rows))
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.grid(axis="x")
    values = [v for row in rows.values() for v in row.values() if 0 < v < math.inf] or [1.0]
    axes.set_xlim(10 ** math.floor(math.log10(min(values)) - 1e-9), 1.3 * max(values))
    for y, (name, row) in enumerate(rows.items()):
        known = [value for value in row.values() if 0 < value < math.inf]
        _curve(axes, known, [y] * len(known), ours=name == ours)
        said = " · ".join(short(value) for value in row.values())
        _right(axes, 1.02, y, said, weight=_weight(name == ours))
    _names(axes, {name: name == ours for name in rows})
    _right(axes, 1.02, -0.9, " · ".join(next(iter(rows.values()), {})), color=MUTED)
    figure.subplots_adjust(right=0.74)
    return _svg(figure)


def lines(
    title: str, below: str, series: Mapping[str, Sequence[tuple[float, float]]], ours: str
) -> str:
    """Curves from zero upwards; the values across stand side by side, whatever lies between."""
    figure, axes = _paper(title, below, 3.7)
    across = sorted({x for points in series.values() for x, _ in points})
    most = max((y for points in series.values() for _, y in points), default=1) or 1
    lowest = -math.inf
    for name, points in sorted(series.items(), key=lambda one: one[1][-1][1]):
        own, at = name == ours, [across.index(x) for x, _ in points]
        _curve(axes, at, [y for _, y in points], ours=own)
        for x, (_, y) in zip(at, points, strict=True):
            if own:
                _beside(axes, short(y), (x, y), (0, 8), ha="center")
        lowest = max(points[-1][1], lowest + most * 0.07)  # names above each other, not on top
        _right(axes, 1.02, lowest, name, weight=_weight(own))
    axes.set_xticks(range(len(across)), [short(x) for x in across])
    axes.set_ylim(0, 1.15 * most)
    axes.yaxis.set_visible(False)
    axes.grid(axis="x")
    figure.subplots_adjust(left=0.06, right=0.78)
    return _svg(figure)


def short(value: float) -> str:
    """A number as one says it: 3.08 M, 174 k, 5,277, 2.4."""
    for size, word in ((1e6, " M"), (1e4, " k")):
        if value >= size:
            scaled = value / (1e3 if size == 1e4 else size)
            return (f"{scaled:,.0f}" if scaled >= 100 else f"{scaled:.3g}") + word
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _paper(title: str, below: str, height: float) -> tuple[Figure, Axes]:
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
        axes = figure.subplots()
    figure.text(0.03, 1 - 0.3 / height, title, size=13, weight="bold")
    figure.text(0.03, 1 - 0.55 / height, below, size=9.5, color=MUTED)
    figure.subplots_adjust(left=0.28, right=0.97, top=1 - 0.8 / height, bottom=0.25 / height)
    axes.set_facecolor(PAPER)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure, axes


def _names(axes: Axes, rows: Mapping[str, bool]) -> None:
    """The names of the rows, the first at the top; ours is bold."""
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    for label, own in zip(axes.get_yticklabels(), rows.values(), strict=True):
        label.set(color=INK, weight=_weight(own))


def _curve(axes: Axes, x: Sequence[float], y: Sequence[float], *, ours: bool) -> None:
    color, width = (OWN, 2.5) if ours else (PEER, 1.2)
    axes.plot(x, y, "o-", color=color, linewidth=width, markersize=6)


def _right(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """A text beside the plot, at a height given in its values."""
    axes.text(x, y, text, transform=axes.get_yaxis_transform(), va="center", size=9.5, **style)


def _beside(
    axes: Axes, text: str, at: tuple[float, float], points: tuple[float, float], **style: Any
) -> None:
    """A text so many points right of, and above, a place that is given in values."""
    axes.annotate(text, at, xytext=points, textcoords="offset points", size=9.5, **style)


def _weight(own: bool) -> str:
    return "bold" if own else "normal"


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        figure.savefig(text, format="svg", facecolor=PAPER, metadata={"Date": None})
    return text.getvalue()

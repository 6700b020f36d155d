"""Plain SVG plots in the colours of the pages, light or dark as the reader has it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, MARGIN, ROW = 760, 24, 30
LABELS = 214  # where the plot begins, right of the names
END = 690  # where it ends, left of the figures

STYLE = """
text { font: 14px system-ui, sans-serif; fill: #16181d }
.paper { fill: #fbfaf7 } .title { font-weight: 700; font-size: 17px } .small { font-size: 12.5px }
.muted { fill: #55585f } .strong { font-weight: 700 } .grid { stroke: #dcd8cd } .end { text-anchor: end }
.middle { text-anchor: middle }
.bar { fill: #8c8980 } .ours .bar { fill: #0a7350 } .spread { stroke: #16181d; stroke-width: 1.5 }
.line { fill: none; stroke: #8c8980; stroke-width: 1.5 } .ours .line { stroke: #0a7350; stroke-width: 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #f1efe9 } .paper { fill: #12151b } .muted { fill: #a9adb6 } .grid { stroke: #2e343f }
  .bar { fill: #6e7480 } .ours .bar { fill: #5ccb9c } .spread { stroke: #f1efe9 }
  .line { stroke: #6e7480 } .ours .line { stroke: #5ccb9c }
}
"""  # noqa: E501


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
    longest = max((row.high for row in rows), default=0) or 1
    parts = []
    for number, row in enumerate(rows):
        y = 84 + number * ROW
        x, low, high = (
            LABELS + value / longest * (END - LABELS - 90)
            for value in (row.value, row.low, row.high)
        )
        parts.append(
            f'<g class="{"ours" if row.ours else "peer"}">'
            + _text(LABELS - 10, y + 15, row.name, "end strong" if row.ours else "end")
            + f'<rect class="bar" x="{LABELS}" y="{y}" width="{max(1.0, x - LABELS):.1f}"'
            f' height="{ROW - 9}"/>'
            f'<path class="spread" d="M{low:.1f} {y + 10.5}H{high:.1f}"/>'
            + _text(high + 8, y + 15, row.text, "strong" if row.ours else "")
            + "</g>"
        )
    return _page(title, below, parts, 84 + len(rows) * ROW + 14)


def dots(title: str, below: str, rows: Mapping[str, Mapping[str, float]], ours: str) -> str:
    """One row of named values each, on a scale whose every step is ten times the last."""
    values = [v for row in rows.values() for v in row.values() if 0 < v < math.inf]
    place = _logarithmic(values, LABELS + 10, END - 100)
    names = list(next(iter(rows.values()), {}))
    bottom = 110 + len(rows) * ROW
    parts = _ticks(values, place, 92, bottom)
    parts += [_text(WIDTH - MARGIN, 84, " · ".join(names), "end small muted")]
    for number, (name, row) in enumerate(rows.items()):
        y = 112 + number * ROW
        strong = " strong" if name == ours else ""
        places = [place(value) for value in row.values() if 0 < value < math.inf]
        parts += [f'<g class="{"ours" if name == ours else "peer"}">']
        parts += [_text(LABELS - 10, y + 5, name, "end" + strong)]
        if places:
            way = f"M{min(places):.1f} {y}H{max(places):.1f}"
            parts += [f'<path class="line" d="{way}"/>']
        parts += [f'<circle class="bar" cx="{x:.1f}" cy="{y}" r="5"/>' for x in places]
        said = " · ".join(short(value) for value in row.values())
        parts += [_text(WIDTH - MARGIN, y + 5, said, "end small" + strong), "</g>"]
    return _page(title, below, parts, bottom + 34)


def lines(
    title: str, below: str, series: Mapping[str, Sequence[tuple[float, float]]], ours: str
) -> str:
    """Curves from zero upwards; the values across stand side by side, whatever lies between."""
    values = sorted({x for points in series.values() for x, _ in points})
    most = max((y for points in series.values() for _, y in points), default=0) or 1
    left, right, top, bottom = 90, END - 110, 92, 330

    def at(x: float, y: float) -> tuple[float, float]:
        step = (right - left) / max(1, len(values) - 1)
        return left + values.index(x) * step, bottom - y / most * (bottom - top)

    parts = [f'<path class="grid" d="M{left} {bottom}H{right}"/>']
    for x in values:
        parts += [f'<path class="grid" d="M{at(x, 0)[0]:.1f} {top}V{bottom}"/>']
        parts += [_text(at(x, 0)[0], bottom + 20, short(x), "middle small muted")]
    lowest = -math.inf
    for name, points in sorted(series.items(), key=lambda one: at(*one[1][-1])[1]):
        places = [at(x, y) for x, y in points]
        way = " ".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts += [f'<g class="{"ours" if name == ours else "peer"}">']
        parts += [f'<path class="line" d="M{way}"/>']
        for (x, y), (_, value) in zip(places, points, strict=True):
            parts += [f'<circle class="bar" cx="{x:.1f}" cy="{y:.1f}" r="5"/>']
            parts += [_text(x - 4, y - 11, short(value), "end small")] * (name == ours)
        lowest = max(places[-1][1], lowest + 17)  # names below each other, not upon each other
        style = "small strong" if name == ours else "small"
        parts += [_text(right + 26, lowest + 5, name, style) + "</g>"]
    return _page(title, below, parts, bottom + 40)


def short(value: float) -> str:
    """A number as one says it: 3.08 M, 174 k, 5,277, 2.4."""
    for size, word in ((1e6, " M"), (1e4, " k")):
        if value >= size:
            scaled = value / (1e3 if size == 1e4 else size)
            return (f"{scaled:,.0f}" if scaled >= 100 else f"{scaled:.3g}") + word
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _powers(values: Iterable[float]) -> list[float]:
    known = [value for value in values if 0 < value < math.inf] or [1.0]
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]


def _logarithmic(values: Iterable[float], begin: float, end: float) -> Callable[[float], float]:
    powers = _powers(values)
    low, high = math.log10(powers[0]), math.log10(powers[-1])
    return lambda value: (
        begin + (math.log10(max(value, powers[0])) - low) / (high - low) * (end - begin)
    )


def _ticks(
    values: Iterable[float], place: Callable[[float], float], top: float, bottom: float
) -> list[str]:
    return [
        f'<path class="grid" d="M{place(power):.1f} {top}V{bottom}"/>'
        + _text(place(power), bottom + 18, short(power), "middle small muted")
        for power in _powers(values)
    ]


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(text)}</text>'


def _page(title: str, below: str, parts: Iterable[str], height: float) -> str:
    head = _text(MARGIN, 34, title, "title") + _text(MARGIN, 58, below, "small muted")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' width="{WIDTH}" height="{height}"><title>{escape(title)}</title><style>{STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>'
        f"{head}{''.join(parts)}</svg>\n"
    )

"""What the benchmarks make of what they hear: if this is wrong, so is every figure."""

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import latency, plots, report, results, shops, wire
from benchmarks.results import OURS, Result

WORD = b'"broker.accepted"'


def in_pieces(text: bytes, size: int) -> list[memoryview]:
    return [memoryview(text[at : at + size]) for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 7, 16, 1000])
def test_a_word_is_counted_once_wherever_the_stream_is_cut(size: int) -> None:
    count = wire.Occurrences(WORD)
    for piece in in_pieces(b"".join(b'{"type":%s,"n":%d}' % (WORD, n) for n in range(9)), size):
        count(piece)
    assert count.count == 9


@pytest.mark.parametrize("size", [1, 7, 16, 1000])
def test_every_order_is_found_wherever_the_stream_is_cut(size: int) -> None:
    found: list[tuple[bytes, bytes]] = []
    ids = list(itertools.islice(wire.random_ids(), 20))
    hear = shops.Matches(
        shops.PLACED, lambda matches: found.extend((match[1], match[2]) for match in matches)
    )
    text = b"".join(wire.frame(shops.placed(id, number)) for number, id in enumerate(ids))
    for piece in in_pieces(text + b'{"type":"broker.welcome"}', size):
        hear(piece)
    assert found == [(id, b"%d" % number) for number, id in enumerate(ids)]


def test_a_percentile_is_the_value_that_so_many_do_not_exceed() -> None:
    ordered = [float(number) for number in range(1, 1001)]
    assert latency.percentile(ordered, 0.5) == 500
    assert latency.percentile(ordered, 0.99) == 990
    assert latency.percentile(ordered, 0.999) == 999
    assert latency.percentile([7.0], 0.5) == 7


def test_the_report_compares_run_by_run_and_names_who_is_missing(tmp_path: Path) -> None:
    case = {"subscribers": 100.0, "window": 64.0}
    measured = [
        Result("fanout", peer, case, {"deliveries_per_second": value}, 0.99, load, run)
        for peer, values, load in ((OURS, (300, 900), 0.3), ("Node ws", (100, 100), 0.97))
        for run, value in enumerate(values, 1)
    ]
    absent = Result("fanout", "NATS core", case, note="nats-server is not installed")
    file = tmp_path / "results.jsonl"
    results.write(file, [*measured, absent])
    assert [*results.read(file)] == [*measured, absent]

    written = report.write(file, tmp_path)
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "| Node ws | 100 (100–100) |" in text
    assert "6 (3–9)" in text, "the ratios of two runs: 3 and 9"
    assert "| NATS core | **not measured**" in text and "nats-server is not installed" in text
    assert {path.name for path in written} == {"report.md", "fanout-100-64.svg"}


def test_what_grows_is_drawn_as_a_curve_for_each_thing_that_grows(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    measured = [
        Result("growth_subscribers", OURS, {"subscribers": size}, {"deliveries_per_second": 2e6})
        for size in (10, 100, 100)
    ]
    measured += [
        Result("growth_log", OURS, {"events": size}, {"appends_per_second": 2e4})
        for size in (0, 1000)
    ]
    results.write(file, measured)
    written = {path.name for path in report.write(file, tmp_path)}
    assert written == {"growth_subscribers.svg", "growth_log.svg", "report.md"}
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "| 100 subscribers | 2 M (2 M–2 M) |" in text
    assert "| 1,000 events | 20 k |" in text


def test_a_load_that_was_full_while_the_server_was_not_is_marked(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    figures = {"orders_per_second": 5.0}
    results.write(file, [Result("workflow", OURS, {"window": 1}, figures, 0.5, 0.97)])
    report.write(file, tmp_path)
    assert "97% †" in (tmp_path / "report.md").read_text("utf-8")


@pytest.mark.parametrize(
    "plot",
    [
        plots.bars("<a> & b", "", [plots.Bar("<script>", 2.0, 1.0, 3.0, "2", ours=True)]),
        plots.bars("none", "", []),
        plots.dots("a", "", {"<b>": {"p50": 1.0, "p99": 20.0}, "none": {}}, "<b>"),
        plots.lines("a", "", {"<b>": [(0, 1.0), (10, 5.0)], "c": [(10, 1e6)]}, "c"),
    ],
)
def test_a_plot_is_well_formed_whatever_the_names_are(plot: str) -> None:
    root = ElementTree.fromstring(plot)
    width = float(root.attrib["viewBox"].split()[2])
    texts = [text for text in root.iter() if text.tag.endswith("text")]
    assert {"<a> & b", "none", "a"} & {text.text for text in texts}
    places = [re.search(r"translate\(([\d.-]+)", t.attrib.get("transform", "")) for t in texts]
    assert all(0 <= float(place[1]) <= width for place in places if place)


@pytest.mark.parametrize(
    ("value", "said"), [(3_080_000, "3.08 M"), (174_000, "174 k"), (5_277, "5,277"), (2.44, "2.44")]
)
def test_a_number_is_said_short(value: float, said: str) -> None:
    assert plots.short(value) == said

"""The log as a table and as a diagram: no cell is a formula, no name breaks a line."""

import csv
import io
import json

import pytest

from orders.broker.records import Kind, Record
from orders.web.export import FORMATS, harmless

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"


def line(format: str, source: str = "alice", data: object = None) -> str:
    """An event as a line of this format."""
    body = {"id": ID, "type": "order_placed", "created": "17", "source": source}
    record = Record(
        room="main",
        kind=Kind.EVENT,
        at=1676554735324,
        body=json.dumps({**body, "data": data if data is not None else {"id": 5}}).encode(),
        key=bytes.fromhex(ID.replace("-", "")),
        type="order_placed",
        source=source,
        mode="relay",
    )
    return FORMATS[format][2](record)


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'"]
)
def test_a_cell_that_a_spreadsheet_would_take_for_a_formula_is_quoted(cell: str) -> None:
    assert harmless(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "alice", "5", "a=b", '{"id": "=1"}', "2-3", "'"])
def test_other_cells_are_left_as_they_are(cell: str) -> None:
    assert harmless(cell) == cell


def test_a_name_that_begins_like_a_formula_is_harmless_in_the_table() -> None:
    (row,) = csv.reader(io.StringIO(line("csv", source="-cmd")))
    assert row[4] == "'-cmd"


def test_a_row_has_a_cell_for_each_column_whatever_the_data_holds() -> None:
    head = next(csv.reader(io.StringIO(FORMATS["csv"][1])))
    data = {"note": 'a, "b"\n=1+1\r\n;', "=key": "@x"}
    (row,) = csv.reader(io.StringIO(line("csv", data=data)))
    assert len(row) == len(head)
    assert dict(zip(head, row, strict=True)) | {"data": None} == {
        "id": ID,
        "created": "17",
        "accepted": "1676554735324",
        "type": "order_placed",
        "source": "alice",
        "mode": "relay",
        "data": None,
    }
    assert json.loads(row[-1]) == data
    assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in row)


def test_json_lines_are_the_texts_themselves() -> None:
    assert json.loads(line("jsonl", data={"note": "a\nb"}))["data"] == {"note": "a\nb"}
    assert line("jsonl", data={"note": "a\nb"}).count("\n") == 1


def test_names_that_differ_have_lanes_that_differ() -> None:
    lanes = {line("mermaid", source=name).split("->>")[0] for name in ("a.b", "a-b", "a_b", "ab")}
    assert len(lanes) == 4


@pytest.mark.parametrize("number", ["5; Note over broker: hi", "5\nend", {"a": 1}, None, [1], True])
def test_what_is_no_number_is_not_drawn(number: object) -> None:
    drawn = line("mermaid", data={"id": number})
    assert drawn.rstrip().endswith("broker: order_placed")
    assert drawn.count("\n") == 1


def test_the_orders_number_is_drawn() -> None:
    assert line("mermaid").rstrip().endswith("broker: order_placed 5")

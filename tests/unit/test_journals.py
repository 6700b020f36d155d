"""The long journals that the benchmarks measure: a server must not be able to tell."""

import asyncio
import json
import re
from copy import copy
from pathlib import Path

import pytest

from benchmarks import journals
from orders.broker.records import Kind, Record
from orders.journal.base import Filter, Outcome
from orders.journal.sqlite.engine import SqliteEngine
from orders.journal.sqlite.rows import QUERIES

EVENTS = 1050


def test_no_statement_numbers_its_parameters() -> None:
    """Python 3.12.0 to 3.12.3 warn of that with each tuple."""
    assert [name for name, query in QUERIES.items() if re.search(r"\?\d", query)] == []


async def test_a_journal_made_in_bulk_is_as_if_it_had_been_written_event_by_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "AT_ONCE", 1000)
    path = tmp_path / "orders.db"
    told: list[int] = []
    last_ids = await asyncio.to_thread(journals.make, path, EVENTS, told.append)
    assert told == [1000, EVENTS]
    engine = SqliteEngine(path)
    (state,) = await engine.open()
    try:
        assert (state.name, state.events, state.head) == (journals.ROOM, EVENTS, EVENTS)
        records: list[Record] = []
        while page := await engine.read(journals.ROOM, len(records), 500):
            records += page
        assert [record.position for record in records] == list(range(1, EVENTS + 1))
        events = [record.parsed() for record in records]
        assert {len(record.body) for record in records} == {journals.SIZE}
        assert all(event.key == r.key for event, r in zip(events, records, strict=True))
        assert len({event.id for event in events}) == EVENTS
        assert last_ids == [event.id for event in events][-50:]
        assert state.last == last_ids[-1]
        assert json.loads(records[0].body) == events[0].model_dump()
        found = await engine.find(journals.ROOM, records[3].key)
        assert found is not None and found.position == 4
        assert await engine.append([copy(records[0])]) == [Outcome.DUPLICATE]
        new = Record(
            room=journals.ROOM,
            kind=Kind.EVENT,
            at=1,
            body=journals.event(b"0" * 8),
            key=b"0" * 16,
            type="tick",
        )
        new.event = events[0]
        assert await engine.append([new]) == [EVENTS + 1]
        assert new.position == EVENTS + 1
        assert len((await engine.page(journals.ROOM, Filter(), 2000)).events) == EVENTS + 1
    finally:
        await engine.close()


async def test_a_disk_without_room_for_it_is_said_before_anything_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "orders.db"
    with pytest.raises(OSError, match="GB are free"):
        await asyncio.to_thread(journals.make, path, 10**15)
    assert not path.exists()


async def test_a_journal_of_no_events_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    assert await asyncio.to_thread(journals.make, path, 0) == []
    engine = SqliteEngine(path)
    (state,) = await engine.open()
    await engine.close()
    assert (state.events, state.head, state.last) == (0, 0, None)

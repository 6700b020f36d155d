"""What is true of a journal in a file: upgraded in place, folded again after a crash, damaged."""

import asyncio
import gzip
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orders.broker.queue import State
from orders.broker.records import Kind, Record
from orders.broker.room_state import RoomState
from orders.errors import CannotStart, StorageFailed
from orders.journal.base import Filter, Outcome
from orders.journal.sqlite.engine import SqliteEngine
from orders.journal.sqlite.ids import IdIndex
from orders.journal.sqlite.inspection import Damaged, Inspection, inspect, save
from orders.journal.sqlite.log import Log
from orders.journal.sqlite.opening import open_journal, write_again
from orders.journal.sqlite.rows import OrdersOfRoom, checksum
from orders.journal.sqlite.views import OrderTable, QueueTable, View, folding
from tests.contract.test_engines import Full, answered, journal_of, placed, said, work

OLD = Path(__file__).parents[1] / "data" / "journal-0.1.db.gz"


# ── the journal of 0.1 ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A journal that version 0.1 wrote, and left as a crash leaves it.

    In `main` alice placed orders 1 to 5 in queue mode: the first is confirmed and settled, the
    second a dead letter, bob holds the third and has rejected it. `pair-1` was reset, then
    paused with one event behind it.
    """
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    return path


async def test_a_journal_of_an_earlier_version_is_upgraded_in_place(old: Path) -> None:
    for _ in range(2):  # and a second time there is nothing to upgrade
        engine = SqliteEngine(old)
        main, pair = await engine.open()
        assert (main.name, main.head, main.events) == ("main", 23, 7)
        assert main.modes == {"*": "pubsub", "order_placed": "queue"}
        entries = list(main.queue.entries.values())
        assert [(e.state, e.attempt, e.reason) for e in entries] == [
            (State.DEAD, 5, "too hot"),
            (State.HELD, 1, ""),
            (State.READY, 0, ""),
            (State.READY, 0, ""),
        ]
        assert sorted(main.members) == ["alice", "bob"], "nobody said yet that they left"
        assert (pair.name, pair.epoch, pair.paused, pair.events) == ("pair-1", 2, True, 2)
        assert pair.cursor < pair.head
        orders = await engine.orders("main", None, 10)
        assert [(o.id, o.state) for o in orders] == [
            (1, "confirmed"), (2, "placed"), (3, "rejected"), (4, "placed"), (5, "placed")
        ]  # fmt: skip
        assert [o.id for o in await engine.orders("main", None, 10, "placed")] == [2, 4, 5]
        records = await engine.read("main", 0, 100)
        assert [record.position for record in records] == list(range(1, 24))
        again = records[3]
        assert again.kind is Kind.EVENT
        assert await engine.append([again]) != [24], "its ids are known"
        await engine.close()


async def test_what_the_fold_says_of_an_earlier_journal_is_what_was_kept(old: Path) -> None:
    engine = SqliteEngine(old)
    kept, _ = await engine.open()
    folded = RoomState("main")
    for record in await engine.read("main", 0, 100):
        folded.apply(record)
    await engine.close()
    assert (folded.modes, folded.head, folded.events) == (kept.modes, kept.head, kept.events)
    assert folded.last == kept.last
    assert list(folded.members) == list(kept.members)
    as_kept = [(e.position, e.state, e.attempt, e.reason) for e in kept.queue.entries.values()]
    as_folded = [(e.position, e.state, e.attempt, e.reason) for e in folded.queue.entries.values()]
    assert as_folded == as_kept


BEFORE_3 = """
DROP INDEX customer_orders;
CREATE INDEX customer_orders ON orders (room, customer, position);
PRAGMA user_version = 2;
"""


async def test_orders_of_a_customer_in_a_state_that_few_have_are_found_without_reading_the_others(
    tmp_path: Path,
) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(*(placed(number) for number in range(2000)))
        await journal.take(answered("rejected", 5), answered("rejected", 7))
        await journal.engine.orders("main", None, 1)  # folded
        with closing(sqlite3.connect(tmp_path / "orders.db")) as db:
            db.executescript(BEFORE_3)
        await journal.reopen()
        with closing(sqlite3.connect(tmp_path / "orders.db")) as db:
            steps: list[int] = []
            db.set_progress_handler(lambda: steps.append(100), 100)
            orders = OrdersOfRoom(db, 1)
            for state, numbers in (("rejected", [5, 7]), ("lost", []), ("placed", [1998, 1999])):
                after = orders.before("alice", state, 2)
                found, _ = orders.page("alice", state, after, 2)
                assert [order.id for order in found] == numbers
            assert sum(steps) < 1000, "instructions of SQLite's machine"


# ── views that trail ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No view folds anything by itself."""
    for view in (OrderTable, QueueTable):
        monkeypatch.setattr(view, "waiting_when_idle", 10**9)


async def test_what_was_not_folded_is_folded_at_the_next_start(tmp_path: Path, lazy: None) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(placed(1), work(1), work(2), placed(2), answered("confirmed", 1))
        claim = await journal.claim()
        assert claim is not None
        db = sqlite3.connect(tmp_path / "orders.db")
        assert db.execute("SELECT count(*) FROM queue").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        await journal.reopen()
        assert db.execute("SELECT count(*) FROM queue").fetchone() == (2,)
        db.close()
        assert [e.state for e in journal.queue.entries.values()] == [State.HELD, State.READY]
        orders = await journal.engine.orders("main", None, 10)
        assert [order.state for order in orders] == ["confirmed", "placed"]


async def test_orders_that_are_asked_for_are_folded_first(tmp_path: Path, lazy: None) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        for number in range(1, 30):
            await journal.take(placed(number))
            assert len(await journal.engine.orders("main", None, 100)) == number


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from orders.journal.sqlite.engine import SqliteEngine
from orders.journal.sqlite.views import OrderTable, QueueTable
from tests.contract.test_engines import placed, work

async def main():
    writes = 0
    write = {0}.write
    def deadly(self, items):
        write(self, items)
        nonlocal writes
        writes += 1
        if writes == {1}:
            os.kill(os.getpid(), signal.SIGKILL)
    {0}.write = deadly
    {0}.slice = 10
    engine = SqliteEngine(Path(sys.argv[1]))
    await engine.open()
    for start in range(0, 60, 10):
        await engine.append([placed(n) for n in range(start + 1, start + 11)])
        await engine.append([work(n) for n in range(start + 1, start + 11)])
    await asyncio.sleep(30)
asyncio.run(main())
"""


@pytest.mark.parametrize("view", ["OrderTable", "QueueTable"])
@pytest.mark.parametrize("writes", [1, 3])
async def test_killed_in_the_middle_of_a_fold_it_goes_on_where_the_marker_stands(
    tmp_path: Path, view: str, writes: int
) -> None:
    path = tmp_path / "orders.db"
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED.format(view, writes), str(path)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    engine = SqliteEngine(path)
    (state,) = await engine.open()
    folded = RoomState("main")
    while page := await engine.read("main", folded.head, 500):
        for record in page:
            folded.apply(record)
    assert list(folded.queue.entries) == list(state.queue.entries)
    placings = await engine.page("main", Filter(type="order_placed"), 1000)
    orders = await engine.orders("main", None, 1000)
    assert [order.event for order in orders] == [r.parsed().id for r in placings.events]
    await engine.close()


def test_an_index_that_was_not_finished_is_begun_again_and_commits_are_synced_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IdIndex, "slice", 2)
    monkeypatch.setattr(IdIndex, "waiting_when_idle", 0)
    path, full = tmp_path / "orders.db", 2
    db = open_journal(path)
    log = Log(db)
    events = [said(n, id=numbered(7 - n)) for n in range(1, 7)]  # the last comes first in the table
    log.append(events)
    log.ids.tidy(True)  # the first slice of three, and then the process is gone
    assert db.execute("PRAGMA synchronous").fetchone()[0] == full
    db.close()
    with closing(open_journal(path)) as db:
        log = Log(db)
        log.restore()
        again = log.append([said(n, id=numbered(7 - n)) for n in range(1, 7)])
        assert again == [Outcome.DUPLICATE] * 6


class FailsToSync:
    """A connection whose next commit is not synced: the disk takes nothing then."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.is_failing = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def execute(self, query: str, *values: Any) -> Any:
        if query == "COMMIT" and self.is_failing:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return self._db.execute(query, *values)


def test_what_a_failed_sync_dropped_is_written_again_before_more_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all that follows what a view wrote without a sync would be gone with the power."""
    written: list[Path] = []
    monkeypatch.setattr("orders.journal.sqlite.log.write_again", written.append)
    path = tmp_path / "orders.db"
    with closing(open_journal(path)) as db:
        failing: Any = FailsToSync(db)
        log = Log(failing, path)
        (answer,) = log.append([said(1)])
        assert isinstance(answer, StorageFailed)
        failing.is_failing = False
        assert not written
        assert log.append([said(1)]) == [1]
        assert written == [tmp_path / "orders.db-wal"]
        assert log.append([said(2)]) == [2]
        assert len(written) == 1


def test_no_checkpoint_syncs_what_a_view_wrote_without_saying_that_it_failed(
    tmp_path: Path,
) -> None:
    with closing(open_journal(tmp_path / "orders.db")) as db:
        usual = db.execute("PRAGMA wal_autocheckpoint").fetchone()
        with folding(db):
            assert db.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        assert db.execute("PRAGMA wal_autocheckpoint").fetchone() == usual


def test_whatever_ends_a_fold_leaves_no_transaction_open(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "orders.db")) as db:
        with pytest.raises(ValueError, match="odd"), folding(db):
            raise ValueError("odd")
        assert not db.in_transaction


async def test_what_a_process_before_may_have_left_unsynced_is_written_again(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def note(file: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{file}"))
        sync(file)

    monkeypatch.setattr(os, "fsync", note)
    with closing(open_journal(old)) as db:  # the last to close it would empty what lies beside it
        db.execute("CREATE TABLE more (n)")
        beside = old.with_name("old.db-wal")
        before = beside.read_bytes()
        assert len(before) > 4096
        shutil.copy(old, other := old.with_name("other.db"))
        shutil.copy(beside, other.with_name("other.db-wal"))
    write_again(other.with_name("other.db-wal"))
    assert other.with_name("other.db-wal").read_bytes() == before
    assert synced.pop() == str(other.with_name("other.db-wal"))
    engine = SqliteEngine(other)
    await engine.open()
    assert synced == [str(other.with_name("other.db-wal"))]
    await engine.close()


async def test_a_disk_that_is_full_while_a_view_folds_keeps_what_waits(
    tmp_path: Path, lazy: None
) -> None:
    """Nobody is told that there are no orders, which seed 2290 of the simulation found."""
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(*(placed(n, f"customer-{n}") for n in range(1, 400)))
        disk = Full(journal.engine)
        await disk.fill()
        with pytest.raises(StorageFailed, match="takes no writes"):  # they are there, and wait
            await journal.engine.orders("main", None, 500)
        await disk.free()
        assert len(await journal.engine.orders("main", None, 500)) == 399


async def test_large_records_do_not_wait_for_a_view_to_have_time(
    tmp_path: Path, lazy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(View, "waiting_bytes", 10_000)
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(*(placed(n, f"customer-{n}") for n in range(1, 10)))
        assert isinstance(journal.engine, SqliteEngine)
        view = journal.engine._log.orders
        assert len(view.waiting) == 9, "there is no time"
        await journal.take(*(placed(n, f"customer-{n}") for n in range(10, 400)))
        await journal.engine.probe()  # comes behind it
        assert sum(len(record.body) for _, record, _ in view.waiting) <= 10_000


# ── damage ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_damaged_record_is_named_and_never_served(tmp_path: Path) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(said(1), said(2), said(3))
        db = sqlite3.connect(tmp_path / "orders.db")
        db.execute(
            "UPDATE records SET body = replace(body, '\"n\":2', '\"n\":7') WHERE place % 8 = 2"
        )
        db.commit()
        db.close()
        with pytest.raises(StorageFailed, match="position 2 of room main is damaged") as failed:
            await journal.engine.read("main", 0, 10)
        assert failed.value.code == "journal_damaged"
        assert len(await journal.engine.read("main", 2, 10)) == 1
        with pytest.raises(StorageFailed):
            await journal.engine.page("main", Filter(), 10)
        assert await journal.take(said(4)) == ["accepted"], "and the room goes on"


FLIPS = ["kind", "key", "type", "source", "mode", "body"]


def numbered(number: int) -> str:
    return str(uuid.UUID(int=number))


def flip(path: Path, position: int, column: str) -> None:
    """One bit of a record is another, as a bad disk would have it."""
    db = sqlite3.connect(path)
    query = f"SELECT CAST({column} AS BLOB) FROM records WHERE place % (1 << 40) = ?"
    (was,) = db.execute(query, (position,)).fetchone()
    turned = bytes((was[0] ^ 0x80, *was[1:]))
    value = "?" if column in ("key", "body") else "CAST(? AS TEXT)"
    query = f"UPDATE records SET {column} = {value} WHERE place % (1 << 40) = ?"
    db.execute(query, (turned, position))
    db.commit()
    db.close()


@pytest.mark.parametrize("column", FLIPS)
async def test_a_flipped_bit_is_found_at_start_and_named_and_what_is_intact_can_be_saved(
    column: str, tmp_path: Path
) -> None:
    path, saved = tmp_path / "orders.db", tmp_path / "saved.db"
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(*(said(n, id=numbered(n), mode="queue") for n in range(1, 5)))
    assert inspect(path) == Inspection(4, [])
    flip(path, 2, column)
    assert inspect(path) == Inspection(4, [Damaged("main", 2)])
    with pytest.raises(CannotStart, match=r"position 2 of room main is damaged.*orders doctor"):
        await SqliteEngine(path).open()
    assert save(path, saved).damaged == [Damaged("main", 2)]
    assert inspect(saved).is_intact
    engine = SqliteEngine(saved)
    (main,) = await engine.open()
    assert (main.events, main.head, main.last) == (3, 4, numbered(4))
    assert [entry.position for entry in main.queue.entries.values()] == [1, 3, 4]
    records = await engine.read("main", 0, 10)
    assert [(r.position, r.kind) for r in records if r.kind != Kind.EVENT] == [(2, "damaged")]
    again = await engine.append([said(4, id=numbered(4)), said(2, id=numbered(2))])
    assert again == [Outcome.DUPLICATE, 5], "ids are known again, and what was lost may come again"
    await engine.close()


async def test_an_event_that_comes_again_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        first = said(1, id=numbered(1))
        await journal.take(first)
        flip(tmp_path / "orders.db", 1, "body")
        assert await journal.engine.append([said(1, id=numbered(1))]) == [Outcome.CONFLICT]
        assert await journal.take(said(2)) == ["accepted"], "and the room goes on"


def test_a_file_that_is_no_database_is_damaged_and_nothing_of_it_can_be_saved(
    tmp_path: Path,
) -> None:
    (tmp_path / "orders.db").write_bytes(b"nothing that SQLite wrote" * 100)
    found = inspect(tmp_path / "orders.db")
    assert (found.records, found.structure) == (0, "file is not a database")


def test_a_checksum_covers_every_column() -> None:
    row: tuple[Any, ...] = (1, "event", 2, b"k", 3, "type", "source", "mode", b"body")
    others: list[tuple[Any, ...]] = [
        (9, *row[1:]),
        (*row[:1], "left", *row[2:]),
        (*row[:-1], b"bodY"),
    ]
    others += [(*row[:n], "other", *row[n + 1 :]) for n in (5, 6, 7)]
    others += [(*row[:3], b"other", *row[4:]), (*row[:4], 9, *row[5:]), (*row[:2], 9, *row[3:])]
    assert len({checksum(*row), *(checksum(*other) for other in others)}) == len(others) + 1


@pytest.mark.parametrize("file", ["orders.db", "orders.db-wal", "orders.db-shm", "orders.db.lock"])
@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_is_removed_or_replaced_is_noticed_and_nothing_more_is_accepted(
    tmp_path: Path, file: str, replaced: bool
) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(said(1))
        assert journal.engine.lost() is None
        path = tmp_path / file
        copy = path.with_name("copy")
        shutil.copy(path, copy)
        path.unlink()
        if replaced:
            shutil.move(copy, path)
        lost = journal.engine.lost()
        assert lost is not None
        assert lost.code == "journal_lost"
        assert file in lost.message
        assert await journal.take(said(2)) == [lost]


@pytest.mark.parametrize("file", ["orders.db", "orders.db-wal"])
async def test_a_file_that_is_cut_off_is_noticed_and_nothing_more_is_accepted(
    tmp_path: Path, file: str
) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(said(1))
        assert journal.engine.lost() is None
        os.truncate(tmp_path / file, 1024)
        lost = journal.engine.lost()
        assert lost is not None
        assert (lost.code, "cut off" in lost.message) == ("journal_lost", True)
        assert await journal.take(said(2)) == [lost]


@pytest.mark.parametrize("file", ["orders.db", "orders.db-wal"])
async def test_a_file_that_is_overwritten_in_place_is_noticed_and_nothing_more_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setattr("orders.journal.sqlite.contents.LOOK", 0.0)
    monkeypatch.setattr("orders.journal.sqlite.contents.STANDS", 0.05)
    path, copy = tmp_path / file, tmp_path / "copy"
    async with journal_of("sqlite", tmp_path) as journal:
        engine: Any = journal.engine
        for first in range(0, 2000, 200):  # with checkpoints between
            if not first:
                shutil.copy(tmp_path / file, copy)
            await journal.take(*(said(n, note="x" * 2000) for n in range(first, first + 200)))
        os.utime(path)  # as a backup may do: that is no loss
        for _ in range(3):
            assert await engine._writer.call(engine._files.overwritten) is None
        with path.open("r+b") as there:
            there.write(copy.read_bytes() if file == "orders.db" else b"x" * path.stat().st_size)
        lost: StorageFailed | None = None
        for _ in range(1000):
            if lost := journal.engine.lost():
                break
            await asyncio.sleep(0.01)
        assert lost is not None
        assert lost.code == "journal_lost"
        assert f"{file} of the journal was overwritten" in lost.message
        assert await journal.take(said(3)) == [lost]


async def test_erasing_a_room_cuts_off_a_file_and_that_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(said(1))
        assert journal.engine.lost() is None
        log: Any = vars(journal.engine)["_log"]
        erase, looks = log.erase, []

        def erase_and_look(rooms: list[str]) -> None:
            erase(rooms)
            looks.append(journal.engine.lost())  # as another room's event does meanwhile

        monkeypatch.setattr(log, "erase", erase_and_look)
        await journal.engine.erase(["main"])
        assert (tmp_path / "orders.db-wal").stat().st_size == 0
        assert [*looks, journal.engine.lost()] == [None, None]


@pytest.mark.parametrize(
    ("link", "said"), [(Path.symlink_to, "is in use"), (Path.hardlink_to, "has a second name")]
)
async def test_under_a_second_name_no_second_server_gets_at_a_journal(
    tmp_path: Path, link: Callable[[Path, Path], None], said: str
) -> None:
    path, other = tmp_path / "orders.db", tmp_path / "other.db"
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(placed(1))
        link(other, path)
        with pytest.raises(CannotStart, match=said):
            await SqliteEngine(other).open()
    if other.is_symlink():
        engine = SqliteEngine(other)  # alone it may have the name it likes
        assert [state.events for state in await engine.open()] == [1]
        await engine.close()


@pytest.mark.parametrize(
    "begins", [b"x", b"{}", b"SQLite format 3", b"\0" * 4096, b"id,type\n" * 900]
)
async def test_a_file_of_another_kind_is_refused_however_short_and_stays_as_it_is(
    tmp_path: Path, begins: bytes
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(begins)
    with pytest.raises(CannotStart, match=r"notes\.txt is no database.*--journal orders\.db"):
        await SqliteEngine(path).open()
    assert path.read_bytes() == begins


async def test_an_empty_file_is_a_new_journal(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    path.touch()
    engine = SqliteEngine(path)
    assert await engine.open() == []
    await engine.close()


async def test_an_empty_database_of_another_application_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA application_id = 7")
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(CannotStart, match="somebody else's database"):
        await SqliteEngine(path).open()


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "orders.db"
    with pytest.raises(CannotStart, match=f"The journal {path} .*there is no folder"):
        await SqliteEngine(path).open()


async def test_a_name_longer_than_a_disk_takes_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="too long"):
        await SqliteEngine(tmp_path / ("x" * 300)).open()


@pytest.mark.parametrize("name", ["orders.db", "orders.db-wal", "orders.db.lock", "."])
async def test_while_a_file_or_the_folder_may_not_be_written_to_nothing_is_accepted(
    tmp_path: Path, name: str
) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(said(1))
        place = tmp_path / name
        mode = place.stat().st_mode
        place.chmod(mode & ~0o222)
        failure = journal.engine.lost()
        assert failure is not None
        assert (failure.code, str(place) in failure.message) == ("storage_failed", True)
        assert await journal.take(said(2)) == [failure]
        place.chmod(mode)
        assert journal.engine.lost() is None
        assert await journal.take(said(2)) == ["accepted"]


async def test_of_a_room_that_was_erased_no_page_of_the_file_keeps_anything(tmp_path: Path) -> None:
    secret = "between us"
    async with journal_of("sqlite", tmp_path) as journal:
        for first in range(0, 2000, 200):
            await journal.take(*(said(n, note=secret * 20) for n in range(first, first + 200)))
        await journal.engine.erase(["main"])
        assert holding(tmp_path, secret) == []


async def test_what_was_moved_between_pages_is_erased_with_its_room(tmp_path: Path) -> None:
    """Rows that make room for others leave copies behind, which no later deleting overwrites."""
    turns = random.Random(42)  # a history in which one is left behind

    def say(room: str) -> Record:
        id = str(uuid.UUID(int=turns.getrandbits(128), version=4))
        return said(room=room, source=room, id=id, note="x" * turns.randrange(60))

    async with journal_of("sqlite", tmp_path) as journal:
        for _ in range(10):
            pairs = [turns.sample(["main", "stays"], 2) for _ in range(10)]
            await journal.take(*(say(room) for pair in pairs for room in pair))
        await journal.engine.erase(["main"])
        assert holding(tmp_path, '"source":"main"') == []
        assert len(await journal.engine.read("stays", 0, 1000)) == 100


class Failing:
    """A connection to the journal of which one statement fails, as on a full disk."""

    def __init__(self, db: sqlite3.Connection, statement: str) -> None:
        self._db, self._statement = db, statement

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def execute(self, query: str, *values: Any) -> sqlite3.Cursor:
        if query.startswith(self._statement):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self._db.execute(query, *values)


async def test_a_room_that_could_not_be_erased_is_still_there_and_a_file_cut_off_still_noticed(
    tmp_path: Path,
) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(said(1), said(2))
        log: Any = vars(journal.engine)["_log"]
        log._db = Failing(log._db, "COMMIT")
        with pytest.raises(StorageFailed):
            await journal.engine.erase(["main"])
        log._db = log._db._db
        assert journal.engine.lost() is None
        assert await journal.take(said(3)) == ["accepted"]
        assert [record.position for record in await journal.engine.read("main", 0, 9)] == [1, 2, 3]
        os.truncate(tmp_path / "orders.db-wal", 1024)
        lost = journal.engine.lost()
        assert lost is not None
        assert "cut off" in lost.message


async def test_what_cannot_be_written_again_is_overwritten_and_said_to_be_left(
    tmp_path: Path,
) -> None:
    secret = "between us"
    async with journal_of("sqlite", tmp_path) as journal:
        for first in range(0, 2000, 200):
            await journal.take(*(said(n, note=secret * 20) for n in range(first, first + 200)))
        log: Any = vars(journal.engine)["_log"]
        log._db = Failing(log._db, "VACUUM")
        left = await journal.engine.erase(["main"])
        assert left is not None
        assert (left.code, "end any room" in left.message) == ("storage_full", True)
        log._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert holding(tmp_path, secret) == []


async def test_while_somebody_reads_what_is_erased_stays_and_to_cut_it_off_later_is_no_loss(
    tmp_path: Path,
) -> None:
    async with journal_of("sqlite", tmp_path) as journal:
        await journal.take(*(said(n, note="x" * 2000) for n in range(200)))
        engine: Any = journal.engine
        log = engine._log
        await engine._writer.call(lambda: log._db.execute("PRAGMA wal_checkpoint"))
        assert engine.lost() is None
        with closing(sqlite3.connect(tmp_path / "orders.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM records").fetchone()
            await engine._writer.call(lambda: log._db.execute("PRAGMA busy_timeout = 10"))
            left = await engine.erase(["main"])
            assert left is not None
            assert "it is being read" in left.message
            assert engine.lost() is None
        await engine._writer.call(lambda: log._db.execute("PRAGMA wal_checkpoint"))
        assert (tmp_path / "orders.db").stat().st_size < 200_000
        assert engine.lost() is None


def holding(folder: Path, text: str) -> list[str]:
    """The files in which a text stands."""
    return [file.name for file in folder.iterdir() if text.encode() in file.read_bytes()]


class Stuck:
    """A connection of which SQLite's locks cannot be had; it counts how often that is tried."""

    in_transaction = False

    def __init__(self) -> None:
        self.tried = 0

    def execute(self, _query: str) -> None:
        self.tried += 1
        error = sqlite3.OperationalError("locking protocol")
        error.sqlite_errorcode = sqlite3.SQLITE_PROTOCOL
        raise error


async def test_locks_that_cannot_be_had_any_more_are_not_waited_for_again(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "orders.db")
    await engine.open()
    await engine.append([said(1)])
    kept, stuck = engine._log._db, Stuck()
    engine._log._db = stuck  # type: ignore[assignment]
    for _ in range(2):
        (answer,) = await engine.append([said(2)])
        assert isinstance(answer, StorageFailed)
        assert answer.code == "journal_lost"
    assert stuck.tried == 1
    with pytest.raises(StorageFailed, match="Start the server again"):
        await engine.read("main", 0, 10)
    assert (await engine.probe()) is engine.lost() is not None
    engine._log._db = kept
    await engine.close()


async def test_a_lock_that_cannot_be_written_locks_nothing_and_is_refused(tmp_path: Path) -> None:
    (tmp_path / "orders.db.lock").touch(mode=0o444)
    with pytest.raises(Exception, match="cannot be used"):
        await SqliteEngine(tmp_path / "orders.db").open()


def test_views_differ_in_when_they_fold_and_not_in_how() -> None:
    own = {name for view in View.__subclasses__() for name in vars(view)}
    assert not own & {"tidy", "catch_up", "_step", "_begin", "_save_markers", "add", "forget"}

"""What every engine promises, asked of each: order, duplicates, projections, queues, reopening.

Nothing here waits for a clock but leases of a fraction of a second; what happens in the
background is asked for until it is there.
"""

import asyncio
import contextlib
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orders.broker.queue import Entry, Queue, State
from orders.broker.records import Kind, Record, control
from orders.broker.room_state import Member, RoomState, Summary
from orders.domain.envelope import Event, id_text
from orders.errors import StorageFailed
from orders.journal.base import Engine, Filter, Outcome
from orders.journal.sqlite import engine as sqlite_engine
from orders.journal.sqlite.engine import SqliteEngine
from orders.journal.sqlite.ids import IdIndex
from tests.jetstream.server import running
from tests.nats_servers import Nats, required
from tests.transports import Nobody
from tests.wire import until

ACCEPTED, DUPLICATE, CONFLICT = "accepted", Outcome.DUPLICATE, Outcome.CONFLICT
EVERYTHING = Filter()
ALL = 10_000
FAR = 10**9  # a position behind everything


def said(
    number: int = 0,
    *,
    id: str = "",
    type: str = "tick",
    source: str = "alice",
    mode: str = "relay",
    room: str = "main",
    at: int = 17,
    **data: Any,
) -> Record:
    """An event that `source` said, not yet in any journal."""
    event = Event(
        id=id or str(uuid.uuid4()),
        type=type,
        created="1",
        source=source,
        data=data or {"n": number},
    )
    body = event.to_json()
    return Record(
        room=room,
        kind=Kind.EVENT,
        at=at,
        body=body,
        key=event.key,
        type=type,
        source=source,
        mode=mode,
        event=event,
    )


def work(number: int, source: str = "alice", type: str = "work") -> Record:
    return said(number, type=type, source=source, mode="queue")


def joined(name: str, room: str = "main") -> Record:
    return control(
        room, Kind.JOINED, 1, name=name, types=["*"], ack="auto", echo=True, after=None, was=None
    )


def left(name: str, room: str = "main") -> Record:
    return control(room, Kind.LEFT, 1, name=name, last=0)


def copy(record: Record) -> Record:
    """The same record once more, as if it came over the wire again."""
    return replace(record, position=0, node="")


def numbers(records: list[Record]) -> list[int]:
    return [record.parsed().data["n"] for record in records if record.kind is Kind.EVENT]


@dataclass(frozen=True)
class Claimed:
    """An event that was handed to somebody, and how it stands in its queue."""

    record: Record
    entry: Entry


class Journal:
    """An engine, and how to open it again.

    It does what a node does: it enters the rooms it uses, folds what is stored, and claims what
    waits in queues by records.
    """

    ROOMS = ("main", "other", "new")

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self.engine = make()
        self.states: list[RoomState] = []  # as they were when it was opened
        self.rooms: dict[str, RoomState] = {}  # as they are now

    async def open(self) -> None:
        self.engine.callbacks = Nobody()
        self.states = await self.engine.open()
        if self.engine.shared:
            entered = [await self.engine.enter(room, begin=False) for room in self.ROOMS]
            self.states = [
                state for state in entered if state is not None and (state.head or state.epoch > 1)
            ]
        self.rooms = {state.name: deepcopy(state) for state in self.states}

    async def reopen(self) -> None:
        await self.engine.close()
        self.engine = self._make()
        await self.open()

    def state(self, room: str = "main") -> RoomState:
        """What was remembered of a room when it was opened."""
        (state,) = [state for state in self.states if state.name == room]
        return state

    def room(self, room: str = "main") -> RoomState:
        """The fold of all that is stored of a room."""
        return self.rooms.setdefault(room, RoomState(room))

    @property
    def queue(self) -> Queue:
        return self.room().queue

    async def take(self, *records: Record) -> list[Any]:
        """Store records, and wait until they are true; the answers, positions as ACCEPTED."""
        if self.engine.shared:
            for room in {record.room: None for record in records}:
                entered = await self.engine.enter(room, begin=True)
                if room not in self.rooms and entered is not None:
                    self.rooms[room] = deepcopy(entered)
        answers = await self.engine.append(records)
        stored = [r for r, answer in zip(records, answers, strict=True) if isinstance(answer, int)]
        assert [record.position for record in stored] == [a for a in answers if isinstance(a, int)]
        if self.engine.shared:
            missing = {id(record) for record in stored}

            async def arrived() -> bool:
                for record in self.engine.arrived():
                    missing.discard(id(record))
                    self._apply(record)
                return not missing

            await until(arrived, "what was stored arrives, as the very objects that were given")
        else:
            for record in stored:
                self._apply(record)
        return [ACCEPTED if isinstance(answer, int) else answer for answer in answers]

    def _apply(self, record: Record) -> None:
        state = self.room(record.room)
        state.apply(record)
        if record.kind is Kind.RESET:
            self.rooms[record.room] = state.next_epoch()

    async def claim(
        self, name: str = "bob", lease: float | None = 30.0, type: str = "work", upto: int = FAR
    ) -> Claimed | None:
        """Hand the oldest ready event to somebody; None if there is none for it."""
        for entry in self.queue.oldest(1_000, (State.READY,)):
            if entry.type == type and entry.source != name and entry.position <= upto:
                record = entry.record or await self.engine.find("main", entry.key)
                assert record is not None
                attempt = entry.attempt + 1
                await self.tell(entry, Kind.HANDED, name=name, attempt=attempt, lease=lease)
                return Claimed(record, entry)
        return None

    async def tell(self, entry: Entry, kind: Kind, **data: object) -> Any:
        """Store a record about a queued event: the answer."""
        (answer,) = await self.take(entry.say("main", kind, 1, **data))
        return answer

    async def give_back(self, entry: Entry, reason: str) -> None:
        """Ready again, or a dead letter after the last attempt."""
        if entry.attempt >= MAX_ATTEMPTS:
            await self.tell(entry, Kind.DEAD, attempts=entry.attempt, reason=reason)
        else:
            await self.tell(entry, Kind.RELEASED, name=entry.name, reason=reason)

    async def recover(self) -> None:
        """Nobody holds anything any more, as after a start."""
        for entry in list(self.queue.held.values()):
            await self.give_back(entry, "the server was restarted")

    async def log(self, **wanted: Any) -> list[int]:
        """The numbers of all events, read page by page."""
        found, after = [], 0
        while True:
            page = await self.engine.page("main", Filter(**wanted), 3, after=after)
            found += numbers(page.events)
            if page.more is None:
                return found
            last = await self.engine.find("main", page.more)
            assert last is not None
            after = last.position


MAX_ATTEMPTS = 2


@contextlib.asynccontextmanager
async def journal_of(kind: str, directory: Path) -> AsyncIterator[Journal]:
    """A new journal, open."""
    async with contextlib.AsyncExitStack() as stack:
        if kind == "memory":
            journal = Journal(SqliteEngine)
        elif kind == "sqlite":
            journal = Journal(lambda: SqliteEngine(directory / "orders.db"))
        else:
            required()
            from orders.journal.nats import NatsEngine

            if kind == "nats":
                url = stack.enter_context(Nats(directory / "nats")).url
            else:
                url = await stack.enter_async_context(running())
            journal = Journal(lambda: NatsEngine([url], synced=True))
        await journal.open()
        yield journal
        await journal.engine.close()


@pytest.fixture(params=["memory", "sqlite", "nats", "model of nats"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal of each kind."""
    async with journal_of(request.param, tmp_path) as journal:
        yield journal


@pytest.fixture(params=["sqlite", "nats", "model of nats"])
async def durable(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal that outlives its process."""
    async with journal_of(request.param, tmp_path) as journal:
        assert journal.engine.durable
        yield journal


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal in a file, for what is true of files."""
    async with journal_of("sqlite", tmp_path) as journal:
        yield journal


# ── order ───────────────────────────────────────────────────────────────────────────────────────


async def test_records_of_every_kind_get_ascending_positions_in_the_order_of_append(
    journal: Journal,
) -> None:
    batch = [
        said(1),
        joined("bob"),
        said(2),
        control("main", Kind.MODES, 2, modes={}, changes={}),
        said(3),
    ]
    assert await journal.take(*batch[:2]) == [ACCEPTED] * 2
    assert await journal.take(*batch[2:]) == [ACCEPTED] * 3
    assert [record.position for record in batch] == [1, 2, 3, 4, 5]
    read = await journal.engine.read("main", 0, ALL)
    assert [(r.position, r.kind, r.at, r.body) for r in read] == [
        (r.position, r.kind, r.at, r.body) for r in batch
    ]


async def test_rooms_share_no_positions_and_no_ids(journal: Journal) -> None:
    here = said(1)
    there = said(1, id=id_text(here.key), room="other", source="bob")
    assert await journal.take(here, there, said(2)) == [ACCEPTED] * 3
    assert (here.position, there.position) == (1, 1)
    assert numbers(await journal.engine.read("other", 0, ALL)) == [1]


async def test_a_reader_takes_pages_and_none_is_left_out_or_comes_twice(journal: Journal) -> None:
    await journal.take(*(said(n) for n in range(25)))
    found: list[int] = []
    position = 0
    while page := await journal.engine.read("main", position, 7):
        assert len(page) <= 7
        found += numbers(page)
        position = page[-1].position
    assert found == list(range(25))


async def test_what_is_read_at_once_is_bounded_in_bytes_but_never_empty_before_the_end(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.journal.base.MOST_BYTES", 1000)
    await journal.take(*(said(note="x" * 700) for _ in range(5)))
    first = await journal.engine.read("main", 0, ALL)
    assert len(first) == 2
    assert len(await journal.engine.read("main", 4, ALL)) == 1
    page = await journal.engine.page("main", EVERYTHING, ALL)
    assert (len(page.events), page.more) == (2, page.events[-1].key)


async def test_reads_run_while_appends_do_and_see_a_beginning_of_the_log(journal: Journal) -> None:
    async def write() -> None:
        for start in range(0, 400, 20):
            await journal.take(*(said(n) for n in range(start, start + 20)))

    writing = asyncio.create_task(write())
    seen: list[int] = []
    while len(seen) < 400:
        seen = numbers(await journal.engine.read("main", 0, ALL))
        assert seen == list(range(len(seen)))
        await asyncio.sleep(0)
    await writing


async def test_a_room_that_nobody_wrote_to_is_empty(journal: Journal) -> None:
    engine = journal.engine
    assert await engine.read("nowhere", 0, ALL) == []
    assert (await engine.page("nowhere", EVERYTHING, 5)).events == []
    assert await engine.find("nowhere", said().key) is None
    assert await engine.orders("nowhere", None, 5) == []
    assert await engine.controls("nowhere", 0) == []


# ── duplicates ──────────────────────────────────────────────────────────────────────────────────


async def test_the_same_event_again_is_a_duplicate_and_another_under_its_id_a_conflict(
    journal: Journal,
) -> None:
    first = said(1)
    id = id_text(first.key)
    assert await journal.take(first) == [ACCEPTED]
    assert await journal.take(copy(first)) == [DUPLICATE]
    assert await journal.take(said(1, id=id.upper(), at=99)) == [DUPLICATE]
    assert await journal.take(said(2, id=id)) == [CONFLICT]
    assert await journal.take(said(1, id=id, source="mallory")) == [CONFLICT]
    assert await journal.take(said(1, id=id, type="other")) == [CONFLICT]
    assert await journal.log() == [1]


async def test_within_one_batch_the_first_counts(journal: Journal) -> None:
    first = said(1)
    id = id_text(first.key)
    batch = [first, copy(first), said(2, id=id), said(3), copy(first)]
    assert await journal.take(*batch) == [ACCEPTED, DUPLICATE, CONFLICT, ACCEPTED, DUPLICATE]
    assert await journal.log() == [1, 3]
    assert batch[3].position == 2


async def test_a_duplicate_changes_no_order_and_is_not_queued_again(journal: Journal) -> None:
    event = said(type="order_placed", mode="queue", item="tea")
    await journal.take(event)
    before = await journal.engine.orders("main", None, ALL)
    assert await journal.take(copy(event)) == [DUPLICATE]
    assert await journal.engine.orders("main", None, ALL) == before
    assert journal.queue.depths()["order_placed"]["ready"] == 1


async def test_ids_are_remembered_after_reopening(durable: Journal) -> None:
    first = said(1)
    id = id_text(first.key)
    await durable.take(first)
    await durable.reopen()
    assert await durable.take(copy(first), said(2, id=id), said(3)) == [
        DUPLICATE,
        CONFLICT,
        ACCEPTED,
    ]
    assert await durable.log() == [1, 3]


def moved_ids(path: Path) -> int:
    """How many ids are in the table."""
    db = sqlite3.connect(path)
    try:
        return int(db.execute("SELECT count(*) FROM ids").fetchone()[0])
    finally:
        db.close()


async def all_moved(path: Path, count: int) -> None:
    async def moved() -> bool:
        return moved_ids(path) >= count

    await until(moved, f"{count} ids are in the table")


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_ids_are_remembered_once_they_moved_to_the_table_and_after_reopening_then(
    sqlite: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(IdIndex, "waiting_when_idle", 0)
    monkeypatch.setattr(IdIndex, "slice", size)
    early, late = [said(n) for n in range(7)], [said(n) for n in range(7, 10)]
    await sqlite.take(*early)
    await all_moved(tmp_path / "orders.db", 7)
    monkeypatch.setattr(IdIndex, "waiting_when_idle", 1_000)
    await sqlite.take(*late)
    for _ in range(2):
        for event in (*early, *late):
            conflict = said(-1, id=id_text(event.key))
            assert await sqlite.take(copy(event), conflict) == [DUPLICATE, CONFLICT]
            found = await sqlite.engine.find("main", event.key)
            assert found is not None
            assert found.body == event.body
        assert await sqlite.log() == list(range(10))
        await sqlite.reopen()


async def test_ids_move_between_batches_when_too_many_wait(
    sqlite: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IdIndex, "waiting_at_most", 5)
    monkeypatch.setattr(IdIndex, "slice", 4)
    events = [said(n) for n in range(60)]
    for event in events:
        assert await sqlite.take(event) == [ACCEPTED]
    assert moved_ids(tmp_path / "orders.db") > 0
    for event in events:
        assert await sqlite.take(copy(event)) == [DUPLICATE]


@pytest.mark.parametrize("batch", [1, 3, 25])
async def test_ids_move_in_step_with_what_comes_in_however_large_the_batches_are(
    sqlite: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(IdIndex, "waiting_at_most", 200)
    monkeypatch.setattr(IdIndex, "slice", 8)
    monkeypatch.setattr(sqlite_engine, "IDLE", 60)  # so that it is always busy
    moved, moves = 0, []
    for start in range(0, 900, batch):
        assert set(await sqlite.take(*map(said, range(start, start + batch)))) == {ACCEPTED}
        now = moved_ids(tmp_path / "orders.db")
        moves.append(now - moved)
        moved = now
    assert moved > 500, "what waits is bounded"
    # what follows a batch is seen with it or with the next, so two slices may be seen at once
    assert max(moves) < 2 * (8 + 2 * batch), "and no batch waits for many ids to move"


async def test_ids_of_several_rooms_and_epochs_move_and_stay_apart(
    sqlite: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IdIndex, "waiting_when_idle", 0)
    monkeypatch.setattr(IdIndex, "slice", 2)
    here = [said(n) for n in range(5)]
    there = [said(n, id=id_text(event.key), room="other") for n, event in enumerate(here)]
    await sqlite.take(*here, *there)
    await all_moved(tmp_path / "orders.db", 10)
    await sqlite.take(control("main", Kind.RESET, 1))
    assert await sqlite.take(*map(copy, here)) == [ACCEPTED] * 5
    await all_moved(tmp_path / "orders.db", 15)
    assert await sqlite.take(*map(copy, there)) == [DUPLICATE] * 5
    assert await sqlite.take(*map(copy, here)) == [DUPLICATE] * 5


async def test_an_event_that_is_just_being_stored_is_found_or_not_but_never_another(
    durable: Journal,
) -> None:
    """The reader asks while the writer is at it."""
    for number in range(30):
        event = said(number)
        writing = asyncio.create_task(durable.take(event))
        while not writing.done():
            found = await durable.engine.find("main", event.key)
            assert found is None or found.body == event.body
            await asyncio.sleep(0)
        found = await durable.engine.find("main", event.key)
        assert found is not None


# ── projections: orders and rooms ───────────────────────────────────────────────────────────────


async def standing(journal: Journal, customer: str | None = None) -> list[tuple[str, Any, str]]:
    orders = await journal.engine.orders("main", customer, ALL)
    return [(order.customer, order.id, order.state) for order in orders]


def placed(number: object, source: str = "alice", id: str = "") -> Record:
    return _order("order_placed", source, id, {"id": number})


def answered(kind: str, number: object, source: str = "bob", **data: Any) -> Record:
    return _order(f"order_{kind}", source, "", {"id": number, **data})


def _order(type: str, source: str, id: str, data: dict[str, Any]) -> Record:
    event = Event(id=id or str(uuid.uuid4()), type=type, created="1", source=source, data=data)
    return Record(
        room="main",
        kind=Kind.EVENT,
        at=1000,
        body=event.to_json(),
        key=event.key,
        type=type,
        source=source,
        mode="relay",
        event=event,
    )


async def test_where_each_order_stands_follows_from_the_events_in_their_order(
    journal: Journal,
) -> None:
    await journal.take(placed(1), placed(1, "carol"), placed(2), answered("confirmed", 1))
    assert await standing(journal) == [
        ("alice", 1, "confirmed"),
        ("carol", 1, "placed"),
        ("alice", 2, "placed"),
    ]
    await journal.take(answered("rejected", 2, customer="alice", reason="no", message="No."))
    await journal.take(answered("confirmed", 1, customer="carol"))
    assert await standing(journal) == [
        ("alice", 1, "confirmed"),
        ("carol", 1, "confirmed"),
        ("alice", 2, "rejected"),
    ]
    assert await standing(journal, "carol") == [("carol", 1, "confirmed")]


async def test_the_newest_orders_come_oldest_first_and_one_placed_again_is_the_newest(
    journal: Journal,
) -> None:
    await journal.take(*(placed(n) for n in range(1, 6)))
    newest = await journal.engine.orders("main", None, 3)
    assert [order.id for order in newest] == [3, 4, 5]
    await journal.take(answered("rejected", 4, customer="alice"), placed(4))
    newest = await journal.engine.orders("main", None, 3)
    assert [order.id for order in newest] == [3, 5, 4]


async def test_orders_of_a_customer_in_every_state_come_in_the_order_of_their_placing(
    journal: Journal,
) -> None:
    await journal.take(*(placed(n) for n in range(1, 7)), placed(9, "carol"))
    for number, kind in ((2, "confirmed"), (3, "rejected"), (5, "confirmed"), (6, "rejected")):
        await journal.take(answered(kind, number, customer="alice"))

    async def found(limit: int, state: str | None = None) -> list[Any]:
        return [one.id for one in await journal.engine.orders("main", "alice", limit, state)]

    assert await found(ALL) == [1, 2, 3, 4, 5, 6]
    assert await found(4) == [3, 4, 5, 6], "the newest of all states"
    assert await found(ALL, "confirmed") == [2, 5]
    assert await found(1, "rejected") == [6]
    assert await found(ALL, "forgotten") == []


async def test_an_answer_without_a_customer_is_for_the_oldest_pending_order(
    journal: Journal,
) -> None:
    await journal.take(placed(5, "carol"), placed(5, "alice"), answered("confirmed", 5))
    assert await standing(journal) == [("carol", 5, "confirmed"), ("alice", 5, "placed")]


STRANGE: list[Any] = [
    None, True, False, 0, -1, 1.5, "5", "", "x" * 5000, [], [1, [2]], {}, {"a": None}, "\u202e",
    2**53,
]  # fmt: skip


async def test_no_shape_of_an_orders_data_makes_an_append_fail(journal: Journal) -> None:
    fields = ("id", "item", "quantity", "note", "customer", "event", "reason", "message")
    for value in STRANGE:
        for type in ("order_placed", "order_confirmed", "order_rejected"):
            all_at_once = _order(type, "alice", "", dict.fromkeys(fields, value))
            one_by_one = [_order(type, "alice", "", {"id": 5, field: value}) for field in fields]
            batch = [all_at_once, *one_by_one]
            assert await journal.take(*batch) == [ACCEPTED] * len(batch)
    orders = await journal.engine.orders("main", None, ALL)
    assert orders
    json.loads(b"[" + b",".join(order.to_json() for order in orders) + b"]")


async def test_rooms_modes_orders_and_counts_are_as_they_were_after_reopening(
    durable: Journal,
) -> None:
    last = placed(2)
    modes = {"*": "pubsub", "work": "queue"}
    await durable.take(
        placed(1),
        control("main", Kind.MODES, 2, modes=modes, changes=modes),
        joined("x", "other"),
        last,
    )
    orders = await durable.engine.orders("main", None, ALL)
    await durable.reopen()
    state = durable.state()
    assert (state.modes, state.paused, state.events) == (modes, False, 2)
    assert (state.head, state.cursor, state.last) == (3, 3, id_text(last.key))
    assert durable.state("other").events == 0
    assert await durable.engine.orders("main", None, ALL) == orders


async def test_a_paused_room_holds_the_same_events_after_reopening(durable: Journal) -> None:
    pause = control("main", Kind.PAUSED, 1, paused=True)
    first = said(1)
    await durable.take(said(0), pause, first, said(2))
    await durable.reopen()
    assert (durable.state().paused, durable.state().cursor) == (True, pause.position)
    await durable.take(copy(pause))  # paused twice: what is held stays held
    stepped = control("main", Kind.STEPPED, 1, event=id_text(first.key))
    stepped.key, stepped.about = first.key, first.position
    await durable.reopen()
    assert durable.state().cursor == pause.position
    await durable.take(stepped)
    await durable.reopen()
    assert (durable.state().paused, durable.state().cursor) == (True, first.position)
    await durable.take(control("main", Kind.PAUSED, 1, paused=False))
    await durable.reopen()
    assert (durable.state().paused, durable.state().cursor) == (False, durable.state().head)


# ── a failed append ─────────────────────────────────────────────────────────────────────────────


class Full:
    """The disk of a journal is full, as far as SQLite can tell, until `free`."""

    def __init__(self, engine: Engine) -> None:
        assert isinstance(engine, SqliteEngine)
        self._engine = engine

    async def fill(self) -> None:
        await self._set("(SELECT page_count FROM pragma_page_count)")

    async def free(self) -> None:
        await self._set("4294967294")

    async def _set(self, most: str) -> None:
        db = self._engine._db

        def pragma() -> None:
            (pages,) = db.execute(f"SELECT {most}").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages}")

        await self._engine._writer.call(pragma)


async def snapshot(journal: Journal) -> Any:
    engine = journal.engine
    return (
        [(r.position, r.body) for r in await engine.read("main", 0, ALL)],
        [(r.position, r.body) for r in await engine.read("new", 0, ALL)],
        await engine.orders("main", None, ALL),
        [view.waiting for view in engine._log.views],  # type: ignore[attr-defined]
    )


async def test_a_failed_append_leaves_nothing_behind_and_can_be_repeated(sqlite: Journal) -> None:
    await sqlite.take(placed(1), work(1))
    before = await snapshot(sqlite)
    disk = Full(sqlite.engine)
    await disk.fill()
    big = [said(note="x" * 60_000) for _ in range(3)]
    batch = [
        *big,
        placed(2),
        answered("confirmed", 1),
        work(2),
        said(1, room="new"),
        control("main", Kind.MODES, 1, modes={}, changes={"*": "queue"}),
        control("main", Kind.RESET, 1),
        said(9),
    ]
    answers = await sqlite.take(*batch)
    assert [getattr(answer, "code", answer) for answer in answers] == ["storage_full"] * len(batch)
    assert all(isinstance(answer, StorageFailed) for answer in answers)
    assert await snapshot(sqlite) == before
    assert await sqlite.engine.find("main", big[0].key) is None
    await disk.free()
    assert await sqlite.engine.probe() is None
    again = [copy(record) for record in batch]
    assert await sqlite.take(*again) == [ACCEPTED] * len(batch)
    assert numbers(await sqlite.engine.read("new", 0, ALL)) == [1]
    assert await sqlite.log() == [9], "the reset went through this time"
    await sqlite.reopen()
    assert sqlite.state().modes == {"*": "queue"}
    assert sqlite.state().events == 1


async def test_after_a_failed_append_reading_goes_on_and_forgetting_does_no_harm(
    sqlite: Journal,
) -> None:
    await sqlite.take(said(1), joined("bob", "other"))
    disk = Full(sqlite.engine)
    await disk.fill()
    answers = await sqlite.take(*(said(note="x" * 60_000) for _ in range(3)))
    assert answers[0].code == "storage_full"
    await sqlite.engine.forget("other")
    assert await sqlite.log() == [1]
    await disk.free()
    assert await sqlite.take(said(2)) == [ACCEPTED]
    assert await sqlite.log() == [1, 2]


# ── reset and forget ────────────────────────────────────────────────────────────────────────────


async def test_a_reset_begins_again_log_ids_orders_and_queues(journal: Journal) -> None:
    event = said(1)
    modes = {"*": "pubsub"}
    await journal.take(
        event, placed(1), work(1), control("main", Kind.MODES, 1, modes=modes, changes=modes)
    )
    taken = await journal.claim()
    assert taken is not None
    again = copy(event)
    assert await journal.take(control("main", Kind.RESET, 2), again) == [ACCEPTED, ACCEPTED]
    assert again.position == 1
    assert await journal.log() == [1]
    assert await journal.engine.orders("main", None, ALL) == []
    assert journal.queue.depths() == {}
    assert journal.queue.entries == {}
    assert await journal.claim() is None


async def test_the_new_epoch_is_the_room_after_reopening_with_the_modes_it_had(
    durable: Journal,
) -> None:
    modes = {"*": "pubsub"}
    await durable.take(said(1), control("main", Kind.MODES, 1, modes=modes, changes=modes))
    await durable.take(control("main", Kind.PAUSED, 1, paused=True))
    await durable.take(control("main", Kind.RESET, 2))
    await durable.reopen()
    state = durable.state()
    assert (state.modes, state.paused, state.events) == (modes, False, 0)
    assert (state.head, state.last) == (0, None)
    await durable.take(said(2), control("main", Kind.RESET, 3), said(3))
    await durable.reopen()
    assert await durable.log() == [3]


async def test_what_is_told_late_of_an_event_before_a_reset_touches_none_after_it(
    durable: Journal,
) -> None:
    await durable.take(work(1))
    taken = await durable.claim()
    assert taken is not None
    await durable.take(control("main", Kind.RESET, 2), work(2))
    late = taken.entry.say("main", Kind.SETTLED, 3, name="bob")
    late.expected = 0 if durable.engine.shared else late.expected
    await durable.take(late)
    await durable.reopen()
    again = await durable.claim()
    assert again is not None
    assert numbers([again.record]) == [2]


async def test_a_room_without_events_is_forgotten_with_all_it_had(journal: Journal) -> None:
    await journal.take(
        joined("bob", "other"),
        control("other", Kind.MODES, 1, modes={}, changes={"*": "queue"}),
        left("bob", "other"),
    )
    await journal.engine.forget("other")
    await journal.engine.forget("never")
    assert await journal.engine.read("other", 0, ALL) == []
    late = said(1, room="other")
    assert await journal.take(late) == [ACCEPTED]
    assert late.position == 1 or journal.engine.shared


async def test_a_forgotten_room_is_not_there_after_reopening(durable: Journal) -> None:
    await durable.take(said(1), joined("bob", "other"), left("bob", "other"))
    await durable.engine.forget("other")
    await durable.reopen()
    assert [state.name for state in durable.states] == ["main"]


async def test_a_room_that_was_reset_and_then_forgotten_does_not_come_back(
    durable: Journal,
) -> None:
    secret = said(1, room="other")
    bob = joined("bob", "other"), left("bob", "other")
    await durable.take(secret, control("other", Kind.RESET, 1), *bob)
    await durable.engine.forget("other")
    await durable.reopen()
    assert durable.states == []
    assert await durable.take(joined("bob", "other"), copy(secret)) == [ACCEPTED] * 2
    await durable.reopen()
    assert durable.state("other").events == 1


async def test_a_room_with_events_is_never_forgotten(durable: Journal) -> None:
    await durable.take(said(1))
    await durable.engine.forget("main")
    assert await durable.log() == [1]


# ── pages, find and story ───────────────────────────────────────────────────────────────────────


@pytest.fixture
async def long(journal: Journal) -> Journal:
    """Ten events among control records."""
    for number in range(10):
        type, source = ("even", "alice") if number % 2 == 0 else ("odd", "bob")
        note: dict[str, Any] = {
            "n": number,
            "note": f"Grüße Nr. {number} {'ÄPFEL' if number > 7 else ''}",
        }
        await journal.take(joined(f"p{number}"), said(type=type, source=source, **note))
    return journal


async def pages(journal: Journal, wanted: Filter, limit: int, backwards: bool) -> list[list[int]]:
    """The numbers on each page, in the order in which the pages are read."""
    found = []
    position: int | None = None
    while True:
        ends: dict[str, Any] = {"before": FAR if position is None else position}
        if not backwards:
            ends = {"after": position or 0}
        page = await journal.engine.page("main", wanted, limit, **ends)
        found.append(numbers(page.events))
        if page.more is None:
            return found
        last = await journal.engine.find("main", page.more)
        assert last is not None
        position = last.position


async def test_pages_go_forwards_and_backwards_each_oldest_first(long: Journal) -> None:
    forwards = await pages(long, EVERYTHING, 4, backwards=False)
    assert forwards == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    backwards = await pages(long, EVERYTHING, 4, backwards=True)
    assert backwards == [[6, 7, 8, 9], [2, 3, 4, 5], [0, 1]]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 10, 11])
@pytest.mark.parametrize("backwards", [False, True])
async def test_pages_of_any_size_hold_each_event_once_and_only_a_filtered_last_one_is_empty(
    long: Journal, limit: int, backwards: bool
) -> None:
    found = await pages(long, EVERYTHING, limit, backwards)
    assert sorted(number for page in found for number in page) == list(range(10))
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1]
    found = await pages(long, Filter(type="odd"), limit, backwards)
    assert sorted(number for page in found for number in page) == [1, 3, 5, 7, 9]
    assert all(found[:-1])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"type": "odd"}, [1, 3, 5, 7, 9]),
        ({"source": "alice"}, [0, 2, 4, 6, 8]),
        ({"type": "odd", "source": "alice"}, []),
        ({"text": "nr. 3"}, [3]),
        ({"text": "äpfel"}, [8, 9]),
        ({"text": "GRÜSSE"}, []),
        ({"text": "grüße"}, list(range(10))),
        ({"text": "%"}, []),
        ({"text": "äpfel", "type": "odd"}, [9]),
        ({"text": '"source":"bob"'}, [1, 3, 5, 7, 9]),
        ({"type": "od"}, []),
    ],
)
async def test_a_log_is_filtered_by_exact_type_and_source_and_by_text_anywhere(
    long: Journal, wanted: dict[str, str], expected: list[int]
) -> None:
    assert await long.log(**wanted) == expected


async def test_an_event_is_found_by_its_id_and_by_nothing_else(journal: Journal) -> None:
    events = [said(n) for n in range(3)]
    await journal.take(joined("x"), *events)
    for event in events:
        found = await journal.engine.find("main", event.key)
        assert found is not None
        assert (found.body, found.position) == (event.body, event.position)
        assert (found.mode, found.type, found.source) == ("relay", "tick", "alice")
    assert await journal.engine.find("main", said().key) is None
    assert await journal.engine.find("other", events[0].key) is None


async def test_an_event_is_explained_by_who_was_there_and_by_what_was_said_about_it(
    journal: Journal,
) -> None:
    mine, other = work(1), work(2)
    await journal.take(joined("bob"), mine, other)
    for name in ("bob", "carol"):
        claimed = await journal.claim(name)
        assert claimed is not None
        assert await journal.tell(claimed.entry, Kind.SETTLED, name=name) == ACCEPTED
    await journal.take(
        control("main", Kind.SUBSCRIBED, 4, name="bob", types=[]),
        control("main", Kind.MODES, 4, modes={}, changes={}),
        control("main", Kind.PAUSED, 4, paused=True),
        control("main", Kind.LEFT, 5, name="bob", last=9),
        said(3),
    )
    controls = await journal.engine.controls("main", mine.position)
    assert [(r.kind, r.data.get("name")) for r in controls if r.kind is not Kind.EVENT] == [
        ("joined", "bob"),
        ("handed", "bob"),
        ("settled", "bob"),
        ("subscribed", "bob"),
        ("paused", None),
        ("left", "bob"),
    ]
    assert [r.position for r in controls] == sorted(r.position for r in controls)


# ── queues ──────────────────────────────────────────────────────────────────────────────────────


async def test_only_events_accepted_in_queue_mode_can_be_claimed_each_by_one(
    journal: Journal,
) -> None:
    await journal.take(said(0, type="work"), work(1), work(2))
    first, second = await journal.claim(), await journal.claim("carol")
    assert first is not None
    assert second is not None
    assert numbers([first.record, second.record]) == [1, 2]
    assert (first.record.mode, first.entry.attempt) == ("queue", 1)
    assert await journal.claim("dave") is None
    assert journal.queue.depths() == {"work": {"ready": 0, "in_flight": 2, "dead": 0}}


async def test_none_is_claimed_by_its_sender_or_before_it_was_let_go(journal: Journal) -> None:
    event = work(1, source="bob")
    await journal.take(event)
    assert await journal.claim("bob") is None
    assert await journal.claim("carol", upto=event.position - 1) is None
    assert await journal.claim("carol", upto=event.position) is not None


async def test_what_is_claimed_without_a_lease_is_settled(journal: Journal) -> None:
    await journal.take(work(1))
    assert await journal.claim(lease=None) is not None
    assert journal.queue.depths()["work"] == {"ready": 0, "in_flight": 0, "dead": 0}


async def test_far_behind_in_a_long_queue_the_text_is_read_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.broker.queue.AT_HAND", 300)
    await journal.take(*(work(n) for n in range(6)))
    assert [entry.record is None for entry in journal.queue.entries.values()].count(True) >= 3
    claims = [await journal.claim() for _ in range(6)]
    assert numbers([claim.record for claim in claims if claim]) == list(range(6))


async def test_what_is_given_back_goes_to_another_until_it_is_a_dead_letter(
    journal: Journal,
) -> None:
    event = work(1)
    await journal.take(event)
    for attempt, name in ((1, "bob"), (2, "carol")):
        claimed = await journal.claim(name)
        assert claimed is not None
        assert (claimed.entry.attempt, claimed.entry.name) == (attempt, name)
        await journal.give_back(claimed.entry, f"the lease of {name} ran out")
    assert await journal.claim("dave") is None
    dead = journal.queue.dead(event.key)
    assert dead is not None
    assert (dead.key, dead.attempt, dead.reason) == (event.key, 2, "the lease of carol ran out")
    assert await journal.tell(dead, Kind.RETRIED) == ACCEPTED
    again = await journal.claim("dave")
    assert again is not None
    assert again.entry.attempt == 1


@contextlib.asynccontextmanager
async def two_engines() -> AsyncIterator[tuple[Any, Any]]:
    """Two on one journal, open; the test closes them."""
    required()
    from orders.journal.nats import NatsEngine

    async with running() as url:
        one, two = NatsEngine([url], patience=0.5), NatsEngine([url], patience=0.5)
        for engine in (one, two):
            engine.callbacks = Nobody()
            await engine.open()
        yield one, two


async def test_a_session_that_was_taken_over_keeps_its_name_until_it_is_let_in() -> None:
    async with two_engines() as (one, two):
        assert await one.take_name("main", "alice", "a-session-of-alice")
        await one.close()
        assert await two.take_over("main", "a-session-of-alice", (), ()) == "alice"
        # What says that it is here could not be stored; it comes again.
        assert await two.take_over("main", "a-session-of-alice", (), ()) == "alice"
        assert await two.take_over("main", "another-session", (), ()) is None
        await two.close()


class Left(Nobody):
    """A node whose participants have all left just now."""

    async def asked(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"name": request["name"]}


async def test_a_session_that_could_not_be_kept_on_its_way_keeps_its_name_on_either_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with two_engines() as (one, two):
        one.callbacks = two.callbacks = Left()
        one._membership._callbacks = two._membership._callbacks = Left()
        assert await one.take_name("main", "alice", "a-session-of-alice")

        async def keep_nothing(*_: object) -> None:
            raise StorageFailed("engine_unavailable", "Not now.")

        with monkeypatch.context() as patch:
            patch.setattr(two._membership, "keep", keep_nothing)
            with pytest.raises(StorageFailed):
                await two.take_over("main", "a-session-of-alice", (), ())
        assert await one.take_over("main", "a-session-of-alice", (), ()) == "alice"
        assert await two.take_over("main", "a-session-of-alice", (), ()) == "alice"
        await one.close()
        await two.close()


async def test_a_session_takes_no_name_that_is_somebody_elses_by_now() -> None:
    """The note of who has which name was purged, or another node was faster."""
    async with two_engines() as (one, two):
        one._membership._callbacks = Left()
        assert await one.take_name("main", "alice", "a-session-of-alice")
        await one._membership.free("main", "alice", one.node)
        other = Member("Alice", one.node, frozenset("*"), "auto", True, None, 0, 0, ["another"])
        asked = "main", "a-session-of-alice", ["alice's"]
        assert await two.take_over(*asked, [other]) is None
        _, revision = await two._membership._holder("main", "alice")
        assert await one.take_name("main", "alice", None)
        assert not await two._membership._hold("main", "alice", revision)
        assert await two.take_over(*asked, []) == "alice"
        await one.close()
        await two.close()


async def test_a_name_belongs_to_one_node_until_that_is_gone() -> None:
    async with two_engines() as (one, two):
        assert await one.take_name("main", "alice", None)
        assert not await two.take_name("main", "alice", None)
        await one._membership.free("main", "alice", one.node)
        assert await two.take_name("main", "alice", None)
        await one.close()
        await two.close()


def test_a_record_on_nats_that_is_not_as_it_was_written_is_named() -> None:
    required()
    from orders.journal.nats import subjects

    record = said(1)
    header = subjects.header(record, "node", 7)
    assert subjects.record("main", 3, header, record.body, "node").body == record.body
    for head, body in (
        (header, record.body.replace(b"1", b"2")),
        (header.replace("alice", "mallo"), record.body),
    ):
        with pytest.raises(StorageFailed, match="position 3") as failed:
            subjects.record("main", 3, head, body, "node")
        assert failed.value.code == "journal_damaged"


@pytest.mark.parametrize("kind", ["nats", "model of nats"])
async def test_where_nodes_share_a_journal_the_first_claim_wins_and_a_late_ack_settles_nothing(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await journal.take(work(1))
        (entry,) = journal.queue.entries.values()
        claims = [
            entry.say("main", Kind.HANDED, 1, name=name, attempt=1, lease=1.0)
            for name in ("bob", "carol", "dave")
        ]
        assert await journal.take(*claims) == [ACCEPTED, CONFLICT, CONFLICT]
        assert (entry.name, entry.attempt) == ("bob", 1)
        stale = entry.say("main", Kind.SETTLED, 1, name="bob")
        await journal.give_back(entry, "its server is gone")
        assert await journal.claim("carol") is not None
        assert await journal.take(stale) == [CONFLICT]
        assert (entry.state, entry.name, entry.attempt) == (State.HELD, "carol", 2)
        assert await journal.tell(entry, Kind.SETTLED, name="carol") == ACCEPTED
        assert journal.queue.entries == {}


async def claimed(journal: Journal, lease: float | None = 30.0) -> Entry:
    """The first event of the journal, and not the one behind it."""
    got = await journal.claim(upto=1, lease=lease)
    assert got is not None
    return got.entry


#: what happened to the first of two queued events → (ready, in flight, dead) after reopening, and
#: the attempt with which it comes again
Fate = Callable[[Journal], Awaitable[None]]


async def _waits(journal: Journal) -> None:
    pass


async def _held(journal: Journal) -> None:
    await claimed(journal)


async def _settled(journal: Journal) -> None:
    await journal.tell(await claimed(journal), Kind.SETTLED, name="bob")


async def _handed_for_good(journal: Journal) -> None:
    await claimed(journal, lease=None)


async def _released(journal: Journal) -> None:
    await journal.give_back(await claimed(journal), "busy")


async def _dead(journal: Journal) -> None:
    await _released(journal)
    await _released(journal)


async def _held_the_last_time(journal: Journal) -> None:
    await _released(journal)
    await _held(journal)


async def _retried(journal: Journal) -> None:
    await _dead(journal)
    (entry,) = journal.queue.oldest(1, (State.DEAD,))
    await journal.tell(entry, Kind.RETRIED)


async def _discarded(journal: Journal) -> None:
    await _dead(journal)
    (entry,) = journal.queue.oldest(1, (State.DEAD,))
    await journal.tell(entry, Kind.DISCARDED)


FATES: list[tuple[Fate, tuple[int, int, int], list[tuple[int, int]]]] = [
    (_waits, (2, 0, 0), [(1, 1), (2, 1)]),
    (_held, (2, 0, 0), [(1, 2), (2, 1)]),
    (_settled, (1, 0, 0), [(2, 1)]),
    (_handed_for_good, (1, 0, 0), [(2, 1)]),
    (_released, (2, 0, 0), [(1, 2), (2, 1)]),
    (_dead, (1, 0, 1), [(2, 1)]),
    (_held_the_last_time, (1, 0, 1), [(2, 1)]),
    (_retried, (2, 0, 0), [(1, 1), (2, 1)]),
    (_discarded, (1, 0, 0), [(2, 1)]),
]


@pytest.mark.parametrize(
    ("fate", "depths", "claims"), FATES, ids=lambda v: getattr(v, "__name__", "")
)
async def test_queues_attempts_and_dead_letters_are_as_they_were_after_reopening(
    durable: Journal, fate: Fate, depths: tuple[int, int, int], claims: list[tuple[int, int]]
) -> None:
    await durable.take(work(1))
    await fate(durable)
    await durable.take(work(2))
    before = as_told(durable.room())
    await durable.reopen()
    assert as_told(durable.state()) == before, "what is restored is the fold of all records"
    await durable.recover()
    assert tuple(durable.queue.depths()["work"].values()) == depths
    got = []
    while (claim := await durable.claim()) is not None:
        got.append((claim.record.parsed().data["n"], claim.entry.attempt))
    assert sorted(got) == claims, "no order is promised to what comes again"


def as_told(state: RoomState) -> dict[str, Any]:
    """All that a room is, to be compared; `last` of an entry counts where nodes share a journal."""
    entries = state.queue.entries.values()
    return {
        "row": [getattr(state, name) for name in Summary.__slots__],
        "members": [(m.name, m.types, m.ack, m.since, m.at) for m in state.members.values()],
        "queue": [(e.position, e.state, e.attempt, e.name, e.reason) for e in entries],
        "held": list(state.queue.held),
    }


async def test_a_dead_letter_keeps_its_reason_after_reopening(durable: Journal) -> None:
    await durable.take(work(1))
    await _dead(durable)
    await durable.reopen()
    (dead,) = durable.queue.oldest(9, (State.DEAD,))
    assert (dead.attempt, dead.reason) == (2, "busy")


async def test_an_event_of_which_nothing_was_said_yet_waits_after_reopening(
    durable: Journal,
) -> None:
    """As after a crash between the handing over and the commit of the record that says so."""
    await durable.take(work(1))
    await durable.reopen()
    assert await durable.claim() is not None


async def test_a_second_server_on_the_same_journal_is_refused_in_words(
    sqlite: Journal, tmp_path: Path
) -> None:
    second = SqliteEngine(tmp_path / "orders.db")
    with pytest.raises(Exception, match="in use by another Orders server"):
        await second.open()
    assert await sqlite.take(said(1)) == [ACCEPTED]

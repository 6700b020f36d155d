"""The journal in one SQLite file: one thread writes, and readers never wait for it."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from orders.broker.leases import Entry, Leases, State
from orders.broker.modes import Mode
from orders.broker.records import Kind, Record, RoomState
from orders.domain.orders import Order
from orders.errors import CannotStart, StorageFailed
from orders.journal.base import (
    MOST_SCANNED,
    Alone,
    Answer,
    Claimed,
    Filter,
    Outcome,
    Page,
    take_bytes,
    take_page,
)
from orders.journal.sqlite.id_index import MOST
from orders.journal.sqlite.order_table import Book
from orders.journal.sqlite.queries import QUERIES, SCHEMA
from orders.journal.sqlite.transaction import Transaction
from orders.journal.sqlite.writer import WriterThread

T = TypeVar("T")

APPLICATION_ID = 0x4F524452  # "ORDR": how a journal is told from somebody else's database
VERSION = 1
READERS = 2


class SqliteEngine(Alone):
    """An engine (see `base.Engine`) whose journal is the file `path`; accepted means synced."""

    durable = True

    def __init__(self, path: Path, max_attempts: int = 5) -> None:
        super().__init__()
        self._path = path
        self._max_attempts = max_attempts
        self._queues: dict[str, Leases] = {}
        self._local = threading.local()
        self._readers = ThreadPoolExecutor(READERS, "journal-reader")
        self._opened: list[sqlite3.Connection] = []

    # ── opening and closing ─────────────────────────────────────────────────────────────────

    async def open(self) -> list[RoomState]:
        self._lock = _lock(self._path)
        try:
            self._db = _open(self._path)
            self._store = Transaction(self._db)
            states = self._store.restore()
            for state in states:
                self._restore_queue(state.name)
        except sqlite3.Error as error:
            self._lock.close()
            raise CannotStart("bad_journal", _why(self._path, error)) from None
        except CannotStart:
            self._lock.close()
            raise
        self._writer = WriterThread(self._store.ids.tidy)
        self._writer.start()
        return states

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.stop)
        self._readers.shutdown()
        for connection in (*self._opened, self._db, self._lock):
            connection.close()

    def _restore_queue(self, room: str) -> None:
        key = self._store.rooms[room].key
        queue = self.queue(room)
        for position, state, attempt, reason, id, type, source in self._db.execute(
            QUERIES["queued"], (key,)
        ):
            queue.restore(
                Entry(room, position, id, type, source, State(state), attempt, reason=reason)
            )

    # ── writing ─────────────────────────────────────────────────────────────────────────────

    async def append(self, records: Sequence[Record]) -> list[Answer]:
        answers = await self._writer.call(lambda: self._store.append(records))
        for record, answer in zip(records, answers, strict=True):
            if answer is not Outcome.ACCEPTED:
                continue
            self._arrived.append(record)
            if record.mode == Mode.QUEUE:
                self.queue(record.room).add(record)
            elif record.kind is Kind.RESET:
                self._queues.pop(record.room, None)
        return answers

    async def probe(self) -> StorageFailed | None:
        return await self._writer.call(self._store.probe)

    async def forget(self, room: str) -> None:
        self._queues.pop(room, None)
        await self._writer.call(lambda: self._store.forget(room))

    # ── queues ──────────────────────────────────────────────────────────────────────────────

    def queue(self, room: str) -> Leases:
        queue = self._queues.get(room)
        if queue is None:
            queue = self._queues[room] = Leases(room, self._max_attempts)
        return queue

    async def claim(
        self, room: str, type: str, upto: int, name: str, holder: int, deadline: float | None
    ) -> Claimed | None:
        entry = self.queue(room).take(type, name, upto, holder, name, deadline)
        if entry is None:
            return None
        record = entry.record
        if record is None:
            record = (await self.read(room, entry.position - 1, 1))[0]
        return Claimed(record, entry)

    # ── reading ─────────────────────────────────────────────────────────────────────────────

    async def read(self, room: str, after: int, limit: int) -> list[Record]:
        row = self._store.rooms.get(room)
        if row is None:
            return []
        values = {"after": row.place(after), "end": row.place(MOST), "limit": limit}
        return await self._ask(
            lambda db: take_bytes(_each(room, db.execute(QUERIES["read_records"], values)))
        )

    async def page(
        self, room: str, wanted: Filter, limit: int, *, after: int = 0, before: int | None = None
    ) -> Page:
        row = self._store.rooms.get(room)
        if row is None:
            return Page([])
        scan = limit + 1 if wanted.is_open else MOST_SCANNED
        values = {"scan": scan, "start": row.place(0), "end": row.place(MOST)}
        if before is None:
            query, values["after"] = "events_after", row.place(after)
        else:
            query, values["before"] = "events_before", row.place(before)
        return await self._ask(
            lambda db: take_page(
                _each(room, db.execute(QUERIES[query], values)),
                wanted,
                limit,
                scan,
                before is not None,
            )
        )

    async def find(self, room: str, key: bytes) -> Record | None:
        row = self._store.rooms.get(room)
        if row is None:
            return None
        position = row.recent.get(key)
        if position is None:
            found = await self._ask(
                lambda db: db.execute(QUERIES["find_id"], (row.key, key)).fetchone()
            )
            if found is None:
                return None
            position = found[0]
        there = await self.read(room, position - 1, 1)  # nothing yet while it is being stored
        return next((r for r in there if r.kind is Kind.EVENT and r.key == key), None)

    async def story(self, room: str, about: int) -> list[Record]:
        row = self._store.rooms[room]
        values = {"start": row.place(0), "end": row.place(MOST), "about": about}
        return await self._ask(
            lambda db: list(_each(room, db.execute(QUERIES["controls"], values)))
        )

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        row = self._store.rooms.get(room)
        if row is None:
            return []
        values = {"room": row.key, "customer": customer, "state": state, "limit": limit}
        return await self._ask(
            lambda db: [
                Order.model_validate_json(body)
                for (body,) in db.execute(QUERIES["newest_orders"], values)
            ]
        )

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        row = self._store.rooms.get(room)
        if row is None:
            return None
        return await self._ask(lambda db: Book(db, row.key).get(customer, number))

    async def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Put a question to a reader's own connection, in a reader's thread."""

        def ask() -> T:
            db: sqlite3.Connection | None = getattr(self._local, "db", None)
            if db is None:
                db = self._local.db = _connect(self._path)
                db.execute("PRAGMA query_only = on")
                self._opened.append(db)
            return question(db)

        return await asyncio.get_running_loop().run_in_executor(self._readers, ask)


def _each(room: str, rows: sqlite3.Cursor) -> Iterator[Record]:
    for place, kind, at, key, about, type, source, mode, body in rows:
        yield Record(
            room, Kind(kind), at, body, key or b"", type, source, mode, about, place & MOST
        )


# ── opening a file: every way it can be wrong, in one sentence ──────────────────────────────────


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    db.execute("PRAGMA mmap_size = 1073741824")
    return db


def _lock(path: Path) -> sqlite3.Connection:
    """Held as long as the process lives: one server a journal."""
    beside = path.with_name(path.name + ".lock")
    try:
        lock = sqlite3.connect(beside, isolation_level=None, check_same_thread=False, timeout=0)
        lock.execute("PRAGMA journal_mode = memory")
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise CannotStart(
                "journal_in_use",
                f"The journal {path} is in use by another Orders server: stop that one, or choose"
                " another file, such as --journal class-b.db.",
            ) from None
        raise CannotStart("bad_journal", _why(path, error)) from None
    return lock


def _open(path: Path) -> sqlite3.Connection:
    db = _connect(path)
    is_ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not is_ours and db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise CannotStart(
            "foreign_journal",
            f"{path} is somebody else's database, not a journal of Orders: choose another file,"
            " such as --journal orders.db.",
        )
    _migrate(db, path)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("PRAGMA synchronous = full")
    db.execute("PRAGMA fullfsync = on")  # macOS: through the drive's cache, too
    if path.stat().st_size < QUICK:
        problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(f"it is damaged: {problem}")
    return db


QUICK = 64 * 1024 * 1024  # journals up to this size are checked through at start


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring a journal to this version's schema, in one transaction."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise CannotStart(
            "newer_journal",
            f"{path} was written by a newer Orders (schema {version}, this one knows {VERSION}):"
            " upgrade Orders, or choose another file.",
        )
    for step in MIGRATIONS[version:]:
        db.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA application_id = {APPLICATION_ID};")
        version += 1
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("COMMIT")
    db.execute("BEGIN IMMEDIATE")  # a file that cannot be written is found out now, not later
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


#: The step from each version to the next; the first makes an empty file a journal.
MIGRATIONS = (SCHEMA,)


def _why(path: Path, error: sqlite3.Error) -> str:
    reason = str(error)
    if "unable to open" in reason:
        hint = "the folder must exist, and you must be allowed to write in it"
    elif "readonly" in reason:
        hint = "make the file and its folder writable, or choose another with --journal"
    elif "not a database" in reason or "malformed" in reason or "damaged" in reason:
        hint = "restore it from a copy, or choose another file with --journal"
    else:
        hint = "choose another file with --journal, or `--journal memory`"
    return f"The journal {path} cannot be used ({reason}): {hint}."

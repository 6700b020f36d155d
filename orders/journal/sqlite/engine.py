"""The journal in SQLite, in one file or in memory: one thread writes, and readers never wait."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from orders.broker.records import Kind, Record
from orders.broker.room_state import RoomState
from orders.domain.orders import Order
from orders.errors import CannotStart, StorageFailed
from orders.journal.base import (
    MOST_SCANNED,
    PAGE_OF_ORDERS,
    Answer,
    Filter,
    Page,
    Unshared,
    take_bytes,
    take_page,
)
from orders.journal.sqlite.log import Log
from orders.journal.sqlite.opening import Files, connect, lock, open_journal, unusable
from orders.journal.sqlite.rows import MOST, QUERIES, OrdersOfRoom, read_epoch, read_records

T = TypeVar("T")
READERS = 2
IDLE = 0.05  # seconds without work after which the thread counts as idle


class Writer(Protocol):
    """What the engine needs of whatever writes; a simulation has one of its own."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Finish what was asked, then end; returns when it has."""

    def call(self, job: Callable[[], T]) -> Awaitable[T]:
        """Run `job`, after all that was asked before; what it returns or raises."""


class WriterThread(threading.Thread):
    """Runs jobs one after the other; `between(idle)` runs after each, and while there is none."""

    def __init__(self, between: Callable[[bool], None]) -> None:
        super().__init__(name="journal-writer", daemon=True)
        self._between = between
        self._jobs: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            SimpleQueue()
        )

    def call(self, job: Callable[[], T]) -> Awaitable[T]:
        """Run `job` in this thread; what it returns or raises."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return future

    def stop(self) -> None:
        """Finish what was asked, then end; returns when it has."""
        self._jobs.put(None)
        self.join()

    def run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE)
            except Empty:
                self._between(True)
                continue
            if job is None:
                return
            self._do(*job)
            self._between(False)

    def _do(self, job: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        result, error = None, None
        try:
            result = job()
        except BaseException as raised:  # the caller's to handle; the thread goes on
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            future.get_loop().call_soon_threadsafe(_settle, future, result, error)


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


#: Given what to do between two jobs, and whether there is time for it.
MakeWriter = Callable[[Callable[[bool], None]], Writer]


class SqliteEngine(Unshared):
    """An engine (see `base.Engine`) whose journal is the file `path`; accepted means synced.

    Without a path it is in memory, and gone with the process. `make_writer` makes what writes.
    """

    def __init__(self, path: Path | None = None, make_writer: MakeWriter = WriterThread) -> None:
        self.durable = path is not None
        self._path = path
        self._make_writer = make_writer
        self._local = threading.local()
        self._readers = ThreadPoolExecutor(READERS, "journal-reader")
        self._opened: list[sqlite3.Connection] = []
        self._files: Files | None = None
        self._lost: StorageFailed | None = None

    # ── opening and closing ─────────────────────────────────────────────────────────────────

    async def open(self) -> list[RoomState]:
        path = self._path
        try:
            if path is not None:
                path = self._path = path.resolve() if path.is_symlink() else path  # as SQLite does
                self._opened.append(lock(path))
            self._db = open_journal(path)
            self._opened.append(self._db)
            self._log = Log(self._db, path)
            states = self._log.restore()
            self._files = Files(path) if path is not None else None
        except (sqlite3.Error, OSError, StorageFailed) as error:
            self._close_all()
            raise unusable(path or Path("memory"), error) from None
        except CannotStart:
            self._close_all()
            raise
        self._writer = self._make_writer(lambda idle: self._log.tidy(idle, self._files))
        self._writer.start()
        return states

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.stop)
        # one whose client has gone may read on, and nobody ends it
        self._log.stuck = StorageFailed("storage_failed", "The server is going down.")
        self._readers.shutdown()
        self._close_all()

    def _close_all(self) -> None:
        for connection in reversed(self._opened):
            connection.close()
        self._opened.clear()
        if self._files:
            self._files.close()

    # ── writing ─────────────────────────────────────────────────────────────────────────────

    def append(self, records: Sequence[Record]) -> Awaitable[list[Answer]]:
        self._lost = self._lost or self._log.stuck or (self._files.lost() if self._files else None)
        return self._writer.call(
            lambda: [self._lost] * len(records) if self._lost else self._log.append(records)
        )

    async def probe(self) -> StorageFailed | None:
        return self.lost() or await self._writer.call(self._log.probe)

    def lost(self) -> StorageFailed | None:
        self._lost = (self._files.problem() if self._files else None) or self._log.stuck
        return self._lost

    async def forget(self, room: str) -> None:
        await self._writer.call(lambda: self._log.forget(room))

    async def erase(self, rooms: Sequence[str]) -> StorageFailed | None:
        with self._files.shrinking() if self._files else nullcontext():
            left = await self._writer.call(lambda: self._log.erase(rooms))
        if left and self._files:
            self._files.shrink_later()
        return left

    # ── reading ─────────────────────────────────────────────────────────────────────────────

    async def read(
        self, room: str, after: int, limit: int, epoch: int | None = None
    ) -> list[Record]:
        row = self._log.rooms.get(room)
        if row is None:
            return []
        return await self._ask(
            lambda db: take_bytes(read_epoch(db, row, epoch or row.summary.epoch, after, limit))
        )

    async def page(
        self, room: str, wanted: Filter, limit: int, *, after: int = 0, before: int | None = None
    ) -> Page:
        row = self._log.rooms.get(room)
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
                read_records(room, db.execute(QUERIES[query], values)),
                wanted,
                limit,
                scan,
                before is not None,
            )
        )

    async def find(self, room: str, key: bytes) -> Record | None:
        row = self._log.rooms.get(room)
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

    async def controls(self, room: str, about: int) -> list[Record]:
        row = self._log.rooms.get(room)
        if row is None:
            return []
        values = {"start": row.place(0), "end": row.place(MOST), "about": about}
        return await self._ask(
            lambda db: list(read_records(room, db.execute(QUERIES["controls"], values)))
        )

    async def orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> list[Order]:
        pages = self.pages_of_orders(room, customer, limit, state)
        return [order async for page in pages for order in page]

    async def pages_of_orders(
        self, room: str, customer: str | None, limit: int, state: str | None = None
    ) -> AsyncIterator[list[Order]]:
        row = self._log.rooms.get(room)
        if row is None:
            return
        await self._caught_up()
        key, left = row.key, limit
        after = await self._ask(lambda db: OrdersOfRoom(db, key).before(customer, state, limit))

        def page(db: sqlite3.Connection) -> tuple[list[Order], int]:
            return OrdersOfRoom(db, key).page(customer, state, after, min(left, PAGE_OF_ORDERS))

        while left > 0:
            orders, after = await self._ask(page)
            if not orders:
                return
            left -= len(orders)
            yield orders

    async def order(self, room: str, customer: str, number: str) -> Order | None:
        row = self._log.rooms.get(room)
        if row is None:
            return None
        await self._caught_up()
        return await self._ask(lambda db: OrdersOfRoom(db, row.key).get(customer, number))

    async def _caught_up(self) -> None:
        """Wait until all that is stored is folded: before that nobody knows where orders stand."""
        if self._log.orders.waiting:
            await self._writer.call(self._log.orders.catch_up)

    async def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Put a question to a reader's own connection and thread; in memory, to the writer's."""
        if self._log.stuck:
            raise self._log.stuck
        try:
            if self._path is None:
                return await self._writer.call(lambda: question(self._db))
            return await asyncio.get_running_loop().run_in_executor(
                self._readers, lambda: question(self._reader())
            )
        except sqlite3.Error as error:
            raise self._log.failure(error, self._path or Path("memory")) from None

    def _reader(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = connect(self._path)
            self._opened.append(db)
            db.execute("PRAGMA query_only = on")
        return db

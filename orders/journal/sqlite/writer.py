"""The one thread that writes: what is asked of it runs in order, and the event loop only waits."""

import threading
from asyncio import Future, get_running_loop
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

IDLE = 0.05  # seconds without work after which the thread counts as idle


class Writer(Protocol):
    """What the engine needs of whatever writes; a simulation has one of its own."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Finish what was asked, then end; returns when it has."""

    async def call(self, job: Callable[[], T]) -> T:
        """Run `job`, after all that was asked before; what it returns or raises."""


class WriterThread(threading.Thread):
    """Runs jobs one after the other; `between(idle)` runs after each, and while there is none."""

    def __init__(self, between: Callable[[bool], None]) -> None:
        super().__init__(name="journal-writer", daemon=True)
        self._between = between
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()

    async def call(self, job: Callable[[], T]) -> T:
        """Run `job` in this thread and wait for what it returns or raises."""
        future: Future[T] = get_running_loop().create_future()
        self._jobs.put((job, future))
        return await future

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

    def _do(self, job: Callable[[], Any], future: "Future[Any]") -> None:
        result, error = None, None
        try:
            result = job()
        except BaseException as raised:  # the caller's to handle; the thread goes on
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            future.get_loop().call_soon_threadsafe(_settle, future, result, error)


def _settle(future: "Future[Any]", result: object, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)

"""Whose turn it is: those who send or ask much have it one after the other, with rests between.

So what they send together keeps the loop busy for a share of the time at most, and all others
are heard in the rest of it, however many send much.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from aiohttp import WSMessage, WSMsgType, web

from orders.clock import monotonic

#: What one connection may send until its turn is over: so many messages, each of which counts once
#: more for every so many bytes; and how many come back a second.
AT_ONCE, PIECE, BACK = 32, 256, 200
#: How long all rest after a turn: so many times as long as that kept the loop busy; in seconds, at
#: most. Without limits of rate nobody does.
REST, LONGEST = 3, 0.02
#: What a participant says; anything else is the end of its connection. See `EVENT` in `records`.
SAID = TEXT, BINARY, _, PONG = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG


class Turn:
    """What is left of one connection's turn; the `lock` is that of all connections.

    `at` is when the last message came, `work` for how long this turn kept the loop busy, so far.
    """

    __slots__ = ("_left", "_lock", "_rests", "at", "work")

    def __init__(self, lock: asyncio.Lock, *, rests: bool) -> None:
        self._lock, self._rests = lock, rests
        self.at, self._left, self.work = monotonic(), float(AT_ONCE), 0.0

    def is_over(self, message: WSMessage) -> bool:
        """Whether this message is for the next one."""
        now = monotonic()
        back, self.at = (now - self.at) * BACK, now
        self._left = min(self._left + back, AT_ONCE) - 1 - len(message.data) // PIECE
        return self._left <= 0

    async def next(self) -> None:
        """Wait for the next one."""
        async with self._lock:
            await asyncio.sleep(min(REST * self.work, LONGEST) if self._rests else 0)
        self.at, self._left, self.work = monotonic(), float(AT_ONCE), 0.0


# ── what is asked for over HTTP ─────────────────────────────────────────────────────────────────

#: Pieces of reading that are at work at once: as many as the journal has readers. A shared journal
#: may keep one waiting for seconds, and another room must not wait for that.
AT_WORK, AT_WORK_SHARED = 2, 16
#: After a piece nobody begins the next for as long as it took, shared among those at work. One that
#: was kept waiting counts as so many seconds.
LONGEST_PIECE = 0.25
FORGOTTEN = 10.0  # seconds after which what a connection has asked counts for half as much

Answer = TypeVar("Answer", bound=web.StreamResponse)


class Line:
    """All who read the journal over HTTP wait in one line: for each page, not for each answer."""

    def __init__(self, *, shared: bool) -> None:
        self._at_work = AT_WORK_SHARED if shared else AT_WORK
        self._places = asyncio.Semaphore(self._at_work)
        self._free = 0.0

    @asynccontextmanager
    async def piece(self, request: web.Request) -> AsyncIterator[None]:
        """Read a page and put it into words. A reader that may never read is not waited for here,
        and for one that has gone nothing is done."""
        async with self._places:
            begun = monotonic()
            while begun < self._free:
                await asyncio.sleep(self._free - begun)
                begun = monotonic()
            if request.transport is None:
                raise ConnectionResetError("the client went away while it waited")
            try:
                yield
            finally:
                now = monotonic()
                pause = min(now - begun, LONGEST_PIECE) / self._at_work
                self._free = max(self._free, now) + pause


class Admission:
    """Requests begin one in a turn of the loop: by turns the one that waits longest, and one of
    whose connection least was asked lately. So who asks now and then does not wait behind all those
    who ask without end, and nobody waits for ever."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], float] = {}  # oldest first
        self._asked = WeakKeyDictionary[object, tuple[float, float]]()  # how much, and when
        self._begun, self._is_busy, self._by_age = 0.0, False, False

    async def turn(self, request: web.Request) -> None:
        """Wait until this request may begin."""
        now, connection = monotonic(), request.task
        asked, at = self._asked.get(connection, (0.0, now))
        asked *= 0.5 ** ((now - at) / FORGOTTEN)
        self._asked[connection] = asked + 1, now
        if not self._is_busy:
            self._begins()
            return
        begins: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[begins] = asked
        try:
            await begins
        finally:
            self._waiting.pop(begins, None)

    def _begins(self) -> None:
        self._is_busy, self._begun = True, monotonic()
        asyncio.get_running_loop().call_soon(self._has_begun)

    def _has_begun(self) -> None:
        pause = min(monotonic() - self._begun, LONGEST)  # as long as that took
        if self._waiting:
            asyncio.get_running_loop().call_later(pause, self._next)
        else:
            self._next()

    def _next(self) -> None:
        self._is_busy = False
        while self._waiting and not self._is_busy:
            self._by_age, waiting = not self._by_age, self._waiting
            begins = next(iter(waiting)) if self._by_age else min(waiting, key=waiting.__getitem__)
            del waiting[begins]
            if not begins.done():  # else its connection has ended
                begins.set_result(None)
                self._begins()


LINE = web.AppKey("line", Line)
ADMISSION = web.AppKey("admission", Admission)


def in_line(
    handler: Callable[[web.Request], Awaitable[Answer]],
) -> Callable[[web.Request], Awaitable[Answer]]:
    """A handler that is one piece of reading as a whole."""

    @wraps(handler)
    async def waiting(request: web.Request) -> Answer:
        async with request.app[LINE].piece(request):
            return await handler(request)

    return waiting

"""Whose turn it is: those who send much have it one after the other, and rest in between.

So what they send together keeps the loop busy for a share of the time at most, and all others
are heard in the rest of it, however many send much.
"""

import asyncio

from aiohttp import WSMessage, WSMsgType

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
    """What is left of one connection's turn; the `lock` is that of all connections."""

    __slots__ = ("_at", "_left", "_lock", "_rests", "_work")

    def __init__(self, lock: asyncio.Lock, *, rests: bool) -> None:
        self._lock, self._rests = lock, rests
        self._at, self._left, self._work = monotonic(), float(AT_ONCE), 0.0

    def is_over(self, message: WSMessage) -> bool:
        """Whether this message is for the next one."""
        now = monotonic()
        back, self._at = (now - self._at) * BACK, now
        self._left = min(self._left + back, AT_ONCE) - 1 - len(message.data) // PIECE
        return self._left <= 0

    async def next(self) -> None:
        """Wait for the next one."""
        async with self._lock:
            await asyncio.sleep(min(REST * self._work, LONGEST) if self._rests else 0)
        self._at, self._left, self._work = monotonic(), float(AT_ONCE), 0.0

    def worked(self) -> None:
        """What came of the last message is done, but for what others do with it."""
        self._work += monotonic() - self._at

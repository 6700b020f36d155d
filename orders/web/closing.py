"""How connections end: read a little at a time, or cut off."""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

from aiohttp import WSMessage

from orders.broker.limits import NAP
from orders.web.turns import AT_ONCE, PIECE, SAID


class InTurns:
    """What aiohttp reads while it waits for the answer to a close: a little at a time, for who
    sends without end is not charged any more."""

    def __init__(self, reader: Any) -> None:
        self._reader, self._left = reader, AT_ONCE

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def read(self) -> WSMessage:
        if self._left <= 0:
            self._left = AT_ONCE
            await asyncio.sleep(NAP)
        message: WSMessage = await self._reader.read()
        self._left -= 1 + len(message.data) // PIECE if message.type in SAID else 1
        return message


class Unread(Protocol):
    """A connection, as far as it matters how much of its output is unread, in bytes."""

    def unread(self) -> int: ...
    def abort(self) -> None: ...


def cut_off_largest(connections: Iterable[Unread], most: int) -> int:
    """Cut off those of whose output most is unread, until all of it together is at most so many
    bytes; how many those were."""
    unread = sorted(((one.unread(), one) for one in connections), key=lambda pair: pair[0])
    total, cut = sum(size for size, _ in unread), 0
    while total > most:
        size, largest = unread.pop()
        largest.abort()
        total, cut = total - size, cut + 1
    return cut

"""The order workflow on each broker: a customer who places orders and hears of their confirmation,
and a worker who takes each from a queue, has its answer stored, and only then acknowledges it.

All of it is written on plain sockets, in the load's own process, so that no client library is what
is measured. The texts are the same for all: an envelope as the contract has it.
"""

import re
import socket
import time
from collections.abc import Callable
from typing import Protocol

LONGEST = 4096  # bytes that may have to wait for the rest of a match
ITEM = b"espresso"


class Shop(Protocol):
    """A customer and a worker who are connected to one broker."""

    def sockets(self) -> list[tuple[socket.socket, Callable[[memoryview], None]]]:
        """Each socket, and what is to be given what comes on it."""
        ...

    def place(self, numbers: range, ids: list[bytes]) -> None:
        """The customer places orders of these numbers, as events with these ids."""
        ...


Confirmed = Callable[[int], None]
"""Is called with the number of each order that the customer hears is confirmed."""


class Matches:
    """Finds a pattern in a stream that comes in pieces; passes on all that a piece completed."""

    def __init__(self, pattern: bytes, found: Callable[[list[re.Match[bytes]]], None]) -> None:
        self._pattern = re.compile(pattern)
        self._found = found
        self._rest = b""

    def __call__(self, piece: memoryview) -> None:
        text = self._rest + bytes(piece)
        matches = list(self._pattern.finditer(text))
        if matches:
            self._rest = text[matches[-1].end() :][-LONGEST:]
            self._found(matches)
        else:
            self._rest = text[-LONGEST:]


def ignore(_: memoryview) -> None:
    """What is said, but does not matter here."""


def placed(id: bytes, number: int) -> bytes:
    """An order, as the customer writes it."""
    return _envelope(
        id, b"order_placed", b"alice", b'{"id":%d,"item":"%s","quantity":1}' % (number, ITEM)
    )


def confirmed(id: bytes, number: bytes, event: bytes) -> bytes:
    """The worker's answer."""
    data = b'{"id":%s,"customer":"alice","event":"%s"}' % (number, event)
    return _envelope(id, b"order_confirmed", b"bob", data)


def _envelope(id: bytes, type: bytes, source: bytes, data: bytes) -> bytes:
    created = int(time.time() * 1000)
    return b'{"id":"%s","type":"%s","created":"%d","source":"%s","data":%s}' % (
        id,
        type,
        created,
        source,
        data,
    )


PLACED = rb'"id":"([^"]{36})","type":"order_placed"[^{]*\{"id":(\d+),'
"""In an order's text: its event's id, and its number."""

CONFIRMED = rb'"type":"order_confirmed"[^{]*\{"id":(\d+),'
"""In a confirmation's text: the order's number."""

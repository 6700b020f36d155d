"""Long journals, made in bulk: the rows that the server itself would have written.

The engine makes the file; its own statements fill it, a quarter of a million events in a
transaction that does not wait for the disk. Through a server it would take ten times as long.
"""

import asyncio
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from orders.journal.sqlite.engine import SqliteEngine
from orders.journal.sqlite.rows import QUERIES, SHIFT, checksum

ROOM = "bench"
SIZE = 150  # bytes of an event
AT_ONCE = 250_000
BYTES_EACH = 400  # what an event takes on disk at most, with its id and the write-ahead log


def make(path: Path, events: int, progress: Callable[[int], None] = lambda _: None) -> list[str]:
    """A journal whose room `bench` holds so many events; returns the ids of the last 1,000.

    `progress` is told now and then how many are there. Raises `OSError` when the disk has too
    little room.
    """
    free = shutil.disk_usage(path.parent).free
    if free < events * BYTES_EACH:
        raise OSError(
            f"{events:,} events take {events * BYTES_EACH / 1e9:.1f} GB at {path.parent},"
            f" where {free / 1e9:.1f} GB are free: use --directory, or a smaller --length."
        )
    asyncio.run(_empty(path))
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = off")  # it is thrown away if this fails
    db.execute("PRAGMA cache_size = -200000")
    room, _ = db.execute(QUERIES["begin_room"], {"name": ROOM, "modes": "{}"}).fetchone()
    keys: list[bytes] = []
    for first in range(1, events + 1, AT_ONCE):
        last = min(events, first + AT_ONCE - 1)
        random = os.urandom(16 * (last - first + 1))
        keys = [random[i : i + 16] for i in range(0, len(random), 16)]
        db.execute("BEGIN")
        db.executemany(QUERIES["append_record"], _rows(room, first, keys))
        places = sorted(zip(keys, range(first, last + 1), strict=True))
        db.executemany(QUERIES["append_id"], ((room, key, at) for key, at in places))
        for view in ("indexed", "ordered", "queued"):
            db.execute(QUERIES[f"save_{view}"], (last, room))
        db.execute(
            QUERIES["save_room"],
            {"key": room, "modes": "{}", "rules": "{}", "paused": 0, "cursor": last, "head": last}
            | {"events": last, "last": keys[-1]},
        )
        db.execute("COMMIT")
        progress(last)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return [str(uuid.UUID(bytes=key)) for key in keys[-1000:]]


async def _empty(path: Path) -> None:
    engine = SqliteEngine(path)
    await engine.open()
    await engine.close()


def event(id: bytes, created: int = 1676554735324) -> bytes:
    """An event of SIZE bytes, written as the broker writes it."""
    head = b'{"id":"%s","type":"tick","created":"%d","source":"publisher","data":{"text":"' % (
        id,
        created,
    )
    return head + b"x" * (SIZE - len(head) - 3) + b'"}}'


def _rows(room: int, first: int, keys: list[bytes]) -> Iterator[tuple[object, ...]]:
    """The rows of events that differ in their ids alone."""
    now = time.time_ns() // 1_000_000
    place = (room << SHIFT) + first
    for key in keys:
        d = key.hex().encode()
        body = event(b"-".join((d[:8], d[8:12], d[12:16], d[16:20], d[20:])), now)
        row = place, "event", now, key, 0, "tick", "publisher", "relay", body
        yield *row, checksum(*row)
        place += 1

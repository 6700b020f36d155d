"""How far something has come, on a terminal: for what takes longer than a second."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from orders.cli.output import paint
from orders.clock import monotonic

PATIENCE = 1.0  # seconds until anything is shown
PAUSE = 0.2  # seconds between two looks
CLEAR = "\r\x1b[K"


async def shown(
    parts: AsyncIterator[bytes], total: int | None, *, beside_output: bool
) -> AsyncIterator[bytes]:
    """The same parts, while a line on stderr says how much came: of `total` lines, where known.

    Nothing is said where stderr is no terminal, nor `beside_output` that goes to one itself.
    """
    if not sys.stderr.isatty() or (beside_output and sys.stdout.isatty()):
        async for part in parts:
            yield part
        return
    came = {"bytes": 0, "lines": 0}
    telling = asyncio.create_task(_tell(came, total))
    try:
        async for part in parts:
            came["bytes"] += len(part)
            came["lines"] += part.count(b"\n")
            yield part
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


async def _tell(came: dict[str, int], total: int | None) -> None:
    begun = monotonic()
    await asyncio.sleep(PATIENCE)
    try:
        while True:
            print(
                CLEAR + paint(_words(came, total, monotonic() - begun), "muted", sys.stderr),
                end="",
                file=sys.stderr,
                flush=True,
            )
            await asyncio.sleep(PAUSE)
    finally:
        print(CLEAR, end="", file=sys.stderr, flush=True)


def _words(came: dict[str, int], total: int | None, seconds: float) -> str:
    """ "3.4 MiB, 12,000 of 40,000 events, 2 s"."""
    events = f", {min(came['lines'], total):,} of {total:,} events" if total else ""
    return f"{came['bytes'] / 2**20:.1f} MiB{events}, {seconds:.0f} s …"

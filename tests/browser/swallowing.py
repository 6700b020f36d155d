"""A way to the server that goes dead as a Wi-Fi does: it swallows all, and closes nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Way:
    """Its address; clear `carries`, and what was open stays open, and hears nothing any more."""

    url: str
    carries: asyncio.Event = field(default_factory=asyncio.Event)


@contextlib.asynccontextmanager
async def way(port: int) -> AsyncIterator[Way]:
    """A way to the server on this port of this machine."""
    writers: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        was_dead = False
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                was_dead = was_dead or not found.carries.is_set()
                if not was_dead:  # a connection that lost a part of what was said is lost for good
                    writer.write(data)
        if not was_dead:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, server = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, server))
        await asyncio.gather(carry(reader, server), carry(onward, writer))

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    found = Way(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    found.carries.set()
    try:
        yield found
    finally:
        listening.close()
        for writer in writers:
            writer.transport.abort()

"""`orders tail` and `orders export`: a room's log, as it grows and as it is."""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp

from orders.broker.modes import matches
from orders.cli.output import as_json, clock, note, note_connections, paint, say, writing_out
from orders.cli.progress import progress
from orders.clients.address import understood
from orders.clients.api import fetch, room_url
from orders.clients.connection import Connection
from orders.clients.place import ResumePoint
from orders.errors import CannotStart, Refused

_COLOURS = {"order_placed": "placed", "order_confirmed": "confirmed", "order_rejected": "rejected"}
_BY_LINES = ("jsonl", "csv")  # formats with a line for each event


class Tail:
    """Follows a room as an observer: no participant, and without a name."""

    def __init__(
        self, url: str, room: str, *, after: str | None, types: list[str], json: bool, all: bool
    ) -> None:
        self.url, self.room, self.after = understood(url).server, room, after
        self.types, self.json, self.all = frozenset(types), json, all
        self._place = ResumePoint()

    async def follow(self) -> None:
        """Show what comes, until told to stop; comes back by itself and repeats nothing."""
        note_connections()
        async with aiohttp.ClientSession() as self._http:
            self._connection = Connection(
                self._http, self._address, self._take, asyncio.sleep, patient=False
            )
            await self._connection.stay()

    def _address(self) -> Any:
        scheme = "wss" if self.url.scheme == "https" else "ws"
        query = {"after": self.after} if self.after else {}
        return self.url.joinpath("observe", self.room).with_scheme(scheme).with_query(query)

    async def _take(self, text: str) -> None:
        said = json.loads(text)
        if "snapshot" in said:
            self._connection.is_welcome = True
            self.after = self.after or said["snapshot"].get("last") or "start"
        elif said.get("type") == "broker.error":  # the connection is closed after it
            raise Refused(said["data"]["code"], said["data"]["message"])
        records = said.get("records", [])
        if said.get("skipped"):
            async for record in self._left_out(records):
                self._show(record)
        for record in records:
            self._show(record)

    async def _left_out(self, records: list[Any]) -> AsyncIterator[dict[str, Any]]:
        """The events between the last one shown and the first of these records."""
        stop = next((r["event"]["id"] for r in records if r["kind"] == "event"), None)
        while True:
            url = room_url(self.url, self.room, "events", after=self.after or "start", limit="1000")
            page = await fetch(self._http, url)
            for event in page["events"]:
                if event["id"] == stop:
                    return
                yield {"kind": "event", "event": event, "at": int(event["created"])}
            if not page["events"] or page.get("next") is None:
                return

    def _show(self, record: dict[str, Any]) -> None:
        if record["kind"] == "event":
            event = record["event"]
            self.after = event["id"]
            if not self._place.sees_first(event["id"]):
                return
            if not self.types or matches(self.types, event["type"]):
                say(as_json(event) if self.json else _event_line(event, record["at"]))
            return
        if record["kind"] == "reset":
            self.after = "start"
        if self.all:
            say(as_json(record) if self.json else _record_line(record))


def _event_line(event: dict[str, Any], at: int) -> str:
    type = paint(f"{event['type']:<15}", _COLOURS.get(event["type"], "broker"))
    return f"{clock(at)}  {type}  {event['source']:<10}  {as_json(event['data'])}"


def _record_line(record: dict[str, Any]) -> str:
    more = {key: value for key, value in record.items() if key not in ("kind", "at", "name")}
    line = f"{record['kind']:<15}  {record.get('name') or '':<10}  {as_json(more) if more else ''}"
    return f"{clock(record.get('at'))}  {paint(line.rstrip(), 'muted')}"


async def export_log(
    url: str, room: str, *, format: str, to: Path | None, query: dict[str, str]
) -> None:
    """Write a room's log, or the page that replays it, to a file or to stdout.

    What only the host gets is asked for with the token of `ORDERS_HOST_TOKEN`, if there is one.
    """
    what = "export" if format == "html" else "events"
    server = understood(url).server
    address = room_url(server, room, what, format=format, **query)
    token = os.environ.get("ORDERS_HOST_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token and "names" in query else {}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
            http.get(address) as response,
        ):
            if response.status >= 400:
                answer = await response.json()
                raise Refused(answer["error"]["code"], answer["error"]["message"])
            events = int(response.headers.get("Orders-Events", 0)) if format in _BY_LINES else 0
            with progress("0.0 MiB", beside_output=to is None) as tell:
                parts = _counted(response.content.iter_any(), events, tell)
                await (_write_out(parts) if to is None else _write_whole(parts, to))
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
        raise CannotStart(
            "no_server",
            f"No server answers at {server}, or it went away: start one with"
            " `orders serve`, or give its address.",
        ) from error


async def _counted(
    parts: AsyncIterator[bytes], total: int, tell: Callable[[str], None]
) -> AsyncIterator[bytes]:
    """The same parts, while it is told how much came: of `total` lines, unless that is 0."""
    size = lines = 0
    async for part in parts:
        yield part
        size, lines = size + len(part), lines + part.count(b"\n")
        of = f", {min(lines, total):,} of {total:,} events" if total else ""
        tell(f"{size / 2**20:.1f} MiB{of}")


async def _write_out(parts: AsyncIterator[bytes]) -> None:
    with writing_out():
        async for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()


async def _write_whole(parts: AsyncIterator[bytes], to: Path) -> None:
    """Write all of it or nothing: the file gets its name when it is complete.

    A link stays one, and a file keeps its mode; a device or a pipe is written to as it comes.
    """
    try:
        if _is_device(to):
            with os.fdopen(await _opened(to), "wb") as device:
                async for part in parts:
                    device.write(part)
        else:
            with _replacing(to) as file:
                async for part in parts:
                    file.write(part)
    except OSError as error:
        raise CannotStart(
            "cannot_write", f"{to} cannot be written: {error.strerror or error}."
        ) from error
    note(f"{to} written.")


def _is_device(to: Path) -> bool:
    return to.exists() and not to.is_file()


@contextlib.contextmanager
def _replacing(file: Path) -> Iterator[BinaryIO]:
    target = file.resolve()
    unfinished = target.with_name(f"{target.name}.part")
    try:
        with unfinished.open("wb") as out:
            yield out
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


async def _opened(device: Path) -> int:
    """A device, or a pipe once somebody reads it: an open that blocks could not be stopped."""
    while True:
        try:
            descriptor = os.open(device, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            await asyncio.sleep(0.1)  # a pipe that nobody reads yet
        else:
            os.set_blocking(descriptor, True)
            return descriptor

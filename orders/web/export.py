"""The log as a file: JSON lines, a table, a diagram. Streamed, however long it is."""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Iterable

from aiohttp import web
from pydantic_core import to_json

from orders.broker.records import Record
from orders.broker.room import Room
from orders.errors import OrdersError
from orders.journal.base import Filter
from orders.server.context import in_turns
from orders.web.keys import NODE
from orders.web.turns import LINE

PAGE = 500


def _jsonl(record: Record) -> str:
    return record.body.decode() + "\n"


def _csv(record: Record) -> str:
    event = record.parsed()
    row = [event.id, event.created, record.at, event.type, event.source, record.mode]
    return table([*row, to_json(event.data).decode()])


def table(*rows: Iterable[object]) -> str:
    """CSV, no cell of which a spreadsheet takes for a formula."""
    out = io.StringIO()
    csv.writer(out).writerows([harmless(str(cell)) for cell in row] for row in rows)
    return out.getvalue()


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _mermaid(record: Record) -> str:
    event = record.parsed()
    number = event.data.get("id")
    label = event.type + (f" {number}" if type(number) is int else "")  # true is no number
    return f"    {_lane(event.source)}->>broker: {label}\n"


def _lane(name: str) -> str:
    """A participant's name as Mermaid takes it; names that differ stay different."""
    return "p_" + re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", name)


#: format → content type, first lines, a line per event
FORMATS: dict[str, tuple[str, str, Callable[[Record], str]]] = {
    "jsonl": ("application/x-ndjson", "", _jsonl),
    "csv": ("text/csv", "id,created,accepted,type,source,mode,data\r\n", _csv),
    "mermaid": ("text/plain", "sequenceDiagram\n    participant broker\n", _mermaid),
}


async def streamed(
    request: web.Request, response: web.StreamResponse, parts: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Send an answer part by part. One that was begun and cannot be finished breaks off, so that
    its reader sees that."""
    await response.prepare(request)
    if request.method == "HEAD":
        return response  # what follows its head would be taken for the next answer
    try:
        async for part in parts:
            await response.write(part)
    except OrdersError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the answer could not be finished") from None
    await response.write_eof()
    return response


async def export(
    request: web.Request, room: Room, wanted: Filter, format: str
) -> web.StreamResponse:
    """All events that the filter admits, as a download."""
    ending = {"mermaid": "mmd"}.get(format, format)
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{FORMATS[format][0]}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="orders-{room.name}.{ending}"',
        }
    )
    if wanted.is_open:
        response.headers["Orders-Events"] = str(room.state.events)
    return await streamed(request, response, _parts(request, room, wanted, format))


async def _parts(
    request: web.Request, room: Room, wanted: Filter, format: str
) -> AsyncIterator[bytes]:
    engine, (_, head, line) = request.app[NODE].engine, FORMATS[format]
    position, lanes = 0, set[str]()

    async def next_part() -> tuple[bytes, bytes | None]:
        """What is written next, and the id of its last event, None at the end. The records are let
        go before that is written: a reader may never read."""
        async with request.app[LINE].piece(request):
            page = await engine.page(room.name, wanted, PAGE, after=position)
            lines = []
            async for record in in_turns(page.events):
                if format == "mermaid" and record.source not in lanes:
                    lanes.add(record.source)
                    lines.append(f"    participant {_lane(record.source)} as {record.source}\n")
                lines.append(line(record))
            return "".join(lines).encode(), page.more

    yield head.encode()
    while True:
        text, more = await next_part()
        yield text
        if more is None:
            break
        last = await engine.find(room.name, more)
        if last is None:
            break
        position = last.position

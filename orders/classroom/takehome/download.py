"""A lesson as one file to take home, and the letter by which a student finds themselves in it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp_jinja2
from aiohttp import web
from pydantic import Field

from orders.broker.records import EVENT, PRESENCE_KINDS, Record
from orders.broker.room import Room
from orders.classroom.lesson import BUNDLED
from orders.classroom.playing import LESSON
from orders.classroom.takehome.inlined import inlined
from orders.classroom.takehome.mask import Mask, letters
from orders.classroom.takehome.recording import asked, recording
from orders.domain.envelope import folded
from orders.errors import Refused
from orders.journal.base import pages
from orders.server import Node
from orders.web.api import answer, room_named
from orders.web.bots import BOTS
from orders.web.export import streamed
from orders.web.keys import SETTINGS
from orders.web.marks import session_mark, session_of
from orders.web.query import Query, however_ended
from orders.web.security import check_host
from orders.web.static import FILES
from orders.web.turns import in_line

MOST_RECORDS = 20_000
MOST_BYTES = 16 * 2**20  # of all records together
#: How often an event may meet a record of somebody who comes or goes: some ten seconds of work.
MOST_WHYS = 1_000_000
AT_ONCE, MOST_WAITING = 2, 20
SLOWEST = 300.0  # seconds that a file may take to be read
PART = 64 * 1024  # characters that are sent at once
#: What stands in the template where the recording comes.
PLACE = "the recording"


@dataclass(eq=False)
class Making:
    """Few files are made at once: each is work, and anybody may ask for one.

    `known` has the letters that were told last in each room, with the room and the epoch.
    """

    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    waiting: int = 0
    known: dict[str, tuple[Room, int, dict[str, str]]] = field(default_factory=dict)


MAKING = web.AppKey("making", Making)


class ExportQuery(Query):
    """Which file."""

    format: Literal["html"] = Field(
        "html", description="html; for jsonl, csv and mermaid ask …/events"
    )
    names: bool = Field(False, description="true or false")


def install(app: web.Application) -> None:
    """Let the lessons of this server be taken home."""
    app[MAKING] = Making()
    room = "/api/rooms/{room}"
    routes = web.get(f"{room}/export", get_export), web.get(f"{room}/letter", get_letter)
    app.router.add_routes(however_ended(*routes))


# ── the file ────────────────────────────────────────────────────────────────────────────────────


async def get_export(request: web.Request) -> web.StreamResponse:
    """All that happened in a room, as a page that replays it; with `names` only for the host.

    `Orders-Events` says how many events it has. A file that could not be finished breaks off.
    """
    query = ExportQuery.read(request.query)
    if query.names:
        check_host(request)
    node, room = await room_named(request)
    making = request.app[MAKING]
    if making.waiting >= MOST_WAITING:
        raise Refused("busy", "Others are taking a lesson home: try again in a minute.", status=503)
    making.waiting += 1
    try:
        async with making.turn, asyncio.timeout(SLOWEST):
            return await _send(request, room, await _records(node, room), query.names)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("nobody read the file") from None
    finally:
        making.waiting -= 1


async def _records(node: Node, room: Room) -> list[Record]:
    """All records of the room as it stands now; refused where that is nothing, or too much."""
    records: list[Record] = []
    size, kinds, epoch = 0, Counter[str](), room.state.epoch
    async for page in pages(node.engine, room.name, 0, room.state.head):
        records += page
        size += sum(len(record.body) for record in page)
        kinds.update(record.kind for record in page)
        whys = kinds[EVENT] * sum(kinds[kind] for kind in PRESENCE_KINDS)
        if len(records) > MOST_RECORDS or size > MOST_BYTES or whys > MOST_WHYS:
            raise Refused(
                "too_large",
                f"Room {room.name} holds too much for a page that replays it, such as more than"
                f" {MOST_RECORDS:,} records: export it as jsonl, csv or mermaid; and clear the"
                " room before the next lesson.",
                status=409,
            )
    if not kinds[EVENT] or room.state.epoch != epoch:  # it was cleared while it was read
        raise Refused(
            "no_events",
            f"Room {room.name} has no events yet, so there is nothing to take home: place an"
            " order first.",
            status=409,
        )
    return records


async def _send(
    request: web.Request, room: Room, records: list[Record], names: bool
) -> web.StreamResponse:
    mask = None if names else await asyncio.to_thread(Mask, records, room.state.modes)
    title = room.name if names or room.name == "main" else ""
    context = {"room": title, "names": names, "place": PLACE}
    page = aiohttp_jinja2.render_string("pages/takehome.html", request, context)
    whole = await asyncio.to_thread(inlined, page, request.app[FILES].body)  # a tenth of a second
    head, _, tail = whole.partition(PLACE)
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/html; charset=utf-8",
            "Content-Disposition": f'attachment; filename="orders-{title or "lesson"}.html"',
            "Cache-Control": "no-store",
            "Orders-Events": str(sum(record.kind is EVENT for record in records)),
        }
    )

    async def parts() -> AsyncIterator[bytes]:
        yield head.encode()
        about = {"room": title or None, "names": names, **_about(request.app, room, records, mask)}
        async for part in _joined(recording(about, records, mask)):
            yield part.encode()
        yield tail.encode()

    return await streamed(request, response, parts())


def _about(
    app: web.Application, room: Room, records: list[Record], mask: Mask | None
) -> dict[str, Any]:
    """What a recording has besides records; a lesson of the teacher's own may name somebody."""
    modes, bots = room.state.modes, [bot.shape for bot in app[BOTS].of(room.name)]
    if mask is not None:
        modes, bots = mask.modes(modes), [{**bot, "name": mask.name(bot["name"])} for bot in bots]
    played = {record.data["scene"] for record in records if record.kind == "scene"}
    scenes = enumerate(app[LESSON].scenes, 1)
    is_ours = app[SETTINGS].lesson in (None, BUNDLED)
    is_shown = is_ours or mask is None
    captions = {n: scene.caption for n, scene in scenes if n in played and is_shown}
    return {"modes": modes, "bots": bots, "captions": captions, "questions": asked(records, mask)}


async def _joined(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The same text in fewer pieces."""
    part: list[str] = []
    size = 0
    async for piece in pieces:
        part.append(piece)
        size += len(piece)
        if size >= PART:
            yield "".join(part)
            part.clear()
            size = 0
    yield "".join(part)


# ── the letter ──────────────────────────────────────────────────────────────────────────────────


@in_line
async def get_letter(request: web.Request) -> web.Response:
    """`{"letter"}`: what stands for you in the file without names, by the session that joined.

    Null for anyone who is not in the room, or only just came. Nobody learns another's.
    """
    Query.read(request.query)
    node, room = await room_named(request)
    session = session_of(request)
    mark = session_mark(session) if session else ""
    member = next((one for one in room.state.members.values() if mark in one.marks), None)
    letter = await _letter(request.app[MAKING], node, room, folded(member.name)) if member else None
    return answer({"letter": letter})


async def _letter(making: Making, node: Node, room: Room, name: str) -> str | None:
    of, epoch, known = making.known.get(room.name, (None, 0, {}))
    if of is not room or epoch != room.state.epoch or name not in known:
        known = letters(await node.engine.controls(room.name, -1))
        making.known = {n: k for n, k in making.known.items() if node.rooms.get(n) is k[0]}
        making.known[room.name] = (room, room.state.epoch, known)
    return known.get(name)

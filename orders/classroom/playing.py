"""The stage plays the lesson: which scene a room stands at, and what the host may set.

Where it stands is a record of kind `scene` in the room's journal, which the fold passes over; so it
survives a restart, and every stage hears of it by the observers' feed.
"""

import asyncio
from collections import Counter
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orders.broker.modes import Mode
from orders.broker.room import Room
from orders.classroom.lesson import BUNDLED, BotOfScene, Lesson, read
from orders.errors import NotFound, Refused
from orders.journal.base import pages
from orders.server import Node
from orders.web.api import answer, room_named
from orders.web.bots import BOTS, own_url
from orders.web.keys import NODE, SETTINGS
from orders.web.query import Query
from orders.web.security import check_host

SCENE = "scene"  # [scene: its number, 0 after the end; answer: whether it is shown]
PAGE = 500  # records in which the newest scene is looked for at once
FAR = 20_000  # records; a scene that was set longer ago is over

#: What each mode sets, as the switch of the stage does: orders are work, answers are news.
SWITCH = {
    Mode.RELAY: {"*": "relay"},
    Mode.PUBSUB: {"*": "pubsub"},
    Mode.QUEUE: {"*": "pubsub", "order_placed": "queue"},
}

LESSON = web.AppKey("lesson", Lesson)
SETTING = web.AppKey("setting", asyncio.Lock)


class Place(BaseModel):
    """Where a lesson stands; scene 0 is before its beginning and after its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scene: int = Field(ge=0)
    answer: bool = False


def install(app: web.Application) -> None:
    """Let the stage of this server play the lesson of its settings."""
    app[LESSON] = read(app[SETTINGS].lesson or BUNDLED)
    app[SETTING] = asyncio.Lock()
    path = "/api/rooms/{room}/lesson"
    app.router.add_routes([web.get(path, get_lesson), web.put(path, put_lesson)])


async def get_lesson(request: web.Request) -> web.Response:
    """Where the lesson stands, and its scene; the answer only once it is shown."""
    Query.read(request.query)
    lesson = request.app[LESSON]
    try:
        node, room = await room_named(request)
    except NotFound:
        return answer(shape(lesson, Place(scene=0)))
    return answer(shape(lesson, await place(node, room)))


async def put_lesson(request: web.Request) -> web.Response:
    """Go to a scene, which sets mode, lease and bots; or show its answer, which sets nothing."""
    check_host(request)
    Query.read(request.query)
    lesson, node = request.app[LESSON], request.app[NODE]
    wanted = _read(await request.read(), len(lesson.scenes))
    room = await node.enter(request.match_info["room"], begin=True)
    async with request.app[SETTING]:  # else two at once would send in the bots of both
        now = await place(node, room)
        if wanted.scene != now.scene or wanted.answer == now.answer:  # no mere turn of the page
            await _set(request.app, room, wanted.scene)
        await node.host.note(room.name, SCENE, **wanted.model_dump())
    return answer(shape(lesson, wanted))


def _read(text: bytes, scenes: int) -> Place:
    try:
        wanted = Place.model_validate_json(text)
    except ValidationError:
        wanted = Place(scene=scenes + 1)
    if wanted.scene > scenes:
        raise Refused(
            "wrong_request",
            f'Send a scene from 1 to {scenes}, such as {{"scene": 1, "answer": false}}; 0 ends it.',
        )
    return wanted


async def place(node: Node, room: Room) -> Place:
    """Where the lesson stands: what the newest record of a scene says."""
    end = room.state.head
    while end > max(0, room.state.head - FAR):
        begin = max(0, end - PAGE)
        newest = None
        async for records in pages(node.engine, room.name, begin, end):
            newest = next((r for r in reversed(records) if r.kind == SCENE), newest)
        if newest is not None:
            return Place.model_validate_json(newest.body)
        end = begin
    return Place(scene=0)


def shape(lesson: Lesson, place: Place) -> dict[str, Any]:
    """What the stage shows: nobody can look up what was not shown yet."""
    of = {"scene": place.scene, "scenes": len(lesson.scenes), "cuts": lesson.cuts}
    if not 1 <= place.scene <= len(lesson.scenes):
        return {"title": lesson.title, **of, "scene": 0}
    scene = lesson.scenes[place.scene - 1]
    shown = {"caption", "question", "speed", "band", "asks"} | (
        {"answer"} if place.answer else set()
    )
    return {"title": lesson.title, **of, **scene.model_dump(include=shown)}


async def _set(app: web.Application, room: Room, number: int) -> None:
    """Set the room as a scene wants it; after the last, its bots go."""
    node = app[NODE]
    scene = app[LESSON].scenes[number - 1] if number else None
    if scene is not None:
        modes = SWITCH[scene.mode]
        if modes != room.state.modes:
            await node.host.set_modes(room, dict.fromkeys(room.state.modes) | modes)
    await node.host.set_lease(room, scene.lease if scene else None)
    await _staff(app, room, scene.bots if scene else ())


async def _staff(app: web.Application, room: Room, wanted: tuple[BotOfScene, ...]) -> None:
    """Let exactly these bots be at work; those that are right already stay.

    The new ones come first: so what a killed one held goes to one with another name.
    """
    bots = app[BOTS]
    missing = Counter((one.thinks, one.naive) for one in wanted)
    surplus = []
    for bot in bots.of(room.name):
        if missing[bot.delay, bot.naive] > 0:
            missing[bot.delay, bot.naive] -= 1
        else:
            surplus.append(bot.name)
    for thinks, naive in missing.elements():
        await bots.send(own_url(app), room, thinks, naive)
    for name in surplus:
        await bots.kill(room.name, name)

"""Exercises over HTTP: begin one, have a program checked, see how it stands."""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from orders.broker.room import Room
from orders.classroom.checks import CHECKS, PREFIX, Checks, as_csv, ending_old
from orders.classroom.exercises import STAGES
from orders.classroom.faults import ask_its_node
from orders.classroom.line import connection_of
from orders.clock import monotonic, new_id, rng, token
from orders.domain.envelope import check_name
from orders.errors import Forbidden
from orders.web.api import answer
from orders.web.host import hosted
from orders.web.keys import NODE
from orders.web.marks import marks_of, session_mark
from orders.web.pages import shown
from orders.web.proxy import scheme, visitor
from orders.web.publishing import PUBLISHERS
from orders.web.query import Body, Query
from orders.web.security import check_host, is_host
from orders.web.turns import in_line

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that looks like something else
PONG = 2.0  # seconds in which a ping is answered, or not


def install(app: web.Application) -> None:
    """Let students have their programs checked."""
    app[CHECKS] = Checks(app)
    node = app[NODE]

    async def asked_to_ping(request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"ms": await pinged(node.room(request["room"]), request["name"])}

    node.context.asked["ping"] = asked_to_ping
    app.router.add_get("/exercises", student)
    app.router.add_get("/board", board)
    app.router.add_post("/api/exercises", begin)
    app.router.add_get("/api/exercises", get_all)
    app.router.add_get("/api/exercises/{room}", get_one)
    app.router.add_post("/api/exercises/{room}/check", check)
    app.router.add_post("/api/rooms/{room}/participants/{name}/ping", ping)
    app.cleanup_ctx.append(ending_old)


async def student(request: web.Request) -> web.Response:
    """The stages, for one who writes a program."""
    return shown(request, "exercises", stages=STAGES)


async def board(request: web.Request) -> web.Response:
    """The class, for the projector."""
    check_host(request)
    return shown(request, "board", stages=STAGES)


class BeginRequest(Body):
    """Who begins."""

    expected, example = "`name` is a text", '{"name": "bob"}'
    name: str = ""


class CheckRequest(Body):
    """What is to be checked."""

    expected = f"`stage` is 1 to {len(STAGES)}, `seed` a whole number"
    example = '{"stage": 3, "seed": 7}'
    stage: int = Field(len(STAGES), ge=1, le=len(STAGES))
    seed: int | None = Field(None, ge=0, lt=10**9)


async def begin(request: web.Request) -> web.Response:
    """A new room for one student: `{"room", "url", "session"}`."""
    Query.read(request.query)
    request.app[PUBLISHERS].spend(visitor(request), monotonic())
    name = (await BeginRequest.read(request)).name
    check_name(name, is_host=False)
    room_name = PREFIX + "".join(rng.choice(ALPHABET) for _ in range(8))
    session = token(24)
    await request.app[CHECKS].begin(room_name, name or room_name, [session_mark(session)])
    url = f"{'wss' if scheme(request) == 'https' else 'ws'}://{request.host}/ws?room={room_name}"
    return answer({"room": room_name, "url": url, "session": session}, 201)


async def check(request: web.Request) -> web.Response:
    """Have a stage checked, and those before it: `{"check"}`. For its session, or the host."""
    Query.read(request.query)
    checks = request.app[CHECKS]
    exercise = await checks.get(request.match_info["room"])
    if not is_host(request) and not set(marks_of(request)) & set(exercise.marks):
        raise Forbidden(
            "not_yours",
            "This exercise is somebody else's: send the `session` that you were given as the header"
            " Orders-Session, or begin your own.",
        )
    wanted = await CheckRequest.read(request)
    seed = rng.randrange(10**6) if wanted.seed is None else wanted.seed
    checks.ask(exercise, new_id(), wanted.stage, seed)
    running = exercise.check or {}
    return answer({"check": running["check"], "ahead": running["ahead"]}, 202)


@in_line
async def get_one(request: web.Request) -> web.Response:
    """How an exercise stands."""
    Query.read(request.query)
    exercise = await request.app[CHECKS].get(request.match_info["room"])
    return answer(exercise.shape())


class AllQuery(Query):
    """How the class is shown."""

    format: Literal["json", "csv"] = Field("json", description="json or csv")


@in_line
async def get_all(request: web.Request) -> web.Response:
    """The whole class, for the host."""
    check_host(request)
    query = AllQuery.read(request.query)
    exercises = await request.app[CHECKS].all()
    if query.format == "csv":
        return web.Response(text=as_csv(exercises), content_type="text/csv", charset="utf-8")
    return answer({"exercises": [one.shape() for one in exercises]})


async def ping(request: web.Request) -> web.Response:
    """Ping a participant: `{"ms"}` until its pong, null if none came within 2 s."""
    node, room = await hosted(request)
    return answer(await ask_its_node(node, room, request.match_info["name"], "ping"))


async def pinged(room: Room, name: str) -> float | None:
    """Milliseconds until a participant of this node has answered a ping; None: it did not."""
    connection = connection_of(room.participants.get(name))
    if connection is None:
        return None
    began = monotonic()
    connection.beat(began, float("inf"))
    while connection.answered_at < began:
        if monotonic() > began + PONG:
            return None
        await asyncio.sleep(0.005)
    return round((connection.answered_at - began) * 1000, 1)

"""What the host may do over HTTP; everyone else is refused (`not_host`)."""

from aiohttp import web
from pydantic import Field

from orders.broker.records import Kind
from orders.broker.room import Room
from orders.domain.envelope import is_uuid, key_of
from orders.errors import NotFound
from orders.server import Node
from orders.web.api import answer, snapshot
from orders.web.bots import BOTS, own_url
from orders.web.keys import HOLDS, NODE
from orders.web.query import Body, Query, read_object, room_in_path
from orders.web.security import check_host


def routes() -> list[web.RouteDef]:
    room = "/api/rooms/{room}"
    return [
        web.get("/api/rooms", get_rooms),
        web.delete(room, end_room),
        web.put(f"{room}/modes", put_modes),
        web.post(f"{room}/{{action:pause|step|resume|reset}}", act),
        web.post(f"{room}/participants/{{name}}/{{action:kick|mute|unmute}}", act_on_participant),
        web.delete(f"{room}/kicked/{{name}}", readmit),
        web.post(f"{room}/{{action:lock|unlock}}", lock),
        web.post(f"{room}/dead-letters/{{event}}/{{action:retry|discard}}", act_on_dead_letter),
        web.post(f"{room}/bots", send_bot),
        web.delete(f"{room}/bots/{{name}}", kill_bot),
    ]


async def hosted(request: web.Request) -> tuple[Node, Room]:
    """The room of the address, begun if there is none; only for the host."""
    check_host(request)
    Query.read(request.query)
    node = request.app[NODE]
    return node, await node.enter(room_in_path(request), begin=True)


async def get_rooms(request: web.Request) -> web.Response:
    """All rooms of this server, for the host."""
    check_host(request)
    Query.read(request.query)
    rooms = [
        {
            "room": room.name,
            "participants": room.size,
            "events": room.state.events,
            "locked": room.state.rules.locked,
        }
        for room in request.app[NODE].rooms.values()
    ]
    return answer({"rooms": rooms})


async def end_room(request: web.Request) -> web.Response:
    """End a room, and erase all that is kept of it; `main` begins again, empty."""
    check_host(request)
    node = request.app[NODE]
    room = await node.enter(request.match_info["room"])
    await request.app[BOTS].end_those_of(room.name)
    await node.presence.end(room)
    return answer({"room": room.name, "done": "end"})


async def put_modes(request: web.Request) -> web.Response:
    """Set the modes of the types named; null removes one."""
    node, room = await hosted(request)
    await node.host.set_modes(room, await read_object(request, '{"order_placed": "queue"}'))
    return answer({"modes": room.state.modes})


async def act(request: web.Request) -> web.Response:
    """Pause, step, resume, reset: answered with the room as it stands then."""
    node, room = await hosted(request)
    action = request.match_info["action"]
    if action in ("step", "resume"):
        for check in request.app[HOLDS]:
            await check(room)
    if action == "step":
        return answer({"event": await node.host.step(room)})
    await {"pause": node.host.pause, "resume": node.host.resume, "reset": node.host.reset}[action](
        room
    )
    return answer(snapshot(request.app, room))


async def act_on_participant(request: web.Request) -> web.Response:
    """Kick, mute, unmute."""
    node, room = await hosted(request)
    name, action = request.match_info["name"], request.match_info["action"]
    act = {"kick": node.host.kick, "mute": node.host.mute, "unmute": node.host.unmute}[action]
    await act(room, name)
    return answer({"name": name, "done": action})


async def readmit(request: web.Request) -> web.Response:
    """Let somebody in again who was removed."""
    node, room = await hosted(request)
    name = request.match_info["name"]
    await node.host.readmit(room, name)
    return answer({"name": name, "done": "readmit"})


async def lock(request: web.Request) -> web.Response:
    """Lock a room, or unlock it."""
    node, room = await hosted(request)
    locked = request.match_info["action"] == "lock"
    await node.host.lock(room, locked)
    return answer({"room": room.name, "locked": locked})


async def act_on_dead_letter(request: web.Request) -> web.Response:
    """Retry or discard a dead letter."""
    node, room = await hosted(request)
    id, action = request.match_info["event"], request.match_info["action"]
    kind = Kind.RETRIED if action == "retry" else Kind.DISCARDED
    if not is_uuid(id) or not await node.queues.decide(room, key_of(id), kind):
        raise NotFound("unknown_event", f"{id[:64]} is no dead letter of room {room.name}.")
    return answer({"event": id, "done": action})


class BotRequest(Body):
    """How a bot is to be."""

    expected = "`delay` is 0 to 60 seconds, `naive` true or false"
    example = '{"delay": 1, "naive": false}'
    delay: float = Field(0.0, ge=0, le=60)
    naive: bool = False


async def send_bot(request: web.Request) -> web.Response:
    """Send in a bot, a process of its own."""
    _, room = await hosted(request)
    wanted = await BotRequest.read(request)
    bot = await request.app[BOTS].send(own_url(request.app), room, wanted.delay, wanted.naive)
    return answer(bot.shape, 201)


async def kill_bot(request: web.Request) -> web.Response:
    """Kill a bot (SIGKILL): what it held comes back."""
    _, room = await hosted(request)
    await request.app[BOTS].kill(room.name, request.match_info["name"])
    return answer({"name": request.match_info["name"], "done": "kill"})

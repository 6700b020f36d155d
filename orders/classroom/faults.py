"""Faults on messages: what a network or a crash does to one participant, when the host says so.

A fault is a record. Each node that hears it looks whether the participant is connected here; if so
it puts a `Line` round its transport, and takes it off when the last fault is over. What it does to
an event is a record as well, so the diagram, *why* and time travel name it.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import Field

from orders.broker.records import Kind, Record, control
from orders.broker.room import Room
from orders.classroom.line import LASTING, Fault, Line
from orders.clock import new_id, now_ms
from orders.domain.envelope import folded, key_of
from orders.errors import NotFound, Refused, StorageFailed
from orders.server import Node
from orders.web.api import answer
from orders.web.bots import BOTS, Bots
from orders.web.host import hosted
from orders.web.keys import NODE
from orders.web.query import Body, however_ended

#: What is said when a fault is set, and when it happens to an event.
WORDS = {
    "lose_ack": ("the next ack it sends will be lost", "its ack was lost on the way"),
    "deliver_twice": ("the next event comes to it twice", "it was delivered twice"),
    "hold_in": ("what goes to it is held for {:g} s", "it was held on its way there"),
    "hold_out": ("what it sends is held for {:g} s", "its ack was held on the way"),
    "cut": ("its connection is cut", ""),
    "stall": ("it reads nothing for {:g} s", "it was not reading"),
    "die_before_ack": ("it dies before its next ack", "it died before its ack"),
    "end_lease": ("the host ends its leases now", ""),
}


class FaultRequest(Body):
    """What the host sends. `seconds` is how long what lasts does."""

    expected = f"`fault` is one of {', '.join(WORDS)}, and `seconds` a number up to 300"
    example = '{"fault": "hold_in", "seconds": 10}'
    fault: str = Field(pattern=f"^({'|'.join(WORDS)})$")
    seconds: float = Field(10.0, gt=0, le=300)


class Faults:
    """The faults of one node: follows the records that set and lift them."""

    def __init__(self, node: Node, bots: Bots) -> None:
        self.node, self._bots = node, bots
        node.context.follow(Kind.FAULT, self.follow)
        node.context.asked["is_bot"] = self._asked

    def follow(self, room: Room, record: Record) -> None:
        """A fault was set or lifted; it is for the node where the participant is connected."""
        data = record.data
        if data["step"] == "set":
            one = room.participants.get(data["name"])
            if one is None:
                return
            line = one.transport
            if not isinstance(line, Line):
                line = Line(self.node, self, room, one, one.transport)
            line.put(Fault(data["id"], data["fault"]), data["seconds"])
        elif data["step"] == "lifted":
            for one in list(room.participants.values()):
                if isinstance(one.transport, Line) and data["name"] in (None, one.name):
                    one.transport.clear()

    async def is_bot(self, room: Room, name: str) -> bool:
        """Whether it is one of the host's bots, sent in by the node where it is connected."""
        return bool((await ask_its_node(self.node, room, name, "is_bot"))["is_bot"])

    async def _asked(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        bots = self._bots.of(request["room"])
        return {"is_bot": any(bot.name == request["name"] for bot in bots)}

    def kill(self, room: Room, name: str) -> None:
        """End one of the host's bots, as a crash would."""
        self.node.context.spawn(self._kill(room.name, name))

    async def _kill(self, room: str, name: str) -> None:
        with contextlib.suppress(NotFound):  # it died by itself meanwhile
            await self._bots.kill(room, name)

    def happened(self, room: Room, name: str, fault: Fault, event: str) -> None:
        """A fault did something to an event: said about it."""
        data = {"id": fault.id, "fault": fault.kind, "event": event, "words": WORDS[fault.kind][1]}
        said = _said(name, "happened", **data)
        record = control(room.name, Kind.FAULT, now_ms(), **said)
        record.key = key_of(event)
        self.node.context.spawn(self._happened(record, room))

    async def _happened(self, record: Record, room: Room) -> None:
        with contextlib.suppress(StorageFailed):  # then it is said about no event
            entry = room.state.queue.entries.get(record.key)
            found = entry or await self.node.engine.find(room.name, record.key)
            record.about = found.position if found else 0
        await self.node.inbox.submit(record)


async def ask_its_node(node: Node, room: Room, name: str, action: str) -> Mapping[str, Any]:
    """What is answered by the node where a participant is connected, mostly this one."""
    request = {"action": action, "room": room.name, "name": name}
    member = room.state.members.get(name)
    if member is None or not member.node:
        return await node.context.asked[action](request)
    return await node.engine.ask(member.node, **request)


def _said(name: str | None, step: str, **data: Any) -> dict[str, Any]:
    """What a record of kind `fault` says."""
    said = {"id": None, "fault": None, "seconds": None, "event": None, **data}
    return {**said, "name": name, "step": step}


FAULTS = web.AppKey("faults", Faults)


def install(app: web.Application) -> None:
    """Let the host of this application set faults."""
    app[FAULTS] = Faults(app[NODE], app[BOTS])
    room = "/api/rooms/{room}"
    of_one = f"{room}/participants/{{name}}/faults"
    routes = web.post(of_one, set_fault), web.delete(of_one, lift)
    app.router.add_routes(however_ended(*routes, web.delete(f"{room}/faults", lift)))


async def set_fault(request: web.Request) -> web.Response:
    """Set a fault on one participant, wherever it is connected."""
    node, room = await hosted(request)
    name = _present(room, request.match_info["name"])
    wanted = await FaultRequest.read(request)
    if wanted.fault == "die_before_ack" and not await request.app[FAULTS].is_bot(room, name):
        raise Refused(
            "not_a_bot",
            f"{name} is none of the host's bots, and only those can be made to die:"
            " lose_ack looks the same to the others.",
            status=409,
        )
    id, seconds = new_id(), wanted.seconds if wanted.fault in LASTING else None
    words = WORDS[wanted.fault][0].format(wanted.seconds)
    data = {"id": id, "fault": wanted.fault, "seconds": seconds, "words": words}
    await node.host.note(room.name, Kind.FAULT, **_said(name, "set", **data))
    return answer({"id": id, "fault": wanted.fault}, 201)


async def lift(request: web.Request) -> web.Response:
    """All faults away, of one participant or of the room: held messages go, the others are off."""
    node, room = await hosted(request)
    asked = request.match_info.get("name")
    name = _present(room, asked) if asked else None
    words = "all its faults are away" if name else "all faults are away"
    await node.host.note(room.name, Kind.FAULT, **_said(name, "lifted", words=words))
    return answer({"name": name, "done": "lift"})


def _present(room: Room, asked: str) -> str:
    """The name of a participant as it is spelled here, or `NotFound`."""
    name = room.state.spellings.get(folded(asked), asked)
    if name not in room.state.members:
        raise NotFound("unknown_participant", f"Nobody called {asked} is in room {room.name}.")
    return name

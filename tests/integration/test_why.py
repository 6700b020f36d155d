"""What the API says about who received an event is what their sockets received."""

import random
from typing import Any

import aiohttp
import pytest

from tests.conftest import Connect
from tests.rooms import Room
from tests.wire import Wire

TYPES = ["news", "tea", "work"]


@pytest.mark.parametrize("seed", range(4))
async def test_the_recipients_of_every_event_are_those_whose_sockets_received_it(
    server: Any, connect: Connect, http: aiohttp.ClientSession, seed: int
) -> None:
    chance, room = random.Random(seed), Room(http, server)
    await room.set_modes({"*": "pubsub", "work": "queue", "news": "relay"})
    wires: dict[str, Wire] = {}
    for name in ("alice", "bob", "carol"):
        echo = chance.choice(("true", "false"))
        wires[name] = await connect(server, name=name, types=chance.choice(TYPES), echo=echo)
    for number in range(30):
        wire = chance.choice(list(wires.values()))
        match chance.choice(["send", "send", "send", "subscribe", "host", "come"]):
            case "send":
                await wire.send({"type": chance.choice(TYPES), "data": {"n": number}})
            case "subscribe":
                un, types = chance.choice(("", "un")), [chance.choice(TYPES)]
                await wire.send({"type": f"broker.{un}subscribe", "data": {"types": types}})
            case "host":
                await room.act(chance.choice(("/pause", "/resume", "/step")))
            case "come" if len(wires) < 6:
                after = chance.choice(({}, {"after": "start"}))
                wires[f"p{number}"] = await connect(server, name=f"p{number}", **after)
    await room.act("/resume")
    for wire in wires.values():
        await wire.fence()
    for event in await room.log():
        said = (await room.get(f"/events/{event['id']}"))["recipients"]
        received = {one["name"] for one in said if one["received"]}
        heard = {
            name
            for name, wire in wires.items()
            if any(one["id"] == event["id"] for one in wire.of_type(event["type"]))
        }
        assert received == heard, (event, said)

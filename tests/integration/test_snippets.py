"""Thirty students paste at once: the lobby's snippet works, and what cannot work is explained."""

import ast
import asyncio
import html
import re
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.conftest import Connect
from tests.rooms import Room
from tests.wire import Wire

STUDENTS = 30
ID = "69688550-5be2-41e4-a057-b9da2d59eb03"


async def own_room(http: aiohttp.ClientSession, server: Any, name: str) -> tuple[URL, Any]:
    """Click "a room of my own"; the address and the event of the Python snippet on the page."""
    async with http.get(f"{server.url}/own", params={"name": name}) as answer:
        assert answer.status == 200
        page = await answer.text()
    found = re.search(r'id="snippet-python"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    snippet = html.unescape(found[1])
    calls = {
        ast.unparse(node.func): node.args[0]
        for node in ast.walk(ast.parse(snippet))
        if isinstance(node, ast.Call) and node.args
    }
    return URL(ast.literal_eval(calls["connect"])), ast.literal_eval(calls["json.dumps"])


async def test_thirty_paste_the_snippet_of_a_room_of_their_own_and_each_sees_its_order_stored(
    server: Any, http: aiohttp.ClientSession
) -> None:
    async def paste(number: int) -> str:
        url, event = await own_room(http, server, f"student-{number}")
        assert "id" not in event
        wire = Wire(await http.ws_connect(url))
        await wire.send(event)
        stored = (await wire.expect("broker.accepted"))["data"]["event"]
        own = await wire.expect("order_placed")
        assert own["id"] == stored
        orders = (await Room(http, server, url.query["room"]).get("/orders"))["orders"]
        assert [(o["event"], o["state"]) for o in orders] == [(stored, "placed")]
        await wire.fence()
        assert len(wire.of_type("order_placed")) == 1, "it hears nothing of the others"
        return url.query["room"]

    rooms = await asyncio.gather(*map(paste, range(STUDENTS)))
    assert len(set(rooms)) == STUDENTS


@pytest.mark.parametrize(
    ("said", "code", "advice"),
    [({}, "id_conflict", "`id`"), ({"source": "alice"}, "name_taken", "`source`")],
)
async def test_thirty_paste_the_same_into_main_and_each_is_told_what_to_change(
    server: Any, connect: Connect, room: Room, said: dict[str, str], code: str, advice: str
) -> None:
    async def paste(_: int) -> dict[str, Any]:
        wire = await connect(server, "/", echo="false")
        await wire.send({"id": ID, "type": "order_placed", "data": {"id": 5}} | said)
        answer = await wire.next()
        while answer["type"] not in ("broker.accepted", "broker.error"):
            answer = await wire.next()
        return answer

    answers = await asyncio.gather(*map(paste, range(STUDENTS)))
    refused = [answer["data"] for answer in answers if answer["type"] == "broker.error"]
    assert len(refused) == STUDENTS - 1
    for data in refused:
        assert (data["code"], data["event"]) == (code, ID)
        assert advice in data["message"]
    (event,) = await room.log()
    assert event["source"] == said.get("source", event["source"])

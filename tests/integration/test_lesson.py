"""The two texts of the lesson that this project comes from, byte for byte."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.conftest import Connect
from tests.process import running
from tests.rooms import Room
from tests.wire import Wire

ORDER = """{
  "id": "69688550-5be2-41e4-a057-b9da2d59eb03",
  "type": "order_placed",
  "created": "1676554735324",
  "source": "alice",
  "data": {
    "id": 5
  }
}"""


@pytest.mark.parametrize(
    "origin",
    [None, "null", "file://", "http://localhost:3000", "http://127.0.0.1:5500"],
    ids=str,
)
async def test_hello_server_is_explained_and_the_connection_lives_whatever_page_it_comes_from(
    server: Any, http: aiohttp.ClientSession, origin: str | None
) -> None:
    wire = Wire(await http.ws_connect(URL(server.url).with_scheme("ws"), origin=origin))
    await wire.send("Hello Server!")
    error = await wire.expect("broker.error", code="malformed_json")
    assert '"type"' in error["data"]["message"], "it shows what an event looks like"
    await wire.send(ORDER)
    await wire.expect("broker.accepted", event="69688550-5be2-41e4-a057-b9da2d59eb03")


async def test_the_order_of_the_lesson_is_confirmed_exactly_once(
    server: Any, connect: Connect, tmp_path: Path, room: Room
) -> None:
    alice = await connect(server, "/")
    with running("bot", server.url, cwd=tmp_path):
        await room.has("bob")
        await alice.send(ORDER)
        confirmed = await alice.expect("order_confirmed", id=5)
        assert confirmed["data"]["customer"] == "alice"
        assert confirmed["data"]["event"] == "69688550-5be2-41e4-a057-b9da2d59eb03"
        assert confirmed["source"] == "bob"

        await alice.send(ORDER)
        await alice.expect("broker.accepted", duplicate=True)
        await alice.send({"type": "order_placed", "data": {"id": 6}})
        await alice.expect("order_confirmed", id=6)

    log = await room.log()
    assert [(e["type"], e["data"]["id"]) for e in log] == [
        ("order_placed", 5),
        ("order_confirmed", 5),
        ("order_placed", 6),
        ("order_confirmed", 6),
    ]
    assert log[0]["created"] == "1676554735324"
    orders = (await room.get("/orders"))["orders"]
    assert [(o["customer"], o["id"], o["state"]) for o in orders] == [
        ("alice", 5, "confirmed"),
        ("alice", 6, "confirmed"),
    ]

"""Connections and requests that are refused: parameters, upgrades, strangers, limits, HTTP."""

import asyncio
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.conftest import Connect, Serve
from tests.integration.test_refusals import ID, event
from tests.rooms import Room
from tests.wire import DEADLINE, Wire

pytestmark = pytest.mark.usefixtures("no_traceback_in_the_log")

BAD_PARAMETERS = [
    {"room": "Main"},
    {"room": "a" * 33},
    {"room": ""},
    {"room": "two words"},
    {"name": "two words"},
    {"name": "a" * 33},
    {"types": "Order Placed"},
    {"types": "*_placed"},
    {"ack": "maybe"},
    {"prefetch": "0", "ack": "manual"},
    {"prefetch": "101", "ack": "manual"},
    {"prefetch": "many", "ack": "manual"},
    {"echo": "perhaps"},
    {"quiet": "2"},
    {"session": "short"},
    {"session": "x" * 65},
    {"after": "yesterday"},
]


@pytest.mark.parametrize("query", BAD_PARAMETERS, ids=str)
async def test_a_wrong_parameter_is_explained_after_the_handshake_and_closed_with_4005(
    server: Any, connect: Connect, http: aiohttp.ClientSession, query: dict[str, str]
) -> None:
    wire = await connect(server, **query)
    assert await wire.close_code() == 4005
    assert [e["type"] for e in wire.heard] == ["broker.error"]
    (error,) = wire.heard
    assert f"`{next(iter(query))}`" in error["data"]["message"]
    async with http.get(f"{server.url}/ws", params=query) as plain:
        assert plain.status == 400


async def test_nobody_may_be_called_broker(server: Any, connect: Connect) -> None:
    wire = await connect(server, name="broker")
    assert await wire.close_code() == 4005
    assert "`broker`" in wire.heard[0]["data"]["message"]


async def test_an_after_that_the_room_does_not_have_is_an_error_event_and_then_live(
    server: Any, connect: Connect
) -> None:
    alice = await connect(server, name="alice", after=ID)
    await alice.expect("broker.error", code="unknown_position")
    await alice.send(event())
    await alice.expect("order_placed")


async def test_only_unknown_subprotocols_get_400_and_ours_is_answered(
    server: Any, http: aiohttp.ClientSession
) -> None:
    url = URL(server.url).with_scheme("ws") / "ws"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(url, protocols=["mqtt", "stomp"])
    assert refused.value.status == 400
    ws = await http.ws_connect(url, protocols=["mqtt", "orders.v1"])
    assert ws.protocol == "orders.v1"
    await Wire(ws).expect("broker.welcome")


@pytest.mark.parametrize("path", ["/ws", "/", "/observe/main"])
async def test_a_foreign_page_gets_403_and_is_told_the_setting_that_would_let_it_in(
    server: Any, http: aiohttp.ClientSession, path: str
) -> None:
    url = URL(server.url).with_scheme("ws").with_path(path)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(url, origin="https://evil.example")
    assert refused.value.status == 403
    async with http.get(
        f"{server.url}/api/rooms/main", headers={"Origin": "https://evil.example"}
    ) as answer:
        assert answer.status == 403
        error = (await answer.json())["error"]
    assert error["code"] == "foreign_origin"
    assert "--allow-origin" in error["message"]


@pytest.mark.parametrize("path", ["/", "/ws", "/api/rooms/main", "/log"])
async def test_a_name_that_is_not_this_servers_gets_403(
    server: Any, http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(f"{server.url}{path}", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403
        assert "--allow-host" in await answer.text()


UPGRADE = (
    "GET /ws HTTP/{version}\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: {websocket}\r\n{more}\r\n"
)
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
BAD_UPGRADES = {
    "over HTTP/1.0": {"version": "1.0", "websocket": "13", "more": KEY},
    "with a body": {"version": "1.1", "websocket": "13", "more": f"{KEY}Content-Length: 5\r\n"},
    "with chunks": {
        "version": "1.1",
        "websocket": "13",
        "more": f"{KEY}Transfer-Encoding: chunked\r\n",
    },
    "without a key": {"version": "1.1", "websocket": "13", "more": ""},
    "in another version": {"version": "1.1", "websocket": "6", "more": KEY},
}


@pytest.mark.parametrize("name", BAD_UPGRADES)
async def test_a_bad_upgrade_gets_400_and_no_participant(
    server: Any, http: aiohttp.ClientSession, name: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(UPGRADE.format(port=server.port, **BAD_UPGRADES[name]).encode())
    async with asyncio.timeout(DEADLINE):
        status = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert status.split()[1] == b"400"
    assert await Room(http, server).names() == []


async def test_over_the_rate_an_event_is_refused_and_its_sender_stays(
    serve: Serve, connect: Connect
) -> None:
    async with serve(rate=0.001, burst=3) as server:
        alice = await connect(server, name="alice", echo="false")
        await alice.expect("broker.welcome")
        for _ in range(5):
            await alice.send(event())
        answers = [await alice.next() for _ in range(5)]
        codes = [a["data"].get("code") for a in answers]
        assert codes == [None] * 3 + ["rate_limited"] * 2
        bob = await connect(server, name="bob")
        await bob.send(event())
        await bob.expect("broker.accepted")


async def test_a_full_room_and_a_full_server_say_so_and_close_with_4004(
    serve: Serve, connect: Connect
) -> None:
    async with serve(max_participants=1, max_rooms=2) as server:
        await (await connect(server, room="main")).expect("broker.welcome")
        await (await connect(server, room="red")).expect("broker.welcome")
        for room, code in (("main", "room_full"), ("blue", "server_full")):
            wire = await connect(server, room=room)
            assert await wire.close_code() == 4004
            assert [e["data"]["code"] for e in wire.heard] == [code]


HTTP_REFUSALS = [
    ("GET", "/api/rooms/nowhere", None, 404, "unknown_room"),
    ("GET", "/api/rooms/nowhere/orders", None, 404, "unknown_room"),
    ("GET", f"/api/rooms/main/events/{ID}", None, 404, "unknown_event"),
    ("POST", "/api/rooms/main/events", "Hello Server!", 400, "malformed_json"),
    ("POST", "/api/rooms/main/events", "[]", 400, "not_an_object"),
    ("POST", "/api/rooms/main/events", event(created=5), 400, "wrong_created"),
    ("POST", "/api/rooms/main/events?name=bob", event(source="alice"), 400, "wrong_source"),
    ("PUT", "/api/rooms/main/modes", '{"*": "shout"}', 400, "wrong_modes"),
    ("PUT", "/api/rooms/main/modes", '{"Order Placed": "queue"}', 400, "wrong_modes"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), HTTP_REFUSALS)
async def test_over_http_a_refusal_has_a_status_a_code_and_a_sentence(
    server: Any,
    http: aiohttp.ClientSession,
    method: str,
    path: str,
    body: str | None,
    status: int,
    code: str,
) -> None:
    async with http.request(method, f"{server.url}{path}", data=body) as answer:
        assert answer.status == status, await answer.text()
        error = (await answer.json())["error"]
    assert error["code"] == code
    assert error["message"].endswith(".")

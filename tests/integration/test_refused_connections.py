"""Connections and requests that are refused: parameters, upgrades, strangers, limits, HTTP."""

import asyncio
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.conftest import Come, Connect, Serve, Start
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


MISSPELT = {"nmae": "name", "Room": "room", "type": "types", "prefetsh": "prefetch"}


@pytest.mark.parametrize("parameter", MISSPELT)
async def test_an_unknown_parameter_is_refused_and_the_one_that_was_meant_is_named(
    server: Any, connect: Connect, http: aiohttp.ClientSession, parameter: str
) -> None:
    wire = await connect(server, **{parameter: "bob"})
    assert await wire.close_code() == 4005
    (error,) = wire.heard
    assert error["data"]["code"] == "wrong_parameter"
    assert f"did you mean `{MISSPELT[parameter]}`?" in error["data"]["message"]
    async with http.get(f"{server.url}/ws", params={parameter: "bob"}) as plain:
        assert plain.status == 400
        assert (await plain.json())["error"] == {
            key: error["data"][key] for key in ("code", "message")
        }


async def test_what_is_like_no_parameter_is_refused_without_a_guess(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    wire = await connect(server, EIO="4")  # as a client of Socket.IO comes
    assert "did you mean" not in (await wire.expect("broker.error"))["data"]["message"]
    async with http.get(f"{server.url}/api/rooms?name=main") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "wrong_parameter")


async def test_a_parameter_that_stands_twice_is_refused_for_nobody_knows_which_was_meant(
    server: Any, http: aiohttp.ClientSession
) -> None:
    url = URL(server.url).with_scheme("ws") / "ws"
    wire = Wire(await http.ws_connect(url.with_query([("name", "anna"), ("name", "bob")])))
    assert await wire.close_code() == 4005
    (error,) = wire.heard
    assert error["data"]["code"] == "wrong_parameter"
    assert "more than once" in error["data"]["message"]


async def test_what_can_be_no_room_is_not_said_to_begin_when_somebody_joins_it(
    server: Any, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{server.url}/api/rooms/Pair%207") as answer:
        error = (await answer.json())["error"]
    assert error["code"] == "unknown_room"
    assert "'Pair 7' is no room" in error["message"]


@pytest.mark.parametrize(
    ("types", "named"), [("order-placed", "order_placed"), ("*_placed", "*_placed")]
)
async def test_a_wrong_pattern_is_named_in_the_address_as_in_a_command(
    server: Any, connect: Connect, types: str, named: str
) -> None:
    wire = await connect(server, types=f"tick, {types}")
    assert await wire.close_code() == 4005
    (error,) = wire.heard
    alice = await connect(server, name="alice")
    await alice.send({"type": "broker.subscribe", "data": {"types": ["tick", types]}})
    assert (await alice.expect("broker.error"))["data"] == error["data"]
    assert error["data"]["code"] == "wrong_types"
    assert named in error["data"]["message"]


async def test_types_may_have_spaces_between_them(server: Any, connect: Connect) -> None:
    wire = await connect(server, types="order_*, tick ,")
    welcome = await wire.expect("broker.welcome")
    assert welcome["data"]["types"] == ["order_*", "tick"]


@pytest.mark.settings(lan=True)
@pytest.mark.parametrize("name", ["broker", "Host", "teacher"])
async def test_a_reserved_name_is_refused_to_all_but_the_host(
    server: Any, connect: Connect, http: aiohttp.ClientSession, name: str
) -> None:
    wire = await connect(server, name=name)
    assert await wire.close_code() == 4005
    assert [e["data"]["code"] for e in wire.heard] == ["name_reserved"]
    guest = await connect(server)
    await guest.send(event(source=name))
    await guest.expect("broker.error", code="name_reserved")
    url = f"{server.url}/api/rooms/main/events?name={name}"
    async with http.post(url, data=event()) as answer:
        assert (await answer.json())["error"]["code"] == "name_reserved"
    headers = {"Authorization": f"Bearer {server.token}"}
    async with http.post(url, data=event(), headers=headers) as answer:
        assert answer.status == (400 if name == "broker" else 201)


@pytest.mark.parametrize("name", ["Zoë", "岸本", "นที", "..."])
async def test_a_name_is_of_letters_of_any_language_and_not_only_dots(
    server: Any, connect: Connect, name: str
) -> None:
    wire = await connect(server, name=name)
    if name == "...":
        assert await wire.close_code() == 4005
        return
    await wire.expect("broker.welcome", name=name)
    await wire.send(event(source=name))
    await wire.expect("order_placed")


@pytest.mark.parametrize("path", ["/socket", "/ws/", "/customer", "/socket.io/", "/api/rooms/main"])
async def test_an_upgrade_where_no_websocket_is_says_so_after_the_handshake(
    server: Any, connect: Connect, path: str
) -> None:
    wire = await connect(server, path=path, EIO="4", transport="websocket")
    assert await wire.close_code() == 4005
    (error,) = wire.heard
    assert error["data"]["code"] == "wrong_path"
    assert f"ws://localhost:{server.port}/ws" in error["data"]["message"]


@pytest.mark.parametrize("path", ["", "/events", "/orders", "/dead-letters", "/records", "/queue"])
async def test_an_address_of_the_api_may_end_in_a_slash_and_refuses_unknown_parameters(
    server: Any, http: aiohttp.ClientSession, path: str
) -> None:
    address = f"{server.url}/api/rooms/main{path}"
    async with http.get(address) as plain, http.get(f"{address}/") as with_slash:
        assert (plain.status, with_slash.status) == (200, 200)
    async with http.get(f"{address}?lmit=5") as answer:
        assert answer.status == 400
        assert "`lmit`" in (await answer.json())["error"]["message"].replace('"', "`")


async def test_a_page_is_found_with_a_slash_at_its_end(
    server: Any, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{server.url}/stage/?room=pair-7") as page:
        assert (page.status, str(page.url)) == (200, f"{server.url}/stage?room=pair-7")


async def test_a_message_of_exactly_the_largest_size_is_taken(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve() as server:
        alice = await connect(server, name="alice")
        text = event(data={"text": ""})
        text = event(data={"text": "x" * (65_536 - len(text))})
        assert len(text) == 65_536
        await alice.send(text)
        await alice.expect("broker.accepted")
        async with http.post(f"{server.url}/api/rooms/main/events", data=text) as answer:
            assert answer.status == 201
        await alice.send(f"{text} ")
        assert await alice.close_code() == 1009
        async with http.post(f"{server.url}/api/rooms/main/events", data=f"{text} ") as answer:
            assert answer.status == 413


async def test_an_after_that_the_room_does_not_have_is_an_error_event_and_then_live(
    server: Any, connect: Connect
) -> None:
    alice = await connect(server, name="alice", after=ID)
    await alice.expect("broker.error", code="unknown_position")
    await alice.send(event())
    await alice.expect("order_placed")


@pytest.mark.parametrize("offered", [["mqtt", "stomp"], ["cloudevents.json"], ["\xff"]])
async def test_who_offers_only_unknown_subprotocols_comes_in_without_one_and_ours_is_answered(
    server: Any, http: aiohttp.ClientSession, offered: list[str]
) -> None:
    url = URL(server.url).with_scheme("ws") / "ws"
    for protocols, answered in ((offered, None), ([*offered, "orders.v1"], "orders.v1")):
        ws = await http.ws_connect(url, protocols=protocols)
        assert ws.protocol == answered
        await Wire(ws).expect("broker.welcome")


async def test_what_anyone_may_offer_does_not_fill_the_log(
    start: Start, http: aiohttp.ClientSession
) -> None:
    server = start()
    url = URL(server.url).with_scheme("ws") / "ws"
    await Wire(await http.ws_connect(url, protocols=["mqtt"])).expect("broker.welcome")
    assert "mqtt" not in server.log


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
    serve: Serve, connect: Connect, come: Come
) -> None:
    async with serve(rate=0.001, burst=3) as server:
        alice = await come(server, name="alice", echo="false")
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

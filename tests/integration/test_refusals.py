"""What is wrong is refused and explained; nobody else notices, and no traceback is logged."""

import asyncio
import json
import logging
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.conftest import Connect, Serve
from tests.rooms import Room
from tests.wire import DEADLINE, Wire

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"


def event(**changes: object) -> str:
    """A good event as JSON, but for these fields."""
    return json.dumps({"type": "order_placed", "data": {"id": 5}} | changes)


def order_with(text: str) -> str:
    """A good event as JSON, with this text, whatever it is, as the value of `data.id`."""
    return '{"type": "order_placed", "data": {"id": ' + text + "}}"


BAD_MESSAGES = {
    "no JSON": ("Hello Server!", "malformed_json"),
    "nothing": ("", "malformed_json"),
    "half of it": ('{"type": "order_placed"', "malformed_json"),
    "two of it": (event() + event(), "malformed_json"),
    "single quotes": ("{'type': 'order_placed'}", "malformed_json"),
    "a list": ("[]", "not_an_object"),
    "a number": ("5", "not_an_object"),
    "a text": ('"order_placed"', "not_an_object"),
    "null": ("null", "not_an_object"),
    "an empty object": ("{}", "missing_type"),
    "no data": ('{"type": "order_placed"}', "missing_data"),
    "no type": ('{"data": {}}', "missing_type"),
    "type a number": (event(type=5), "wrong_type"),
    "type with capitals": (event(type="OrderPlaced"), "wrong_type"),
    "type with a space": (event(type="order placed"), "wrong_type"),
    "type too long": (event(type="a" * 65), "wrong_type"),
    "type empty": (event(type=""), "wrong_type"),
    "type of the broker": (event(type="broker.welcome"), "unknown_command"),
    "type like the broker's": (event(type="broker.dance"), "unknown_command"),
    "data a list": (event(data=[1]), "wrong_data"),
    "data a text": (event(data="5"), "wrong_data"),
    "data null": (event(data=None), "wrong_data"),
    "id a number": (event(id=5), "wrong_id"),
    "id no UUID": (event(id="5"), "wrong_id"),
    "id null": (event(id=None), "wrong_id"),
    "created a number": (event(created=1676554735324), "wrong_created"),
    "created a date": (event(created="2023-02-16T13:38:55Z"), "wrong_created"),
    "created negative": (event(created="-1"), "wrong_created"),
    "created in other digits": (event(created="١٢٣"), "wrong_created"),
    "source with a space": (event(source="two words"), "wrong_source"),
    "source with letters we do not take": (event(source="Zoë"), "wrong_source"),
    "source too long": (event(source="a" * 33), "wrong_source"),
    "source of another": (event(source="bob"), "wrong_source"),
    "source of the broker": (event(source="broker"), "wrong_source"),
    "NaN": (order_with("NaN"), "wrong_number"),
    "Infinity": (order_with("-Infinity"), "wrong_number"),
    "beyond all floats": (order_with("1e400"), "wrong_number"),
    "beyond 2^53": (order_with("9007199254740993"), "wrong_number"),
    "below -2^53": (order_with("-9007199254740993"), "wrong_number"),
    "beyond all floats, in digits": (order_with("1" * 400), "wrong_number"),
    "more digits than anyone reads": (order_with("1" * 5000), "wrong_number"),
    "half a character": (order_with('"\\ud800"'), "wrong_text"),
    "half a character as a key": ('{"type": "a", "data": {"\\udfff": 1}}', "wrong_text"),
    "U+0000": (order_with('"\\u0000"'), "wrong_text"),
    "U+0000 as a key": ('{"type": "a", "data": {"\\u0000": 1}}', "wrong_text"),
    "33 levels deep": (order_with("[" * 31 + "]" * 31), "too_deep"),
    "30,000 levels deep": (order_with("[" * 30_000 + "]" * 30_000), "too_deep"),
    "subscribe to nothing": (event(type="broker.subscribe", data={}), "wrong_command"),
    "subscribe to a number": (event(type="broker.subscribe", data={"types": 5}), "wrong_command"),
    "subscribe to no pattern": (
        event(type="broker.subscribe", data={"types": ["Order Placed"]}),
        "wrong_command",
    ),
    "ack nothing": (event(type="broker.ack", data={}), "wrong_command"),
    "ack what is not held": (event(type="broker.ack", data={"event": ID}), "not_held"),
    "nack what is not held": (event(type="broker.nack", data={"event": ID}), "not_held"),
}


@pytest.fixture(autouse=True)
def _no_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO)
    yield
    for phase in ("setup", "call"):
        for record in caplog.get_records(phase):
            assert record.exc_info is None, record.getMessage()
            assert "Traceback" not in record.getMessage()


async def test_each_bad_message_is_explained_nothing_else_happens_and_the_connection_stays(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(rate=0) as server:
        alice = await connect(server, name="alice")
        neighbour = await connect(server, name="bob")
        await alice.expect("broker.welcome")
        got = {}
        for name, (text, _) in BAD_MESSAGES.items():
            await alice.send(text)
            answer = await alice.next()
            got[name] = answer["data"].get("code", answer["type"])
            assert answer["data"]["message"].rstrip().endswith((".", "…")), answer
            assert len(answer["data"]["message"]) < 400, answer
        assert got == {name: code for name, (_, code) in BAD_MESSAGES.items()}

        await alice.send(event())
        await alice.expect("broker.accepted")
        await neighbour.expect("order_placed")
        assert [e["type"] for e in neighbour.heard] == ["broker.welcome", "order_placed"]
        assert len(await Room(http, server).log()) == 1


async def test_a_number_for_created_is_explained_in_the_words_of_the_contract(
    server: Any, connect: Connect
) -> None:
    alice = await connect(server, name="alice")
    await alice.send(event(created=1676554735324))
    error = await alice.expect("broker.error")
    assert error["data"]["message"].startswith(
        "`created` is a number; the envelope wants a string of milliseconds, such as"
        ' "1676554735324"'
    )


async def test_a_binary_frame_is_explained_and_the_connection_stays(
    server: Any, connect: Connect
) -> None:
    alice = await connect(server, name="alice")
    await alice.ws.send_bytes(event().encode())
    await alice.expect("broker.error", code="binary_frame")
    await alice.send(event())
    await alice.expect("broker.accepted")


async def test_an_id_cannot_be_taken_from_another_but_the_same_event_may_come_twice(
    server: Any, connect: Connect
) -> None:
    alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
    await alice.send(event(id=ID))
    await alice.expect("broker.accepted", event=ID)
    await alice.send(event(id=ID.upper()))
    await alice.expect("broker.accepted", duplicate=True)
    for other, wire in ((event(id=ID, data={"id": 6}), alice), (event(id=ID), bob)):
        await wire.send(other)
        error = await wire.expect("broker.error", code="id_conflict")
        assert error["data"]["event"] == ID
    await bob.fence()
    assert len(bob.of_type("order_placed")) == 1


async def test_answers_come_in_the_order_in_which_messages_were_sent(
    server: Any, connect: Connect
) -> None:
    alice = await connect(server, name="alice", echo="false")
    await alice.expect("broker.welcome")
    for _ in range(20):
        await alice.send(event())
        await alice.send("nonsense")
    answers = [(await alice.next())["type"] for _ in range(40)]
    assert answers == ["broker.accepted", "broker.error"] * 20


@pytest.mark.parametrize("size", [1025, 100_000])
async def test_a_message_that_is_too_large_closes_with_1009_and_disturbs_nobody(
    serve: Serve, connect: Connect, size: int
) -> None:
    async with serve(max_message=1024) as server:
        alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
        await alice.send(event(data={"text": "x" * size}))
        assert await alice.close_code() == 1009
        await bob.send(event())
        await bob.expect("broker.accepted")


async def test_a_text_that_is_not_utf_8_closes_with_1007_and_disturbs_nobody(
    server: Any, connect: Connect
) -> None:
    alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
    await alice.ws._writer.send_frame(b'{"type": "\xff"}', aiohttp.WSMsgType.TEXT)
    assert await alice.close_code() == 1007
    await bob.send(event())
    await bob.expect("broker.accepted")


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

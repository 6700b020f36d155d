"""What is wrong is refused and explained; nobody else notices, and no traceback is logged."""

import json
from typing import Any

import aiohttp
import pytest

from tests.conftest import Come, Connect, Serve
from tests.rooms import Room
from tests.wire import Wire

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"

pytestmark = pytest.mark.usefixtures("no_traceback_in_the_log")


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
    "source with signs we do not take": (event(source="Zoë!"), "wrong_source"),
    "source of dots": (event(source=".."), "wrong_source"),
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
    "900 levels deep": (order_with("[" * 900 + "]" * 900), "too_deep"),
    "30,000 levels deep": (order_with("[" * 30_000 + "]" * 30_000), "too_many_values"),
    "subscribe to nothing": (event(type="broker.subscribe", data={}), "wrong_command"),
    "subscribe to a number": (event(type="broker.subscribe", data={"types": 5}), "wrong_command"),
    "subscribe to no pattern": (
        event(type="broker.subscribe", data={"types": ["Order Placed"]}),
        "wrong_types",
    ),
    "ack nothing": (event(type="broker.ack", data={}), "wrong_command"),
    "ack what is not held": (event(type="broker.ack", data={"event": ID}), "not_held"),
    "nack what is not held": (event(type="broker.nack", data={"event": ID}), "not_held"),
}


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


async def test_a_number_for_created_is_explained_in_the_words_of_the_contract(alice: Wire) -> None:
    await alice.send(event(created=1676554735324))
    error = await alice.expect("broker.error")
    assert error["data"]["message"].startswith(
        "`created` is a number; the envelope wants a string of milliseconds, such as"
        ' "1676554735324"'
    )


async def test_a_binary_frame_is_explained_and_the_connection_stays(alice: Wire) -> None:
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
        assert "new UUID" in error["data"]["message"]
    await bob.send(event(id=ID, type="order_confirmed"))
    error = await bob.expect("broker.error", code="id_conflict")
    assert "answer it twice" in error["data"]["message"], "a new id would be a second confirmation"
    await bob.fence()
    assert len(bob.of_type("order_placed")) == 1


async def test_answers_come_in_the_order_in_which_messages_were_sent(
    server: Any, come: Come
) -> None:
    alice = await come(server, name="alice", echo="false")
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

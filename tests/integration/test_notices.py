"""Notices to one whose program gets nowhere, and to all when the journal is away."""

from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from orders.server.hints import NEWEST
from tests.conftest import Connect
from tests.integration.test_node import NO_LIMITS, Broken
from tests.rooms import Room
from tests.transports import Party, join, running
from tests.wire import Wire, until


async def notices(wire: Wire, code: str) -> list[dict[str, Any]]:
    """What a wire has heard of these, after all that was asked before has been answered.

    Questions are asked one by one, so the answer to one of our own comes behind them.
    """
    event = str(uuid4())
    data = {"id": 999_999, "event": str(uuid4())}
    await wire.send({"id": event, "type": "order_confirmed", "data": data})
    await wire.expect("broker.notice", code="unmatched_answer", event=event)
    heard = [one["data"] for one in wire.of_type("broker.notice")]
    return [data for data in heard if data["code"] == code and data.get("event") != event]


# ── types that nobody sends ─────────────────────────────────────────────────────────────────────


async def test_who_waits_for_a_type_that_nobody_sends_hears_once_which_are_sent(
    server: Any, connect: Connect, alice: Wire
) -> None:
    await alice.publish("order_placed", id=1)
    bob = await connect(server, name="bob", types="orderplaced,order_confirmed")
    said = await bob.expect("broker.notice", code="unknown_type")
    expected = "Nobody has sent `orderplaced` yet; here they send `order_placed`."
    assert said["data"]["message"] == expected
    await bob.send({"type": "broker.subscribe", "data": {"types": ["orderconfirmed"]}})
    assert len(await notices(bob, "unknown_type")) == 1, "once is enough"
    assert await notices(alice, "unknown_type") == [], "it is for bob alone"


async def test_a_subscription_while_connected_is_looked_at_too(
    server: Any, connect: Connect
) -> None:
    bob = await connect(server, name="bob")
    await bob.publish("order_placed", id=1)
    await bob.send({"type": "broker.subscribe", "data": {"types": ["tick"]}})
    said = await bob.expect("broker.notice", code="unknown_type")
    assert "`tick`" in said["data"]["message"] and "`order_placed`" in said["data"]["message"]


@pytest.mark.settings(rate=0)
@pytest.mark.parametrize("types", ["order_rejected", "tick", "*", "orderplaced*"])
async def test_nothing_is_said_of_the_workflow_of_what_was_sent_long_ago_and_of_patterns(
    server: Any, connect: Connect, types: str
) -> None:
    alice = await connect(server, name="alice", quiet="true")
    await alice.send({"type": "tick", "data": {}})
    for number in range(NEWEST):
        await alice.send({"type": "tock", "data": {"n": number}})
    await alice.expect("tock", n=NEWEST - 1)
    bob = await connect(server, name="bob", types=types)
    assert await notices(bob, "unknown_type") == []


async def test_nothing_is_said_in_a_room_without_events(server: Any, connect: Connect) -> None:
    bob = await connect(server, name="bob", types="orderplaced")
    assert await notices(bob, "unknown_type") == []


# ── answers to no order ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrong", "is_there"),
    [
        ({}, True),
        ({"customer": None, "event": None}, True),
        ({"event": None}, True),
        ({"customer": None}, True),
        ({"id": 8}, False),
        ({"id": 8, "event": None}, False),
        ({"id": 8, "event": None, "customer": None}, False),
        ({"customer": "carol"}, False),
        ({"customer": "carol", "event": None}, False),
        ({"event": "69688550-5be2-41e4-a057-b9da2d59eb03"}, False),
        ({"event": "the order"}, False),
        ({"event": 5}, False),
    ],
)
@pytest.mark.parametrize("how", ["relayed", "waits", "held"])
async def test_who_answers_an_order_that_is_not_there_hears_so(
    server: Any, connect: Connect, wrong: dict[str, Any], is_there: bool, how: str, room: Room
) -> None:
    if how == "waits":
        await room.set_modes({"order_placed": "queue"})
    elif how == "held":
        await room.act("/pause")
    alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
    event = await alice.publish("order_placed", id=7)
    data = {"id": 7, "customer": "alice", "event": event, **wrong}
    data = {field: value for field, value in data.items() if value is not None}
    await bob.send({"type": "order_confirmed", "data": data})
    answer = (await bob.expect("broker.accepted"))["data"]["event"]
    said = await notices(bob, "unmatched_answer")
    assert [one["event"] for one in said] == ([] if is_there else [answer])


async def test_an_order_of_before_a_restart_is_there_and_one_of_before_a_reset_is_not(
    serve: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve() as server:
        alice = await connect(server, name="alice")
        event = await alice.publish("order_placed", id=7)
    async with serve() as server:
        data = {"id": 7, "customer": "alice", "event": event}
        bob = await connect(server, name="bob")
        await bob.send({"type": "order_rejected", "data": data})
        assert await notices(bob, "unmatched_answer") == []
        await Room(http, server).act("/reset")
        again = str(uuid4())
        await bob.send({"id": again, "type": "order_rejected", "data": data})
        await bob.expect("broker.notice", code="unmatched_answer", event=again)


# ── the journal ─────────────────────────────────────────────────────────────────────────────────


def codes(party: Party) -> list[str]:
    heard = party.transport.heard
    return [one["data"]["code"] for one in heard if one["type"] == "broker.notice"]


async def test_all_in_every_room_hear_when_the_journal_stops_and_when_it_is_back() -> None:
    engine = Broken()
    async with running(engine, limits=NO_LIMITS) as node:
        alice, carol = await join(node, "alice"), await join(node, "carol", room="other")
        await alice.fence()
        await carol.fence()
        engine.failing = True
        for _ in range(2):
            alice.tick(1)
            await alice.fence()
        assert codes(alice) == codes(carol) == ["journal_away"]
        late = await join(node, "late")
        await late.fence()
        assert [one["type"] for one in late.transport.heard][:2] == [
            "broker.welcome",
            "broker.notice",
        ]
        engine.failing = False  # and nobody sends anything

        async def are_told() -> bool:
            return codes(late) == ["journal_away", "journal_back"]

        await until(are_told, "it is back")
        assert codes(alice) == codes(carol) == ["journal_away", "journal_back"]
        alice.tick(1)
        await alice.fence()
        assert codes(alice) == ["journal_away", "journal_back"]

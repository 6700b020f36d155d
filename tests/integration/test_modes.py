"""Who receives an event: relay, publish–subscribe and queue, with raw clients."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.conftest import Connect
from tests.rooms import Room
from tests.wire import Wire


async def test_relay_reaches_everyone_in_the_room_and_the_sender_unless_it_wants_no_echo(
    server: Any, connect: Connect, alice: Wire
) -> None:
    quiet = await connect(server, name="carol", echo="false")
    other = await connect(server, name="dave", types="order_confirmed")
    await alice.publish("order_placed", id=1)
    await quiet.publish("order_placed", id=2)
    for wire in (alice, other):
        await wire.expect("order_placed", id=2)
        assert [e["data"]["id"] for e in wire.of_type("order_placed")] == [1, 2]
    await quiet.fence()
    assert [e["data"]["id"] for e in quiet.of_type("order_placed")] == [1]


async def test_an_event_reaches_everyone_with_the_values_that_were_sent(
    server: Any, connect: Connect
) -> None:
    alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
    sent = {
        "id": "69688550-5be2-41e4-a057-b9da2d59eb03",
        "type": "shop.note_taken",
        "created": "1",
        "source": "alice",
        "data": {"text": "Grüße, 世界 \u202e 😀", "list": [1, 2.5, None, True, {"deep": []}]},
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    await alice.send({**sent, "attempt": 7})
    assert await alice.expect("shop.note_taken") == sent
    assert await bob.expect("shop.note_taken") == sent


async def test_what_is_missing_is_stamped_alike_for_all(server: Any, connect: Connect) -> None:
    alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
    event = await alice.publish("order_placed", id=1)
    heard = await bob.expect("order_placed")
    assert (heard["id"], heard["source"]) == (event, "alice")
    assert heard["created"].isdigit()
    assert await alice.expect("order_placed") == heard


async def test_pubsub_reaches_those_who_subscribed_to_the_type(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    await Room(http, server).set_modes({"*": "pubsub"})
    alice = await connect(server, name="alice", types="order_confirmed")
    exact = await connect(server, name="bob", types="order_placed")
    prefix = await connect(server, name="carol", types="order_*")
    event = await alice.publish("order_placed", id=1)
    await exact.expect("order_placed", id=1)
    await exact.send({"type": "order_confirmed", "data": {"id": 1, "event": event}})
    await alice.expect("order_confirmed", id=1)
    await prefix.expect("order_confirmed", id=1)
    await exact.fence()
    assert alice.of_type("order_placed") == []
    assert exact.of_type("order_confirmed") == []
    assert len(prefix.of_type("order_placed")) == 1


async def test_a_subscription_can_change_while_connected(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    await Room(http, server).set_modes({"*": "pubsub"})
    alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
    await bob.send({"type": "broker.subscribe", "data": {"types": ["order_confirmed"]}})
    assert (await bob.expect("broker.subscribed"))["data"]["types"] == ["order_confirmed"]
    await alice.publish("order_placed", id=1)
    await bob.send({"type": "broker.subscribe", "data": {"types": ["order_placed"]}})
    subscribed = await bob.expect("broker.subscribed")
    assert set(subscribed["data"]["types"]) == {"order_confirmed", "order_placed"}
    await alice.publish("order_placed", id=2)
    await bob.send({"type": "broker.unsubscribe", "data": {"types": ["order_placed"]}})
    await bob.expect("broker.subscribed")
    await alice.publish("order_placed", id=3)
    await bob.fence()
    assert [e["data"]["id"] for e in bob.of_type("order_placed")] == [2]


async def test_a_queue_hands_each_event_to_exactly_one_in_turn_and_never_to_its_sender(
    server: Any, connect: Connect, room: Room
) -> None:
    await room.set_modes({"*": "pubsub", "order_placed": "queue"})
    alice = await connect(server, name="alice")
    bobs = [await connect(server, name=f"bob-{n}", types="order_placed") for n in range(3)]
    bystander = await connect(server, name="carol", types="order_confirmed")
    for number in range(1, 13):
        await alice.publish("order_placed", id=number)
    for wire in (alice, bystander, *bobs):
        await wire.fence()
    taken = [[e["data"]["id"] for e in bob.of_type("order_placed")] for bob in bobs]
    assert sorted(number for one in taken for number in one) == list(range(1, 13))
    assert [len(one) for one in taken] == [4, 4, 4]
    assert alice.of_type("order_placed") == bystander.of_type("order_placed") == []


async def test_an_event_nobody_can_take_waits_in_its_queue_and_goes_to_who_comes_first(
    server: Any, connect: Connect, room: Room
) -> None:
    await room.set_modes({"order_placed": "queue"})
    alice = await connect(server, name="alice")
    for number in (1, 2, 3):
        await alice.publish("order_placed", id=number)
    assert (await room.get())["queues"]["order_placed"]["ready"] == 3
    bob = await connect(server, name="bob", types="order_placed")
    await bob.expect("order_placed", id=3)
    assert [e["data"]["id"] for e in bob.of_type("order_placed")] == [1, 2, 3]
    second = await connect(server, name="carol", types="order_placed")
    await second.fence()
    assert second.of_type("order_placed") == []
    assert (await room.get())["queues"]["order_placed"]["ready"] == 0


async def test_modes_switch_live_everyone_hears_of_it_and_an_accepted_event_keeps_its_mode(
    server: Any, connect: Connect, room: Room, alice: Wire
) -> None:
    bob = await connect(server, name="bob", types="order_placed")
    carol = await connect(server, name="carol", types="order_confirmed")
    await alice.publish("order_placed", id=1)
    await carol.expect("order_placed", id=1)

    await room.set_modes({"*": "pubsub"})
    for wire in (alice, bob, carol):
        assert (await wire.expect("broker.modes"))["data"]["modes"] == {"*": "pubsub"}
    await alice.publish("order_placed", id=2)
    await bob.expect("order_placed", id=2)
    await carol.fence()
    assert [e["data"]["id"] for e in carol.of_type("order_placed")] == [1]

    await bob.ws.close()
    await room.lacks("bob")
    await room.set_modes({"order_placed": "queue"})
    await alice.expect("broker.modes", modes={"*": "pubsub", "order_placed": "queue"})
    await alice.publish("order_placed", id=3)
    await room.set_modes({"order_placed": None})
    await alice.expect("broker.modes", modes={"*": "pubsub"})
    late = await connect(server, name="bob", types="order_placed")
    await late.expect("order_placed", id=3)  # accepted for a queue, so it waited for somebody


async def test_two_rooms_hear_nothing_of_each_other(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    here = await connect(server, room="red", name="alice")
    there = await connect(server, room="blue", name="alice")
    assert (await there.expect("broker.welcome"))["data"]["name"] == "alice"
    await here.publish("order_placed", id=1)
    await Room(http, server, "red").set_modes({"*": "pubsub"})
    await here.expect("broker.modes")
    await there.publish("order_placed", id=2)
    await there.expect("order_placed")
    assert {e["type"] for e in there.heard} == {
        "broker.welcome",
        "broker.accepted",
        "order_placed",
    }
    assert [e["data"]["id"] for e in there.of_type("order_placed")] == [2]
    assert [e["data"]["id"] for e in await Room(http, server, "red").log()] == [1]
    assert [e["data"]["id"] for e in await Room(http, server, "blue").log()] == [2]
    assert (await Room(http, server, "blue").get())["modes"] == {"*": "relay"}


async def test_everyone_sees_the_events_of_a_room_in_the_order_of_the_log(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    wires = [await connect(server, name=f"p{n}") for n in range(4)]

    async def send(wire: Wire) -> None:
        for number in range(1, 41):
            await wire.send({"type": "order_placed", "data": {"id": number}})

    async def hear(wire: Wire) -> list[str]:
        while len(wire.of_type("order_placed")) < 160:
            await wire.next()
        return [event["id"] for event in wire.of_type("order_placed")]

    await asyncio.gather(*map(send, wires))
    heard = await asyncio.gather(*map(hear, wires))
    log = [event["id"] for event in await Room(http, server).log()]
    assert len(log) == 160
    assert heard == [log] * 4


async def test_a_name_in_use_gets_a_number_and_the_welcome_says_so(
    server: Any, connect: Connect
) -> None:
    names = []
    for _ in range(3):
        wire = await connect(server, name="bob")
        names.append((await wire.expect("broker.welcome"))["data"]["name"])
    assert names == ["bob", "bob-2", "bob-3"]


async def test_who_has_no_name_takes_that_of_its_first_source_unless_it_is_in_use(
    server: Any, connect: Connect
) -> None:
    first, second = await connect(server), await connect(server)
    assert (await first.expect("broker.welcome"))["data"]["name"].startswith("guest-")
    order = {"type": "order_placed", "source": "alice", "data": {"id": 1}}
    await first.send(order)
    await first.expect("broker.accepted")
    await second.send(order)
    refused = await second.expect("broker.error", code="name_taken")
    assert "alice" in refused["data"]["message"]
    await second.publish("order_placed", id=1)


async def test_quiet_participants_hear_neither_welcome_nor_accepted_but_errors(
    server: Any, connect: Connect
) -> None:
    wire = await connect(server, name="alice", quiet="true")
    await wire.send({"type": "order_placed", "data": {"id": 1}})
    await wire.send("nonsense")
    await wire.expect("broker.error")
    await wire.fence()
    assert sorted(e["type"] for e in wire.heard) == ["broker.error"] * 2 + ["order_placed"]


@pytest.mark.parametrize(
    ("types", "ack", "works"),
    [
        ("*", "auto", []),
        ("order_*,tick", "auto", ["tick"]),
        ("tick,order_placed", "auto", ["order_placed", "tick"]),
        ("tick", "manual", ["tick"]),
        ("tick,order_*", "manual", ["*"]),
        ("*", "manual", ["*"]),
    ],
)
async def test_exact_names_work_and_patterns_only_listen_unless_one_acks(
    server: Any, connect: Connect, types: str, ack: str, works: list[str], room: Room
) -> None:
    await room.set_modes({"*": "queue"})
    bob = await connect(server, name="bob", types=types, ack=ack)
    assert (await bob.expect("broker.welcome"))["data"]["works"] == works
    (shown,) = (await room.get())["participants"]
    assert (shown["works"], shown["role"]) == (works, "other")
    alice = await connect(server, name="alice")
    await alice.publish("order_placed", id=1)
    takes = works == ["*"] or "order_placed" in works
    await bob.fence()
    assert len(bob.of_type("order_placed")) == takes

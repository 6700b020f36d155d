"""Coming back: exactly what was missed, in order, then what happens now."""

import asyncio
from typing import Any

import aiohttp

from tests.conftest import Come, Connect, Serve
from tests.rooms import Room
from tests.wire import Wire

SESSION = "a-secret-of-alice-alone"


async def tick(wire: Wire, count: int) -> list[str]:
    """Send so many events, each after the last was accepted; their ids."""
    ids = []
    for number in range(count):
        await wire.send({"type": "tick", "data": {"n": number}})
        ids.append((await wire.expect("broker.accepted"))["data"]["event"])
    return ids


async def test_after_an_event_one_hears_what_came_after_it_then_caught_up_then_live(
    server: Any, connect: Connect
) -> None:
    alice = await connect(server, name="alice", echo="false")
    ids = await tick(alice, 5)
    bob = await connect(server, name="bob", after=ids[1])
    await bob.expect("broker.caught_up", events=3)
    assert [event["id"] for event in bob.of_type("tick")] == ids[2:]
    ids += await tick(alice, 1)
    await bob.expect("tick")
    assert [event["id"] for event in bob.of_type("tick")] == ids[2:]


async def test_after_start_gives_the_whole_log_without_gap_or_repeat_while_events_flow(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(rate=0) as server:
        senders = [await connect(server, name=f"s{n}", echo="false") for n in range(3)]
        await tick(senders[0], 300)
        flowing = [asyncio.create_task(tick(sender, 200)) for sender in senders]
        late = [await connect(server, name=f"late-{n}", after="start") for n in range(5)]
        await asyncio.gather(*flowing)
        log = [event["id"] for event in await Room(http, server).log()]
        assert len(log) == 900
        for wire in late:
            while len(wire.of_type("tick")) < 900:
                await wire.next()
            assert [event["id"] for event in wire.of_type("tick")] == log
            await wire.fence()
            assert len(wire.of_type("broker.caught_up")) == 1


async def test_a_replay_respects_the_subscription_and_the_mode_of_each_event(
    server: Any, connect: Connect, room: Room
) -> None:
    alice = await connect(server, name="alice", echo="false")
    await alice.publish("news", n=1)
    await room.set_modes({"*": "pubsub", "work": "queue"})
    for type in ("news", "work", "order_placed"):
        await alice.publish(type, n=2)
    bob = await connect(server, name="bob", after="start", types="order_*")
    await bob.expect("broker.caught_up", events=2)
    missed = [(e["type"], e["data"]["n"]) for e in bob.heard if e["source"] == "alice"]
    assert missed == [("news", 1), ("order_placed", 2)], "relay is for all, pubsub for subscribers"


async def test_a_new_connection_with_the_same_session_takes_the_name_over(
    server: Any, connect: Connect, come: Come
) -> None:
    old = await come(server, name="alice", session=SESSION)
    new = await connect(server, name="alice", session=SESSION)
    assert (await new.expect("broker.welcome"))["data"]["name"] == "alice"
    assert await old.close_code() == 4000
    await new.send({"type": "tick", "source": "alice", "data": {}})
    await new.expect("broker.accepted")


async def test_another_session_does_not_take_a_name_over(
    server: Any, connect: Connect, come: Come
) -> None:
    first = await come(server, name="alice", session=SESSION)
    second = await connect(server, name="alice", session=SESSION + "-not")
    assert (await second.expect("broker.welcome"))["data"]["name"] == "alice-2"
    await first.fence()

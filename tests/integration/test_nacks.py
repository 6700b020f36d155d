"""A nack gives all back and slows its sender down, so a few cannot spoil the work of all."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.conftest import Clock, Connect
from tests.integration.test_queue import QUEUE, give
from tests.rooms import Room
from tests.wire import Wire, until


@pytest.fixture
async def room(server: Any, http: aiohttp.ClientSession) -> Room:
    room = Room(http, server)
    await room.set_modes(QUEUE)
    return room


async def test_who_nacks_gives_back_all_of_that_type_without_an_attempt_counted(
    server: Any, connect: Connect, room: Room, clock: Clock, alice: Wire
) -> None:
    bob = await connect(server, name="bob", ack="manual", prefetch=10)
    first, second, third = await give(alice, 3)
    await bob.expect("work", n=3)
    await bob.nack(second)
    await bob.ack(third)
    said = await bob.expect("broker.error", code="not_held", event=third)
    assert "gave back another" in said["data"]["message"]
    assert (await room.get())["queues"]["work"] == {"ready": 3, "in_flight": 0, "dead": 0}
    carol = await connect(server, name="carol", ack="manual", prefetch=10)
    await carol.expect("work", n=3)
    attempts = {event["id"]: event["attempt"] for event in carol.of_type("work")}
    assert attempts == {first: 1, second: 2, third: 1}


async def test_after_a_nack_one_comes_at_a_time_until_an_ack(
    server: Any, connect: Connect, room: Room, clock: Clock, alice: Wire
) -> None:
    bob = await connect(server, name="bob", ack="manual", prefetch=10)
    ids = await give(alice, 4)
    await bob.expect("work", n=4)
    await bob.nack(ids[0])
    await bob.fence()
    assert len(bob.of_type("work")) == 4
    clock.forward(1)
    assert (await bob.expect("work"))["id"] == ids[0]
    await bob.fence()
    assert len(bob.of_type("work")) == 5, "one, though it has room for ten"
    await bob.ack(ids[0])
    await bob.expect("work", n=4)
    assert [event["id"] for event in bob.of_type("work")[5:]] == ids[1:]


@pytest.mark.parametrize("who", [{"name": "bob"}, {"name": "eve", "session": "a-session-of-eve"}])
async def test_coming_back_does_not_shorten_the_pause(
    server: Any, connect: Connect, room: Room, clock: Clock, who: dict[str, str], alice: Wire
) -> None:
    bob = await connect(server, **who, ack="manual")
    (event,) = await give(alice)
    await bob.expect("work")
    await bob.nack(event)
    await bob.ws.close()
    await room.lacks(who["name"])
    again = await connect(server, **who, ack="manual")
    await again.fence()
    assert again.of_type("work") == []
    clock.forward(1)
    assert (await again.expect("work"))["attempt"] == 2


async def test_five_who_nack_everything_do_not_make_dead_letters_of_what_another_does(
    server: Any, connect: Connect, room: Room, clock: Clock
) -> None:
    """The pupils nack whatever they are given, at once; time goes on while bob works."""
    count = 40
    alice = await connect(server, name="alice")
    pupils = [
        await connect(server, name=f"pupil-{n}", ack="manual", prefetch=100) for n in range(5)
    ]
    bob = await connect(server, name="bob", ack="manual")

    async def spoil(wire: Wire) -> None:
        while True:
            event = await wire.next()
            if event["type"] == "work":
                await wire.nack(event["id"])

    async def work() -> None:
        while True:
            event = await bob.expect("work")
            await bob.ack(event["id"])

    tasks = [asyncio.create_task(one) for one in (work(), *map(spoil, pupils))]
    await give(alice, count)

    async def is_done() -> bool:
        clock.forward(0.5)
        depth = (await room.get())["queues"]["work"]
        return bool(depth["ready"] + depth["in_flight"] == 0)

    await until(is_done, "all is done")
    for task in tasks:
        task.cancel()
    dead = (await room.get())["queues"]["work"]["dead"]
    assert dead <= count // 10, f"{dead} of {count} are dead letters"

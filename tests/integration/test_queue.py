"""Queues at least once: acks, nacks, prefetch, leases, attempts and dead letters, over the wire."""

from typing import Any

import aiohttp
import pytest

from tests.conftest import Clock, Come, Connect, Serve, Start
from tests.rooms import Room
from tests.wire import Wire, until

LEASE = 30.0  # seconds, which is the default
QUEUE: dict[str, str | None] = {"*": "pubsub", "work": "queue"}


async def give(wire: Wire, count: int = 1) -> list[str]:
    """Send so many pieces of work, numbered from 1, and wait until they are accepted."""
    ids = []
    for number in range(1, count + 1):
        await wire.send({"type": "work", "data": {"n": number}})
        ids.append((await wire.expect("broker.accepted"))["data"]["event"])
    return ids


@pytest.fixture
async def room(server: Any, http: aiohttp.ClientSession) -> Room:
    room = Room(http, server)
    await room.set_modes(QUEUE)
    return room


async def test_one_holds_no_more_than_its_prefetch_until_it_acks(
    server: Any, connect: Connect, room: Room, alice: Wire
) -> None:
    bob = await connect(server, name="bob", ack="manual", prefetch=2)
    ids = await give(alice, 4)
    await bob.expect("work", n=2)
    await bob.fence()
    assert [e["id"] for e in bob.of_type("work")] == ids[:2]
    assert [e["attempt"] for e in bob.of_type("work")] == [1, 1]
    assert (await room.get())["queues"]["work"] == {"ready": 2, "in_flight": 2, "dead": 0}
    await bob.ack(ids[0])
    await bob.expect("work", n=3)
    await bob.fence()
    assert len(bob.of_type("work")) == 3


async def test_an_event_that_was_acked_does_not_come_again(
    server: Any, connect: Connect, room: Room, alice: Wire
) -> None:
    bob = await connect(server, name="bob", ack="manual")
    (event,) = await give(alice)
    await bob.expect("work")
    await bob.ack(event)
    await bob.ack(event)
    await bob.expect("broker.error", code="not_held", event=event)
    await bob.ws.close()
    await room.lacks("bob")
    carol = await connect(server, name="carol", ack="manual")
    await carol.fence()
    assert carol.of_type("work") == []
    assert (await room.get())["queues"]["work"] == {"ready": 0, "in_flight": 0, "dead": 0}


@pytest.mark.parametrize("how", ["nack", "leave", "cut"])
async def test_what_is_let_go_comes_to_another_with_the_next_attempt(
    serve: Serve, connect: Connect, come: Come, http: aiohttp.ClientSession, how: str
) -> None:
    async with serve(lease=3600.0) as server:  # which is over long after the test has given up
        await Room(http, server).set_modes(QUEUE)
        alice = await connect(server, name="alice")
        bob = await connect(server, name="bob", ack="manual")
        (event,) = await give(alice)
        await bob.expect("work")
        carol = await come(server, name="carol", ack="manual")
        if how == "nack":
            await bob.nack(event)
        elif how == "leave":
            await bob.ws.close()
        else:
            bob.cut()
        again = await carol.expect("work")
        assert (again["id"], again["attempt"]) == (event, 2)


async def test_a_lease_that_runs_out_lets_go(
    server: Any, connect: Connect, room: Room, clock: Clock, alice: Wire
) -> None:
    bob = await connect(server, name="bob", ack="manual")
    (event,) = await give(alice)
    await bob.expect("work")
    carol = await connect(server, name="carol", ack="manual")
    await carol.fence()
    assert carol.of_type("work") == []
    clock.forward(LEASE + 1)
    again = await carol.expect("work")
    assert (again["id"], again["attempt"]) == (event, 2)
    await bob.expect("broker.notice", code="lease_ended", event=event)
    await bob.ack(event)
    said = await bob.expect("broker.error", code="not_held")
    assert "carol has it now" in said["data"]["message"]


async def test_after_the_last_attempt_it_is_a_dead_letter_and_the_queue_behind_it_goes_on(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession, clock: Clock
) -> None:
    async with serve(max_attempts=3) as server:
        room = Room(http, server)
        await room.set_modes(QUEUE)
        alice = await connect(server, name="alice")
        bob = await connect(server, name="bob", ack="manual")
        first, second = await give(alice, 2)
        for attempt in (1, 2, 3):
            event = await bob.expect("work", n=1)
            assert event["attempt"] == attempt
            await bob.nack(first, f"reason {attempt}")
            await bob.fence()
            clock.forward(1)
        await bob.expect("work", n=2)
        await bob.ack(second)
        (letter,) = (await room.get("/dead-letters"))["dead_letters"]
        assert letter["event"]["id"] == first
        assert (letter["attempts"], letter["reason"]) == (3, "reason 3")

        await room.act(f"/dead-letters/{first}/retry")
        assert (await bob.expect("work", n=1))["attempt"] == 1
        await bob.ack(first)
        await bob.fence()
        assert (await room.get("/dead-letters"))["dead_letters"] == []


async def test_a_dead_letter_can_be_discarded(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(max_attempts=1) as server:
        room = Room(http, server)
        await room.set_modes(QUEUE)
        alice = await connect(server, name="alice")
        bob = await connect(server, name="bob", ack="manual")
        (event,) = await give(alice)
        await bob.expect("work")
        await bob.nack(event)
        await bob.fence()
        assert (await room.get())["queues"]["work"]["dead"] == 1
        await room.act(f"/dead-letters/{event}/discard")
        assert (await room.get("/dead-letters"))["dead_letters"] == []
        await bob.fence()
        assert len(bob.of_type("work")) == 1


async def test_what_waits_its_attempts_and_its_dead_letters_survive_kill_9(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    server = start("--max-attempts", "2")
    room = Room(http, server)
    await room.set_modes(QUEUE)
    alice = await connect(server, name="alice")
    bob = await connect(server, name="bob", ack="manual")
    dead, tried, waiting = await give(alice, 3)
    for _ in range(2):
        await bob.expect("work", n=1)
        await bob.nack(dead, "never")
    await bob.expect("work", n=2)
    await give(alice)  # what happened to the events before rides with this one

    server.kill()
    server.start()
    (letter,) = (await room.get("/dead-letters"))["dead_letters"]
    assert (letter["event"]["id"], letter["attempts"], letter["reason"]) == (dead, 2, "never")
    carol = await connect(server, name="carol", ack="manual", prefetch=10)
    await carol.expect("work", n=3)
    first, second = carol.of_type("work")[:2]
    assert (first["id"], first["attempt"]) == (tried, 2)
    assert (second["id"], second["attempt"]) == (waiting, 1)


async def test_nobody_else_can_ack_what_one_holds(
    server: Any, connect: Connect, room: Room, alice: Wire
) -> None:
    bob = await connect(server, name="bob", ack="manual")
    (event,) = await give(alice)
    await bob.expect("work")
    mallory = await connect(server, name="mallory", ack="manual")
    await mallory.ack(event)
    await mallory.expect("broker.error", code="not_held")

    async def held() -> bool:
        return bool((await room.get())["queues"]["work"]["in_flight"] == 1)

    await until(held, "bob still holds it")


async def test_with_ack_auto_handing_it_over_settles_it_and_no_attempt_is_shown(
    server: Any, connect: Connect, room: Room, alice: Wire
) -> None:
    bob = await connect(server, name="bob", types="work")
    await give(alice)
    event = await bob.expect("work")
    assert "attempt" not in event
    assert (await room.get())["queues"]["work"] == {"ready": 0, "in_flight": 0, "dead": 0}

"""Coming back again and again while events flow, over real connections."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.conftest import Connect, Serve
from tests.rooms import Address, Room
from tests.wire import DEADLINE, Wire

SESSION = "a-secret-of-bob-alone"


async def flow(wire: Wire, count: int, ballast: str = "") -> None:
    """Send so many events as fast as the server takes them, and wait for the last one."""
    for number in range(count):
        await wire.send({"type": "tick", "data": {"n": number, "ballast": ballast}})
    for _ in range(count):
        await wire.expect("broker.accepted")


async def come_and_go(connect: Connect, server: Address, take: int, until: str) -> list[str]:
    """Hear `take` events, break off, come back with `after`, and so on until the last was heard."""
    heard: list[str] = []
    while not heard or heard[-1] != until:
        after = heard[-1] if heard else "start"
        wire = await connect(server, name="bob", after=after, session=SESSION)
        while len(wire.of_type("tick")) < take and (not heard or heard[-1] != until):
            event = await wire.next()
            if event["type"] == "tick":
                heard.append(event["id"])
        wire.ws._response.close()
    return heard


@pytest.mark.parametrize("take", [7, 150, 499, 500, 501])
async def test_who_breaks_off_and_comes_back_again_and_again_hears_each_event_once_in_order(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession, take: int
) -> None:
    async with serve(rate=0) as server:
        alice = await connect(server, name="alice", echo="false")
        await flow(alice, 200)
        last = "69688550-5be2-41e4-a057-b9da2d59eb03"
        coming = asyncio.create_task(come_and_go(connect, server, take, last))
        await flow(alice, 1000)
        await alice.send({"type": "tick", "id": last, "data": {"n": -1}})
        async with asyncio.timeout(3 * DEADLINE):
            heard = await coming
        log = [event["id"] for event in await Room(http, server).log()]
        assert len(log) == 1201
        assert heard == log


async def test_a_long_history_of_large_events_is_heard_whole_and_what_flows_meanwhile_too(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(rate=0) as server:
        alice = await connect(server, name="alice", echo="false")
        await flow(alice, 200, "x" * 30_000)
        late = [await connect(server, name=f"late-{n}", after="start") for n in range(3)]
        await flow(alice, 50, "y" * 30_000)
        log = await Room(http, server).log()
        assert len(log) == 250
        for wire in late:
            while len(wire.of_type("tick")) < 250:
                await wire.next()
            assert [e["id"] for e in wire.of_type("tick")] == [e["id"] for e in log]
            await wire.fence()
            assert len(wire.of_type("tick")) == 250


async def test_who_takes_its_own_session_over_comes_back_with_after_and_misses_nothing(
    server: Any, connect: Connect
) -> None:
    alice = await connect(server, name="alice", echo="false")
    old = await connect(server, name="bob", session=SESSION)
    await flow(alice, 5)
    seen = await old.expect("tick", n=2)
    new = await connect(server, session=SESSION, after=seen["id"])
    assert (await new.expect("broker.welcome"))["data"]["name"] == "bob"
    assert await old.close_code() == 4000
    await new.expect("broker.caught_up", events=2)
    await flow(alice, 1)
    await new.expect("tick", n=0)
    assert [event["data"]["n"] for event in new.of_type("tick")] == [3, 4, 0]

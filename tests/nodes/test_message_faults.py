"""A fault is set where the host is, and happens where the participant is connected."""

import aiohttp

from tests.integration.test_message_faults import QUEUED, Faulty, ack
from tests.nodes.conftest import Come, Nodes


async def test_faults_work_on_the_node_of_the_participant_and_are_told_on_all(
    nodes: Nodes, come: Come, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2)
    host, there = Faulty(http, one), Faulty(http, two)
    await host.set_modes({**QUEUED})
    alice = await come(one, name="alice", types="order_confirmed")
    bob = await come(two, name="bob", types="order_placed", ack="manual")
    await host.has("bob")
    await host.set("bob", "lose_ack")
    await alice.send({"type": "order_placed", "data": {"id": 5}})
    event = (await alice.expect("broker.accepted"))["data"]["event"]
    await bob.expect("order_placed")
    await ack(bob, event)
    for room in (host, there):
        assert "its ack was lost on the way" in await room.why(event, "bob")
    await host.set("bob", "end_lease")
    assert (await bob.expect("order_placed"))["attempt"] == 2
    await ack(bob, event)
    await host.set("bob", "hold_in", seconds=300)
    await alice.send({"type": "order_placed", "data": {"id": 6}})
    later = (await alice.expect("broker.accepted"))["data"]["event"]
    assert "it was held on its way there" in await host.why(later, "bob")
    await host.lift("bob")
    assert (await bob.expect("order_placed", id=6))["id"] == later
    await host.set("bob", "cut")
    assert (await bob.message()).type is not aiohttp.WSMsgType.CLOSE
    await host.lacks("bob")

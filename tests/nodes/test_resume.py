"""Coming back on another node: exactly what was missed, in order, then what happens now."""

import asyncio

from tests.conftest import Come, Connect
from tests.nodes.conftest import Nodes, Rooms, become, hears, ids, say, say_all


async def test_after_an_event_of_one_node_another_tells_what_came_after_it(
    nodes: Nodes, come: Come, connect: Connect
) -> None:
    one, two = await nodes(2)
    alice = await come(one, name="alice", echo="false")
    sent = await say_all(alice, 20)
    bob = await connect(two, name="bob", after=sent[11])
    await bob.expect("broker.caught_up", events=8)
    assert ids(bob.of_type("tick")) == sent[12:]
    sent.append(await say(alice))
    assert ids(await hears(bob, 9)) == sent[12:]


async def test_after_start_gives_the_whole_log_on_every_node_while_events_flow_on_all(
    nodes: Nodes, come: Come, connect: Connect, rooms: Rooms
) -> None:
    servers = await nodes(3, rate=0)
    senders = [await come(server, name="sender", echo="false") for server in servers]
    await say_all(senders[0], 150)
    flowing = [asyncio.create_task(say_all(sender, 150)) for sender in senders]
    late = [await connect(server, name="late", after="start") for server in servers * 2]
    await asyncio.gather(*flowing)
    heard = [ids(await hears(wire, 600)) for wire in late]
    log = ids(await rooms(servers)[1].log())
    assert len(log) == 600
    assert heard == [log] * 6
    for wire in late:
        await wire.fence()
        assert len(wire.of_type("broker.caught_up")) == 1


async def test_a_position_that_no_node_knows_is_explained_and_then_it_is_live(
    nodes: Nodes, come: Come, connect: Connect
) -> None:
    one, two = await nodes(2)
    alice = await come(one, name="alice")
    await say(alice)
    bob = await connect(two, name="bob", after="69688550-5be2-41e4-a057-b9da2d59eb03")
    await bob.expect("broker.error", code="unknown_position")
    event = await say(alice)
    assert (await bob.expect("tick"))["id"] == event


async def test_a_fresh_node_knows_a_room_with_a_long_log_as_it_stands(
    nodes: Nodes, come: Come, connect: Connect, rooms: Rooms
) -> None:
    (one,) = await nodes(1, rate=0)
    (old,) = rooms([one])
    await old.set_modes({"*": "pubsub", "work": "queue"})
    alice = await come(one, name="alice", types="none")
    bob = await come(one, name="bob", types="work", ack="manual", prefetch=2)
    await say(alice, "order_placed", id=5, item="tea")
    await say(alice, "order_placed", id=6)
    await say(alice, "order_confirmed", id=5, customer="alice")
    sent = await say_all(alice, 2_500)
    work = [await say(alice, "work") for _ in range(5)]
    await hears(bob, 2, "work")
    await bob.ack(work[0])
    await hears(bob, 3, "work")
    await old.act("/pause")
    held = await say(alice)

    (two,) = await nodes(1, rate=0)
    (new,) = rooms([two])
    stands = await become(
        new,
        "",
        "the new node knows the room",
        modes={"*": "pubsub", "work": "queue"},
        paused=True,
        events=2_509,
        last=held,
        queues={"work": {"ready": 2, "in_flight": 2, "dead": 0}},
    )
    assert sorted(one["name"] for one in stands["participants"]) == ["alice", "bob"]
    orders = (await new.get("/orders"))["orders"]
    assert [(o["customer"], o["id"], o["state"]) for o in orders] == [
        ("alice", 5, "confirmed"),
        ("alice", 6, "placed"),
    ]
    assert (await new.get(f"/events/{sent[7]}"))["event"]["data"] == {"n": 7}
    page = await new.get("/events", before="end", limit="2")
    assert ids(page["events"]) == [work[4], held]

    carol = await connect(two, name="carol", types="tick", after=sent[-3])
    await carol.expect("broker.caught_up", events=2)
    assert ids(carol.of_type("tick")) == sent[-2:], "what is held is not told yet"
    dave = await come(two, name="dave", types="work", ack="manual", prefetch=9)
    await new.act("/resume")
    assert (await carol.expect("tick"))["id"] == held
    assert sorted(ids(await hears(dave, 2, "work"))) == work[3:], "bob holds the others"

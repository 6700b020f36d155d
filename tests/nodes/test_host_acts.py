"""What the host does on one node is true on all."""

import asyncio
from uuid import uuid4

from tests.conftest import Come
from tests.nodes.conftest import Nodes, Rooms, become, hears, ids, say, say_all
from tests.wire import Wire


def notices(wire: Wire) -> list[str]:
    """What it heard: the host's notices, and the events between them."""
    return [
        event["data"]["code"] if event["type"] == "broker.notice" else event["id"]
        for event in wire.heard
        if event["type"] in ("broker.notice", "tick")
    ]


async def test_modes_set_on_one_node_are_told_to_the_participants_of_all(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    servers = await nodes(3)
    wires = [await come(server, name="someone") for server in servers]
    modes = {"*": "pubsub", "work": "queue"}
    all_rooms = rooms(servers)
    await all_rooms[2].set_modes({**modes})
    for wire, room in zip(wires, all_rooms, strict=True):
        assert (await wire.expect("broker.modes"))["data"]["modes"] == modes
        await become(room, "", "the modes are known", modes=modes)
    late = await come(servers[0], name="late")
    assert late.of_type("broker.welcome")[0]["data"]["modes"] == modes


async def test_who_comes_into_a_room_that_is_being_forgotten_is_let_in(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    """The host begins it, nobody is there, and somebody comes just then."""
    one, two = await nodes(2)
    for name, server in (("red", one), ("blue", two)):
        (room,) = rooms([one], name)
        await room.set_modes({"*": "pubsub"})
        alice = await come(server, name="alice", room=name)
        await say(alice)
        await room.has("alice")


async def test_modes_set_on_two_nodes_at_once_end_the_same_on_both(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    wires = [await come(server, name="someone") for server in (one, two)]
    for number in range(5):
        await asyncio.gather(
            here.set_modes({"*": "relay", f"a{number}": "queue"}),
            there.set_modes({"*": "pubsub", f"b{number}": "queue"}),
        )
    named = {f"{side}{number}": "queue" for side in "ab" for number in range(5)}
    last = []
    for wire, room in zip(wires, (here, there), strict=True):
        while len(wire.of_type("broker.modes")) < 10:
            await wire.next()
        last.append(wire.of_type("broker.modes")[-1]["data"]["modes"])
        await become(room, "", "what was set last is so", modes=last[-1])
    assert last[0] == last[1]
    assert named.items() <= last[0].items(), "neither node overwrites what the other named"


async def test_a_room_paused_on_one_node_is_held_on_all_stepped_and_resumed_from_any(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    alice = await come(one, name="alice")
    bob = await come(two, name="bob")
    before = await say(alice)
    await there.act("/pause")
    for wire in (alice, bob):
        await wire.expect("broker.notice", code="paused")
    for room in (here, there):
        await become(room, "", "it is paused", paused=True)
    held = [await say(alice) for _ in range(3)] + [await say(bob)]
    assert ids(await here.log()) == [before, *held], "they are stored"
    assert (await here.act("/step"))["event"] == held[0]
    for wire in (alice, bob):
        await hears(wire, 2)
    assert (await there.act("/step"))["event"] == held[1]
    for wire in (alice, bob):
        await hears(wire, 3)
        await wire.fence()
        assert notices(wire) == [before, "paused", held[0], held[1]]
    await here.act("/resume")
    after = await say(bob)
    for wire in (alice, bob):
        assert ids(await hears(wire, 6)) == [before, *held, after]
        assert "resumed" in notices(wire)
    for room in (here, there):
        await become(room, "", "it goes on", paused=False)


async def test_steps_on_two_nodes_at_once_let_go_one_event_each_and_all_hear_the_same(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    alice, bob = await come(one, name="alice"), await come(two, name="bob")
    await here.act("/pause")
    for wire in (alice, bob):
        await wire.expect("broker.notice", code="paused")
    held = [await say(alice) for _ in range(8)]
    for _ in range(3):
        await asyncio.gather(here.act("/step"), there.act("/step"))
    await here.act("/resume")
    for wire in (alice, bob):
        assert ids(await hears(wire, 8)) == held, "each once, in order"


async def test_a_paused_queue_hands_out_nothing_on_any_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    await here.set_modes({"work": "queue"})
    alice = await come(one, name="alice", types="none", echo="false")
    bob = await come(two, name="bob", types="work,tick", ack="manual", prefetch=9)
    await there.act("/pause")
    await alice.expect("broker.notice", code="paused")
    work = [await say(alice, "work") for _ in range(2)]
    assert (await there.act("/step"))["event"] == work[0]
    await bob.expect("work")
    await bob.fence()
    assert ids(bob.of_type("work")) == work[:1]
    await here.act("/resume")
    assert ids(await hears(bob, 2, "work")) == work


async def test_a_reset_on_one_node_is_a_new_beginning_on_all(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    await here.set_modes({"work": "queue"})
    alice, bob = await come(one, name="alice"), await come(two, name="bob", types="tick")
    id = str(uuid4())
    event = {"id": id, "type": "tick", "data": {"n": 1}}
    await alice.send(event)
    await alice.expect("broker.accepted", event=id)
    await say(alice, "order_placed", id=5)
    await say(alice, "work")
    await there.act("/reset")
    for wire in (alice, bob):
        await wire.expect("broker.notice", code="reset")
    for room in (here, there):
        stands = await become(room, "", "nothing is left", events=0, last=None)
        assert stands["queues"].get("work", {}).get("ready", 0) == 0
        assert stands["modes"] == {"*": "relay", "work": "queue"}
        assert sorted(one["name"] for one in stands["participants"]) == ["alice", "bob"]
        assert await room.log() == []
        await become(room, "/orders", "no order is left", orders=[])
    await alice.send(event)
    accepted = await alice.expect("broker.accepted", event=id)
    assert "duplicate" not in accepted["data"], "its id is free again"
    await bob.expect("tick")
    for room in (here, there):
        await become(room, "", "the new beginning has one event", events=1, last=id)
        assert ids(await room.log()) == [id]


async def test_what_flows_during_a_reset_is_heard_before_it_or_stands_in_the_new_log(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    """Whatever is accepted, and wherever the news of the reset has come to by then."""
    one, two = await nodes(2, rate=0)
    here, there = rooms([one, two])
    senders = [await come(server, name="sender", echo="false") for server in (one, two)]
    listeners = [await come(server, name="listener") for server in (one, two)]
    flowing = [asyncio.create_task(say_all(sender, 400, window=20)) for sender in senders]
    for room in (here, there, here):
        await hears(listeners[0], len(listeners[0].of_type("tick")) + 40)
        await room.act("/reset")
    sent = [id for each in await asyncio.gather(*flowing) for id in each]
    assert len(sent) == 800
    log = ids(await here.log())
    for listener in listeners:
        while log and log[-1] not in ids(listener.of_type("tick")):
            await listener.next()
        while len(listener.of_type("broker.notice")) < 3:
            await listener.next()
        heard = ids(listener.of_type("tick"))
        assert sorted(heard) == sorted(sent), "each is heard once"
        assert heard[len(heard) - len(log) :] == log
    assert ids(await there.log()) == log


async def test_the_host_kicks_mutes_and_unmutes_a_participant_of_another_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    bob = await come(one, name="bob")
    await there.has("bob")
    await there.act("/participants/bob/mute")
    await bob.expect("broker.notice", code="muted")
    await bob.send({"type": "tick", "data": {}})
    await bob.expect("broker.error", code="muted")
    await there.act("/participants/bob/unmute")
    await bob.expect("broker.notice", code="unmuted")
    await say(bob)
    await there.act("/participants/bob/kick")
    assert await bob.close_code() == 4003
    for room in (here, there):
        await room.lacks("bob")


async def test_bots_sent_in_on_two_nodes_at_once_have_two_names_and_answer_for_all(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    await here.set_modes({"*": "pubsub", "order_placed": "queue"})
    await asyncio.gather(here.act("/bots"), there.act("/bots"))
    for room in (here, there):
        for name in ("bob", "bob-2"):
            await room.has(name)
    for server, numbers in ((one, (1, 2, 3)), (two, (4, 5, 6))):
        alice = await come(server, name="alice", types="order_confirmed")
        for number in numbers:
            await say(alice, "order_placed", id=number)
        await hears(alice, 3, "order_confirmed")
        await alice.ws.close()
        for room in (here, there):
            await room.lacks("alice")

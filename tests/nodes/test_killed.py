"""A node that is gone: those on it are seen to have left, and what they held goes to others.

Leases are longer here than a test waits for anything: it is the node that is missed.
"""

import asyncio
import os
import signal
from pathlib import Path

from tests.conftest import Come, Connect
from tests.nodes.conftest import Rooms, StartNode, become, hears, ids, say, say_all
from tests.rooms import Room
from tests.wire import Wire, until

QUEUE: dict[str, str | None] = {"*": "pubsub", "work": "queue"}
SESSION = "a-secret-of-alice-alone"


async def is_tried(room: Room, event: str, attempts: int) -> None:
    """Wait until a node knows from the journal how often an event was tried."""

    async def known() -> bool:
        queued = (await room.get("/queue"))["queued"]
        return any(q["event"]["id"] == event and q["attempt"] >= attempts for q in queued)

    await until(known, f"{event} was tried {attempts} times")


async def test_of_a_node_killed_with_9_the_others_take_over_names_and_work(
    start_node: StartNode, come: Come, connect: Connect, rooms: Rooms
) -> None:
    one, two, three = (start_node("--lease", "300") for _ in range(3))
    here, there = rooms([two, three])
    await here.set_modes(QUEUE)
    alice = await come(two, name="alice", types="none")
    bob = await come(one, name="bob", types="work", ack="manual")
    event = await say(alice, "work")
    await bob.expect("work")
    for room in (here, there):
        await room.has("bob")
        await is_tried(room, event, 1)
    carol = await come(two, name="carol", types="work", ack="manual")
    one.kill()
    again = await carol.expect("work")
    assert (again["id"], again["attempt"]) == (event, 2)
    await carol.ack(event)
    for room in (here, there):
        await room.lacks("bob")
    new = await connect(three, name="bob", types="work")
    assert (await new.expect("broker.welcome"))["data"]["name"] == "bob"
    settled = {"ready": 0, "in_flight": 0, "dead": 0}
    for room in (here, there):
        await become(room, "", "nothing is in flight", queues={"work": settled})

        async def is_told(room: Room = room) -> bool:
            records = (await room.get("/records"))["records"]
            return ("left", "bob") in [(one["kind"], one.get("name")) for one in records]

        await until(is_told, "the journal says that bob left")


async def test_what_a_killed_node_held_is_handed_over_once_more_and_no_more_than_that(
    start_node: StartNode, come: Come, rooms: Rooms
) -> None:
    """Its work takes longer than a node that is gone is missed for: nobody gives it back twice."""
    one, two, three = (start_node("--lease", "300") for _ in range(3))
    all_rooms = rooms([two, three])
    await all_rooms[0].set_modes(QUEUE)
    alice = await come(two, name="alice", types="none")
    bob = await come(one, name="bob", types="work", ack="manual", prefetch=10)
    events = await say_all(alice, 10, "work")
    await hears(bob, 10, "work")
    for room in all_rooms:
        for event in events:
            await is_tried(room, event, 1)
    workers = [
        await come(node, name=name, types="work", ack="manual", prefetch=10)
        for node, name in ((two, "carol"), (three, "dave"))
    ]
    one.kill()

    async def finish(worker: Wire, event: str) -> None:
        await asyncio.sleep(3)  # that is how long the work takes
        await worker.ack(event)

    async def take_all(worker: Wire) -> None:
        async with asyncio.TaskGroup() as working:
            while (event := await worker.next())["type"] == "work":
                working.create_task(finish(worker, event["id"]))

    working = [asyncio.create_task(take_all(worker)) for worker in workers]
    for room in all_rooms:
        settled = {"ready": 0, "in_flight": 0, "dead": 0}
        await become(room, "", "all is done", queues={"work": settled})
    for worker in workers:
        await worker.send("fence")
    await asyncio.gather(*working)
    for worker in workers:
        codes = [error["data"]["code"] for error in worker.of_type("broker.error")]
        assert codes == ["malformed_json"], "every ack counts"
    handed = [event for worker in workers for event in worker.of_type("work")]
    assert sorted(ids(handed)) == sorted(events), "each was handed over once more"
    assert {event["attempt"] for event in handed} == {2}
    for room in all_rooms:
        there = (await room.get())["participants"]
        assert {one["name"]: one["in_flight"] for one in there} == {
            "alice": 0,
            "carol": 0,
            "dave": 0,
        }


async def test_of_a_node_that_is_told_to_end_all_is_known_at_once(
    start_node: StartNode, come: Come, rooms: Rooms
) -> None:
    one, two = (start_node("--lease", "300") for _ in range(2))
    (there,) = rooms([two])
    await there.set_modes(QUEUE)
    alice = await come(two, name="alice", types="none")
    bob = await come(one, name="bob", types="work", ack="manual")
    event = await say(alice, "work")
    await bob.expect("work")
    carol = await come(two, name="carol", types="work", ack="manual")
    assert one.stop() == 0
    assert await bob.close_code() == 1001
    again = await carol.expect("work")
    assert (again["id"], again["attempt"]) == (event, 2)
    await there.lacks("bob")


async def test_who_was_on_a_killed_node_comes_back_on_another_with_name_and_place(
    start_node: StartNode, come: Come, connect: Connect
) -> None:
    one, two = start_node(), start_node()
    bob = await come(two, name="bob", echo="false")
    alice = await come(one, name="alice", session=SESSION)
    heard = [await say(bob) for _ in range(3)]
    assert ids(await hears(alice, 3)) == heard
    one.kill()
    missed = [await say(bob) for _ in range(3)]
    again = await connect(two, name="alice", session=SESSION, after=heard[-1])
    assert (await again.expect("broker.welcome"))["data"]["name"] == "alice"
    await again.expect("broker.caught_up", events=3)
    assert ids(again.of_type("tick")) == missed


async def test_a_node_that_was_killed_under_load_comes_back_and_tells_the_same_log(
    start_node: StartNode, come: Come, connect: Connect, rooms: Rooms
) -> None:
    one, two = start_node("--rate", "0"), start_node("--rate", "0")
    alice = await come(two, name="alice", echo="false")
    first = await say_all(alice, 200)
    one.kill()
    second = await say_all(alice, 200)
    one.start()
    listeners = [await connect(server, name="listener", after="start") for server in (one, two)]
    third = await say_all(alice, 50)
    for listener in listeners:
        assert ids(await hears(listener, 450)) == first + second + third
    for room in rooms([one, two]):
        assert ids(await room.log()) == first + second + third


async def test_what_waits_and_what_was_tried_survives_the_end_of_all_nodes(
    start_node: StartNode, come: Come, rooms: Rooms, tmp_path: Path
) -> None:
    one, two = start_node("--lease", "300"), start_node("--lease", "300")
    (here,) = rooms([one])
    await here.set_modes(QUEUE)
    alice = await come(one, name="alice", types="none")
    bob = await come(two, name="bob", types="work", ack="manual")
    sent = [await say(alice, "work") for _ in range(3)]
    await bob.expect("work")
    await bob.nack(sent[0])
    await is_tried(here, sent[0], 1)
    for node in (one, two):
        node.kill()
    for node in (one, two):
        node.start()
    carol = await come(two, name="carol", types="work", ack="manual", prefetch=9)
    assert sorted(ids(await hears(carol, 3, "work"))) == sorted(sent)
    assert max(event["attempt"] for event in carol.of_type("work")) > 1


async def test_a_node_that_stood_still_settles_nothing_that_others_hold_by_now(
    start_node: StartNode, come: Come, rooms: Rooms
) -> None:
    one, two = (start_node("--lease", "300") for _ in range(2))
    (there,) = rooms([two])
    await there.set_modes(QUEUE)
    alice = await come(two, name="alice", types="none")
    bob = await come(one, name="bob", types="work", ack="manual", prefetch=3)
    events = await say_all(alice, 3, "work")
    await hears(bob, 3, "work")
    for event in events:
        await is_tried(there, event, 1)
    carol = await come(two, name="carol", types="work", ack="manual", prefetch=3)
    os.kill(one.pid, signal.SIGSTOP)
    try:
        for event in events:
            await bob.ack(event)  # read once the node goes on
        again = await hears(carol, 3, "work")
    finally:
        os.kill(one.pid, signal.SIGCONT)
    assert {event["attempt"] for event in again} == {2}
    for _ in events:
        assert (await bob.expect("broker.error"))["data"]["code"] == "not_held"
    for event in events:
        await carol.ack(event)
    settled = {"ready": 0, "in_flight": 0, "dead": 0}
    await become(there, "", "all is done", queues={"work": settled})
    assert sorted(ids(carol.of_type("work"))) == sorted(events), "each was handed over once"

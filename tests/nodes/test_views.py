"""A room looks the same on every node: over HTTP, and on the feed of the log and the stage."""

import json
from typing import Any

import aiohttp

from tests.conftest import Come
from tests.nodes.conftest import Nodes, Rooms, hears, ids, same, say
from tests.rooms import Address, Room
from tests.wire import Wire, until


async def feed(http: aiohttp.ClientSession, server: Address) -> Wire:
    """An observer of the main room, which has got its snapshot."""
    wire = Wire(await http.ws_connect(f"{server.url}/observe/main".replace("http", "ws", 1)))
    assert "snapshot" in json.loads((await wire.message()).data)
    return wire


async def told(feed: Wire, last: str) -> list[dict[str, Any]]:
    """The records up to the event with this id."""
    records: list[dict[str, Any]] = []
    while not any(one["kind"] == "event" and one["event"]["id"] == last for one in records):
        message = json.loads((await feed.message()).data)
        assert message["skipped"] == 0
        aside = ("bots", "slow", "journal")
        records += [one for one in message["records"] if one["kind"] not in aside]
    return records


async def test_room_log_orders_letters_and_explanations_are_the_same_on_every_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    servers = await nodes(3, max_attempts=1)
    all_rooms = rooms(servers)
    await all_rooms[0].set_modes({"*": "pubsub", "work": "queue"})
    alice = await come(servers[0], name="alice", types="order_confirmed")
    bob = await come(servers[1], name="bob", ack="manual", prefetch=3)
    await come(servers[2], name="carol", types="tea.*")
    placed = [await say(alice, "order_placed", id=number, item="tea") for number in (5, 6)]
    await bob.expect("order_placed", id=6)
    await say(bob, "order_confirmed", id=5, customer="alice", event=placed[0])
    await say(
        bob, "order_rejected", id=6, customer="alice", event=placed[1], reason="no", message="No."
    )
    work = [await say(alice, "work") for _ in range(4)]
    await hears(bob, 3, "work")
    await bob.ack(work[0])
    await hears(bob, 4, "work")
    await bob.nack(work[1], "broken")  # with it goes back what else bob has
    await hears(bob, 5, "work")

    orders = await same(all_rooms, "/orders")
    assert [(o["id"], o["state"], o["confirmer"]) for o in orders["orders"]] == [
        (5, "confirmed", "bob"),
        (6, "rejected", "bob"),
    ]
    letters = await same(all_rooms, "/dead-letters")
    assert [letter["event"]["id"] for letter in letters["dead_letters"]] == [work[1]]
    events = await same(all_rooms, "/events")
    assert len(events["events"]) == 8
    for event in (placed[0], *work):
        why = await same(all_rooms, f"/events/{event}")
        names = [one["name"] for one in why["recipients"] if one["received"]]
        assert names == ["bob"]
    room = await same(all_rooms)
    assert room["queues"]["work"] == {"ready": 1, "in_flight": 1, "dead": 1}
    people = {one["name"]: one for one in room["participants"]}
    assert sorted(people) == ["alice", "bob", "carol"]
    assert people["bob"]["in_flight"] == 1
    assert people["alice"]["role"] == "customer"
    assert people["bob"]["role"] == "confirmer"


async def test_the_journal_in_pages_is_the_same_on_every_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    alice, bob = await come(one, name="alice"), await come(two, name="bob")
    sent = [await say(wire) for wire in (alice, bob, alice)]
    await bob.ws.close()
    journal = [("joined", "alice"), ("joined", "bob"), *sent, ("left", "bob")]
    for room in rooms([one, two]):

        async def is_told(room: Room = room) -> bool:
            told: list[Any] = [
                record["event"]["id"] if "event" in record else (record["kind"], record["name"])
                for record in (await room.get("/records"))["records"]
            ]
            return told == journal

        await until(is_told, "each node tells the journal in the same order")


async def test_observers_of_two_nodes_are_told_the_same_in_the_same_order(
    nodes: Nodes, come: Come, rooms: Rooms, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2)
    feeds = [await feed(http, server) for server in (one, two)]
    await rooms([two])[0].set_modes({"*": "pubsub", "work": "queue"})
    alice = await come(one, name="alice")
    bob = await come(two, name="bob", ack="manual")
    work = await say(alice, "work")
    await bob.expect("work")
    await bob.nack(work)
    assert (await bob.expect("work"))["attempt"] == 2
    await bob.ack(work)
    await bob.ws.close()
    for room in rooms([one, two]):
        await room.lacks("bob")
    last = await say(alice)
    records = [await told(each, last) for each in feeds]
    assert records[0] == records[1]
    kinds = [record["kind"] for record in records[0]]
    assert kinds == [
        *("modes", "joined", "joined", "event", "handed", "released", "handed", "settled", "left"),
        "event",
    ]
    assert ids([record["event"] for record in records[0] if record["kind"] == "event"]) == [
        work,
        last,
    ]

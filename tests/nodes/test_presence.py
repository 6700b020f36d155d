"""Who is in a room is known on every node, and a name is given once, whichever node one joins."""

import asyncio

import aiohttp
import pytest

from tests.conftest import Come, Connect
from tests.nodes.conftest import Nodes, Rooms, hears, say
from tests.rooms import Address, Room
from tests.wire import until

SESSION = "a-secret-of-alice-alone"


async def test_a_name_that_is_in_use_on_another_node_gets_a_number_and_is_free_after_that(
    nodes: Nodes, connect: Connect, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    first = await connect(one, name="bob")
    assert (await first.expect("broker.welcome"))["data"]["name"] == "bob"
    second = await connect(two, name="bob")
    welcome = (await second.expect("broker.welcome"))["data"]
    assert (welcome["name"], welcome["participants"]) == ("bob-2", 2)
    for room in (here, there):
        await room.has("bob")
        await room.has("bob-2")
    await first.ws.close()
    await there.lacks("bob")
    third = await connect(two, name="bob")
    assert (await third.expect("broker.welcome"))["data"]["name"] == "bob"
    await here.has("bob")


async def test_of_many_who_come_at_once_to_three_nodes_no_two_get_the_same_name(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    servers = await nodes(3)

    wires = await asyncio.gather(
        *(come(server, name="bob") for server in servers for _ in "123456")
    )
    names = [wire.of_type("broker.welcome")[0]["data"]["name"] for wire in wires]
    assert len(set(names)) == 18
    assert "bob" in names
    for room in rooms(servers):

        async def all_there(room: Room = room) -> bool:
            return sorted(await room.names()) == sorted(names)

        await until(all_there, "each node knows all eighteen")


async def test_rooms_have_names_of_their_own(nodes: Nodes, connect: Connect, come: Come) -> None:
    one, two = await nodes(2)
    await come(one, name="bob", room="red")
    other = await connect(two, name="bob", room="blue")
    assert (await other.expect("broker.welcome"))["data"]["name"] == "bob"


async def test_who_takes_the_name_of_its_first_source_is_refused_one_of_another_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    await come(one, name="alice")
    (there,) = rooms([two])
    await there.has("alice")
    guest = await come(two)
    await guest.send({"type": "tick", "source": "alice", "data": {}})
    await guest.expect("broker.error", code="name_taken")
    await guest.send({"type": "tick", "source": "carol", "data": {}})
    await guest.expect("broker.accepted")
    (here,) = rooms([one])
    await here.has("carol")


async def test_over_http_a_name_of_another_node_is_taken(
    nodes: Nodes, come: Come, rooms: Rooms, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2)
    await come(one, name="alice")
    (there,) = rooms([two])
    await there.has("alice")
    url = f"{two.url}/api/rooms/main/events?name=alice"
    event = {"type": "tick", "data": {}}
    async with http.post(url, json=event, headers={"Origin": "null"}) as answer:
        assert (await answer.json())["error"]["code"] == "name_taken"
    async with http.post(url.replace("alice", "dave"), json=event) as answer:
        assert answer.status == 201


async def test_the_same_session_takes_its_name_over_from_another_node(
    nodes: Nodes, connect: Connect, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    old = await come(one, name="alice", session=SESSION)
    new = await connect(two, name="alice", session=SESSION)
    assert (await new.expect("broker.welcome"))["data"]["name"] == "alice"
    assert await old.close_code() == 4000
    await say(new)
    for room in rooms([one, two]):

        async def alone(room: Room = room) -> bool:
            return await room.names() == ["alice"]

        await until(alone, "alice is there once")


async def test_another_session_gets_another_name(
    nodes: Nodes, connect: Connect, come: Come
) -> None:
    one, two = await nodes(2)
    first = await come(one, name="alice", session=SESSION)
    second = await connect(two, name="alice", session=SESSION + "-not")
    assert (await second.expect("broker.welcome"))["data"]["name"] == "alice-2"
    await first.fence()


async def test_who_wanders_from_node_to_node_keeps_its_name_and_misses_nothing(
    nodes: Nodes, connect: Connect, come: Come
) -> None:
    servers = await nodes(3)
    sender = await come(servers[0], name="sender", echo="false")
    event = await say(sender)
    heard: list[str] = [event]
    sent: list[str] = [event]
    for step in range(9):
        wanderer = await connect(
            servers[step % 3], name="wanderer", session=SESSION, after=heard[-1]
        )
        welcome = await wanderer.expect("broker.welcome")
        assert welcome["data"]["name"] == "wanderer"
        sent += [await say(sender), await say(sender)]
        heard += [event["id"] for event in await hears(wanderer, 2)]
        sent += [await say(sender)]  # it may hear this one, and need not
    last = await connect(servers[0], name="wanderer", session=SESSION, after=heard[-1])
    heard += [event["id"] for event in await hears(last, len(sent) - len(heard))]
    assert heard == sent


async def test_what_a_participant_asked_for_is_told_on_every_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    alice = await come(one, name="alice", types="tea.*", ack="manual", echo="false")
    (there,) = rooms([two])
    await there.has("alice")
    (shown,) = (await there.get())["participants"]
    assert (shown["types"], shown["ack"], shown["echo"]) == (
        ["tea.*"],
        "manual",
        False,
    )
    await alice.send({"type": "broker.subscribe", "data": {"types": ["coffee"]}})
    await alice.expect("broker.subscribed")

    async def subscribed() -> bool:
        (shown,) = (await there.get())["participants"]
        return bool(shown["types"] == ["coffee", "tea.*"])

    await until(subscribed, "the other node knows what alice subscribed to")


async def test_a_room_that_begins_on_one_node_is_there_on_another_and_forgotten_on_both(
    nodes: Nodes, come: Come, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2)
    alice = await come(one, name="alice", room="red")

    async def is_there(server: Address) -> bool:
        async with http.get(f"{server.url}/api/rooms/red") as answer:
            return answer.status == 200

    for server in (one, two):
        await until(lambda server=server: is_there(server), "the room is there")  # type: ignore[misc]
    await alice.ws.close()

    async def is_gone(server: Address) -> bool:
        return not await is_there(server)

    for server in (one, two):
        await until(lambda server=server: is_gone(server), "the room is forgotten")  # type: ignore[misc]


async def test_a_name_in_any_letters_reaches_the_other_node_as_it_is(
    nodes: Nodes, connect: Connect, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    other = await connect(two, name="bob")
    for name in ("Zoë", "岸本", "นที"):
        wire = await connect(one, name=name)
        await wire.expect("broker.welcome", name=name)
        await wire.send({"type": "order_placed", "data": {"id": 5}})
        await wire.expect("order_placed", id=5)
        assert (await other.expect("order_placed"))["source"] == name
        for room in (here, there):
            await room.has(name)
            assert [event["source"] for event in await room.log(source=name)] == [name]


async def test_one_that_left_a_node_just_now_has_its_name_on_another(
    nodes: Nodes, come: Come, rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a node is stopped for an upgrade: those whom it closes come to another at once."""
    one, two = await nodes(2)
    is_freed = asyncio.Event()

    async def free_later(*_: object) -> None:
        await is_freed.wait()

    monkeypatch.setattr("orders.journal.nats.membership.Membership.free", free_later)
    carol = await come(one, name="carol", session="a-session-of-carol")
    await carol.ws.close()
    (here,) = rooms([one])
    await here.lacks("carol")
    again = await come(two, name="carol", session="a-session-of-carol")
    other = await come(one, name="carol", session="a-session-of-another")
    is_freed.set()
    assert again.of_type("broker.welcome")[0]["data"]["name"] == "carol"
    assert other.of_type("broker.welcome")[0]["data"]["name"] == "carol-2"

"""Who receives what, when senders and receivers are on different nodes."""

import asyncio
from uuid import uuid4

from tests.conftest import Come
from tests.nodes.conftest import Nodes, Rooms, become, hears, ids, say, say_all
from tests.rooms import Room
from tests.wire import Wire, until

QUEUE: dict[str, str | None] = {"*": "pubsub", "work": "queue"}
EMPTY = {"ready": 0, "in_flight": 0, "dead": 0}


async def take_no_more(wire: Wire) -> None:
    """It keeps what it holds, and gets no repeat of it: none but another may have that."""
    await wire.send({"type": "broker.unsubscribe", "data": {"types": ["*"]}})
    await wire.expect("broker.subscribed")


async def test_in_relay_all_hear_the_events_of_all_nodes_in_the_order_of_one_log(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    servers = await nodes(3, rate=0)
    listeners = [await come(server, name="listener") for server in servers]
    senders = [await come(server, name="sender", echo="false") for server in servers]
    sent = await asyncio.gather(*(say_all(sender, 100) for sender in senders))
    heard = [ids(await hears(listener, 300)) for listener in listeners]
    assert heard[0] == heard[1] == heard[2]
    assert sorted(heard[0]) == sorted(id for own in sent for id in own)
    for own in sent:
        assert [id for id in heard[0] if id in set(own)] == own, "a sender's own stay in order"
    for room in rooms(servers):
        assert ids(await room.log()) == heard[0]


async def test_in_pubsub_only_who_subscribed_hears_it_wherever_it_was_sent(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    (room,) = rooms([one])
    await room.set_modes({"*": "pubsub"})
    alice = await come(one, name="alice", types="none")
    bob = await come(two, name="bob", types="tea.*,end")
    carol = await come(two, name="carol", types="coffee,end")
    tea = await say(alice, "tea.green")
    coffee = await say(alice, "coffee")
    end = await say(alice, "end")
    assert ids(await hears(bob, 2, "tea.green", "coffee", "end")) == [tea, end]
    assert ids(await hears(carol, 2, "tea.green", "coffee", "end")) == [coffee, end]


async def test_a_change_of_modes_counts_for_what_is_accepted_after_it_on_any_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    alice = await come(one, name="alice", types="none", echo="false")
    bob = await come(two, name="bob", types="end")
    relayed = await say(alice)
    (there,) = rooms([two])
    await there.set_modes({"*": "pubsub"})
    await alice.expect("broker.modes")
    await say(alice)
    end = await say(alice, "end")
    assert ids(await hears(bob, 2, "tick", "end")) == [relayed, end]


# ── duplicates ──────────────────────────────────────────────────────────────────────────────────


async def test_an_id_is_accepted_once_whichever_nodes_it_is_sent_to(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    listener = await come(two, name="listener", types="tick,end")
    first = await come(one, name="alice", echo="false")
    event = {"id": str(uuid4()), "type": "tick", "data": {"n": 1}}
    await first.send(event)
    await first.expect("broker.accepted", event=event["id"])
    await first.ws.close()
    for room in rooms([one, two]):
        await room.lacks("alice")
    again = await come(two, name="alice", echo="false")
    await again.send(event)
    said = await again.expect("broker.accepted", event=event["id"])
    assert said["data"]["duplicate"] is True
    await again.send({**event, "data": {"n": 2}})
    await again.expect("broker.error", code="id_conflict")
    end = await say(again, "end")
    assert ids(await hears(listener, 2, "tick", "end")) == [event["id"], end]


async def test_of_two_events_sent_at_once_under_one_id_on_two_nodes_one_is_refused(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2, rate=0)
    alice, bob = await come(one, name="alice"), await come(two, name="bob")
    chosen = [str(uuid4()) for _ in range(30)]
    for id in chosen:
        for wire in (alice, bob):
            await wire.send({"id": id, "type": "claim", "data": {}})

    said = [
        (answer["data"]["event"], answer["data"].get("code", "accepted"))
        for wire in (alice, bob)
        for answer in await hears(wire, 30, "broker.accepted", "broker.error")
    ]
    assert sorted(said) == sorted(
        (id, code) for id in chosen for code in ("accepted", "id_conflict")
    )
    for room in rooms([one, two]):
        assert sorted(ids(await room.log())) == sorted(chosen)


# ── queues ──────────────────────────────────────────────────────────────────────────────────────


async def test_each_queued_event_goes_to_one_participant_and_to_no_more_than_have_room(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    """Nobody acks: so each of four gets one of four, and the fifth waits for the first ack."""
    one, two = await nodes(2)
    (room, there) = rooms([one, two])
    await room.set_modes(QUEUE)
    workers = [
        await come(server, name="worker", ack="manual", types="work")
        for server in (one, one, two, two)
    ]
    alice = await come(one, name="alice")
    sent = [await say(alice, "work") for _ in range(5)]
    given = [(await worker.expect("work"))["id"] for worker in workers]
    assert len(set(given)) == 4, "each node begins with its share, so which four is not promised"
    (waiting,) = set(sent) - set(given)
    depths = {"ready": 1, "in_flight": 4, "dead": 0}
    for each in (room, there):
        await become(each, "", "four are in flight", queues={"work": depths})
    await workers[3].ack(given[3])
    assert (await workers[3].expect("work"))["id"] == waiting
    for worker in workers[:3]:
        await worker.fence()
        assert len(worker.of_type("work")) == 1


async def test_with_ack_auto_each_event_is_handed_out_once_among_the_workers_of_all_nodes(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    servers = await nodes(3, rate=0)
    (room, *_) = all_rooms = rooms(servers)
    await room.set_modes(QUEUE)
    workers = [await come(server, name="worker", types="work") for server in servers]
    senders = [await come(server, name="sender", types="none") for server in servers]
    own = await asyncio.gather(*(say_all(each, 40, "work") for each in senders))
    for each in all_rooms:
        await become(each, "", "all was handed out", queues={"work": EMPTY})
    for worker in workers:
        await worker.fence()
    given = [event["id"] for worker in workers for event in worker.of_type("work")]
    assert sorted(given) == sorted(id for sent in own for id in sent)


async def test_many_workers_on_two_nodes_ack_everything_once(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2, rate=0)
    all_rooms = rooms([one, two])
    await all_rooms[0].set_modes(QUEUE)
    workers = [
        await come(server, name="worker", ack="manual", prefetch=5, types="work")
        for server in (one, two, one, two)
    ]
    alice = await come(two, name="alice", types="none")
    acked: list[str] = []

    async def labour(worker: Wire) -> None:
        while True:
            event = await worker.next()
            if event["type"] == "work":
                acked.append(event["id"])
                await worker.ack(event["id"])

    labours = [asyncio.create_task(labour(worker)) for worker in workers]
    sent = await say_all(alice, 120, "work")

    async def all_acked() -> bool:
        return len(acked) >= len(sent)

    await until(all_acked, "all are acked")
    for room in all_rooms:
        await become(room, "", "nothing is left", queues={"work": EMPTY})
    for task in labours:
        task.cancel()
    await asyncio.gather(*labours, return_exceptions=True)
    assert sorted(acked) == sorted(sent)


async def test_it_never_goes_to_its_sender_and_waits_for_another_on_any_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    here, there = rooms([one, two])
    await here.set_modes(QUEUE)
    alice = await come(one, name="alice", ack="manual", prefetch=10)
    sent = [await say(alice, "work") for _ in range(3)]
    waiting = {"work": {"ready": 3, "in_flight": 0, "dead": 0}}
    for room in (here, there):
        await become(room, "", "all three wait", queues=waiting)
    bob = await come(two, name="bob", ack="manual", prefetch=10)
    assert ids(await hears(bob, 3, "work")) == sent, "oldest first"
    await alice.fence()
    assert alice.of_type("work") == []


async def test_a_nack_gives_it_to_another_node_where_only_there_somebody_is_left(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    await rooms([one])[0].set_modes(QUEUE)
    alice = await come(two, name="alice", types="none")
    bob = await come(one, name="bob", ack="manual")
    event = await say(alice, "work")
    assert (await bob.expect("work"))["attempt"] == 1
    carol = await come(two, name="carol", ack="manual")
    await take_no_more(bob)
    await bob.nack(event)
    again = await carol.expect("work")
    assert (again["id"], again["attempt"]) == (event, 2)
    await carol.ack(event)
    await bob.ack(event)
    await bob.expect("broker.error", code="not_held", event=event)


async def test_what_is_held_by_one_that_leaves_goes_to_another_node(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    await rooms([one])[0].set_modes(QUEUE)
    alice = await come(two, name="alice", types="none")
    bob = await come(one, name="bob", ack="manual")
    event = await say(alice, "work")
    await bob.expect("work")
    carol = await come(two, name="carol", ack="manual")
    bob.cut()
    again = await carol.expect("work")
    assert (again["id"], again["attempt"]) == (event, 2)


async def test_a_lease_that_runs_out_on_one_node_gives_it_to_another(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2, lease=0.5)
    await rooms([one])[0].set_modes(QUEUE)
    alice = await come(one, name="alice", types="none")
    bob = await come(one, name="bob", ack="manual")
    event = await say(alice, "work")
    await bob.expect("work")
    await take_no_more(bob)
    carol = await come(two, name="carol", ack="manual")
    again = await carol.expect("work")
    assert (again["id"], again["attempt"]) == (event, 2)
    await bob.ack(event)
    await bob.expect("broker.error", code="not_held", event=event)


async def test_an_ack_in_time_settles_it_for_all_nodes(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    all_rooms = rooms([one, two])
    await all_rooms[1].set_modes(QUEUE)
    alice = await come(two, name="alice", types="none")
    bob = await come(one, name="bob", ack="manual")
    event = await say(alice, "work")
    await bob.expect("work")
    await bob.ack(event)
    for room in all_rooms:
        await become(room, "", "it is settled", queues={"work": EMPTY})
    await bob.ws.close()
    carol = await come(two, name="carol", ack="manual")
    second = await say(alice, "work")
    assert (await carol.expect("work"))["id"] == second, "the settled one does not come again"


async def test_after_the_last_attempt_it_is_a_dead_letter_on_every_node_to_retry_or_discard(
    nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2, max_attempts=2)
    here, there = rooms([one, two])
    await here.set_modes(QUEUE)
    alice = await come(one, name="alice", types="none")
    bob = await come(one, name="bob", ack="manual")

    async def dies(event: str) -> None:
        for attempt in (1, 2):
            given = await bob.expect("work")
            assert (given["id"], given["attempt"]) == (event, attempt)
            await bob.nack(event, f"reason {attempt}")
        for room in (here, there):

            async def is_dead(room: Room = room) -> bool:
                letters = (await room.get("/dead-letters"))["dead_letters"]
                seen = [(one["event"]["id"], one["attempts"], one["reason"]) for one in letters]
                return seen == [(event, 2, "reason 2")]

            await until(is_dead, "it is a dead letter")

    first = await say(alice, "work")
    await dies(first)
    await there.act(f"/dead-letters/{first}/retry")
    await dies(first)
    await there.act(f"/dead-letters/{first}/discard")
    for room in (here, there):
        await become(room, "/dead-letters", "none is left", dead_letters=[])
        await become(room, "", "none is counted", queues={"work": EMPTY})
    second = await say(alice, "work")
    assert (await bob.expect("work"))["id"] == second, "the queue behind it goes on"

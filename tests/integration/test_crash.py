"""`kill -9` under load: what was accepted is in the log, once, and the room goes on as it was."""

import asyncio
import contextlib
from uuid import uuid4

import aiohttp

from tests.conftest import Connect, Start
from tests.process import Process
from tests.rooms import Room
from tests.wire import Wire

LIVES = 3
ACCEPTED_A_LIFE = 500  # after so many the server is killed, with more on their way
PUBLISHERS = 4
WINDOW = 16


class Ledger:
    """What was sent, and what of it was accepted."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.accepted: list[str] = []


async def publish(wire: Wire, ledger: Ledger) -> None:
    """Send as fast as it is accepted, until the connection is lost."""
    unaccepted = 0
    with contextlib.suppress(ConnectionError, AssertionError):
        while True:
            while unaccepted < WINDOW:
                id = str(uuid4())
                ledger.sent.add(id)
                await wire.send({"id": id, "type": "tick", "data": {"n": len(ledger.sent)}})
                unaccepted += 1
            answer = await wire.next()
            if answer["type"] == "broker.error":
                raise RuntimeError(answer)
            if answer["type"] == "broker.accepted":
                ledger.accepted.append(answer["data"]["event"])
                unaccepted -= 1


async def load_and_kill(server: Process, connect: Connect, ledger: Ledger) -> None:
    """Load the server from several connections, and kill it in the midst of it."""
    wires = [await connect(server, name=f"p{n}", echo="false") for n in range(PUBLISHERS)]
    goal = len(ledger.accepted) + ACCEPTED_A_LIFE
    publishing = [asyncio.create_task(publish(wire, ledger)) for wire in wires]
    while len(ledger.accepted) < goal:
        assert not all(task.done() for task in publishing), "the server hung up on all of them"
        await asyncio.sleep(0.01)
    server.kill()
    await asyncio.gather(*publishing)


async def test_every_accepted_event_is_in_the_log_once_after_kill_9_under_load(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    server = start("--rate", "0")
    ledger = Ledger()
    for _ in range(LIVES):
        await load_and_kill(server, connect, ledger)
        server.start()
    assert len(ledger.accepted) >= LIVES * ACCEPTED_A_LIFE
    assert len(ledger.sent) > len(ledger.accepted), "it was killed while nothing was on its way"

    stored = [event["id"] for event in await Room(http, server).log()]
    assert len(stored) == len(set(stored)), "an event is in the log twice"
    assert set(ledger.accepted) <= set(stored), "an accepted event is lost"
    assert set(stored) <= ledger.sent
    assert "Traceback" not in server.log


async def test_modes_waiting_events_and_orders_are_as_they_were_before_kill_9(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    server = start()
    room = Room(http, server, "class-1")
    alice = await connect(server, room="class-1", name="alice")
    placed = await alice.publish("order_placed", id=1)
    answer = {"id": 1, "customer": "alice", "event": placed}
    await alice.send({"type": "order_confirmed", "data": answer})
    await alice.expect("broker.accepted")
    await room.set_modes({"*": "pubsub", "order_placed": "queue"})
    for number in (2, 3):
        await alice.publish("order_placed", id=number)
    before = {"room": await room.get(), "orders": await room.get("/orders")}

    server.kill()
    server.start()
    after = {"room": await room.get(), "orders": await room.get("/orders")}
    assert after["orders"] == before["orders"]
    assert [order["state"] for order in after["orders"]["orders"]] == [
        "confirmed",
        "placed",
        "placed",
    ]
    for field in ("modes", "queues", "events", "last"):
        assert after["room"][field] == before["room"][field], field
    assert after["room"]["participants"] == []
    assert after["room"]["queues"]["order_placed"]["ready"] == 2

    bob = await connect(server, room="class-1", name="bob", types="order_placed")
    await bob.expect("order_placed", id=3)
    assert [event["data"]["id"] for event in bob.of_type("order_placed")] == [2, 3]


async def test_an_id_is_remembered_across_kill_9(start: Start, connect: Connect) -> None:
    server = start()
    order = {"id": str(uuid4()), "type": "order_placed", "source": "alice", "data": {"id": 1}}
    for expected in ({}, {"duplicate": True}):
        alice = await connect(server, name="alice")
        await alice.send(order)
        accepted = await alice.expect("broker.accepted")
        assert accepted["data"] == {"event": order["id"], **expected}
        server.kill()
        server.start()

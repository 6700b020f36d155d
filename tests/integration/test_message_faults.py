"""What the host does to one participant's messages: each fault, named, and taken away again."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orders.app import create_app
from orders.clients.bot import Bot
from orders.web.keys import NODE
from orders.web.socket import Connection
from tests.conftest import Come, Connect, MakeSettings, Start
from tests.process import Process
from tests.rooms import Room
from tests.wire import DEADLINE, Wire, until

QUEUED = {"*": "pubsub", "order_placed": "queue"}


class Faulty(Room):
    """A room, and what its host does to those in it."""

    async def set(self, name: str, fault: str, **more: Any) -> str:
        """Set a fault; its id."""
        url = f"{self.server.url}{self.path}/participants/{name}/faults"
        async with self.http.post(url, json={"fault": fault, **more}) as answer:
            told = await answer.json()
            assert answer.status == 201, told
            assert told == {"id": told["id"], "fault": fault}
            return str(told["id"])

    async def lift(self, name: str) -> None:
        url = f"{self.server.url}{self.path}/participants/{name}/faults"
        async with self.http.delete(url) as answer:
            assert answer.status == 200, await answer.text()

    async def why(self, event: str, name: str) -> str:
        """What *why* says of a participant, once it names a fault."""

        async def named() -> str:
            told = (await self.get(f"/events/{event}"))["recipients"]
            why: str = next(one["why"] for one in told if one["name"] == name)
            return why if "fault" in why else ""

        return await until(named, f"a fault of {name} is named")

    async def told(self, step: str) -> list[dict[str, Any]]:
        """The faults that are in the journal, as time travel has them."""
        records = (await self.get("/records", after="start"))["records"]
        return [one for one in records if one["kind"] == "fault" and one["step"] == step]


@pytest.fixture
async def room(server: Any, http: aiohttp.ClientSession) -> Faulty:
    """A room with a queue of orders."""
    room = Faulty(http, server)
    await room.set_modes({**QUEUED})
    return room


@pytest.fixture
async def bob(come: Come, server: Any) -> Wire:
    return await come(server, name="bob", types="order_placed", ack="manual")


@pytest.fixture
async def alice(come: Come, server: Any) -> Wire:
    return await come(server, name="alice", types="order_confirmed")


async def test_a_lost_ack_never_arrives_and_the_order_comes_again_when_the_host_ends_the_lease(
    room: Faulty, alice: Wire, bob: Wire
) -> None:
    id = await room.set("bob", "lose_ack")
    event = await alice.publish("order_placed", id=5)
    assert (await bob.expect("order_placed"))["attempt"] == 1
    await bob.ack(event)
    assert "its ack was lost on the way" in await room.why(event, "bob")
    assert (await room.get())["queues"]["order_placed"]["in_flight"] == 1
    await room.set("bob", "end_lease")
    assert (await bob.expect("order_placed"))["attempt"] == 2
    await bob.ack(event)

    async def is_settled() -> bool:
        return bool((await room.get())["queues"]["order_placed"]["in_flight"] == 0)

    await until(is_settled, "the second ack arrives")
    (happened,) = await room.told("happened")
    assert (happened["id"], happened["fault"], happened["event"]) == (id, "lose_ack", event)
    assert [one["fault"] for one in await room.told("set")] == ["lose_ack", "end_lease"]


@pytest.mark.parametrize("mode", ["queue", "pubsub"])
async def test_an_event_delivered_twice_is_the_same_event(
    room: Faulty, alice: Wire, bob: Wire, mode: str
) -> None:
    await room.set_modes({"order_placed": mode})
    await room.set("bob", "deliver_twice")
    event = await alice.publish("order_placed", id=5)
    first, second = await bob.expect("order_placed"), await bob.next()
    assert first == second
    assert first["id"] == event
    assert "it was delivered twice" in await room.why(event, "bob")
    await bob.ack(event)
    later = await alice.publish("order_placed", id=6)
    assert (await bob.expect("order_placed"))["id"] == later
    assert not [e for e in await bob.fence() if e["type"] == "order_placed"], "only once"


@pytest.mark.parametrize("fault", ["hold_in", "stall"])
async def test_what_goes_to_a_participant_is_held_and_let_go_in_its_order(
    room: Faulty, alice: Wire, come: Come, server: Any, fault: str
) -> None:
    carol = await come(server, name="carol", types="tick")
    await room.set("carol", fault, seconds=300)
    sent = []
    for _ in range(3):
        await alice.send({"type": "tick", "data": {}})
        sent.append((await alice.expect("broker.accepted"))["data"]["event"])
    assert await room.why(sent[0], "carol")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await carol.message()
    await room.lift("carol")
    assert [(await carol.expect("tick"))["id"] for _ in sent] == sent


async def test_what_a_participant_sends_is_held_and_let_go_in_its_order(
    room: Faulty, alice: Wire, bob: Wire
) -> None:
    await room.set("bob", "hold_out", seconds=300)
    event = await alice.publish("order_placed", id=5)
    await bob.expect("order_placed")
    for number in range(3):
        await bob.send({"type": "tick", "data": {"n": number}})
    await bob.ack(event)
    assert "its ack was held on the way" in await room.why(event, "bob")
    assert await room.log(type="tick") == []
    await room.lift("bob")
    for _ in range(3):
        await bob.expect("broker.accepted")
    assert [one["data"]["n"] for one in await room.log(type="tick")] == [0, 1, 2]


@pytest.mark.parametrize("fault", ["hold_in", "hold_out", "stall"])
async def test_what_is_held_goes_by_itself_when_its_time_is_over(
    room: Faulty, bob: Wire, fault: str
) -> None:
    await room.set("bob", fault, seconds=0.2)
    await bob.publish()


async def test_who_is_cut_off_hears_no_word_of_it(room: Faulty, bob: Wire) -> None:
    await room.set("bob", "cut")
    assert (await bob.message()).type is not aiohttp.WSMsgType.CLOSE
    await room.lacks("bob")


async def test_faults_that_did_not_happen_are_dropped_and_nothing_stays_in_the_way(
    make_settings: MakeSettings,
    aiohttp_server: Any,
    http: aiohttp.ClientSession,
    connect: Connect,
    come: Come,
) -> None:
    app = create_app(make_settings())
    server = await aiohttp_server(app)
    server.url = f"http://localhost:{server.port}"
    room = Faulty(http, server)
    await room.set_modes({**QUEUED})
    bob = await come(server, name="bob", types="order_placed", ack="manual")
    here = app[NODE].rooms["main"].participants["bob"]
    assert isinstance(here.transport, Connection)
    for fault in ("lose_ack", "deliver_twice", "hold_in", "hold_out"):
        await room.set("bob", fault)
    assert not isinstance(here.transport, Connection)
    async with http.delete(f"{server.url}{room.path}/faults") as answer:
        assert answer.status == 200
    assert isinstance(here.transport, Connection)
    assert here.intercept is None
    alice = await connect(server, name="alice")
    event = await alice.publish("order_placed", id=5)
    await bob.ack(event)
    later = await alice.publish("order_placed", id=6)
    await bob.expect("order_placed", id=6)
    assert [e["id"] for e in bob.of_type("order_placed")] == [event, later], "the ack came through"


async def test_a_bot_dies_before_its_ack_and_another_takes_the_order(
    room: Faulty, alice: Wire
) -> None:
    async with room.http.post(f"{room.server.url}{room.path}/bots", json={}) as answer:
        assert answer.status == 201
    await room.has("bob")
    await room.set("bob", "die_before_ack")
    event = await alice.publish("order_placed", id=5)
    await alice.expect("order_confirmed")
    await room.lacks("bob")
    assert "it died before its ack" in await room.why(event, "bob")
    assert (await room.get())["queues"]["order_placed"]["ready"] == 1
    async with room.http.post(f"{room.server.url}{room.path}/bots", json={}) as answer:
        assert answer.status == 201

    async def is_done() -> bool:
        return not any((await room.get())["queues"]["order_placed"].values())

    await until(is_done, "the next bot finishes the order")
    assert len(await room.log(type="order_confirmed")) == 1


@asynccontextmanager
async def at_work(url: str, *, naive: bool) -> AsyncIterator[None]:
    running = asyncio.create_task(Bot(url, name="bob", naive=naive).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("naive", "coffees"), [(True, 2), (False, 1)])
async def test_one_lost_ack_makes_two_coffees_with_a_naive_bob_and_one_with_a_careful_one(
    room: Faulty, alice: Wire, naive: bool, coffees: int
) -> None:
    async with at_work(room.server.url, naive=naive):
        await room.has("bob")
        await room.set("bob", "lose_ack")
        event = await alice.publish("order_placed", id=5)
        await room.why(event, "bob")
        await room.set("bob", "end_lease")

        async def is_settled() -> bool:
            return not any((await room.get())["queues"]["order_placed"].values())

        await until(is_settled, "the order is done with")
        assert len(await room.log(type="order_confirmed")) == coffees


@pytest.mark.parametrize(
    ("name", "sent", "status", "code"),
    [
        ("nobody", {"fault": "cut"}, 404, "unknown_participant"),
        ("bob", {"fault": "explode"}, 400, "wrong_request"),
        ("bob", {"fault": "hold_in", "seconds": 0}, 400, "wrong_request"),
        ("bob", {"fault": "stall", "seconds": 301}, 400, "wrong_request"),
        ("bob", {}, 400, "wrong_request"),
        ("bob", {"fault": "die_before_ack"}, 409, "not_a_bot"),
    ],
)
async def test_what_cannot_be_done_to_a_participant_is_explained(
    room: Faulty, bob: Wire, name: str, sent: dict[str, Any], status: int, code: str
) -> None:
    url = f"{room.server.url}{room.path}/participants/{name}/faults"
    async with room.http.post(url, json=sent) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)


async def test_orders_are_confirmed_on_a_server_that_has_no_classroom(
    tmp_path: Path, http: aiohttp.ClientSession, connect: Connect, start: Start
) -> None:
    source = Path(__file__).parents[2]
    for folder in ("orders", "static", "templates"):
        without = shutil.ignore_patterns("__pycache__", "classroom")
        shutil.copytree(source / folder, tmp_path / folder, ignore=without)
    with Process(tmp_path, program=(sys.executable, "-m", "orders")) as server:
        room = Faulty(http, server)
        async with at_work(server.url, naive=False), asyncio.timeout(DEADLINE):
            alice = await connect(server, name="alice")
            await room.has("bob")
            await alice.publish("order_placed", id=5)
            await alice.expect("order_confirmed")
        url = f"{server.url}{room.path}/participants/alice/faults"
        async with http.post(url, json={"fault": "cut"}) as answer:
            assert answer.status == 404, "and no classroom there is"

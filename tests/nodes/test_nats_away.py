"""While NATS is away nothing is accepted, nobody is cut off, and afterwards all goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from orders.clients.participant import Participant
from orders.errors import FINAL_CLOSES, Refused
from tests.conftest import Come, Connect, Serve
from tests.nats_servers import Cluster, Nats, required
from tests.nodes.conftest import Nodes, Rooms, hears, ids, say, say_all
from tests.rooms import Address
from tests.wire import Wire, until


class Away:
    """One way for NATS to be away, and to come back."""

    def __init__(self, nats: Nats, how: str) -> None:
        self._nats, self._how = nats, how

    def begin(self) -> None:
        if self._how == "frozen":
            self._nats.freeze()
        else:
            self._nats.kill()

    def end(self) -> None:
        if self._how == "frozen":
            self._nats.thaw()
        else:
            self._nats.start()


@pytest.fixture(params=["killed", "frozen"])
def away(nats: Nats, request: pytest.FixtureRequest) -> Away:
    return Away(nats, request.param)


async def ready(http: aiohttp.ClientSession, server: Address) -> int:
    async with http.get(f"{server.url}/readyz") as answer:
        return answer.status


def tick(number: int = 1) -> dict[str, Any]:
    return {"id": str(uuid4()), "type": "tick", "data": {"n": number}}


async def refused(wire: Wire, event: dict[str, Any]) -> None:
    """Send an event that must be refused because there is no engine."""
    await wire.send(event)
    answer = (await hears(wire, len(wire.of_type("broker.error")) + 1, "broker.error"))[-1]
    assert answer["data"]["code"] == "engine_unavailable"
    assert answer["data"]["event"] == event["id"]


async def accepted(wire: Wire, event: dict[str, Any]) -> None:
    """Send it again until it is accepted."""
    while True:
        before = len(wire.of_type("broker.accepted") + wire.of_type("broker.error"))
        await wire.send(event)
        answers = await hears(wire, before + 1, "broker.accepted", "broker.error")
        if answers[-1]["type"] == "broker.accepted":
            assert answers[-1]["data"]["event"] == event["id"]
            return
        assert answers[-1]["data"]["code"] == "engine_unavailable"


async def test_what_is_sent_meanwhile_is_refused_and_taken_once_when_it_is_sent_again(
    nodes: Nodes, away: Away, come: Come, rooms: Rooms, http: aiohttp.ClientSession
) -> None:
    servers = await nodes(2, rate=0)
    alice = await come(servers[0], name="alice", echo="false")
    listeners = [await come(server, name="listener", types="tick") for server in servers]
    log = [await say(alice)]
    for listener in listeners:
        await hears(listener, 1)
    away.begin()
    event = tick()
    for _ in range(2):  # so it is away for long enough to be missed
        await refused(alice, event)
    for server in servers:

        async def is_not_ready(server: Address = server) -> bool:
            return await ready(http, server) == 503

        await until(is_not_ready, "it says that it is not ready")
    away.end()
    await accepted(alice, event)
    log += [event["id"], await say(alice)]
    for listener in listeners:
        assert ids(await hears(listener, 3)) == log, "on the connections they had"
    for server, room in zip(servers, rooms(servers), strict=True):

        async def is_ready(server: Address = server) -> bool:
            return await ready(http, server) == 200

        await until(is_ready, "it is ready again")
        assert ids(await room.log()) == log
    log += [await say(alice) for _ in range(3)]
    for listener in listeners:
        assert ids(await hears(listener, 6)) == log
    for room in rooms(servers):
        records = (await room.get("/records"))["records"]
        assert [one["kind"] for one in records if one["kind"] != "event"] == ["joined"] * 3
        assert sorted(await room.names()) == ["alice", "listener", "listener-2"]


async def test_the_host_and_those_who_publish_over_http_are_told_that_nothing_came_of_it(
    nodes: Nodes, nats: Nats, come: Come, rooms: Rooms, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2, rate=0)
    (room,) = rooms([one])
    alice = await come(two, name="alice")
    nats.kill()
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/pause", {}),
        ("POST", "/reset", {}),
        ("PUT", "/modes", {"*": "queue"}),
        ("POST", "/events?name=carol", {"type": "tick", "data": {}}),
    ]
    for method, path, body in asked:
        url = f"{one.url}/api/rooms/main{path}"
        async with http.request(method, url, json=body) as answer:
            assert answer.status == 503, path
            assert (await answer.json())["error"]["code"] == "engine_unavailable", path
    nats.start()

    async def is_ready() -> bool:
        return await ready(http, one) == 200

    await until(is_ready, "it is ready again")
    stands = await room.get()
    assert (stands["modes"], stands["paused"]) == ({"*": "relay"}, False)
    await accepted(alice, tick())


async def test_who_holds_work_while_nats_is_away_acks_it_and_goes_on(
    nodes: Nodes, nats: Nats, come: Come, rooms: Rooms
) -> None:
    one, two = await nodes(2)
    await rooms([one])[0].set_modes({"*": "pubsub", "work": "queue"})
    alice = await come(one, name="alice", types="none")
    bob = await come(two, name="bob", types="work", ack="manual")
    first, second = await say(alice, "work"), await say(alice, "work")
    assert (await bob.expect("work"))["id"] == first
    nats.kill()
    await bob.ack(first)
    nats.start()
    while second not in ids(bob.of_type("work")):
        event = await bob.expect("work")
        if event["id"] == first:  # its ack may have been lost with the server
            await bob.ack(first)


async def test_who_comes_while_nats_is_away_may_come_back_and_is_let_in_later(
    nodes: Nodes, nats: Nats, connect: Connect, come: Come
) -> None:
    (one,) = await nodes(1, engine_patience=0.5)
    nats.kill()
    early = await connect(one, name="alice", session="a-secret-of-alice-alone")
    assert await early.close_code() not in FINAL_CLOSES
    nats.start()
    async with Participant(one.url, name="bob", patient=True) as bob:

        async def speaks() -> bool:
            try:
                return bool(await bob.publish("tick", {"n": 1}))
            except Refused:
                return False

        await until(speaks, "bob came back, and is heard")
    late = await come(one, name="alice", session="a-secret-of-alice-alone")
    await say(late)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    required()
    with Cluster(tmp_path / "nats") as cluster:
        yield cluster


async def test_a_cluster_of_three_goes_on_without_its_leader_and_nothing_accepted_is_lost(
    cluster: Cluster, serve: Serve, come: Come, rooms: Rooms
) -> None:
    changes = {"engine": cluster.url, "engine_replicas": 3, "rate": 0}
    async with serve(**changes) as one, serve(**changes) as two:
        alice = await come(one, name="alice", echo="false")
        bob = await come(two, name="bob")
        log = await say_all(alice, 100)
        leader = cluster.leader()
        leader.kill()
        for _ in range(20):
            event = tick()
            await accepted(alice, event)
            log.append(event["id"])
        leader.start()
        log += await say_all(alice, 20)
        assert ids(await hears(bob, len(log))) == log
        for room in rooms([one, two]):
            assert ids(await room.log()) == log
        await alice.ws.close()
        await bob.ws.close()

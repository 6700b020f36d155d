"""A journal that an older version wrote is read, and never used by two versions at once."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orders.errors import CannotStart
from orders.journal.nats import subjects
from tests.conftest import Come
from tests.nats_servers import Nats
from tests.nodes.conftest import Nodes, Rooms, become, hears, ids
from tests.nodes.test_refused import engine

if TYPE_CHECKING:
    from nats.js import JetStreamContext

#: Subject, headers and text of all that version 0.1 stored: a room with people, orders and queues.
ROWS = Path(__file__).parents[1] / "data" / "nats_format1.jsonl"
STREAMS = {
    "ORDERS_WORK": "orders.work.>",
    "ORDERS_DEAD": "orders.dead.>",
    "ORDERS_main_1": "orders.log.main.1.>",
}
BOB = "68086c8e6453"  # the node that he was on, which has ended


@pytest.fixture
async def jetstream(nats: Nats) -> AsyncIterator["JetStreamContext"]:
    from nats import connect

    client = await connect(nats.url)
    yield client.jetstream()
    await client.close()


@pytest.fixture
async def old(jetstream: "JetStreamContext") -> "JetStreamContext":
    """A journal of version 0.1, whose nodes have all ended."""
    for name, subject in STREAMS.items():
        await jetstream.add_stream(name=name, subjects=[subject], allow_direct=True)
    await jetstream.create_key_value(bucket="orders-rooms")
    for line in ROWS.read_text().splitlines():
        subject, headers, body = json.loads(line)
        await jetstream.publish(subject, body.encode(), headers=headers)
    return jetstream


async def test_a_journal_of_version_0_1_stands_as_it_was_left_and_goes_on(
    old: "JetStreamContext", nodes: Nodes, come: Come, rooms: Rooms
) -> None:
    (node,) = await nodes(1)
    (room,) = rooms([node])
    stands = await become(
        room,
        "",
        "the room is known",
        modes={"*": "pubsub", "work": "queue"},
        paused=True,
        events=8,
        queues={"work": {"ready": 1, "in_flight": 1, "dead": 1}},
    )
    assert [one["name"] for one in stands["participants"]] == ["alice", "bob"]
    orders = (await room.get("/orders"))["orders"]
    assert [(one["id"], one["state"]) for one in orders] == [(5, "confirmed"), (6, "placed")]
    (letter,) = (await room.get("/dead-letters"))["dead_letters"]
    assert (letter["attempts"], letter["reason"]) == (2, "broken")
    queued = {one["event"]["id"]: one["state"] for one in (await room.get("/queue"))["queued"]}

    dave = await come(node, name="dave", types="work", ack="manual", prefetch=9)
    await room.act("/resume")
    handed = ids(await hears(dave, 2, "work"))
    assert sorted(handed) == sorted(id for id, state in queued.items() if state != "dead")
    for event in handed:
        await dave.ack(event)
    await room.act(f"/dead-letters/{letter['event']['id']}/discard")
    settled = {"ready": 0, "in_flight": 0, "dead": 0}
    await become(room, "", "all is done", queues={"work": settled})
    assert await room.names() == ["dave"], "those on nodes that have ended have left"
    names = [info.config.name for info in await old.streams_info()]
    assert "ORDERS_WORK" not in names


async def test_beside_a_node_of_an_older_version_it_does_not_start(
    old: "JetStreamContext", nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = await old.create_key_value(bucket="orders-nodes")
    await bucket.put(BOB, b"")
    monkeypatch.setattr("orders.journal.nats.streams.LINGER", 0.3)
    with pytest.raises(CannotStart, match="older version") as refused:
        await engine(nats.url).open()
    assert refused.value.code == "engine_version"
    await old.stream_info("ORDERS_WORK")  # which that node still needs


async def test_a_node_of_an_older_version_cannot_start_beside_it(
    nats: Nats, jetstream: "JetStreamContext"
) -> None:
    from nats.js.errors import APIError

    first = engine(nats.url)
    await first.open()
    with pytest.raises(APIError, match="overlap"):
        await jetstream.add_stream(name="ORDERS_WORK", subjects=["orders.work.>"])
    await first.close()


async def test_a_journal_of_a_newer_version_is_refused(
    nats: Nats, jetstream: "JetStreamContext"
) -> None:
    await jetstream.add_stream(
        name="ORDERS_FORMAT", subjects=["orders.work.>"], metadata={"format": "3"}
    )
    with pytest.raises(CannotStart, match="another version") as refused:
        await engine(nats.url).open()
    assert refused.value.code == "engine_version"


@pytest.mark.parametrize("storage", ["file", "memory"])
async def test_buckets_that_an_older_nats_made_are_used_if_they_are_on_disk(
    nats: Nats, jetstream: "JetStreamContext", storage: str
) -> None:
    """After NATS 2.10 was upgraded no node could start: its buckets lack what newer ones have."""
    for name in (subjects.ROOMS, subjects.PRESENCE, subjects.SESSIONS, subjects.NODES):
        await jetstream.add_stream(
            name=f"KV_{name}",
            subjects=[f"$KV.{name}.>"],
            storage=storage,
            max_msgs_per_subject=1,
            allow_rollup_hdrs=True,
            allow_direct=True,
            deny_delete=True,
        )
    node = engine(nats.url)
    if storage == "memory":
        with pytest.raises(CannotStart, match="file storage"):
            await node.open()
    else:
        await node.open()
    await node.close()

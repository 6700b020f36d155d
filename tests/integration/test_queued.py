"""What a picture that begins in the middle is told: what waits, who is slow, which bots."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.conftest import Connect, Serve
from tests.raw import Raw
from tests.rooms import Room
from tests.wire import Wire, until


async def test_what_is_ready_held_and_dead_is_told_oldest_first(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(lease=60.0, max_attempts=1) as server:
        room = Room(http, server)
        await room.set_modes({"order_placed": "queue"})
        alice = await connect(server, name="alice", types="nothing")
        bob = await connect(server, name="bob", types="order_placed", ack="manual")
        ids = [await alice.publish("order_placed", id=number) for number in (1, 2, 3)]
        await bob.expect("order_placed")
        await bob.nack(ids[0], "too hot")
        await bob.expect("order_placed")
        told = await room.get("/queue")
        seen = [
            (one["event"]["id"], one["state"], one["name"], one["attempt"], one["reason"])
            for one in told["queued"]
        ]
        assert seen == [
            (ids[0], "dead", None, 1, "too hot"),
            (ids[1], "held", "bob", 1, None),
            (ids[2], "ready", None, 0, None),
        ]
        assert told["queued"][1]["lease"] == 60.0
        assert 0 < told["queued"][1]["left"] <= 60.0
        assert told["parked"] == []


async def test_what_is_held_at_the_broker_is_told_while_the_room_is_paused(
    room: Room, alice: Wire
) -> None:
    await alice.publish("order_placed", id=1)
    await room.act("/pause")
    ids = [await alice.publish("order_placed", id=number) for number in (2, 3)]
    assert [one["event"]["id"] for one in (await room.get("/queue"))["parked"]] == ids
    await room.act("/step")
    assert [one["event"]["id"] for one in (await room.get("/queue"))["parked"]] == ids[1:]
    await room.act("/resume")
    assert (await room.get("/queue"))["parked"] == []


async def test_the_feed_tells_which_bots_the_host_has_sent_in(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    await connect(server, name="alice")
    async with http.ws_connect(f"{server.url}/observe/main") as feed:

        async def bots() -> list[Any]:
            """The next that the feed tells of them."""
            async for message in feed:
                for record in json.loads(message.data).get("records", []):
                    if record["kind"] == "bots":
                        return list(record["bots"])
            raise AssertionError("the feed ended")

        assert await bots() == []
        await http.post(f"{server.url}/api/rooms/main/bots", json={"delay": 3})
        assert await bots() == [{"name": "bob", "delay": 3.0, "naive": False}]
        await http.delete(f"{server.url}/api/rooms/main/bots/bob")
        assert await bots() == []


@pytest.mark.settings(rate=0, max_unread=256 * 1024, slow_grace=600.0)
async def test_the_feed_tells_who_reads_slowly(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    alice = await connect(server, name="alice", types="nothing", echo="false")
    told: list[str] = []

    async def listen(feed: aiohttp.ClientWebSocketResponse) -> None:
        async for message in feed:
            for record in json.loads(message.data).get("records", []):
                told.extend(record["names"] if record["kind"] == "slow" else [])

    async with (
        Raw.open(server.port) as sleeper,
        http.ws_connect(f"{server.url}/observe/main", max_msg_size=0) as feed,
    ):
        await sleeper.join_deaf("sleeper")
        listening = asyncio.create_task(listen(feed))

        async def is_slow() -> bool:
            await alice.publish("tea.made", note="x" * 60_000)
            return "sleeper" in told

        await until(is_slow, "the one who does not read is told of as slow")
        listening.cancel()
    assert "alice" not in told


async def test_the_feed_tells_what_was_refused_from_now_on_and_each_once(
    server: Any, http: aiohttp.ClientSession, alice: Wire
) -> None:
    await alice.ws.send_str("before anybody watched")
    await alice.expect("broker.error")
    async with http.ws_connect(f"{server.url}/observe/main") as feed:
        await feed.receive()  # the snapshot
        await alice.ws.send_str('{"type": "order_placed", id: 5}')
        said = (await alice.expect("broker.error"))["data"]
        await alice.send({"id": 5})
        again = (await alice.expect("broker.error"))["data"]
        told: list[dict[str, Any]] = []
        while len(told) < 2:
            records = json.loads((await feed.receive()).data)["records"]
            told += [one for one in records if one["kind"] == "refused"]
    assert [(one["name"], one["code"], one["message"]) for one in told] == [
        ("alice", error["code"], error["message"]) for error in (said, again)
    ]

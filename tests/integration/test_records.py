"""The journal in pages, as the stage reads it to go back in time."""

from typing import Any

import aiohttp
import pytest

from tests.conftest import Come, Serve
from tests.rooms import Room
from tests.wire import Wire, until


async def say(wire: Wire, number: int) -> None:
    await wire.publish("order_placed", id=number)


async def pages(room: Room, **query: str) -> list[dict[str, Any]]:
    """Every record, page after page."""
    records: list[dict[str, Any]] = []
    while True:
        page = await room.get("/records", **query)
        records += page["records"]
        query = {**{k: v for k, v in query.items() if k == "limit"}, "after": page["next"]}
        if not page["more"]:
            return records


def told(records: list[dict[str, Any]]) -> list[Any]:
    return [
        r["event"]["data"]["id"] if r["kind"] == "event" else (r["kind"], r.get("name"))
        for r in records
    ]


async def test_every_record_is_told_once_and_in_order_whatever_the_size_of_a_page(
    server: Any, come: Come, room: Room
) -> None:
    alice = await come(server, name="alice")
    await come(server, name="bob")
    for number in range(5):
        await say(alice, number)
    await come(server, name="carol")
    whole = told(await pages(room, after="start"))
    assert whole == [("joined", "alice"), ("joined", "bob"), 0, 1, 2, 3, 4, ("joined", "carol")]
    for limit in range(1, 10):
        assert told(await pages(room, after="start", limit=str(limit))) == whole


async def test_the_end_of_a_page_is_where_one_goes_on_when_more_has_happened(
    server: Any, come: Come, room: Room
) -> None:
    alice = await come(server, name="alice")
    await say(alice, 1)
    page = await room.get("/records")
    assert (told(page["records"]), page["more"]) == ([("joined", "alice"), 1], False)
    again = await room.get("/records", after=page["next"])
    assert (again["records"], again["next"], again["more"]) == ([], page["next"], False)
    await say(alice, 2)
    assert told((await room.get("/records", after=page["next"]))["records"]) == [2]


async def test_the_latest_come_with_who_stood_in_the_room_before_them(
    server: Any, come: Come, room: Room
) -> None:
    alice = await come(server, name="alice", types="tea", echo="false")
    bob = await come(server, name="bob")
    for number in range(4):
        await say(alice, number)
    page = await room.get("/records", latest="2")
    assert told(page["records"]) == [2, 3]
    assert page["earlier"] is True
    assert page["standing"]["paused"] is False
    assert [(p["name"], p["types"], p["echo"]) for p in page["standing"]["participants"]] == [
        ("alice", ["tea"], False),
        ("bob", ["*"], True),
    ]
    more = await room.get("/records", latest="3", limit="1")
    assert (told(more["records"]), more["more"]) == ([1], True)
    assert (await room.get("/records", latest="100"))["earlier"] is False
    assert told(await pages(room, latest="100"))[0] == ("joined", "alice")
    assert not bob.ws.closed


async def test_a_place_means_the_same_after_a_restart_and_nothing_after_the_room_was_cleared(
    serve: Serve, come: Come, http: aiohttp.ClientSession
) -> None:
    async with serve() as server:
        alice = await come(server, name="alice")
        await say(alice, 1)
        await come(server, name="bob")
        place = (await Room(http, server).get("/records"))["next"]
        assert place.endswith("~1")
    async with serve() as server:
        room = Room(http, server)

        async def left() -> list[Any]:
            return told((await room.get("/records", after=place))["records"])

        gone = await until(left, "the records after the restart")
        assert {kind for kind, _ in gone} == {"left"}
        await room.act("/reset")
        async with http.get(f"{server.url}{room.path}/records?after={place}") as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["code"] == "unknown_event"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("after=start~999", 404, "unknown_position"),
        ("after=start~some", 404, "unknown_position"),
        ("after=nonsense", 400, "wrong_id"),
        ("latest=0", 400, "wrong_parameter"),
        ("limit=1001", 400, "wrong_parameter"),
        ("limit=%C2%B2", 400, "wrong_parameter"),
    ],
)
async def test_a_wrong_place_or_number_is_explained(
    server: Any, http: aiohttp.ClientSession, query: str, status: int, code: str
) -> None:
    async with http.get(f"{server.url}/api/rooms/main/records?{query}") as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == code

"""The HTTP API: publish, read, page, filter and export the log; how a room and its orders stand."""

import csv
import io
import json
from typing import Any

import aiohttp
import pytest

from tests.conftest import Come, Connect
from tests.rooms import Room
from tests.wire import Wire

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"


async def publish(
    http: aiohttp.ClientSession, server: Any, name: str, number: int, type: str = "order_placed"
) -> str:
    """Publish one event over HTTP; its id."""
    async with http.post(
        f"{server.url}/api/rooms/main/events",
        params={"name": name},
        json={"type": type, "data": {"id": number}},
    ) as answer:
        assert answer.status == 201, await answer.text()
        event: str = (await answer.json())["event"]
        return event


async def test_an_event_published_over_http_is_heard_like_any_other(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    bob = await connect(server, name="bob")
    event = await publish(http, server, "alice", 5)
    heard = await bob.expect("order_placed")
    assert (heard["id"], heard["source"], heard["data"]) == (event, "alice", {"id": 5})


async def test_publishing_twice_is_201_then_200_and_another_under_the_id_is_409(
    server: Any, http: aiohttp.ClientSession
) -> None:
    order = {"id": ID, "type": "order_placed", "source": "alice", "data": {"id": 5}}
    other = {**order, "data": {"id": 6}}
    got = []
    for event in (order, order, other):
        async with http.post(
            f"{server.url}/api/rooms/main/events", params={"name": "alice"}, json=event
        ) as answer:
            got.append((answer.status, await answer.json()))
    assert got[0] == (201, {"event": ID, "duplicate": False})
    assert got[1] == (200, {"event": ID, "duplicate": True})
    assert got[2][0] == 409
    assert got[2][1]["error"]["code"] == "id_conflict"


async def test_the_log_is_paged_from_the_start_and_from_its_end_without_gap_or_repeat(
    server: Any, http: aiohttp.ClientSession, room: Room
) -> None:
    ids = [await publish(http, server, "alice", number) for number in range(1, 8)]
    forward: list[str] = []
    query = {"limit": "3"}
    while True:
        page = await room.get("/events", **query)
        assert len(page["events"]) <= 3
        forward += [event["id"] for event in page["events"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert forward == ids

    backward: list[str] = []
    query = {"limit": "3", "before": "end"}
    while True:
        page = await room.get("/events", **query)
        assert 0 < len(page["events"]) <= 3
        backward = [event["id"] for event in page["events"]] + backward
        if page["previous"] is None:
            break
        query["before"] = page["previous"]
    assert backward == ids


async def test_the_log_is_filtered_by_type_source_and_text(
    server: Any, http: aiohttp.ClientSession, room: Room
) -> None:
    placed = await publish(http, server, "alice", 4711)
    await publish(http, server, "carol", 12)
    confirmed = await publish(http, server, "bob", 12, "order_confirmed")
    for query, expected in (
        ({"type": "order_confirmed"}, [confirmed]),
        ({"source": "alice"}, [placed]),
        ({"text": "4711"}, [placed]),
        ({"type": "order_placed", "source": "bob"}, []),
    ):
        assert [event["id"] for event in await room.log(**query)] == expected, query


async def test_the_log_is_exported_as_json_lines_csv_and_mermaid(
    server: Any, http: aiohttp.ClientSession, alice: Wire
) -> None:
    note = 'He said "no",\nthen =1+1'
    event = await alice.publish("order_placed", id=1, note=note)
    await publish(http, server, "bob", 1, "order_confirmed")

    async def export(format: str) -> str:
        url = f"{server.url}/api/rooms/main/events"
        async with http.get(url, params={"format": format}) as answer:
            assert answer.status == 200
            return await answer.text()

    lines = [json.loads(line) for line in (await export("jsonl")).splitlines()]
    assert lines == await Room(http, server).log()
    assert lines[0]["data"]["note"] == note
    rows = list(csv.DictReader(io.StringIO(await export("csv"))))
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    assert rows[0]["id"] == event
    assert json.loads(rows[0]["data"]) == {"id": 1, "note": note}
    diagram = await export("mermaid")
    assert diagram.startswith("sequenceDiagram")
    assert "order_placed" in diagram


async def test_a_room_says_who_is_in_it_and_how_it_stands(
    server: Any, connect: Connect, room: Room
) -> None:
    alice = await connect(server, name="alice", types="order_confirmed")
    event = await alice.publish("order_placed", id=1)
    stands = await room.get()
    assert stands["room"] == "main"
    assert stands["modes"] == {"*": "relay"}
    assert stands["paused"] is False
    assert stands["durable"] is True
    assert (stands["events"], stands["last"]) == (1, event)
    (participant,) = stands["participants"]
    assert participant["name"] == "alice"
    assert participant["types"] == ["order_confirmed"]
    assert participant["role"] == "customer"
    orders = (await room.get("/orders"))["orders"]
    assert [(o["customer"], o["id"], o["state"], o["event"]) for o in orders] == [
        ("alice", 1, "placed", event)
    ]


async def test_one_order_is_asked_for_by_whose_it_is_and_in_which_state(
    server: Any, connect: Connect, room: Room, http: aiohttp.ClientSession
) -> None:
    await (await connect(server, name="alice")).publish("order_placed", id=1)
    alices = {"customer": "alice", "number": "1"}
    assert len((await room.get("/orders", **alices, state="placed"))["orders"]) == 1
    assert (await room.get("/orders", **alices, state="confirmed"))["orders"] == []
    async with http.get(f"{server.url}{room.path}/orders?number=1") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "wrong_parameter")


async def test_reading_a_room_does_not_begin_it_and_an_empty_one_is_forgotten(
    server: Any, come: Come, http: aiohttp.ClientSession
) -> None:
    url = f"{server.url}/api/rooms/red"
    wire = await come(server, room="red")
    async with http.get(url) as answer:
        assert answer.status == 200
    await wire.ws.close()
    for _ in range(1000):
        async with http.get(url) as answer:
            if answer.status == 404:
                return
    pytest.fail("the empty room was never forgotten")


async def test_it_is_alive_ready_and_has_figures(server: Any, http: aiohttp.ClientSession) -> None:
    for path in ("/healthz", "/readyz"):
        async with http.get(server.url + path) as answer:
            assert answer.status == 200
    await publish(http, server, "alice", 1)
    async with http.get(f"{server.url}/metrics") as answer:
        figures = await answer.text()
    assert answer.content_type == "text/plain"
    assert "# TYPE orders_" in figures


async def test_the_asyncapi_document_names_this_server(
    server: Any, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{server.url}/asyncapi.json") as answer:
        api = await answer.json()
    assert api["asyncapi"] == "3.1.0"
    (here,) = api["servers"].values()
    assert here["host"] == f"localhost:{server.port}"


async def test_an_observer_sees_every_event_in_every_mode_and_is_no_participant(
    server: Any, connect: Connect, http: aiohttp.ClientSession, room: Room
) -> None:
    feed = Wire(await http.ws_connect(f"{server.url}/observe/main".replace("http", "ws", 1)))
    snapshot = json.loads((await feed.message()).data)["snapshot"]
    assert snapshot["participants"] == []
    await room.set_modes({"*": "pubsub", "order_placed": "queue"})
    alice = await connect(server, name="alice")
    bob = await connect(server, name="bob", types="order_placed")
    await alice.send({"type": "order_placed", "data": {"id": 1}})
    event = (await bob.expect("order_placed"))["id"]
    seen: list[dict[str, Any]] = []
    while not any(record["kind"] == "handed" for record in seen):
        message = json.loads((await feed.message()).data)
        assert message["skipped"] == 0
        seen += message["records"]
    kinds = [record["kind"] for record in seen if record["kind"] != "bots"]
    assert kinds[:4] == ["modes", "joined", "joined", "event"]
    told = {record["kind"]: record for record in seen}
    assert told["event"]["event"]["id"] == event
    assert told["event"]["mode"] == "queue"
    assert (told["handed"]["event"], told["handed"]["name"]) == (event, "bob")
    assert await room.names() == ["alice", "bob"]

"""A lesson to take home: whole, small, and without a trace of anybody; then nothing on the disk."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orders.domain.confirming import Confirmed, Rejected, answer_data, answer_id
from orders.domain.envelope import Event
from tests.conftest import Come, Connect, Serve
from tests.rooms import Room
from tests.wire import Wire, until

MIB = 2**20
NAMES = ["Małgorzata", "Jean-Luc", "Ömer", "Xiāo", "Søren", "Zoë-Sophie"]
NOTES = ["birthday of Wolfgang", "nut allergy, room 4711", "call 0151-2345678"]


async def export(http: aiohttp.ClientSession, room: Room, **query: str) -> str:
    async with http.get(f"{room.server.url}{room.path}/export", params=query) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        assert text.rstrip().endswith("</html>")
        return text


def recorded(page: str) -> dict[str, Any]:
    found = re.search(r'id="recording">(.*?)</script>', page, re.S)
    assert found
    told: dict[str, Any] = json.loads(found[1])
    return told


class Class:
    """Some students in a room, each with a page of their own."""

    def __init__(self, connect: Connect, server: Any, room: str) -> None:
        self.connect, self.server, self.room = connect, server, room
        self.wires: dict[str, Wire] = {}

    async def come(self, name: str, types: str, ack: str = "auto") -> Wire:
        who = {"room": self.room, "name": name, "session": self.session(name)}
        self.wires[name] = await self.connect(self.server, **who, types=types, ack=ack)
        return self.wires[name]

    def session(self, name: str) -> str:
        return f"session-of-{name.encode().hex()}"[:64]

    async def letter(self, http: aiohttp.ClientSession, name: str) -> str:
        headers = {"Orders-Session": self.session(name)}

        async def probe() -> str | None:
            url = f"{self.server.url}/api/rooms/{self.room}/letter"
            async with http.get(url, headers=headers) as answer:
                letter: str | None = (await answer.json())["letter"]
                return letter

        return str(await until(probe, f"{name} has a letter"))


async def a_lesson(http: aiohttp.ClientSession, server: Any, connect: Connect, name: str) -> Class:
    """All that names somebody somewhere: orders, answers, a nack, a type and a fault."""
    room, group = Room(http, server, name), Class(connect, server, name)
    await room.set_modes({"*": "pubsub", "order_placed": "queue"})
    for one in NAMES[:-1]:
        await group.come(one, types="order_*,gossip_*")
    bob = await group.come(NAMES[-1], types="order_placed", ack="manual")
    for number, one in enumerate(NAMES[:-1]):
        data = {"id": 48211 + number, "item": "espresso", "note": NOTES[number % len(NOTES)]}
        await group.wires[one].send({"type": "order_placed", "data": data})
        placed = await bob.expect("order_placed", note=data["note"])
        event = Event.model_validate({key: placed[key] for key in placed if key != "attempt"})
        answer: Confirmed | Rejected = Confirmed()
        if number == 2:
            await bob.nack(event.id, NOTES[0])
            placed = await bob.expect("order_placed", id=data["id"])
            answer = Rejected("unknown_item", f"{one} wants too much")
        of = {"id": answer_id(name, event, answer), "type": answer.type}
        await bob.send({**of, "data": answer_data(event, answer)})
        await bob.expect("broker.accepted", event=of["id"])
        await bob.ack(event.id)
    await bob.send({"type": "gossip_about_Zoe".lower(), "data": {"who": NAMES[0]}, "trace": "t-1"})
    await bob.expect("broker.accepted")
    await room.act(f"/participants/{NAMES[0]}/mute")
    return group


async def test_nothing_in_the_file_leads_to_anybody_and_each_finds_their_letter(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    name = "greta-thunder"
    group, room = await a_lesson(http, server, connect, name), Room(http, server, name)
    page = await export(http, room)
    whole = (page + json.dumps(recorded(page), ensure_ascii=False)).lower()
    log = await room.log()
    secrets = [*NAMES, *NOTES, name, "gossip", "allergy", "wants too much", "t-1"]
    secrets += [group.session(one) for one in NAMES]
    secrets += [event["id"] for event in log] + [event["id"].replace("-", "") for event in log]
    secrets += [event["created"] for event in log] + [event["created"][:-3] for event in log]
    for event in log:
        placed = Event.model_validate(event)
        secrets.append(str(event["data"].get("id", NAMES[0])))
        for decided in (Confirmed(), Rejected("other", "")):  # of the whole class
            secrets.append(answer_id(name, placed, decided))
    assert [secret for secret in secrets if secret.lower() in whole] == []
    told = recorded(page)
    assert (told["room"], told["names"]) == (None, False)
    events = [one["event"] for one in told["records"] if one["kind"] == "event"]
    assert [event["id"] for event in events] == [f"e{number}" for number in range(1, 1 + len(log))]
    sources = [event["source"] for event in events]
    letters = {one: await group.letter(http, one) for one in NAMES}
    assert sources == [letters[event["source"]] for event in log]
    assert sorted(letters.values()) == list("ABCDEF")
    async with http.get(f"{server.url}{room.path}/letter") as answer:
        assert await answer.json() == {"letter": None}, "nobody learns another's"


async def test_the_host_may_have_names_and_nobody_else(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(lan=True) as server:
        server.url = f"http://127.0.0.1:{server.port}"
        alice = await connect(server, name="Jean-Luc")
        await alice.publish("order_placed", id=1, note=NOTES[0])
        url = f"{server.url}/api/rooms/main/export"
        async with http.get(url, params={"names": "true"}) as answer:
            assert answer.status == 403
            assert (await answer.json())["error"]["code"] == "not_host"
        async with http.get(url) as answer:
            assert "Jean-Luc" not in await answer.text()
        headers = {"Authorization": f"Bearer {server.token}"}
        async with http.get(url, params={"names": "true"}, headers=headers) as answer:
            told = recorded(await answer.text())
    event = next(one["event"] for one in told["records"] if one["kind"] == "event")
    assert event["source"] == "Jean-Luc"
    assert event["data"]["note"] == NOTES[0]
    assert told["reasons"][told["explained"][event["id"]]][0][3] == ["Jean-Luc"]


async def test_an_empty_room_and_one_that_is_too_large_are_refused_with_a_sentence(
    server: Any, come: Come, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{server.url}/api/rooms/main/export"
    alice = await come(server, name="alice")
    async with http.get(url) as answer:
        assert answer.status == 409
        assert (await answer.json())["error"]["code"] == "no_events"
    async with http.get(url, params={"format": "pdf"}) as answer:
        assert answer.status == 400
        assert "jsonl" in (await answer.json())["error"]["message"]
    await alice.publish("order_placed", id=1)
    monkeypatch.setattr("orders.classroom.takehome.download.MOST_RECORDS", 1)
    async with http.get(url) as answer:
        assert answer.status == 409
        assert (await answer.json())["error"]["code"] == "too_large"


@pytest.mark.settings(rate=0)
async def test_a_class_of_thirty_and_a_thousand_events_fit_into_a_mebibyte(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    group, room = Class(connect, server, "main"), Room(http, server)
    await room.set_modes({"*": "pubsub", "order_placed": "queue"})
    bobs = [await group.come(f"bob-{n}", types="order_placed", ack="manual") for n in range(1, 4)]
    pupils = [await group.come(f"pupil-{n}", types="order_*") for n in range(1, 28)]

    async def work(bob: Wire) -> None:
        while True:
            placed = await bob.expect("order_placed")
            said = {"id": placed["data"]["id"], "customer": placed["source"], "event": placed["id"]}
            await bob.send({"type": "order_confirmed", "data": said})
            await bob.ack(placed["id"])

    working = [asyncio.create_task(work(bob)) for bob in bobs]
    for number in range(500):
        data = {"id": number, "item": "cheese sandwich", "quantity": 2, "note": "x" * 60}
        await pupils[number % len(pupils)].send({"type": "order_placed", "data": data})

    async def confirmed() -> bool:
        return bool((await room.get())["events"] == 1000)

    await until(confirmed, "all are confirmed")
    for task in working:
        task.cancel()
    sizes = {
        names: len((await export(http, room, names=names)).encode()) for names in ("false", "true")
    }
    print(sizes)
    assert sizes["false"] < MIB
    assert sizes["true"] < MIB
    assert len(recorded(await export(http, room))["explained"]) == 1000


async def test_what_was_taken_home_and_erased_is_not_on_the_disk(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Beside a room that stays, written in turns, over three beginnings, and read all the while."""
    async with serve(rate=0) as server:
        staying = await connect(server, name="stays", room="stays")
        group, room = await a_lesson(http, server, connect, "main"), Room(http, server)
        for beginning in range(3):
            for number in range(300):
                for wire in (group.wires["Ömer"], staying):
                    note = NOTES[number % 3] if wire is not staying else "this stays"
                    await wire.send({"type": "order_placed", "data": {"id": number, "note": note}})
            await group.wires["Ömer"].fence()
            await staying.fence()
            if beginning < 2:
                await room.act("/reset")
        page = await export(http, room, names="true")
        assert NOTES[1] in page
        reading = [asyncio.create_task(export(http, room)) for _ in range(3)]
        async with http.delete(f"{server.url}{room.path}") as answer:
            assert answer.status == 200
        await asyncio.gather(*reading, return_exceptions=True)
        assert _left(tmp_path, group) == []
        assert (await Room(http, server, "stays").log())[0]["data"]["note"] == "this stays"
    assert _left(tmp_path, group) == []


def _left(directory: Path, group: Class) -> list[str]:
    """What of the class can be found in any file there."""
    secrets = [*NAMES, *NOTES, *(group.session(one) for one in NAMES)]
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert any(path.name == "orders.db" for path in files)
    return [
        f"{secret} in {path.name}"
        for path in files
        for secret in secrets
        if secret.encode() in path.read_bytes()
    ]

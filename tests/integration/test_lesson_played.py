"""The lesson over HTTP: what a scene sets, who may go on, and where it stands after a restart."""

import shutil
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from orders.classroom.lesson import BUNDLED, read
from orders.settings import Settings
from tests.conftest import Come, Connect, Start
from tests.process import Process
from tests.rooms import Room
from tests.wire import until

SCENES = read(BUNDLED).scenes
ROOT = Path(__file__).parents[2]


async def go(http: aiohttp.ClientSession, server: Any, scene: int, answer: bool = False) -> Any:
    url, body = f"{server.url}/api/rooms/main/lesson", {"scene": scene, "answer": answer}
    async with http.put(url, json=body) as told:
        assert told.status == 200, await told.text()
        return await told.json()


async def test_a_scene_sets_mode_and_bots_and_the_next_takes_them_away(
    server: Any, http: aiohttp.ClientSession, room: Room
) -> None:
    await go(http, server, 4)
    stands = await room.get()
    assert stands["modes"] == {"*": "pubsub"}
    assert [(bot["delay"], bot["naive"]) for bot in stands["bots"]] == [(1, True), (1, True)]
    await go(http, server, 5)
    after = await room.get()
    assert after["bots"] == stands["bots"], "the same Bobs, in another mode"
    assert after["modes"] == {"*": "pubsub", "order_placed": "queue"}
    await go(http, server, 6)
    assert (await room.get())["bots"] == []


async def test_nobody_can_look_up_an_answer_before_it_is_shown(
    server: Any, http: aiohttp.ClientSession
) -> None:
    told = await go(http, server, 4)
    assert told["question"] == SCENES[3].question
    assert "answer" not in await Room(http, server).get("/lesson")
    await go(http, server, 4, answer=True)
    assert (await Room(http, server).get("/lesson"))["answer"] == SCENES[3].answer


async def test_showing_the_answer_sets_nothing_again(
    server: Any, http: aiohttp.ClientSession, room: Room
) -> None:
    await go(http, server, 2)
    await room.set_modes({"*": "pubsub"})
    await go(http, server, 2, answer=True)
    await go(http, server, 2)
    assert (await room.get())["modes"] == {"*": "pubsub"}, "what the host does by hand stays"
    await go(http, server, 2)
    assert (await room.get())["modes"] == {"*": "relay"}, "the scene is set again"


@pytest.mark.parametrize("body", ['{"scene": 99}', '{"scene": -1}', '{"scene": "four"}', "", "[]"])
async def test_a_scene_that_is_not_there_is_explained(
    server: Any, http: aiohttp.ClientSession, body: str
) -> None:
    async with http.put(f"{server.url}/api/rooms/main/lesson", data=body) as told:
        assert told.status == 400
        error = (await told.json())["error"]
    assert error["code"] == "wrong_request"
    assert f"from 1 to {len(SCENES)}" in error["message"]
    assert (await Room(http, server).get("/lesson"))["scene"] == 0


@pytest.mark.settings(lan=True)
async def test_only_the_host_goes_on(server: Any, http: aiohttp.ClientSession) -> None:
    url = URL(server.url) / "api/rooms/main/lesson"
    async with http.put(url, json={"scene": 1}) as told:
        assert told.status == 403
        assert (await told.json())["error"]["code"] == "not_host"
    async with http.get(url) as told:
        assert (await told.json())["scene"] == 0


async def test_where_it_stands_and_its_lease_survive_a_restart(
    start: Start, connect: Connect, come: Come, http: aiohttp.ClientSession
) -> None:
    server = start()
    await go(http, server, 10, answer=True)
    server.kill()
    server.start()
    room = Room(http, server)
    told = await room.get("/lesson")
    assert (told["scene"], told["answer"]) == (10, SCENES[9].answer)
    eve = await come(server, name="eve", types="order_placed", ack="manual")
    ben = await connect(server, name="ben", types="order_confirmed")
    await ben.send({"type": "order_placed", "data": {"id": 1}})
    await eve.expect("order_placed")
    (queued,) = (await room.get("/queue"))["queued"]
    assert queued["lease"] == SCENES[9].lease != Settings().lease


async def test_a_lesson_of_ones_own_is_served_and_a_wrong_one_ends_the_start(
    start: Start, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    own = tmp_path / "my.toml"
    own.write_text(BUNDLED.read_text("utf-8").replace("Relay: everyone hears", "All hear"), "utf-8")
    server = start("--lesson", str(own))
    assert (await go(http, server, 2))["caption"] == "All hear everything."


async def test_orders_are_confirmed_without_the_folder(
    connect: Connect, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    for part in ("orders", "templates", "static"):
        passed = shutil.ignore_patterns("classroom", "__pycache__")
        shutil.copytree(ROOT / part, tmp_path / "copy" / part, ignore=passed)
    program = tmp_path / "copy" / "run.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(program.parent)!r})\n"
        "from orders.cli import main; import orders\n"
        f"assert orders.__file__.startswith({str(program.parent)!r})\nmain()\n"
    )
    with Process(tmp_path, program=(sys.executable, str(program))) as server:
        room = Room(http, server)
        async with http.get(f"{server.url}/api/rooms/main/lesson") as told:
            assert told.status == 404
        await room.act("/bots")
        await room.has("bob")
        ben = await connect(server, name="ben", types="order_confirmed")
        await ben.send({"type": "order_placed", "data": {"id": 5}})
        await ben.expect("order_confirmed", id=5)


async def test_every_stage_hears_of_a_scene_by_the_feed(
    server: Any, http: aiohttp.ClientSession
) -> None:
    url = URL(server.url).with_scheme("ws") / "observe/main"
    async with http.ws_connect(url) as feed:
        await go(http, server, 2)

        async def heard() -> list[Any]:
            told = await feed.receive_json()
            return [r for r in told.get("records", []) if r["kind"] == "scene"]

        (record,) = await until(heard, "the feed tells of the scene")
    assert (record["scene"], record["answer"]) == (2, False)

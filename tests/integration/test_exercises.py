"""Programs of students, examined: right ones pass, each wrong one fails where it is wrong."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orders.classroom.checks import Checks, Exercise
from orders.classroom.exercises import STAGES
from tests.conftest import Serve, Start
from tests.exercises.bobs import Bob, at_work
from tests.exercises.found_out import GOLDEN, SEED, TOKEN, as_text, its_own, of_all
from tests.exercises.right import RIGHT, in_short
from tests.exercises.wrong import every
from tests.terminal import Command
from tests.wire import until


def test_each_stage_has_a_scenario_what_is_judged_and_hints() -> None:
    assert [stage.number for stage in STAGES] == list(range(1, 13))
    for stage in STAGES:
        assert stage.title
        assert "\n\nJudged: " in stage.text
        assert len(stage.hints) >= 2


def test_at_least_forty_bobs_are_wrong_and_every_stage_finds_some() -> None:
    assert len(every()) >= 40
    assert {bob.STAGE for bob in every()} == {stage.number for stage in STAGES}


async def test_wrong_bobs_fail_where_they_are_wrong_and_are_told_why_and_right_ones_pass(
    start: Start,
) -> None:
    """All at once; `make exercises` has the wrong ones pass the stages before, too."""
    url = start("--host-token", TOKEN).url
    usual_and_not: tuple[type[Bob], ...] = (Bob, *RIGHT)
    found, right = await asyncio.gather(
        of_all(url, every(), SEED, its_own), of_all(url, usual_and_not, SEED + 1, in_short)
    )
    golden = GOLDEN.read_text(encoding="utf-8").split("\n\n")
    told = [as_text(name, found[name][-1]).rstrip("\n") for name in sorted(found)]
    assert told == [text.rstrip("\n") for text in golden]
    assert all(found[bob.__name__][-1]["stage"] == bob.STAGE for bob in every())
    for bob in usual_and_not:
        verdicts = right[bob.__name__]
        passed = [(stage, "passed") for stage in in_short(bob)]
        assert [(one["stage"], one["verdict"]) for one in verdicts] == passed, verdicts[-1]


async def begin(http: aiohttp.ClientSession, url: str, name: str = "") -> dict[str, Any]:
    async with http.post(f"{url}/api/exercises", json={"name": name}) as answer:
        assert answer.status == 201
        return dict(await answer.json())


async def get(http: aiohttp.ClientSession, url: str, path: str) -> Any:
    async with http.get(f"{url}/api/exercises{path}") as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def ask(http: aiohttp.ClientSession, url: str, room: str, **wish: Any) -> dict[str, Any]:
    async with http.post(f"{url}/api/exercises/{room}/check", json=wish) as answer:
        assert answer.status == 202, await answer.text()
        return dict(await answer.json())


async def stands(http: aiohttp.ClientSession, url: str, room: str) -> dict[str, Any]:
    """How an exercise stands once nobody is examined in it."""

    async def done() -> dict[str, Any]:
        told: dict[str, Any] = await get(http, url, f"/{room}")
        return told if told["running"] is None else {}

    return await until(done, "the check is done")


async def test_only_the_session_or_the_host_has_an_exercise_checked_and_only_the_host_sees_all(
    serve: Serve, http: aiohttp.ClientSession
) -> None:
    async with serve(host_token=TOKEN, allow_host=("class.example",)) as server:
        room = await begin(http, server.url)
        url = f"{server.url}/api/exercises/{room['room']}/check"
        for headers, status, code in (
            ({}, 403, "not_yours"),
            ({"Orders-Session": "somebody-elses-session"}, 403, "not_yours"),
        ):
            async with http.post(url, json={}, headers=headers) as answer:
                assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)
        async with http.post(
            url, json={"stage": 13}, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as answer:
            assert answer.status == 400
        async with http.get(f"{server.url}/api/exercises") as answer:
            assert answer.status == 403
        async with http.get(f"{server.url}/api/exercises/main") as answer:
            assert answer.status == 404
        headers = {"Orders-Session": room["session"]}
        async with http.post(url, json={"stage": 1}, headers=headers) as answer:
            assert answer.status == 202
        url = f"{server.url}/api/exercises/{room['room']}"
        assert (await get(http, server.url, f"/{room['room']}"))["running"]["stage"] == 1


async def test_eight_are_examined_at_once_and_the_others_see_how_many_are_before_them(
    serve: Serve, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def run(self: Checks, exercise: Exercise, check: dict[str, Any]) -> None:
        await gate.wait()

    monkeypatch.setattr(Checks, "_run", run)
    async with serve() as server:
        rooms = [(await begin(http, server.url))["room"] for _ in range(10)]
        ahead = [(await ask(http, server.url, room))["ahead"] for room in rooms]
        assert ahead == [0] * 8 + [1, 2]
        again = await ask(http, server.url, rooms[9], stage=3)
        assert again["ahead"] == 2, "it waits already"
        gate.set()
        assert all([(await stands(http, server.url, room))["stages"] == [] for room in rooms])


async def test_orders_check_says_how_it_went_and_what_it_said_is_the_same_after_a_restart(
    start: Start, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server = start()
    with Command(tmp_path, "check", server.url, "--json", "--seed", "3", "--stage", "5") as check:
        begun = json.loads((await check.until_said("\n")).splitlines()[0])
        async with at_work(Bob(begun["url"], 3)):
            code = await check.ended()
        lines = [json.loads(line) for line in check.said.splitlines()[1:]]
    assert [line["stage"] for line in lines] == list(range(1, len(lines) + 1))
    assert code == {"passed": 0, "unknown": 2}[lines[-1]["verdict"]], lines[-1]
    room, mine = begun["room"], ("--room", begun["room"], "--session", begun["session"])
    with Command(tmp_path, "check", server.url, *mine, "--stage", "4") as check:
        code = await check.ended()
    assert code in (1, 2)
    if code == 1:
        assert "came:     nobody joined, within 5 s" in check.said
        assert f"See the diagram: {server.url}/stage?room={room}&band=diagram&check=" in check.said
    with Command(tmp_path, "check", server.url, "--room", "ex-nobody") as check:
        assert await check.ended() == 1
    assert "no exercise" in check.noted

    other = await begin(http, server.url, "=2+3")
    table = await get_csv(http, server.url)
    row = next(line for line in table.splitlines() if line.startswith(f"{room},{room},"))
    assert row.split(",")[2] != "passed" == row.split(",")[3], "the last verdict of each"
    assert f"'=2+3,{other['room']},,,,,,,,,,,,\r\n" in table
    before = await get(http, server.url, f"/{room}")
    server.kill()
    server.start()
    assert await get(http, server.url, f"/{room}") == before
    assert await get_csv(http, server.url) == table


async def get_csv(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(f"{url}/api/exercises?format=csv") as answer:
        assert answer.status == 200
        return await answer.text()

"""Programs of students, examined: right ones pass, each wrong one fails where it is wrong."""

import json
from pathlib import Path
from typing import Any

import aiohttp

from orders.classroom.exercises import STAGES
from tests.conftest import Serve, Start
from tests.exercises.bobs import Bob, at_work
from tests.exercises.found_out import GOLDEN, SEED, as_text, of_all, of_seeds
from tests.exercises.wrong import every
from tests.terminal import Command
from tests.wire import until

TOKEN = "the-secret-of-the-host"


def test_each_stage_has_a_scenario_what_is_judged_and_hints() -> None:
    assert [stage.number for stage in STAGES] == list(range(1, 13))
    for stage in STAGES:
        assert stage.title
        assert "\n\nJudged: " in stage.text
        assert len(stage.hints) >= 2


def test_at_least_forty_bobs_are_wrong_and_every_stage_finds_some() -> None:
    assert len(every()) >= 40
    assert {bob.STAGE for bob in every()} == {stage.number for stage in STAGES}


async def test_every_wrong_bob_fails_where_it_is_wrong_and_is_told_why(start: Start) -> None:
    found = await of_all(start().url, every(), SEED)
    golden = GOLDEN.read_text(encoding="utf-8").split("\n\n")
    told = [as_text(name, found[name][-1]).rstrip("\n") for name in sorted(found)]
    assert told == [text.rstrip("\n") for text in golden]
    for bob in every():
        stages = [(verdict["stage"], verdict["verdict"]) for verdict in found[bob.__name__]]
        passed = [(stage, "passed") for stage in range(1, bob.STAGE)]
        assert stages == [*passed, (bob.STAGE, "failed")], bob.__name__


async def test_a_right_bob_passes_whatever_the_seed(start: Start) -> None:
    verdicts = await of_seeds(start().url, Bob, range(100, 104), at_once=4)
    assert "failed" not in verdicts
    assert "passed" in verdicts, "nobody could tell, each time: this proved nothing"


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


async def test_a_verdict_is_a_record_and_the_same_after_a_restart(
    start: Start, http: aiohttp.ClientSession
) -> None:
    server = start()
    room = await begin(http, server.url, "anna")
    other = await begin(http, server.url, "=2+3")
    async with at_work(Bob(room["url"], 1)):
        await ask(http, server.url, room["room"], stage=3, seed=5)
        before = await stands(http, server.url, room["room"])
    assert [(one["stage"], one["verdict"]) for one in before["stages"]] == [
        (1, "passed"), (2, "passed"), (3, "passed"),
    ]  # fmt: skip
    async with http.get(f"{server.url}/api/exercises?format=csv") as answer:
        table = await answer.text()
    assert f"anna,{room['room']},passed,passed,passed,,,,,,,,,\r\n" in table
    assert f"'=2+3,{other['room']}," in table
    async with http.delete(f"{server.url}/api/rooms/{other['room']}") as answer:
        assert answer.status == 200
    async with http.get(f"{server.url}/api/exercises/{other['room']}") as answer:
        assert answer.status == 404, "what the host ended is gone"
    async with http.get(f"{server.url}/api/exercises?format=csv") as answer:
        table = await answer.text()
    server.kill()
    server.start()
    assert await get(http, server.url, f"/{room['room']}") == before
    async with http.get(f"{server.url}/api/exercises?format=csv") as answer:
        assert await answer.text() == table


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
        told = await stands(http, server.url, room["room"])
        assert [one["verdict"] for one in told["stages"]] != ["passed"], "nobody is there"


async def test_eight_are_examined_at_once_and_the_others_see_how_many_are_before_them(
    start: Start, http: aiohttp.ClientSession
) -> None:
    url = start().url
    rooms = [(await begin(http, url))["room"] for _ in range(10)]
    ahead = [(await ask(http, url, room, stage=1))["ahead"] for room in rooms]
    assert ahead == [0] * 8 + [1, 2]
    told = [await stands(http, url, room) for room in rooms]
    assert all(len(one["stages"]) == 1 for one in told)


async def test_orders_check_says_how_it_went_and_ends_with_it(start: Start, tmp_path: Path) -> None:
    server = start()
    with Command(tmp_path, "check", server.url, "--json", "--seed", "3") as check:
        begun = json.loads((await check.until_said("\n")).splitlines()[0])
        async with at_work(Bob(begun["url"], 3)):
            code = await check.ended()
        lines = [json.loads(line) for line in check.said.splitlines()[1:]]
        assert [line["stage"] for line in lines] == list(range(1, len(lines) + 1))
        last = {"passed": 0, "failed": 1, "unknown": 2}[lines[-1]["verdict"]]
        assert code == last != 1, check.said
    mine = ("--room", begun["room"], "--session", begun["session"])
    with Command(tmp_path, "check", server.url, *mine, "--stage", "4") as check:
        code = await check.ended()
        assert code in (1, 2)
        assert "came:     nobody joined, within 5 s" in check.said or code == 2
    with Command(tmp_path, "check", server.url, "--room", "ex-nobody") as check:
        assert await check.ended() == 1
        assert "no exercise" in check.noted

"""How long the rooms of exercises are kept, and how many there may be."""

import time
from typing import Any

import aiohttp
import pytest

from tests.conftest import Come, Serve
from tests.rooms import Room
from tests.wire import until

HOUR = 3600 * 10**9  # in the unit of the clock


class Clock:
    """The time of day, put forward where a test says so."""

    def __init__(self) -> None:
        self._now, self._ahead = time.time_ns, 0

    def __call__(self) -> int:
        return self._now() + self._ahead

    def forward(self, hours: int) -> None:
        self._ahead += hours * HOUR


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("orders.clock.time.time_ns", clock)
    monkeypatch.setattr("orders.classroom.checks.LOOK", 0.05)
    return clock


async def begin(http: aiohttp.ClientSession, server: Any, name: str = "") -> str:
    async with http.post(f"{server.url}/api/exercises", json={"name": name}) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["room"])


async def are_there(http: aiohttp.ClientSession, server: Any, *names: str) -> None:
    """Wait until these exercises are there, and no others."""

    async def they_are() -> bool:
        async with http.get(f"{server.url}/api/exercises") as answer:
            return [one["name"] for one in (await answer.json())["exercises"]] == [*names]

    await until(they_are, f"there are {names}")


async def test_an_exercise_is_erased_a_day_after_the_last_word_also_where_the_server_was_off(
    serve: Serve, http: aiohttp.ClientSession, come: Come, day: Clock
) -> None:
    async with serve() as server:
        talking, working, _ = [await begin(http, server, name) for name in ("a", "b", "silent")]
        await come(server, room=working, name="bob")
        day.forward(hours=20)
        url = f"{server.url}/api/rooms/{talking}/events"
        async with http.post(url, json={"type": "hello_said", "data": {}}) as answer:
            assert answer.status == 201
        day.forward(hours=5)
        await are_there(http, server, "a", "b")
        day.forward(hours=20)
        await are_there(http, server, "b")
        await begin(http, server, "later")
    day.forward(hours=23)  # the server is off
    async with serve() as server:
        await are_there(http, server, "later")
        day.forward(hours=2)
        await are_there(http, server)


async def test_exercises_have_a_limit_of_their_own_and_it_says_how_to_go_on(
    serve: Serve, http: aiohttp.ClientSession, come: Come, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.classroom.checks.MOST_ROOMS", 2)
    async with serve(max_rooms=2) as server:
        first, _ = await begin(http, server), await begin(http, server)
        async with http.post(f"{server.url}/api/exercises", json={}) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["code"]) == (503, "server_full")
            assert "All 2 exercise rooms are in use" in error["message"]
        await come(server, room="pair-7", name="bob")
        async with http.delete(f"{server.url}{Room(http, server, first).path}") as answer:
            assert answer.status == 200
        await begin(http, server)

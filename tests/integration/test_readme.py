"""The programs in the README, of the first Bob and of the reference do what is said of them."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orders.domain.confirming import Confirmed, answer_id
from orders.domain.envelope import Event
from tests.process import environment, running
from tests.rooms import Room
from tests.wire import DEADLINE, until

ROOT = Path(__file__).parents[2]


def programs(page: str) -> dict[str, str]:
    """The programs on a page, by the name under which each joins."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    return {re.findall(r'name="?([a-z0-9-]+)', program)[0]: program for program in found}


CUSTOMERS, BOBS = programs("README.md"), programs("docs/first-bob.md")
REFERENCE = programs("docs/participant.md")
#: Runs a program that may wait for something outside a function, as `python -m asyncio` lets it.
RUN = """
import ast, asyncio, sys
waits = eval(compile(sys.argv[1], "program", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
if waits is not None:
    asyncio.run(waits)
"""


def test_the_pages_have_these_programs() -> None:
    assert list(REFERENCE) == ["bob", "alice"]
    assert list(CUSTOMERS) == ["carol", "dave"]
    assert list(BOBS) == ["bob-1", "bob-2", "bob-3", "bob-4"]


@contextmanager
def started(program: str, server: Any, output: Path) -> Iterator[Callable[[str], Awaitable[bool]]]:
    """A program that talks to this server; asks whether a text stands in what it printed."""
    program = program.replace("localhost:8080", f"localhost:{server.port}")
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", RUN, program],
            cwd=output.parent,
            env=environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
        )

    async def printed(text: str) -> bool:
        said = await asyncio.to_thread(output.read_text)
        assert process.poll() is None, said
        return text in said

    try:
        yield printed
    finally:
        process.kill()
        process.wait(DEADLINE)


@pytest.mark.parametrize("name", CUSTOMERS)
async def test_a_program_from_the_readme_places_an_order_and_hears_that_it_is_confirmed(
    server: Any, tmp_path: Path, name: str, room: Room
) -> None:
    with running("bot", server.url, cwd=tmp_path):
        await room.has("bob")
        with started(CUSTOMERS[name], server, tmp_path / "output") as printed:
            await until(lambda: printed("order_confirmed"), f"{name} hears of the confirmation")
    assert [event["source"] for event in await room.log()] == [name, "bob"]


async def test_the_first_bob_listens_answers_shares_the_work_and_answers_once(
    server: Any, http: aiohttp.ClientSession, tmp_path: Path, room: Room
) -> None:

    async def coffees(number: int, count: int) -> bool:
        log = [event for event in await room.log() if event["type"] == "order_confirmed"]
        return [event["data"]["id"] for event in log].count(number) == count

    async def place(number: int) -> None:
        order = {"type": "order_placed", "source": "alice", "data": {"id": number}}
        async with http.post(f"{server.url}/api/rooms/main/events", json=order) as answer:
            assert answer.status == 201

    with started(BOBS["bob-1"], server, tmp_path / "1") as printed:
        await room.has("bob-1")
        await place(1)
        await until(lambda: printed("order_placed"), "bob-1 hears an order")
    with (
        started(BOBS["bob-2"], server, tmp_path / "2"),
        started(BOBS["bob-2"].replace("bob-2", "bob-5"), server, tmp_path / "5"),
    ):
        await room.has("bob-2")
        await room.has("bob-5")
        await place(2)
        await until(lambda: coffees(2, 2), "two coffees")
    await room.set_modes({"order_placed": "queue"})
    await place(3)
    with started(BOBS["bob-3"], server, tmp_path / "3"):
        await until(lambda: coffees(3, 1), "bob-3 takes what waited")
    await place(4)
    with started(BOBS["bob-4"], server, tmp_path / "4"):
        await until(lambda: coffees(4, 1), "bob-4 takes what waited")
    placed = next(event for event in await room.log() if event["data"] == {"id": 4})
    answer = next(event for event in await room.log() if event["source"] == "bob-4")
    assert answer["id"] == answer_id("main", Event.model_validate(placed), Confirmed())


async def test_the_programs_of_the_reference_place_an_order_and_answer_it(
    server: Any, tmp_path: Path, room: Room
) -> None:
    await room.set_modes({"order_placed": "queue"})
    with (
        started(REFERENCE["bob"], server, tmp_path / "bob"),
        started(REFERENCE["alice"], server, tmp_path / "alice") as printed,
    ):
        await until(lambda: printed("order_confirmed"), "alice hears of the confirmation")
    assert [event["source"] for event in await room.log()] == ["alice", "bob"]

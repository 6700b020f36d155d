"""Starters: untouched each says what stage 1 is; each has a solution that passes every stage."""

import asyncio
import io
import os
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import async_playwright

from orders.classroom.examiner import Verdict, examine
from tests.conftest import Start
from tests.exercises.found_out import TOKEN
from tests.process import Process
from tests.rooms import Room
from tests.starters.languages import (
    LANGUAGES,
    SOLUTIONS,
    STARTERS,
    Begin,
    Language,
    pages_of,
    runs_of,
)
from tests.wire import until

FEWER = None if os.environ.get("ORDERS_EVERY_STARTER") else 2  # `make starters` tries all pairs
TRIES = 4  # a busy machine makes a verdict unknown, which is no verdict


def here(language: Language) -> Language:
    if language.missing:
        pytest.skip(f"{language.name} is left out: {', '.join(language.missing)} not installed")
    return language


async def begin(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with http.post(f"{url}/api/exercises", json={}) as answer:
        return dict(await answer.json())


async def passes(http: aiohttp.ClientSession, server: Process, program: Begin) -> None:
    """A solution passes every stage; checked again where nobody can tell."""
    for attempt in range(TRIES):
        said: list[Verdict] = []
        begun = await begin(http, server.url)
        async with program(begun["url"]):
            await Room(http, server, begun["room"]).has("bob")  # a compiler takes its time
            await examine(server.url, begun["room"], TOKEN, range(1, 13), attempt, said.append)
        if said[-1]["verdict"] != "unknown":
            break
    assert [one["verdict"] for one in said] == ["passed"] * 12, said[-1]


async def test_a_solution_in_each_language_passes_every_stage_all_at_once(
    start: Start, http: aiohttp.ClientSession
) -> None:
    server = start("--host-token", TOKEN)
    at_hand = [language for language in LANGUAGES if not language.missing]
    async with asyncio.TaskGroup() as tasks:
        for language in at_hand:
            tasks.create_task(passes(http, server, runs_of(language)), name=language.name)


async def test_what_a_starter_proposes_is_enough_for_its_first_two_stages(
    start: Start, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server = start("--host-token", TOKEN)

    async def proposed(language: Language) -> None:
        text = (STARTERS / language.name / language.file).read_text(encoding="utf-8")
        (tmp_path / language.name).mkdir()
        written = re.sub(r"^( *)(?:#     |#   |//   )", r"\1", text, flags=re.MULTILINE)
        (tmp_path / language.name / language.file).write_text(written, encoding="utf-8")
        begun, said = await begin(http, server.url), list[Verdict]()
        with language.runs(tmp_path, begun["url"]):
            await until(Room(http, server, begun["room"]).names, f"{language.name} is there")
            await examine(server.url, begun["room"], TOKEN, (1, 2), 0, said.append)
        assert [one["verdict"] for one in said] == ["passed"] * 2, (language.name, said)

    async with asyncio.TaskGroup() as tasks:
        for language in LANGUAGES:
            if not language.missing:
                tasks.create_task(proposed(language))


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.name)
def test_an_untouched_starter_says_that_stage_1_is_to_be_written(language: Language) -> None:
    with here(language).runs(STARTERS, "ws://somewhere/ws?room=ex-mine") as program:
        said, _ = program.communicate()
    assert said.decode() == "Write stage 1: connect to ws://somewhere/ws?room=ex-mine, and stay.\n"


async def test_the_page_of_a_browser_passes_opened_from_the_disk_and_untouched_connects_to_nothing(
    start: Start, http: aiohttp.ClientSession, chromium: str
) -> None:
    server = start("--host-token", TOKEN)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-quic"]
        )
        await passes(http, server, pages_of(browser))
        page = await browser.new_page()
        await page.goto(f"file://{STARTERS}/browser/bob.html")
        await page.get_by_text("Start").click()
        assert "Write stage 1" in await page.inner_text("#log")
        await browser.close()


async def test_every_placer_is_confirmed_by_every_confirmer(
    start: Start, http: aiohttp.ClientSession
) -> None:
    """Two of each pair: each takes the other's order from the queue."""
    server = start()
    here = [language for language in LANGUAGES if not language.missing][:FEWER]
    for index, one in enumerate(here):
        for other in here[index:]:
            room = Room(http, server, f"{one.name}-{other.name}")
            await room.set_modes({"*": "pubsub", "order_placed": "queue"})
            address = f"{server.url.replace('http', 'ws')}/ws?room={one.name}-{other.name}"
            with (
                one.runs(SOLUTIONS, address, "first"),
                other.runs(SOLUTIONS, address, "second"),
            ):

                async def both(room: Room = room) -> bool:
                    orders = (await room.get("/orders"))["orders"]
                    who = Counter((order["customer"], order["confirmer"]) for order in orders)
                    return who == {("first", "second"): 1, ("second", "first"): 1}

                await until(both, f"{one.name} and {other.name} confirm each other's order")


async def test_the_server_gives_out_the_starters_as_files_as_a_zip_and_with_its_own_wheel(
    start: Start, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server = start()

    async def get(path: str) -> bytes:
        async with http.get(f"{server.url}{path}") as answer:
            assert answer.status == 200, path
            return await answer.read()

    listed = (await get("/starters")).decode()
    for language in LANGUAGES:
        assert f"<h2>{language.name}</h2>" in listed
        text = (await get(f"/starters/{language.name}/{language.file}?room=ex-mine")).decode()
        assert f"ws://localhost:{server.port}/ws?room=ex-mine" in text
    with zipfile.ZipFile(io.BytesIO(await get("/starters.zip"))) as archive:
        assert "starters/browser/bob.html" in archive.namelist()
    address = listed.partition("pip install http://")[2].partition("<")[0]
    wheel = tmp_path / address.rpartition("/")[2]
    wheel.write_bytes(await get("/" + address.partition("/")[2]))
    target = tmp_path / "installed"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile")
    assert await python(tmp_path, *install, "--target", str(target), str(wheel)) == ""
    code = "import orders, orders.clients.participant; print(orders.__file__)"
    assert await python(target, "-c", code) == f"{target / 'orders' / '__init__.py'}\n"
    async with http.get(f"{server.url}/starters/../pyproject.toml") as answer:
        assert answer.status == 404


async def python(directory: Path, *arguments: str) -> str:
    """What Python prints."""
    ran = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=directory, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await ran.communicate()
    return said.decode()

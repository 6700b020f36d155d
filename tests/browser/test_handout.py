"""What students get: an address to join at, and a page of paper whose programs simply work."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.browser.watching import send
from tests.conftest import Connect
from tests.process import environment
from tests.rooms import Room
from tests.wire import DEADLINE, until

pytestmark = pytest.mark.browser

LONGEST_ROOM = "a-room-with-the-longest-name-yes"


async def program(page: Page, id: str) -> str:
    text = await page.locator(f"#{id}").text_content()
    assert text is not None
    assert len(text.splitlines()) == 5
    return text


async def test_the_way_in_names_who_came_and_who_left(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    page = await is_open(await open_page(server, "/join"))
    await expect(page.get_by_text("Nobody is here yet.")).to_be_visible()
    alice = await connect(server, name="alice")
    await connect(server, name="bob")
    await expect(page.get_by_text("2 are here")).to_be_visible()
    await expect(page.get_by_role("list", name="Who is here")).to_have_text("bobalice")
    await alice.ws.close()
    await expect(page.get_by_role("list", name="Who is here")).to_have_text("bob")


async def test_on_one_machine_alone_the_way_in_says_how_others_can_come(
    server: Any, open_page: OpenPage
) -> None:
    page = await is_open(await open_page(server, "/join?room=pair-7"))
    await expect(page.get_by_text(f"localhost:{server.port}/?room=pair-7")).to_be_visible()
    await expect(page.get_by_text("--lan")).to_be_visible()
    await expect(page.locator("img")).to_have_count(0)


@pytest.mark.settings(lan=True)
async def test_for_a_class_the_way_in_has_a_code_and_an_address_that_others_reach(
    server: Any, open_page: OpenPage
) -> None:
    page = await is_open(await open_page(server, "/join"))
    address = re.sub("^http://", "", server.urls[0])
    await expect(page.get_by_text(address, exact=True)).to_be_visible()
    await expect(page.get_by_role("img", name="QR code")).to_be_visible()
    assert await page.locator("img").evaluate("img => img.naturalWidth > 0")


async def test_the_handout_is_one_page_of_paper(server: Any, open_page: OpenPage) -> None:
    page = await open_page(server, f"/handout?room={LONGEST_ROOM}", color_scheme="dark")
    await expect(page.get_by_role("button", name="Print")).to_be_visible()
    paper = await page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1


async def test_its_first_program_places_an_order_from_a_browsers_console(
    server: Any, open_page: OpenPage, room: Room
) -> None:
    page = await open_page(server, "/handout")
    await page.evaluate("code => (0, eval)(code)", await program(page, "alice"))

    async def placed() -> Any:
        return await room.log()

    (event,) = await until(placed, "the order is stored")
    assert (event["source"], event["type"], event["data"]["id"]) == ("your-name", "order_placed", 5)


async def test_its_second_program_lists_what_happens(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    page = await open_page(server, "/handout")
    source = await program(page, "watch")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await page.evaluate("code => (0, eval)(code.replace('const', 'var'))", source)
    await until(Room(http, server).names, "it has come into the room")
    alice = await connect(server, name="alice")
    await send(alice, id=7)

    async def listed() -> bool:
        return "alice order_placed 7" in said

    await until(listed, "the order is listed")


async def test_its_third_program_is_a_bob(
    server: Any, connect: Connect, open_page: OpenPage, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    page = await open_page(server, "/handout")
    (tmp_path / "bob.py").write_text(await program(page, "bob"), encoding="utf-8")
    bob = subprocess.Popen([sys.executable, "bob.py"], cwd=tmp_path, env=environment())
    try:
        await Room(http, server).has("your-name-bob")
        alice = await connect(server, name="alice", types="order_confirmed")
        await send(alice, id=7)
        confirmed = await alice.expect("order_confirmed", id=7)
        assert confirmed["source"] == "your-name-bob"
        orders = (await Room(http, server).get("/orders"))["orders"]
        assert [(o["customer"], o["id"], o["state"]) for o in orders] == [("alice", 7, "confirmed")]
    finally:
        bob.kill()
        bob.wait(DEADLINE)

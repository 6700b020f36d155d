"""A lesson taken home: the letter, the button, the file without a network, and the disk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open, place
from tests.browser.test_axe import found_in_each_look
from tests.browser.test_hostile_text import EVENTS, HOSTILE
from tests.browser.watching import open_stage, send
from tests.conftest import Connect
from tests.rooms import Room
from tests.wire import Wire

pytestmark = pytest.mark.browser

SECRET = "Wolfgang-Amadeus"


@asynccontextmanager
async def opened(browser: Browser, file: Path, **options: Any) -> AsyncIterator[Page]:
    """The file from the disk, with the network off; it asks for nothing, and says nothing."""
    context = await browser.new_context(offline=True, **options)
    asked: list[str] = []
    said: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda message: said.append(message.text))
    context.on("weberror", lambda error: said.append(str(error.error)))
    page = await context.new_page()
    await page.goto(file.as_uri())
    yield page
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [file.as_uri()]
    assert said == []
    await context.close()


async def ask(room: Room, http: aiohttp.ClientSession, votes: list[dict[str, str]]) -> None:
    """A question with two rounds, in which each session chooses, and its truth."""
    path = f"{room.server.url}{room.path}/questions"
    async with http.post(path, json={"kind": "outcome", "order": "Benedikta/7"}) as answer:
        id = (await answer.json())["id"]
    for number, round_ in enumerate(votes):
        if number:
            await room.act(f"/questions/{id}/again")
        for session, choice in round_.items():
            headers = {"Orders-Session": session}
            async with http.post(
                f"{path}/{id}/answers", json={"choice": choice}, headers=headers
            ) as one:
                assert one.status == 204, await one.text()
        await room.act(f"/questions/{id}/close")
    await room.act(f"/questions/{id}/reveal")


async def confirm(bob: Wire) -> None:
    placed = await bob.expect("order_placed")
    said = {"id": placed["data"]["id"], "customer": placed["source"], "event": placed["id"]}
    await send(bob, "order_confirmed", **said)


async def test_a_lesson_is_taken_home_replayed_without_a_network_and_erased(
    server: Any,
    connect: Connect,
    http: aiohttp.ClientSession,
    open_page: OpenPage,
    browser: Browser,
    tmp_path: Path,
    room: Room,
) -> None:
    pupil = await is_open(await open_page(server, f"/customer?name={SECRET}"))
    await expect(pupil.locator("#letter")).to_have_text("In the file to take home you are A")
    sessions = ["session-of-another-1", "session-of-another-2"]
    ben = await connect(server, name="Benedikta", session=sessions[0], types="order_confirmed")
    bob = await connect(server, name="Roberta", session=sessions[1], types="order_placed")
    await place(pupil, {"id": 48211, "note": f"{SECRET} is hungry"})
    await confirm(bob)
    await room.set_modes({"*": "pubsub"})
    await send(ben, id=7, item="mint tea", quantity=3)
    await confirm(bob)
    await ask(
        room,
        http,
        [dict.fromkeys(sessions, "rejected"), {sessions[0]: "confirmed_once"}],
    )
    stage = await open_stage(open_page, server)
    await stage.keyboard.press("h")
    dialog = stage.locator("#stage-takehome")
    await expect(dialog).to_have_css("border-top-left-radius", "3px")  # dressed, though first asked
    await expect(dialog.get_by_role("button", name="Erase")).to_have_count(0)
    async with stage.expect_download() as downloading:
        await dialog.get_by_role("button", name="Take home").click()
    file = tmp_path / "home" / "lesson.html"
    await (await downloading.value).save_as(file)
    await expect(dialog.get_by_role("status")).to_contain_text("arrived whole: 4 events")

    async with opened(browser, file) as page:
        await replayed(page)
    async with opened(browser, file, viewport={"width": 360, "height": 740}) as page:
        assert await found_in_each_look(page) == {}
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360

    await send(ben, id=8)
    await dialog.get_by_role("button", name="Erase room main").click()
    await expect(dialog.get_by_role("status")).to_contain_text("take it home once more")
    async with stage.expect_download():
        await dialog.get_by_role("button", name="Take home").click()
    await dialog.get_by_role("button", name="Erase room main").click()
    await expect(stage.locator(".toast")).to_have_text("Room main is erased.")
    await expect(stage.locator("[data-total]")).to_contain_text("0 events")
    secrets = (SECRET, "hungry", "Benedikta", "Roberta", *sessions)
    for name, text in await asyncio.to_thread(kept, tmp_path):
        assert [one for one in secrets if one in text] == [], name


def kept(directory: Path) -> list[tuple[str, str]]:
    """Every file there, and what is in it."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert {"orders.db", "lesson.html"} <= {path.name for path in files}
    return [(path.name, path.read_bytes().decode("latin-1")) for path in files]


async def replayed(page: Page) -> None:
    """Look at all of it: picture, time, diagram, why, orders, questions."""
    assert await page.evaluate("document.body.dataset.band") == "diagram"
    rows = page.locator(".diagram-body .row")
    await expect(rows.filter(has_text="order_placed 1")).to_have_count(1)
    await expect(page.locator('[data-participant="B"]')).to_be_visible()
    await rows.filter(has_text="order_placed 2").click()
    why = page.locator("#stage-explained")
    await expect(why.locator('[data-recipient="C"]')).to_have_attribute("data-received", "true")
    await expect(why.locator('[data-recipient="A"]')).to_have_attribute("data-received", "false")
    await expect(why).to_contain_text("Not subscribed to order_placed.")
    await expect(why).to_contain_text("by the server’s clock")
    orders = page.locator("#takehome-orders > [data-order]")
    await expect(orders).to_have_count(2)
    await page.locator("#takehome-whose").select_option("B")
    await expect(orders).to_have_count(1)
    await expect(orders).to_contain_text("3 × mint tea")
    await expect(orders).to_have_attribute("data-state", "confirmed")
    question = page.locator("#takehome-questions li")
    await expect(question).to_have_count(1)
    await expect(question.locator("tr[data-true]")).to_have_count(1)
    chosen = question.get_by_role("row", name="Rejected")
    await expect(chosen.locator("td")).to_have_text(["2", "0"])
    slider = page.locator("#time-slider")
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(page.locator("#time-words")).to_have_text("The beginning")
    await expect(orders).to_have_count(0)
    await expect(page.locator("[data-participant]")).to_have_count(0)
    await page.locator("#time-on").click()
    await expect(page.locator("[data-participant]")).to_have_count(1)
    await expect(page.locator("#time-words")).to_contain_text("0:00:00")
    await page.locator("#time-speed").select_option("20")
    await page.get_by_role("button", name="Play").click()
    await expect(page.get_by_role("button", name="The end")).to_have_attribute(
        "aria-pressed", "true"
    )
    await expect(orders).to_have_count(1)
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Save as SVG").click()
    saved = await (await downloading.value).path()
    drawing = await asyncio.to_thread(saved.read_text, encoding="utf-8")
    assert ".diagram-svg .arrow" in drawing, "it brings its lines along"


async def test_with_names_hostile_text_runs_nothing_in_the_file(
    server: Any, connect: Connect, http: aiohttp.ClientSession, browser: Browser, tmp_path: Path
) -> None:
    mallory = await connect(server, name="mallory")
    for text in (HOSTILE, "</script><!--<script>ran=1</script>", "\u2028ran=1\u202e\u2066"):
        for event in EVENTS:
            said = {key: swapped(value, text) for key, value in event.items()}
            await mallory.send(said)
            await mallory.expect("broker.accepted")
    file = tmp_path / "lesson.html"
    async with http.get(f"{server.url}/api/rooms/main/export?names=true") as answer:
        file.write_bytes(await answer.read())
    async with opened(browser, file) as page:
        rows = page.locator(".diagram-body .row[data-event]")
        for number in range(min(await rows.count(), 8)):
            await rows.nth(number).click()
            await expect(page.locator("#stage-explained pre")).to_be_visible()
        await expect(page.locator("#takehome-orders [data-order]").first).to_be_visible()
        assert await page.evaluate("typeof ran") == "undefined"
        assert await page.locator("img, main script, main a[href^=javascript]").count() == 0


def swapped(value: Any, text: str) -> Any:
    """The same with another hostile text."""
    if isinstance(value, str):
        return value.replace(HOSTILE, text)
    if isinstance(value, dict):
        return {swapped(key, text): swapped(one, text) for key, one in value.items()}
    return [swapped(one, text) for one in value] if isinstance(value, list) else value

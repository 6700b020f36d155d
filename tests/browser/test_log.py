"""The log: every event as it comes, and every event there was."""

import json
import re
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.browser.watching import open_log, send
from tests.conftest import Connect, Start
from tests.rooms import Room
from tests.wire import Wire

pytestmark = pytest.mark.browser

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">{{7*7}}${7*7}\u202egnp.exe"


async def shown(page: Page) -> list[str]:
    """The ids of the rows in the document, from top to bottom."""
    ids: list[str] = await page.locator("[data-event]").evaluate_all(
        "rows => rows.map(row => row.dataset.event)"
    )
    return ids


async def test_an_event_appears_while_one_watches(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    page = await open_log(open_page, server)
    await expect(page.get_by_text("Nothing has been sent in this room yet.")).to_be_visible()
    alice = await connect(server, name="alice", types="order_confirmed")
    id = await send(alice, id=5, item="Tea")
    row = page.locator(f'[data-event="{id}"][data-type="order_placed"]')
    await expect(row).to_contain_text("alice/5")
    await expect(row).to_contain_text('"item":"Tea"')


@pytest.mark.parametrize("path", ["/log?room=later", "/stage?room=later&band=table"])
async def test_a_room_that_nobody_has_joined_yet_is_waited_for(
    server: Any, connect: Connect, open_page: OpenPage, path: str
) -> None:
    page = await open_page(server, path)
    await expect(page.get_by_text("Waiting for the room")).to_be_visible()
    alice = await connect(server, name="alice", room="later")
    await page.wait_for_selector('body[data-connection="open"]')
    id = await send(alice, id=1)
    await expect(page.locator(f'[data-event="{id}"]').first).to_be_visible()


async def test_a_filter_holds_for_what_is_there_and_what_comes(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing")
    carol = await connect(server, name="carol", types="nothing")
    there = await send(alice, id=1, note="Green tea")
    await send(carol, id=2, note="Coffee")
    page = await open_log(open_page, server)
    await expect(page.locator("[data-event]")).to_have_count(2)
    await page.get_by_label("Text").fill("TEA")
    await expect(page.locator("[data-event]")).to_have_count(1)
    await send(carol, id=3, note="More coffee")
    comes = await send(carol, id=4, note="Black tea")
    await expect(page.locator("[data-event]")).to_have_count(2)
    assert await shown(page) == [comes, there]
    await page.get_by_label("Source").fill("alice")
    await expect(page.locator("[data-event]")).to_have_count(1)
    await expect(page).to_have_url(re.compile("text=TEA.*source=alice|source=alice.*text=TEA"))
    for link in await page.locator("#log-export a").all():
        assert "source=alice" in (await link.get_attribute("href") or "")

    again = await open_log(open_page, server, "?text=TEA")
    await expect(again.locator("[data-event]")).to_have_count(2)
    await again.get_by_role("button", name="Clear").click()
    await expect(again.locator("[data-event]")).to_have_count(4)


async def test_a_type_is_filtered_by_its_whole_name(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing")
    for type in ("order_placed", "order_placed_late", "tea.made"):
        await send(alice, type, id=1)
    page = await open_log(open_page, server, "?type=order_placed")
    await expect(page.locator('[data-type="order_placed"]')).to_have_count(1)
    await expect(page.locator("[data-event]")).to_have_count(1)
    await page.get_by_label("Type").fill("tea.made")
    await expect(page.locator('[data-type="tea.made"]')).to_have_count(1)
    await expect(page.locator("[data-event]")).to_have_count(1)


async def test_a_pause_loses_nothing(server: Any, connect: Connect, open_page: OpenPage) -> None:
    alice = await connect(server, name="alice", types="nothing")
    first = await send(alice, id=1)
    page = await open_log(open_page, server)
    await expect(page.locator("[data-event]")).to_have_count(1)
    await page.get_by_role("button", name="Pause").click()
    meanwhile = [await send(alice, id=number) for number in range(2, 7)]
    await expect(page.get_by_role("button", name="5 new events")).to_be_visible()
    assert await shown(page) == [first]
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator("[data-event]")).to_have_count(6)
    assert await shown(page) == [*reversed(meanwhile), first]
    last = await send(alice, id=7)
    await expect(page.locator("[data-event]").first).to_have_attribute("data-event", last)


async def test_a_link_to_an_event_that_is_not_there_says_so(server: Any, browser: Any) -> None:
    # The browser itself complains about the 404, so this page is not asked to be silent.
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{server.url}/log?event={uuid4()}")
    await expect(page.get_by_text("The log of this room has no event")).to_be_visible()
    await context.close()


async def test_an_opened_event_shows_its_json_its_recipients_and_its_answer(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="order_confirmed", echo="false")
    bob = await connect(server, name="bob", types="order_placed")
    placed = await send(alice, id=5)
    page = await open_log(open_page, server)
    await page.locator(f'[data-event="{placed}"]').click()
    opened = page.locator(f'[data-explains="{placed}"]')
    whole = json.loads(await opened.locator("pre").inner_text())
    assert (whole["id"], whole["source"], whole["data"]) == (placed, "alice", {"id": 5})
    await expect(opened.locator('[data-recipient="bob"][data-received="true"]')).to_be_visible()
    answer = await send(bob, "order_confirmed", id=5, customer="alice", event=placed)
    await expect(opened).to_contain_text("bob confirmed it")
    await opened.get_by_role("link", name="Open").click()
    await expect(page.locator(f'[data-explains="{answer}"]')).to_contain_text("order_confirmed")
    await expect(page).to_have_url(re.compile(f"event={answer}"))


async def test_the_keyboard_alone_suffices(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing")
    ids = [await send(alice, id=number) for number in (1, 2, 3)]
    page = await open_log(open_page, server)
    await expect(page.locator("[data-event]")).to_have_count(3)
    await page.keyboard.press("/")
    await expect(page.get_by_label("Text")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("grid")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator(f'[data-explains="{ids[1]}"]')).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(f'[data-explains="{ids[0]}"]')).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-explains]")).to_be_hidden()
    await expect(page).not_to_have_url(re.compile("event="))


async def test_single_keys_can_be_switched_off_and_stay_off(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    await send(await connect(server, name="alice"), id=1)
    page = await open_log(open_page, server)
    await expect(page.locator("[data-event]")).to_have_count(1)
    await page.get_by_label("Single keys").uncheck()
    await page.reload()
    await expect(page.get_by_label("Single keys")).not_to_be_checked()
    await page.get_by_role("grid").focus()
    await page.keyboard.press("/")
    await expect(page.get_by_role("grid")).to_be_focused()
    await page.get_by_label("Single keys").check()
    await page.get_by_role("grid").focus()
    await page.keyboard.press("/")
    await expect(page.get_by_label("Text")).to_be_focused()


async def test_hostile_text_is_shown_and_runs_nothing(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    eve = await connect(server, name="eve", types="nothing")
    ids = [
        await send(eve, id=HOSTILE, item=HOSTILE, note=HOSTILE),
        await send(eve, "order_rejected", id=5, customer=HOSTILE, event=HOSTILE, message=HOSTILE),
        await send(eve, "tea.made", **{HOSTILE: [HOSTILE]}),
    ]
    page = await open_log(open_page, server)
    for id in ids:
        await page.locator(f'[data-event="{id}"]').click()
        opened = page.locator(f'[data-explains="{id}"] pre')
        await expect(opened).to_contain_text("<img src=x onerror=")
        await expect(opened).to_contain_text("\\u202egnp.exe")
    assert await page.locator("main img").count() == 0
    assert await page.title() == "Log · Orders"


async def test_after_the_server_was_killed_the_log_goes_on_and_repeats_nothing(
    start: Start, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    server = start()
    alice = await connect(server, name="alice", types="nothing")
    before = [await send(alice, id=number) for number in (1, 2)]
    page = await open_log(open_page, server, may_lose_server=True)
    await expect(page.locator("[data-event]")).to_have_count(2)
    server.kill()
    await page.wait_for_selector('body[data-connection="offline"]')
    server.start()
    alice = await connect(server, name="alice", types="nothing")
    after = await send(alice, id=3)
    await expect(page.locator(f'[data-event="{after}"]')).to_be_visible()
    await page.wait_for_selector('body[data-connection="open"]')
    assert await shown(page) == [after, *reversed(before)]
    assert [event["id"] for event in await Room(http, server).log()] == [*before, after]


async def test_on_a_phone_that_was_turned_no_event_is_cut_off(
    server: Any, open_page: OpenPage, alice: Wire
) -> None:
    for number in range(1, 6):
        await send(alice, id=number)
    wide = {"width": 1280, "height": 800}
    page = await is_open(await open_page(server, "/log", viewport=wide))
    rows = page.locator(".log-rows [data-event]")
    await expect(rows).to_have_count(5)
    await page.set_viewport_size({"width": 360, "height": 800})
    await expect(rows.last).to_be_in_viewport(ratio=0.99)

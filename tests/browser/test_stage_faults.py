"""Faults from the stage: click a figure, click the fault."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.watching import open_stage, send
from tests.conftest import Come, Connect
from tests.rooms import Room

pytestmark = pytest.mark.browser


async def test_an_ack_is_lost_in_two_clicks_and_why_and_diagram_name_it(
    server: Any, connect: Connect, come: Come, open_page: OpenPage, room: Room
) -> None:
    await room.set_modes({"*": "pubsub", "order_placed": "queue"})
    alice = await connect(server, name="alice", types="order_confirmed")
    bob = await come(server, name="bob", types="order_placed", ack="manual")
    page = await open_stage(open_page, server, "diagram")
    await page.locator('[data-participant="bob"]').click()
    await page.get_by_role("button", name="Lose its ack").click()
    await expect(page.get_by_text("bob: the next ack it sends will be lost")).to_be_visible()
    await expect(page.locator("#stage-faults")).to_be_hidden()
    event = await send(alice, id=5)
    await bob.expect("order_placed")
    await bob.ack(event)
    await expect(page.locator("#diagram")).to_contain_text("its ack was lost on the way")
    await page.keyboard.press("e")
    await expect(page.locator("#stage-explain")).to_contain_text("its ack was lost on the way")
    await page.keyboard.press("Escape")
    await page.locator('[data-participant="bob"]').click()
    await page.get_by_role("button", name="End its lease now").click()
    assert (await bob.expect("order_placed"))["attempt"] == 2


async def test_the_keyboard_does_it_too_and_only_a_bot_can_be_made_to_die(
    server: Any, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await come(server, name="bob", types="order_placed")
    page = await open_stage(open_page, server)
    await expect(page.locator('[data-participant="bob"]')).to_be_visible()
    await page.keyboard.press("f")
    await expect(page.get_by_role("heading", name="Faults on bob")).to_be_visible()
    await expect(page.get_by_role("button", name="Die before its ack")).to_be_disabled()
    await page.get_by_role("button", name="Cut").press("Enter")
    await expect(page.locator('[data-participant="bob"]')).to_have_attribute("data-online", "false")
    await Room(http, server).act("/bots")
    bot = page.locator('[data-participant="bob"][data-bot][data-online="true"]')
    await page.keyboard.press("g")  # the picture is small now
    await bot.click()
    await expect(page.get_by_role("heading", name="Faults on bob")).to_be_visible()
    await expect(page.get_by_role("button", name="Die before its ack")).to_be_enabled()
    assert len((await Room(http, server).get())["bots"]) == 1, "it was not killed by that click"

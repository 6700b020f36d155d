"""/exercises for a student, /board for the projector."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.test_axe import found_in_each_look
from tests.exercises.bobs import Bob, at_work
from tests.exercises.wrong import NamesTheNumber

pytestmark = pytest.mark.browser


@pytest.mark.settings(allow_host=("class.example",))  # so that the student is not the host
async def test_a_student_begins_is_checked_sees_the_failure_where_it_happened_and_asks_for_hints(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_page(server, "/exercises")
    await expect(page.get_by_role("button", name="Check up to here").first).to_be_disabled()
    await page.get_by_label("Your name").fill("Anna Lena")
    await page.get_by_role("button", name="Begin", exact=True).click()
    await expect(page.locator("#address")).to_contain_text("ws://")
    address = await page.inner_text("#address")
    async with at_work(NamesTheNumber(address, 1)):
        await page.get_by_role("button", name="Check all stages").click()
        await expect(page.locator("#stage-3")).to_have_attribute(
            "data-verdict", "passed", timeout=60_000
        )
        fourth = page.locator("#stage-4")
        await expect(fourth).to_have_attribute("data-verdict", "failed", timeout=60_000)
    await expect(fourth).to_contain_text("data.event is the id of the event that you heard")
    hints = fourth.locator(".exercise-hints li:visible")
    await expect(hints).to_have_count(0)
    await fourth.get_by_role("button", name="A hint").click()
    await expect(hints).to_have_count(1)
    await fourth.get_by_role("link", name="See the diagram of it").click()
    await expect(page.locator("#time-words")).to_contain_text("Stage 4: failed, order_confirmed")
    opened = page.locator("#diagram .row[data-on] .touch").first
    await expect(opened).to_be_in_viewport()
    await expect(page.locator("#stage-explained")).to_contain_text("order_placed")
    await page.go_back()
    await expect(page.locator("#address")).to_have_text(address)
    await expect(fourth).to_have_attribute("data-verdict", "failed")
    await fourth.get_by_role("button", name="A hint").click()
    await expect(hints).to_have_count(1)
    assert await found_in_each_look(page) == {}


async def test_the_board_shows_a_row_a_student_and_hides_names_on_a_key(
    server: Any, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    rooms = []
    for name in ("anna", "ben"):
        async with http.post(f"{server.url}/api/exercises", json={"name": name}) as answer:
            rooms.append(await answer.json())
    page = await open_page(server, "/board")
    rows = page.locator("#board > li[aria-label]")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("anna")
    async with at_work(Bob(rooms[0]["url"], 1)):
        url = f"{server.url}/api/exercises/{rooms[0]['room']}/check"
        async with http.post(url, json={"stage": 2}) as answer:
            assert answer.status == 202
        passed = rows.first.locator('[data-verdict="passed"]')
        await expect(passed).to_have_count(2, timeout=60_000)
    await page.keyboard.press("n")
    await expect(rows.first).to_contain_text("student 1")
    await expect(rows.first).not_to_contain_text("anna")

"""Each page opens, connects where it should, and neither complains nor loads from elsewhere."""

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open

pytestmark = pytest.mark.browser

PAGES: tuple[str, ...] = ("/", "/customer", "/confirmer", "/log", "/stage", "/join", "/handout")
PAGES += ("/styleguide", "/exercises", "/starters", "/board", "/wire")
BESIDE = """() => {
  const box = (one) => document.querySelector(`.header ${one}`)?.getBoundingClientRect();
  return !box('.connection') || box('.connection').top < box('.brand').bottom;
}"""
CONNECTED = ("/customer", "/confirmer", "/log", "/stage", "/join")


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_opens_without_complaint_by_day_by_night_and_on_a_telephone(
    server: Any, open_page: OpenPage, path: str
) -> None:
    address = f"{path}?room=main&name=alice"
    page = await open_page(server, address, color_scheme="light")
    await is_there(page, path)
    await page.emulate_media(color_scheme="dark")
    await page.goto(server.url + address)
    await is_there(page, path)
    for width in (360, 320):
        await page.set_viewport_size({"width": width, "height": 740})
        await page.goto(server.url + path)
        await is_there(page, path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await page.evaluate(BESIDE), "how it is connected stands beside the name"


async def is_there(page: Page, path: str) -> None:
    await page.wait_for_load_state("load")
    assert await page.locator("h1").count() == 1
    if path in CONNECTED:
        await is_open(page)

"""Each page opens, connects where it should, and neither complains nor loads from elsewhere."""

from typing import Any

import pytest

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

PAGES = ("/", "/customer", "/confirmer", "/log", "/stage", "/join", "/handout", "/styleguide")
CONNECTED = ("/customer", "/confirmer", "/log", "/stage", "/join")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_opens_without_complaint(
    server: Any, open_page: OpenPage, path: str, scheme: str
) -> None:
    page = await open_page(server, f"{path}?room=main&name=alice", color_scheme=scheme)
    await page.wait_for_load_state("load")
    assert await page.locator("h1").count() == 1
    if path in CONNECTED:
        await page.wait_for_selector('body[data-connection="open"]')


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_fits_a_telephone(server: Any, open_page: OpenPage, path: str) -> None:
    page = await open_page(server, path, viewport={"width": 360, "height": 740})
    await page.wait_for_load_state("load")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360

"""A class opens a page at once, over one access point: each is light, with all that it loads."""

from typing import Any

import pytest
from playwright.async_api import Request

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open

pytestmark = pytest.mark.browser

MOST = 120 * 1024  # bytes on the wire, headers not counted
PAGES = (
    "/",
    "/customer",
    "/confirmer",
    "/log",
    "/stage",
    "/join",
    "/handout",
    "/styleguide",
    "/exercises",
    "/board",
)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_weighs_less_than_120_kib_with_all_it_loads(
    server: Any, open_page: OpenPage, path: str
) -> None:
    requests: list[Request] = []

    async def prepare(page: Any) -> None:
        page.on("requestfinished", lambda request: requests.append(request))

    page = await open_page(server, path, prepare=prepare)
    await page.wait_for_load_state("networkidle")
    if path not in ("/handout", "/styleguide", "/exercises", "/board"):
        await is_open(page)
    await page.evaluate("document.fonts.ready")
    sizes = {request.url: (await request.sizes())["responseBodySize"] for request in requests}
    assert any(url.endswith(f"/{path.strip('/') or 'lobby'}/page.js") for url in sizes)
    assert any(url.endswith(".woff2") for url in sizes)
    named = await page.locator("link[rel=modulepreload], script[src]").evaluate_all(
        "all => all.map(one => one.href || one.src)"
    )
    assert {url for url in sizes if url.endswith(".js")} <= set(named), "not named in the page"
    heaviest = sorted(sizes.items(), key=lambda one: -one[1])[:5]
    print(path, len(sizes), "requests,", sum(sizes.values()), "bytes")
    assert sum(sizes.values()) < MOST, heaviest

"""A class opens a page at once, over one access point: each is light, with all that it loads."""

from typing import Any

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.browser.watching import loaded, send
from tests.conftest import Connect

pytestmark = pytest.mark.browser

#: KiB on the wire with headers, and requests: on a phone, and on the projector. With 400 ms a
#: round of six requests and 50 kB/s, the phone's have a page connected within 4 s.
PHONE, PROJECTOR = (90, 26), (130, 40)
PAGES = {
    **dict.fromkeys(
        ("/", "/customer", "/confirmer", "/log", "/join", "/handout", "/exercises"), PHONE
    ),
    "/styleguide": PROJECTOR,
    "/board": PROJECTOR,
    "/stage": PROJECTOR,
}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_light_with_its_headers_and_all_it_loads(
    server: Any, connect: Connect, open_page: OpenPage, path: str
) -> None:
    if path != "/stage":  # which draws the past of a busy room once it is there
        await send(await connect(server, name="alice"), id=1, note="in letters of every kind")
    urls: dict[str, str] = {}
    sizes: dict[str, float] = {}

    async def prepare(page: Any) -> None:
        devtools = await page.context.new_cdp_session(page)
        devtools.on(
            "Network.responseReceived",
            lambda told: urls.update({told["requestId"]: told["response"]["url"]}),
        )
        devtools.on(
            "Network.loadingFinished",
            lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]}),
        )
        await devtools.send("Network.enable")

    size = (1920, 1080) if PAGES[path] is PROJECTOR else (390, 844)
    viewport = {"width": size[0], "height": size[1]}
    page = await open_page(server, path, prepare=prepare, viewport=viewport)
    await loaded(page)
    if path not in ("/handout", "/styleguide", "/exercises", "/board"):
        await is_open(page)
    await page.evaluate("document.fonts.ready")
    found = {urls[key].removeprefix(server.url): size for key, size in sizes.items()}
    came = list(found)
    script = came.index(f"/static/{path.strip('/') or 'lobby'}/page.js")
    font = next(at for at, url in enumerate(came) if "next-latin-wght" in url)
    assert script < font, "on a bad network the font would take its time from the script"
    named = await page.locator("link[rel=modulepreload], script[src]").evaluate_all(
        "all => all.map(one => new URL(one.href || one.src).pathname)"
    )
    assert {url for url in found if url.endswith(".js")} <= set(named), "not named in the page"
    most, requests = PAGES[path]
    print(path, len(sizes), "requests,", round(sum(sizes.values()) / 1024, 1), "KiB with headers")
    assert sum(sizes.values()) < most * 1024, sorted(found.items(), key=lambda one: -one[1])
    assert len(sizes) <= requests, sorted(found)

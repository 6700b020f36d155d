"""Whatever strangers write into events, no page runs it: it is shown as the text it is."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open, order
from tests.browser.watching import loaded
from tests.conftest import Connect
from tests.rooms import Room

pytestmark = pytest.mark.browser

HOSTILE = (
    "<img src=/ran onerror=ran=1><script>ran=1</script><svg onload=ran=1>"
    "\"'><style>body{display:none}</style><a href=javascript:ran=1>${ran=1}{{ran=1}}</textarea>"
)
EVENTS: tuple[dict[str, Any], ...] = (
    {"type": "order_placed", "data": {"id": HOSTILE, "item": HOSTILE, "note": HOSTILE[:200]}},
    {"type": "order_placed", "data": {"id": 7, "item": HOSTILE, "quantity": HOSTILE}},
    {
        "type": "order_placed",
        "data": {"id": 8, "note": HOSTILE, HOSTILE: HOSTILE},
        HOSTILE: HOSTILE,
    },
    {
        "type": "order_placed",
        "data": {"id": [HOSTILE], "item": {HOSTILE: 1}, "quantity": [HOSTILE]},
    },
    {"type": "order_rejected", "data": {"id": 9, "reason": HOSTILE, "message": HOSTILE}},
    {"type": "order_rejected", "data": {"id": 7, "reason": HOSTILE, "message": HOSTILE}},
    {"type": "order_confirmed", "data": {"id": 8, "customer": "mallory", "event": HOSTILE}},
    {"type": "order_confirmed", "data": {"id": HOSTILE, "customer": HOSTILE, "event": {}}},
    {"type": "note_left", "data": {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}},
)
PAGES = ("/", "/customer?name=mallory", "/confirmer?name=bob", "/log", "/stage", "/log?text=%3Cimg")


async def runs_nothing(page: Page, path: str) -> None:
    """Look at what was written, and see that it has run nothing."""
    if path.startswith("/confirmer"):
        await expect(page.locator("#waiting > [data-order]").first).to_be_visible()
        await page.locator("#waiting").get_by_role("button", name="Reject").first.click()
    if path.startswith("/log"):
        row = page.locator('[data-event][data-type="order_placed"]').first
        await row.click()
    await loaded(page)
    assert await page.evaluate("typeof ran") == "undefined"
    assert await page.locator("img[src='/ran'], main script:not([type]), main style").count() == 0


@pytest.mark.parametrize("path", PAGES)
async def test_hostile_text_in_every_field_runs_nothing_written_before_or_while_a_page_is_open(
    server: Any, connect: Connect, open_page: OpenPage, path: str, room: Room
) -> None:

    async def write(name: str, count: int) -> None:
        mallory = await connect(server, name=name)
        for event in EVENTS:
            await mallory.send(event)
        await mallory.fence()
        assert len(await room.log()) == count
        await mallory.ws.close()
        await room.lacks(name)

    await write("mallory", len(EVENTS))
    page = await is_open(await open_page(server, path))
    await runs_nothing(page, path)
    await page.goto(server.url + path)
    await is_open(page)
    await write("mallory-2", 2 * len(EVENTS))
    if path.startswith(("/confirmer", "/log", "/stage")):
        await expect(page.get_by_text("mallory-2").first).to_be_attached()
    await runs_nothing(page, path)


async def test_hostile_text_is_shown_as_it_is(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    mallory = await connect(server, name="mallory")
    await mallory.send(EVENTS[1])
    await mallory.fence()
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await expect(order(bob, "mallory/7").get_by_role("heading")).to_contain_text(HOSTILE)

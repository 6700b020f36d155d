"""A long log: thousands of events scroll, and each of them can be reached."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.watching import open_log, send
from tests.conftest import Connect
from tests.wire import DEADLINE, Wire

pytestmark = [pytest.mark.browser, pytest.mark.settings(rate=0)]


@pytest.fixture
async def alice(server: Any, connect: Connect) -> Wire:
    """Who wrote what is in the log."""
    return await connect(server, name="alice", types="nothing")


async def fill(wire: Wire, count: int) -> list[str]:
    """Store many orders, numbered from 1, not one by one; returns their ids."""
    ids = [str(uuid4()) for _ in range(count)]
    for start in range(0, count, 500):
        for number, id in enumerate(ids[start : start + 500], start + 1):
            await wire.send({"id": id, "type": "order_placed", "data": {"id": number}})
        await wire.expect("broker.accepted", event=ids[min(start + 500, count) - 1])
    return ids


WALK = """async ([step, target]) => {
  const grid = document.getElementById('log-grid');
  const ids = () => [...grid.querySelectorAll('[data-event]')].map((row) => row.dataset.event);
  const seen = new Set();
  let most = 0;
  for (;;) {
    const rows = ids();
    most = Math.max(most, rows.length);
    for (const id of rows) seen.add(id);
    if (seen.has(target)) return [[...seen], most];
    grid.scrollTop += step * grid.clientHeight;
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  }
}"""


async def walk(page: Page, step: float, target: str) -> tuple[set[str], int]:
    """Scroll on, a part of the list's height at a time, until the target is in the document.

    Returns the ids that were in the document on the way, and how many at once at most.
    """
    async with asyncio.timeout(3 * DEADLINE):
        seen, most = await page.evaluate(WALK, [step, target])
    return set(seen), most


async def test_a_link_opens_an_event_however_old(
    server: Any, alice: Wire, open_page: OpenPage
) -> None:
    ids = await fill(alice, 1500)
    page = await open_log(open_page, server, f"?event={ids[2]}")
    opened = page.locator(f'[data-explains="{ids[2]}"]')
    await expect(opened).to_contain_text("alice/3")
    await expect(page.locator(f'[data-event="{ids[2]}"]')).to_be_in_viewport()
    await expect(page.locator(f'[data-event="{ids[0]}"]')).to_be_in_viewport()
    await page.get_by_role("grid").press("Home")
    await expect(page.locator(f'[data-event="{ids[-1]}"]')).to_be_in_viewport()


async def test_thousands_of_events_scroll_from_the_newest_to_the_oldest(
    server: Any, alice: Wire, open_page: OpenPage
) -> None:
    ids = await fill(alice, 2500)
    page = await open_log(open_page, server)
    await expect(page.locator("#log-count")).to_have_text("2,500 events")
    await expect(page.locator(f'[data-event="{ids[-1]}"]')).to_be_in_viewport()
    seen, most = await walk(page, 0.9, ids[0])
    assert seen == set(ids)
    assert most < 100, "only what is seen may be in the document"
    await page.get_by_role("grid").press("Home")
    last = await send(alice, id=1)
    await expect(page.locator("[data-event]").first).to_have_attribute("data-event", last)


async def test_the_end_key_leads_to_the_oldest_event_and_back_up_nothing_is_missing(
    server: Any, alice: Wire, open_page: OpenPage
) -> None:
    ids = await fill(alice, 1500)
    page = await open_log(open_page, server)
    grid = page.get_by_role("grid")
    await grid.press("End")
    await expect(page.locator(f'[data-event="{ids[0]}"]')).to_be_in_viewport()
    seen, _ = await walk(page, -0.9, ids[-1])
    assert seen == set(ids)


async def test_older_events_that_could_not_be_had_are_asked_for_again(
    server: Any, alice: Wire, open_page: OpenPage
) -> None:
    await fill(alice, 600)
    page = await open_log(open_page, server, may_lose_server=True)
    await page.route("**/events?*before=*", lambda route: route.abort("connectionrefused"), times=1)
    await page.get_by_role("grid").evaluate("(grid) => { grid.scrollTop = grid.scrollHeight; }")
    await expect(page.locator(".toast")).to_contain_text("The server did not answer.")
    await expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", "601")

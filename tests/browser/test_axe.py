"""Who cannot see, or point, uses these pages too: axe finds nothing to complain about on any."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open, order, place, stands
from tests.browser.watching import send
from tests.conftest import Connect
from tests.rooms import Room

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parents[1] / "data" / "axe" / "axe.min.js").read_text(encoding="utf-8")
#: Every rule of axe, its best practices among them.
RUN = """async () => {
  const { violations, passes } = await axe.run();
  return {
    passed: passes.length,
    found: violations.map(({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`),
  };
}"""

PAGES = ("/", "/?room=pair-7&own=", "/customer", "/confirmer", "/log", "/stage", "/join")
STATIC_PAGES = ("/handout", "/styleguide")
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
}


async def complaints(page: Page) -> list[str]:
    """What axe finds on the page as it is now."""
    await page.evaluate(AXE)
    told = await page.evaluate(RUN)
    assert told["passed"] > 10, "axe did look"
    found: list[str] = told["found"]
    return found


async def opened(open_page: OpenPage, server: Any, path: str, look: str) -> Page:
    page = await open_page(server, path, reduced_motion="reduce", **LOOKS[look])
    await page.wait_for_load_state("load")
    return page if path in STATIC_PAGES else await is_open(page)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", [*PAGES, *STATIC_PAGES])
async def test_axe_finds_nothing_on_a_page_that_is_still_empty(
    server: Any, open_page: OpenPage, path: str, look: str
) -> None:
    assert await complaints(await opened(open_page, server, path, look)) == []


async def busy(server: Any, connect: Connect, http: aiohttp.ClientSession) -> str:
    """A room in which something of each kind has happened; an event of it."""
    await Room(http, server).set_modes({"*": "pubsub", "order_placed": "queue"})
    alice = await connect(server, name="alice", types="order_confirmed,order_rejected")
    placed = [await send(alice, id=number) for number in range(1, 12)]
    bob = await connect(server, name="bob", types="order_placed", ack="manual")
    await bob.expect("order_placed", id=1)
    about = {"id": 1, "customer": "alice", "event": placed[0]}
    await send(bob, "order_confirmed", **about)
    await send(bob, "order_rejected", **{**about, "id": 2}, reason="unknown_item", message="No.")
    await send(await connect(server, name="carol", types="tea.*"), "tea.made", cups=2)
    gone = await connect(server, name="dan")
    await gone.ws.close()
    return placed[0]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", ["/log", "/stage", "/join", "/"])
async def test_axe_finds_nothing_while_a_room_is_busy(
    server: Any,
    connect: Connect,
    http: aiohttp.ClientSession,
    open_page: OpenPage,
    path: str,
    look: str,
) -> None:
    await busy(server, connect, http)
    page = await opened(open_page, server, path, look)
    await expect(page.get_by_text("carol").first).to_be_attached()
    assert await complaints(page) == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", ["/log", "/stage"])
async def test_axe_finds_nothing_in_the_explanation_of_an_event(
    server: Any,
    connect: Connect,
    http: aiohttp.ClientSession,
    open_page: OpenPage,
    path: str,
    look: str,
) -> None:
    event = await busy(server, connect, http)
    page = await opened(open_page, server, path, look)
    await page.locator(
        f'.diagram-body [data-event="{event}"], #log-grid [data-event="{event}"]'
    ).first.click()
    await expect(page.locator(f'[data-explains="{event}"]')).to_be_visible()
    assert await complaints(page) == []


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_while_orders_wait_are_answered_and_refused(
    server: Any, open_page: OpenPage, look: str
) -> None:
    alice = await opened(open_page, server, "/customer?name=alice", look)
    bob = await opened(open_page, server, "/confirmer?name=bob", look)
    for number in (1, 0, 3):
        await place(alice, {"id": number})
        await stands(bob, f"alice/{number}", "waiting")
    await order(bob, "alice/1").get_by_role("button", name="Confirm").click()
    await stands(alice, "alice/1", "confirmed")
    await order(bob, "alice/0").get_by_role("button", name="Reject").click()
    assert await complaints(bob) == []
    await order(bob, "alice/0").get_by_role("button", name="Reject the order").click()
    await stands(alice, "alice/0", "rejected")
    await order(alice, "alice/1").get_by_text("What crossed the wire").click()
    for page in (alice, bob):
        assert await complaints(page) == []

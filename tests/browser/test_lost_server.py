"""The server is killed and comes back: the pages find their way, and repeat nothing."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.people import confirm, is_open, order, place, stands
from tests.conftest import Start

pytestmark = pytest.mark.browser


async def test_after_a_crash_of_the_server_the_pages_come_back_and_repeat_nothing(
    start: Start, open_page: OpenPage
) -> None:
    server = start()
    alice = await open_page(server, "/customer?name=alice", may_lose_server=True)
    bob = await open_page(server, "/confirmer?name=bob", may_lose_server=True)
    await is_open(alice)
    await is_open(bob)
    await place(alice, {"id": 1})
    await place(alice, {"id": 2})
    await confirm(bob, "alice/1")
    await stands(alice, "alice/1", "confirmed")
    await stands(bob, "alice/2", "waiting")

    server.kill()
    for page in (alice, bob):
        await page.wait_for_selector('body[data-connection="offline"]')
    await place(alice, {"id": 3})
    await stands(alice, "alice/3", "unsent")
    await expect(order(alice, "alice/3")).to_contain_text("not sent")

    server.start()
    await is_open(alice)
    await is_open(bob)
    await stands(alice, "alice/1", "confirmed")
    await stands(alice, "alice/2", "stored")
    await stands(alice, "alice/3", "stored")
    await stands(bob, "alice/1", "confirmed")
    await stands(bob, "alice/2", "waiting")
    await stands(bob, "alice/3", "waiting")
    await confirm(bob, "alice/3")
    await stands(alice, "alice/3", "confirmed")
    await expect(alice.locator("[data-order]")).to_have_count(3)
    await expect(bob.locator("[data-order]")).to_have_count(3)

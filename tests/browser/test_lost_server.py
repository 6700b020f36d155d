"""The server is killed and comes back: the pages find their way, and repeat nothing."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.people import confirm, is_open, order, place, stands
from tests.browser.swallowing import way
from tests.conftest import Start
from tests.rooms import Room

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


async def test_no_page_says_connected_on_a_way_that_swallows_everything_and_closes_nothing(
    server: Any, open_page: OpenPage
) -> None:
    async with way(server.port) as through:
        pages = [
            await is_open(await open_page(through, path, may_lose_server=True))
            for path in ("/customer?name=alice", "/confirmer?name=bob", "/log", "/join")
        ]
        alice, bob, log, join = pages
        through.carries.clear()
        for page in pages:
            await page.wait_for_selector('body:not([data-connection="open"])')
        await place(alice, {"id": 5})
        through.carries.set()
        for page in pages:
            await is_open(page)
        await stands(alice, "alice/5", "stored")
        await stands(bob, "alice/5", "waiting")
        await expect(log.locator(".log-rows")).to_contain_text("order_placed")
        await expect(join.locator("#names")).to_contain_text("alice")


async def test_an_order_without_an_answer_is_doubted_and_goes_out_again_once(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    async with way(server.port) as through:
        alice = await is_open(
            await open_page(through, "/customer?name=alice", may_lose_server=True)
        )
        through.carries.clear()
        await place(alice, {"id": 5})
        await expect(alice.locator('[data-says="connection"]')).to_have_text("No answer yet")
        through.carries.set()
        await stands(alice, "alice/5", "stored")
        await is_open(alice)
        assert len(await Room(http, server).log(type="order_placed")) == 1


async def test_a_change_of_the_network_is_doubted_at_once_and_believed_with_the_next_word(
    server: Any, open_page: OpenPage
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    await alice.evaluate("dispatchEvent(new Event('online'))")
    await expect(alice.locator('[data-says="connection"]')).to_have_text("No word from the server")
    await is_open(alice)


#: Ten minutes go by at once. Notes what the page says of its connection from now on.
SLEEP = """() => {
  const now = Date.now;
  Date.now = () => now() + 600_000;
  globalThis.said = [];
  const place = document.querySelector('[data-says="connection"]');
  new MutationObserver(() => said.push(place.textContent)).observe(place, { childList: true });
}"""


async def test_a_phone_that_slept_doubts_at_once_repeats_nothing_and_keeps_what_was_typed(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    async with way(server.port) as through:
        alice = await open_page(through, "/customer?name=alice", may_lose_server=True)
        await is_open(alice)
        await place(alice, {"id": 1})
        await stands(alice, "alice/1", "stored")
        await alice.get_by_label("Note").fill("with oat milk")
        devtools = await alice.context.new_cdp_session(alice)
        await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        await alice.evaluate(SLEEP)
        through.carries.clear()
        await confirm(bob, "alice/1")
        await stands(bob, "alice/1", "confirmed")
        through.carries.set()
        await devtools.send("Page.setWebLifecycleState", {"state": "active"})
        await stands(alice, "alice/1", "confirmed")
        assert await alice.evaluate("said") == ["Offline, trying again", "Connected"]
        await place(alice)
        await stands(alice, "alice/2", "stored")
        await expect(alice.locator("[data-order]")).to_have_count(2)
        first, second = await Room(http, server).log(type="order_placed")
        assert (first["data"]["id"], second["data"]["note"]) == (1, "with oat milk")

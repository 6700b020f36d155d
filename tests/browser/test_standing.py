"""What stands between a reader and the room is on the page until it is over, with what to do."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open, order, place, stands
from tests.conftest import Connect, Serve
from tests.integration.test_node import Broken
from tests.rooms import Room
from tests.wire import Wire

pytestmark = pytest.mark.browser


def notice(page: Page, key: str) -> Locator:
    return page.locator(f'#standing [data-stands="{key}"]')


@pytest.mark.parametrize("path", ["/customer?name=alice", "/confirmer?name=bob", "/log", "/join"])
async def test_a_page_that_opens_while_the_room_is_paused_says_so_until_it_goes_on(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession, path: str
) -> None:
    await Room(http, server).act("/pause")
    page = await is_open(await open_page(server, path))
    await expect(notice(page, "paused")).to_be_visible()
    await Room(http, server).act("/resume")
    await expect(notice(page, "paused")).to_have_count(0)


async def test_a_notice_that_leaves_nothing_to_do_can_be_put_out_of_sight_until_it_is_so_again(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    for _ in range(2):
        await Room(http, server).act("/pause")
        await notice(alice, "paused").get_by_role("button", name="Hide").click()
        await expect(notice(alice, "paused")).to_be_hidden()
        await Room(http, server).act("/resume")
        await expect(notice(alice, "paused")).to_have_count(0)


async def test_an_order_that_was_refused_while_she_was_muted_is_sent_again_under_its_id(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    await Room(http, server).act("/participants/alice/mute")
    await expect(notice(alice, "muted")).to_be_visible()
    await place(alice, {"id": 5})
    await stands(alice, "alice/5", "refused")
    sent = await order(alice, "alice/5").get_attribute("data-event")
    await Room(http, server).act("/participants/alice/unmute")
    await expect(notice(alice, "muted")).to_have_count(0)
    await order(alice, "alice/5").get_by_role("button", name="Send again").click()
    await stands(alice, "alice/5", "stored")
    (event,) = await Room(http, server).log(type="order_placed")
    assert event["id"] == sent


async def test_who_was_removed_can_join_again_once_that_is_lifted(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    await Room(http, server).act("/participants/alice/mute")
    await expect(notice(alice, "muted")).to_be_visible()
    await Room(http, server).act("/participants/alice/kick")
    again = notice(alice, "connection").get_by_role("button", name="Join again")
    await expect(again).to_be_visible()
    await expect(notice(alice, "muted")).to_have_count(0)
    async with http.delete(f"{server.url}/api/rooms/main/kicked/alice") as lifted:
        assert lifted.status == 200
    await again.click()
    await is_open(alice)
    await expect(notice(alice, "connection")).to_have_count(0)


async def test_who_does_not_get_into_a_locked_room_reads_why_and_can_try_again(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    await Room(http, server).act("/lock")
    alice = await open_page(server, "/customer?name=alice")
    await expect(notice(alice, "connection").locator("span")).to_contain_text(
        "locked the room main:"
    )
    await expect(alice.locator('[data-says="toast"]')).to_be_empty()
    bob = await open_page(server, "/confirmer?name=bob")
    await expect(notice(bob, "connection").locator("span")).to_contain_text("locked the room")
    await expect(bob.locator("#empty")).to_be_hidden()  # what waits is not known to him
    projector = [await is_open(await open_page(server, path)) for path in ("/stage", "/join")]
    await expect(projector[0].locator("#stage-count")).to_have_text("0 participants, locked")
    await expect(notice(projector[1], "locked")).to_be_visible()
    await Room(http, server).act("/unlock")
    for page in (alice, bob):
        await notice(page, "connection").get_by_role("button", name="Try now").click()
        await is_open(page)
    await expect(bob.locator("#empty")).to_be_visible()
    await expect(projector[0].locator("#stage-count")).to_have_text("2 participants")
    await expect(notice(projector[1], "locked")).to_have_count(0)


@pytest.mark.parametrize("path", ["/customer?name=alice", "/stage", "/log", "/join"])
async def test_every_page_says_that_nothing_can_be_stored_until_it_can_again(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, open_page: OpenPage, connect: Connect, path: str
) -> None:
    engine = Broken()
    monkeypatch.setattr("orders.app.make_engine", lambda _: engine)
    async with serve() as server:
        ben = await connect(server, name="ben")
        early = await is_open(await open_page(server, path))
        engine.failing = True
        await ben.send({"type": "tick", "data": {}})
        await expect(notice(early, "journal")).to_contain_text("The disk is full.")
        late = await is_open(await open_page(server, path.replace("alice", "anna")))
        await expect(notice(late, "journal")).to_contain_text("The disk is full.")
        engine.failing = False
        for page in (early, late):
            await expect(notice(page, "journal")).to_have_count(0)
            await page.close()


async def test_on_a_small_phone_the_order_is_in_sight_after_the_tap(
    server: Any, open_page: OpenPage
) -> None:
    alice = await open_page(
        server, "/customer?name=alice", viewport={"width": 360, "height": 640}, has_touch=True
    )
    await is_open(alice)
    await alice.get_by_role("button", name="Place order").tap()
    await stands(alice, "alice/1", "stored")
    await expect(order(alice, "alice/1")).to_be_in_viewport(ratio=0.9)


async def test_who_listens_to_a_busy_desk_hears_a_sentence_and_not_a_flood(
    server: Any, open_page: OpenPage, connect: Connect
) -> None:
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await bob.evaluate("""() => {
      globalThis.said = [];
      const place = document.querySelector('[data-says="orders"]');
      new MutationObserver(() => said.push(place.textContent)).observe(place, { childList: true });
    }""")
    alice = await connect(server, name="alice")
    for number in range(1, 41):
        await alice.send({"type": "order_placed", "data": {"id": number}})
    await expect(bob.locator("#count")).to_have_text("40")
    heard = bob.locator('[data-says="orders"]')
    await expect(heard).to_contain_text(" orders came. The last: alice placed order 40.")
    assert 2 <= len(await bob.evaluate("said")) < 10


async def test_of_thousands_of_orders_a_desk_draws_the_oldest(
    server: Any, open_page: OpenPage, connect: Connect, alice: Wire
) -> None:
    for number in range(1, 98):
        await alice.send({"type": "order_placed", "data": {"id": number}})
    other = await connect(server, name="carol")
    for number in range(1, 11):
        await other.send({"type": "order_placed", "data": {"id": number}})
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await expect(bob.locator("#count")).to_have_text("107")
    await expect(bob.locator("#waiting > li")).to_have_count(100)
    await expect(bob.locator("#more")).to_have_text("7 more orders behind these.")

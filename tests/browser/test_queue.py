"""A queue hands each order to one confirmer at a time: what she holds, how long, what then."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import confirm, is_open, order, place, stands
from tests.conftest import Clock
from tests.rooms import Room
from tests.wire import until

pytestmark = pytest.mark.browser

Come = Callable[[str], Awaitable[Page]]


@pytest.fixture
async def room(server: Any, http: aiohttp.ClientSession) -> Room:
    """The room, in which orders are queued."""
    room = Room(http, server)
    await room.set_modes({"*": "pubsub", "order_placed": "queue"})
    return room


@pytest.fixture
async def come(server: Any, room: Room, open_page: OpenPage) -> Come:
    """`bob = await come("bob")`: the page of one more confirmer."""

    async def open_(name: str) -> Page:
        return await is_open(await open_page(server, f"/confirmer?name={name}"))

    return open_


@pytest.fixture
async def alice(server: Any, room: Room, open_page: OpenPage) -> Page:
    """The page of a customer."""
    return await is_open(await open_page(server, "/customer?name=alice"))


async def holder(key: str, *pages: Page) -> Page:
    """Whichever of the pages shows the order, once one does."""

    async def shown() -> Page | None:
        for page in pages:
            if await page.locator(f'#waiting > [data-order="{key}"]').count():
                return page
        return None

    found = await until(shown, f"somebody holds {key}")
    assert found is not None
    return found


async def depths(room: Room) -> tuple[int, int]:
    """Of orders in the queue: how many wait, how many are held."""
    queue = (await room.get())["queues"].get("order_placed", {})
    return queue.get("ready", 0), queue.get("in_flight", 0)


async def test_each_order_lies_before_one_confirmer_alone_with_its_lease_running(
    room: Room, alice: Page, come: Come
) -> None:
    people = [await come("bob"), await come("carl")]
    for number in (1, 2):
        await place(alice, {"id": number})
    holders = [await holder(f"alice/{number}", *people) for number in (1, 2)]
    assert set(holders) == set(people), "they take turns"
    for page in people:
        await expect(page.locator("#waiting > [data-order]")).to_have_count(1)
        await expect(page.locator("#waiting .lease")).to_be_visible()
    for number, page in zip((1, 2), holders, strict=True):
        await confirm(page, f"alice/{number}")
        await stands(alice, f"alice/{number}", "confirmed")

    async def settled() -> bool:
        return await depths(room) == (0, 0)

    await until(settled, "both are acknowledged")


async def test_who_closes_the_window_leaves_the_order_to_another(alice: Page, come: Come) -> None:
    bob = await come("bob")
    await place(alice, {"id": 5})
    await stands(bob, "alice/5", "waiting")
    carl = await come("carl")
    await expect(order(carl, "alice/5")).to_have_count(0)
    await bob.close()
    await stands(carl, "alice/5", "waiting")
    await expect(order(carl, "alice/5").get_by_text("2nd try")).to_be_visible()
    await confirm(carl, "alice/5")
    await stands(alice, "alice/5", "confirmed")


async def test_an_order_whose_lease_runs_out_goes_to_another(
    room: Room, alice: Page, come: Come, clock: Clock
) -> None:
    bob = await come("bob")
    await place(alice, {"id": 5})
    await stands(bob, "alice/5", "waiting")
    carl = await come("carl")
    await expect(order(carl, "alice/5")).to_have_count(0)
    clock.forward(60)
    await stands(carl, "alice/5", "waiting")
    await bob.get_by_label("Let the rules decide").check()
    await carl.get_by_label("Let the rules decide").check()
    await stands(alice, "alice/5", "confirmed")
    assert len(await room.log(type="order_confirmed")) == 1


async def test_an_order_passed_on_lies_before_another(alice: Page, come: Come) -> None:
    people = [await come("bob"), await come("carl")]
    await place(alice, {"id": 5})
    first = await holder("alice/5", *people)
    (other,) = [page for page in people if page is not first]
    await order(first, "alice/5").get_by_role("button", name="Pass on").click()
    await stands(other, "alice/5", "waiting")
    await expect(order(first, "alice/5")).to_have_count(0)


async def test_a_new_beginning_clears_the_pages(room: Room, alice: Page, come: Come) -> None:
    await room.set_modes({"*": "relay", "order_placed": None})
    bob = await come("bob")
    await place(alice, {"id": 5})
    await stands(bob, "alice/5", "waiting")
    await room.act("/reset")
    for page in (alice, bob):
        await expect(page.locator("[data-order]")).to_have_count(0)
        await expect(page.locator("#empty")).to_be_visible()
    await place(alice, {"id": 5})
    await stands(bob, "alice/5", "waiting")
    await confirm(bob, "alice/5")
    await stands(alice, "alice/5", "confirmed")

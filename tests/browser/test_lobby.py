"""Where everyone begins: a room, a name, a part; and a room of one's own."""

import json
import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open, order, stands
from tests.browser.test_axe import complaints

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("part", ["Customer", "Confirmer", "Log", "Stage"])
async def test_a_part_is_taken_with_the_room_and_name_that_were_chosen(
    server: Any, open_page: OpenPage, part: str
) -> None:
    page = await open_page(server, "/")
    await page.get_by_label("Room", exact=True).fill("pair-7")
    await page.get_by_label("Your name").fill("ann")
    await page.get_by_role("button", name=re.compile(f"^{part}")).click()
    await page.wait_for_url(f"**/{part.lower()}?**")
    await is_open(page)
    assert await page.locator("body").get_attribute("data-room") == "pair-7"
    assert await page.locator("body").get_attribute("data-name") == "ann"


async def test_one_click_makes_a_room_with_a_snippet_that_places_an_order_in_it(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_page(server, "/")
    await page.get_by_role("button", name="Make a room of my own").click()
    await page.wait_for_url("**/?room=pair-*")
    room = await page.locator("body").get_attribute("data-room")
    assert room is not None
    bob = await is_open(await open_page(server, f"/confirmer?room={room}&name=bob"))
    snippet = await page.locator("#snippet-javascript").text_content()
    assert snippet is not None
    assert "id" not in json.dumps(re.findall(r"^  (\w+):", snippet, re.MULTILINE))
    await page.evaluate("code => (0, eval)(code)", snippet)
    await stands(bob, "alice/5", "waiting")


async def test_without_javascript_the_lobby_still_leads_into_a_room(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_page(server, "/", java_script_enabled=False)
    await page.get_by_role("button", name="Make a room of my own").click()
    await expect(page.get_by_role("heading", name="Your room is")).to_be_visible()
    await expect(page.locator("#snippet-python")).to_contain_text("websockets")
    await page.get_by_role("button", name=re.compile("^Customer")).click()
    await expect(page.get_by_role("button", name="Place order")).to_be_visible()
    assert "needs JavaScript" in await page.content()


async def test_what_is_copied_is_the_snippet(server: Any, open_page: OpenPage) -> None:
    page = await open_page(server, "/?room=pair-7&own=", permissions=["clipboard-read"])
    await page.get_by_role("button", name="Copy the Python snippet").click()
    await expect(page.get_by_text("Copied.")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == (await page.locator("#snippet-python").text_content() or "").strip()


async def test_over_plain_http_without_modern_cryptography_or_clipboard_everything_works(
    server: Any, open_page: OpenPage
) -> None:
    """As on a telephone that reaches the server by its address in the network."""

    async def plain(page: Any) -> None:
        await page.add_init_script(
            "delete Crypto.prototype.randomUUID; delete Crypto.prototype.subtle;"
            "delete Navigator.prototype.clipboard;"
        )

    alice = await is_open(await open_page(server, "/customer?name=alice", prepare=plain))
    bob = await is_open(await open_page(server, "/confirmer?name=bob", prepare=plain))
    assert await bob.evaluate("crypto.randomUUID ?? crypto.subtle ?? navigator.clipboard") is None
    await alice.get_by_role("button", name="Place order").click()
    await order(bob, "alice/1").get_by_role("button", name="Confirm").click()
    await stands(alice, "alice/1", "confirmed")
    await order(alice, "alice/1").get_by_text("What crossed the wire").click()
    await order(alice, "alice/1").get_by_role("button", name="Copy").first.click()
    await expect(alice.get_by_text("Copied.")).to_be_visible()


@pytest.mark.parametrize("query", ["room=NO%20ROOM", "name=%3C%3E", "room=..%2F..%2Fetc"])
async def test_a_wrong_room_or_name_is_explained_on_a_page(
    server: Any, open_page: OpenPage, query: str
) -> None:
    async def tolerate(page: Any) -> None:
        await page.route(  # the status is asserted here, so that the console need not complain
            "**/customer?**", lambda route: answer(route)
        )

    statuses: list[int] = []

    async def answer(route: Any) -> None:
        fetched = await route.fetch()
        statuses.append(fetched.status)
        await route.fulfill(response=fetched, status=200)

    page = await open_page(server, f"/customer?{query}", prepare=tolerate)
    assert statuses == [400]
    await expect(page.get_by_role("heading", name="Returned to sender")).to_be_visible()
    await expect(page.get_by_text("such as")).to_be_visible()
    await expect(page.locator(".lead code")).not_to_contain_text("`")


async def test_what_to_do_when_it_does_not_connect_stands_in_the_lobby(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_page(server, "/")
    await page.get_by_text("If it does not connect").click()
    for cause in (
        "empty tab",
        "https page",
        "Guest Wi-Fi",
        "WebSockets",
        "version 22",
        "Socket.IO",
    ):
        await expect(page.locator(".connecting")).to_contain_text(cause)
    assert await complaints(page) == []

"""The teacher's hand where a teacher looks for it: people on the stage, rooms in the lobby."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.browser.test_axe import complaints
from tests.conftest import Come, Connect, Serve
from tests.rooms import Room
from tests.wire import until

pytestmark = pytest.mark.browser

SESSION = "a-session-of-bella"


async def refused(connect: Connect, server: Any, **query: str) -> str:
    wire = await connect(server, **query)
    return str((await wire.expect("broker.error"))["data"]["code"])


async def test_no_tool_stands_alone_in_a_line(server: Any, open_page: OpenPage) -> None:
    page = await is_open(await open_page(server, "/stage?band=tools"))
    await expect(page.locator("#stage-tools")).to_have_css("text-align", "center")  # it is dressed
    for words in ("", " and more", " and much more"):
        for width in (1024, 1280, 1366, 1600, 1920):
            await page.set_viewport_size({"width": width, "height": 800})
            tops, ends, close = await page.evaluate(
                """words => {
                  const tools = [...document.querySelectorAll('#stage-tools > *')];
                  for (const one of tools) if (one.matches('button')) one.append(words);
                  const boxes = tools.map((one) => one.getBoundingClientRect());
                  const close = document.querySelector('#stage-tools-band > button');
                  return [boxes.map(({ top, height }) => Math.round(top + height / 2)),
                    boxes.map(({ right }) => right), close.getBoundingClientRect().left];
                }""",
                words if width == 1024 else "",
            )
            assert min(Counter(tops).values()) > 1, (words, width, tops)
            assert max(ends) < close, "beside them, not below"


async def people_of(open_page: OpenPage, server: Any) -> Page:
    """The stage with its list of people open."""
    page = await is_open(await open_page(server, "/stage", reduced_motion="reduce"))
    await page.keyboard.press("w")
    await expect(page.get_by_role("dialog", name="People in room main")).to_be_visible()
    assert await complaints(page) == []
    return page


async def test_on_the_stage_somebody_is_muted_removed_and_let_back_in(
    server: Any, connect: Connect, come: Come, open_page: OpenPage
) -> None:
    bella = await come(server, name="Bella", session=SESSION)
    page = await people_of(open_page, server)
    row = page.locator('[data-person="Bella"]')
    await page.get_by_role("button", name="Mute: Bella", exact=True).click()
    await bella.expect("broker.notice", code="muted")
    await expect(row).to_contain_text("muted")
    await page.get_by_role("button", name="Unmute: Bella").click()
    await bella.expect("broker.notice", code="unmuted")
    await page.get_by_role("button", name="Remove: Bella").click()
    assert await bella.close_code() == 4003
    await expect(page.locator('[data-person="bella"]')).to_contain_text("removed")
    assert await refused(connect, server, session=SESSION) == "kicked"
    await page.get_by_role("button", name="Let back in: bella").click()
    await expect(page.locator('[data-person="bella"]')).to_have_count(0)
    await come(server, name="Bella", session=SESSION)
    await expect(row).to_be_visible()


def room_is(room: Room, *, locked: bool) -> Callable[[], Awaitable[bool]]:
    async def probe() -> bool:
        return bool((await room.get())["locked"] is locked)

    return probe


async def test_on_the_stage_the_room_is_locked_and_unlocked(
    server: Any, connect: Connect, open_page: OpenPage, room: Room
) -> None:
    page = await people_of(open_page, server)
    await expect(page.get_by_text("Nobody is here yet")).to_be_visible()
    locked = page.get_by_label("Locked")
    await locked.check()
    await until(room_is(room, locked=True), "the room is locked")
    assert await refused(connect, server, name="late") == "room_locked"
    await locked.uncheck()
    await until(room_is(room, locked=False), "the room is unlocked")
    await (await connect(server, name="late")).expect("broker.welcome")
    await expect(page.locator('[data-person="late"]')).to_be_visible()


async def test_in_the_lobby_a_room_is_ended_and_erased_by_a_second_click_only(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", room="pair-7")
    await alice.publish("order_placed", id=1)
    page = await is_open(await open_page(server, "/", may_lose_server=True))
    row = page.locator('[data-room="pair-7"]')
    await expect(row).to_contain_text("pair-7")
    await page.get_by_role("button", name="End and erase pair-7").click()
    await page.get_by_role("button", name="Keep it").click()
    await page.get_by_role("button", name="End and erase pair-7").click()
    await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    await expect(page.get_by_role("button", name="Erase pair-7 for good")).to_be_enabled()
    assert (await Room(http, server, "pair-7").get())["events"] == 1, "one click erases nothing"
    await page.get_by_role("button", name="Erase pair-7 for good").click()
    await expect(page.get_by_text("pair-7 was ended and erased.")).to_be_visible()
    await expect(row).to_have_count(0)
    assert await alice.close_code() == 4003
    async with http.get(f"{server.url}/api/rooms/pair-7") as answer:
        assert answer.status == 404


async def test_who_is_not_the_host_sees_neither(serve: Serve, open_page: OpenPage) -> None:
    async with serve(proxy_headers=True) as server:
        page = await is_open(await open_page(server, "/", may_lose_server=True))
        await expect(page.get_by_role("heading", name="Rooms of this server")).to_have_count(0)
        page = await open_page(server, "/stage", may_lose_server=True, reduced_motion="reduce")
        await is_open(page)
        await page.keyboard.press("w")
        await expect(page.locator("#stage-people")).to_be_hidden()

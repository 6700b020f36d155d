"""Who cannot see, or point, uses these pages too: axe finds nothing to complain about on any."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal, TypedDict
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Page, ViewportSize, WebSocketRoute, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open, order, place, stands
from tests.browser.watching import send
from tests.conftest import Connect
from tests.rooms import Room

pytestmark = pytest.mark.browser


class Media(TypedDict):
    color_scheme: Literal["light", "dark"]
    forced_colors: Literal["active", "none"]


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

#: Notes each text that a screen reader is given to say.
LISTEN = """() => {
  globalThis.said = [];
  const live = '[role=status], [role=alert], [role=log], [aria-live]';
  new MutationObserver((changes) => {
    const regions = changes.map(({ target }) => (target.closest ? target : target.parentElement));
    for (const one of new Set(regions.map((on) => on.closest(live)))) {
      if (one) said.push(one.textContent);
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""

PAGES = (
    "/",
    "/?room=pair-7&own=",
    "/customer",
    "/confirmer",
    "/log",
    "/stage",
    "/stage?band=tools",
    "/stage?band=table",
    "/join",
)
STATIC_PAGES = ("/handout", "/styleguide", "/exercises", "/board", "/starters")
LIGHT: Media = {"color_scheme": "light", "forced_colors": "none"}
DARK: Media = {"color_scheme": "dark", "forced_colors": "none"}
FORCED: Media = {"color_scheme": "light", "forced_colors": "active"}
LARGE: ViewportSize = {"width": 1280, "height": 720}
PHONE: ViewportSize = {"width": 360, "height": 740}
LOOKS = {
    "light": (LIGHT, LARGE),
    "dark": (DARK, LARGE),
    "forced": (FORCED, LARGE),
    "phone": (LIGHT, PHONE),
}
#: Dialogs of the stage, and what a host does to open each: a key, or a button.
DIALOGS = {
    "stage-dead": "1 dead letter",
    "stage-people": "w",
    "stage-help": "?",
    "stage-takehome": "h",
    "stage-bots": "Kill one…",
    "stage-clear": "Clear the room…",
}


async def complaints(page: Page) -> list[str]:
    """What axe finds on the page as it is now."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    told = await page.evaluate(RUN)
    assert told["passed"] > 10, "axe did look"
    found: list[str] = told["found"]
    return found


async def loaded(page: Page) -> None:
    await page.wait_for_load_state("load")
    if urlsplit(page.url).path not in STATIC_PAGES:
        await is_open(page)


async def found_in_each_look(page: Page) -> dict[str, list[str]]:
    """What axe finds on the page as it stands, where it finds anything."""
    found = {look: await complaints(page) async for look in in_each_look(page, again=False)}
    return {look: told for look, told in found.items() if told}


async def in_each_look(page: Page, *, again: bool = True) -> AsyncIterator[str]:
    """The page in one look after the other; loaded `again` in each."""
    address = page.url
    for look, (media, size) in LOOKS.items():
        await page.emulate_media(**media)
        await page.set_viewport_size(size)
        if again:
            await page.goto(address)
            await loaded(page)
        yield look


async def opened(open_page: OpenPage, server: Any, path: str) -> Page:
    page = await open_page(server, path, reduced_motion="reduce")
    await loaded(page)
    return page


@pytest.mark.parametrize("path", [*PAGES, *STATIC_PAGES])
async def test_axe_finds_nothing_on_a_page_that_is_still_empty(
    server: Any, open_page: OpenPage, path: str
) -> None:
    page = await opened(open_page, server, path)
    assert await found_in_each_look(page) == {}


@pytest.fixture
async def event(server: Any, connect: Connect, http: aiohttp.ClientSession) -> str:
    """An event of a busy room: something of each kind has happened in it."""
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


@pytest.mark.parametrize("path", ["/join", "/"])
async def test_axe_finds_nothing_while_a_room_is_busy(
    server: Any, event: str, open_page: OpenPage, path: str
) -> None:
    page = await opened(open_page, server, path)
    async for look in in_each_look(page):
        await expect(page.get_by_text("carol").first).to_be_attached()
        assert await complaints(page) == [], look


@pytest.mark.parametrize("path", ["/log", "/stage?band=diagram"])
async def test_axe_finds_nothing_in_a_busy_room_nor_in_the_explanation_of_an_event(
    server: Any, event: str, open_page: OpenPage, path: str
) -> None:
    page = await opened(open_page, server, path)
    async for look in in_each_look(page):
        await expect(page.get_by_text("carol").first).to_be_attached()
        assert await complaints(page) == [], look
        row = f'[data-event="{event}"]'
        await page.locator(f".diagram-body {row}, #log-grid {row}").first.click()
        await expect(page.locator(f'[data-explains="{event}"]')).to_be_visible()
        assert await complaints(page) == [], look


@pytest.fixture
async def alice(server: Any, open_page: OpenPage) -> Page:
    return await opened(open_page, server, "/customer?name=alice")


@pytest.fixture
async def bob(server: Any, open_page: OpenPage) -> Page:
    return await opened(open_page, server, "/confirmer?name=bob")


async def test_axe_finds_nothing_while_orders_wait_are_answered_and_refused(
    alice: Page, bob: Page
) -> None:
    for number in (1, 0, 3):
        await place(alice, {"id": number})
        await stands(bob, f"alice/{number}", "waiting")
    await order(bob, "alice/1").get_by_role("button", name="Confirm").click()
    await stands(alice, "alice/1", "confirmed")
    await order(bob, "alice/0").get_by_role("button", name="Reject").click()
    assert await found_in_each_look(bob) == {}
    await order(bob, "alice/0").get_by_role("button", name="Reject the order").click()
    await stands(alice, "alice/0", "rejected")
    await order(alice, "alice/1").get_by_text("What crossed the wire").click()
    for page in (alice, bob):
        assert await found_in_each_look(page) == {}


async def test_axe_finds_nothing_while_pages_are_paused_muted_and_refused(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession, alice: Page
) -> None:
    log = await opened(open_page, server, "/log")
    for act in ("/pause", "/participants/alice/mute"):
        await Room(http, server).act(act)
    await place(alice, {"id": 1})
    await stands(alice, "alice/1", "refused")
    await expect(alice.locator("#standing .notice")).to_have_count(2)
    for page in (alice, log):
        await expect(page.locator('#standing [data-stands="paused"]')).to_be_visible()
        assert await found_in_each_look(page) == {}
    await Room(http, server).act("/participants/alice/kick")
    await expect(alice.locator('#standing [data-stands="connection"] button')).to_be_visible()
    assert await found_in_each_look(alice) == {}


@pytest.mark.settings(max_participants=1)
async def test_axe_finds_nothing_on_a_page_that_finds_no_room_or_has_lost_what_it_needs(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    data = {"code": "journal_away", "message": "The `engine` is away: try again later."}
    away = {"id": "1", "type": "broker.notice", "created": "1", "source": "broker", "data": data}

    def join(socket: WebSocketRoute) -> None:
        def pass_on(told: str | bytes) -> None:
            socket.send(told)
            socket.send(json.dumps(away))

        socket.connect_to_server().on_message(pass_on)

    async def take_the_journal_away(page: Page) -> None:
        await page.route_web_socket("**/ws?*", join)

    alice = await open_page(server, "/customer?name=alice", prepare=take_the_journal_away)
    journal = alice.locator('#standing [data-stands="journal"]')
    await expect(journal).to_have_text("The engine is away: try again later. Hide")
    await alice.evaluate("dispatchEvent(new Event('offline'))")  # as after a sleep
    await expect(alice.locator('[data-says="connection"]')).to_have_text("No word from the server")
    assert await found_in_each_look(alice) == {}
    ben = await open_page(server, "/confirmer?name=ben")
    standing = ben.locator('#standing [data-stands="connection"]')
    await expect(standing).to_contain_text("has 1 participant, which is all it takes")
    assert await found_in_each_look(ben) == {}
    await alice.close()
    await standing.get_by_role("button", name="Try now").click()
    await is_open(ben)
    await Room(http, server).act("/lock")
    carl = await open_page(server, "/customer?name=carl")
    await expect(carl.locator('#standing [data-stands="connection"]')).to_contain_text("locked")
    assert await found_in_each_look(carl) == {}


@pytest.mark.settings(max_attempts=1)
async def test_axe_finds_nothing_in_the_dialogs_of_a_stage_on_which_much_has_happened(
    server: Any, connect: Connect, open_page: OpenPage, room: Room
) -> None:
    await room.set_modes({"*": "pubsub", "order_placed": "queue"})
    alice = await connect(server, name="alice", types="order_confirmed")
    bob = await connect(server, name="bob", types="order_placed", ack="manual")
    for number, answer in ((1, "nack"), (2, "ack"), (3, "ack")):
        id = await send(alice, id=number)
        await bob.expect("order_placed", id=number)
        for _ in range(number - 1):  # a coffee is made; of the third order one is wasted
            await send(bob, "order_confirmed", id=number, event=id)
        await bob.send({"type": f"broker.{answer}", "data": {"event": id}})
    await room.act("/pause")
    await send(alice, id=4)
    stage = await opened(open_page, server, "/stage?band=tools")
    await stage.get_by_role("button", name="A naive one").click()
    await expect(stage.locator('[data-participant="bob-2"]')).to_have_attribute("data-bot", "")
    await alice.send("Hello Server!")
    await expect(stage.locator(".stage-refused")).to_contain_text("alice")
    assert await complaints(stage) == []
    for dialog, way in DIALOGS.items():
        if len(way) == 1:
            await stage.keyboard.press(way)
        else:
            await stage.get_by_role("button", name=way, exact=True).click()
        await expect(stage.locator(f"#{dialog}")).to_be_visible()
        assert await found_in_each_look(stage) == {}, dialog
        await stage.keyboard.press("Escape")
    await stage.locator('[data-participant="bob"] .stage-shape').click()
    await expect(stage.locator("#stage-faults")).to_be_visible()
    assert await found_in_each_look(stage) == {}
    await stage.keyboard.press("Escape")
    await stage.keyboard.press("g")
    await stage.keyboard.press("ArrowLeft")
    await expect(stage.locator("body[data-past]")).to_have_count(1)
    assert await found_in_each_look(stage) == {}


async def test_axe_finds_nothing_on_a_board_with_names_or_without(
    server: Any, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    for name in ("anna", "ben"):
        async with http.post(f"{server.url}/api/exercises", json={"name": name}) as answer:
            assert answer.status == 201
    board = await opened(open_page, server, "/board")
    await expect(board.locator("#board > li[aria-label]")).to_have_count(2)
    assert await found_in_each_look(board) == {}
    await board.keyboard.press("n")
    await expect(board.get_by_text("student 1")).to_be_visible()
    assert await found_in_each_look(board) == {}


async def test_who_listens_to_a_busy_room_is_not_flooded(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    pages = [
        await opened(open_page, server, path)
        for path in (
            "/stage?band=table",
            "/log",
            "/join",
            "/",
            "/customer?name=zoe",
            "/wire?name=kim",
        )
    ]
    for page in pages:
        await page.evaluate(LISTEN)
    kim = await connect(server, name="kim")
    stage, log, join, *_ = pages
    for number in range(60):
        await connect(server, name=f"kim-{number}")
        await expect(join.locator("#here")).to_contain_text(f"{number + 3} are here")
        await kim.send({"type": "order_placed", "data": {"id": number}})
        await kim.send("nonsense")
    await send(kim, id=60)
    await expect(stage.locator("#stage-count")).to_have_text("62 participants")
    await expect(stage.locator("[data-total]")).to_contain_text("61 events")
    await expect(log.get_by_text("61 events").first).to_be_visible()
    assert await stage.evaluate("said") != []
    for page in pages:
        assert len(await page.evaluate("said")) < 60, page.url

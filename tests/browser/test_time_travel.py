"""Back in time on the stage: the room as it stood, seen only by the one who goes there."""

import json
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.telling import rows, says
from tests.browser.watching import open_stage, send
from tests.conftest import Come, Start
from tests.rooms import Room
from tests.wire import until

pytestmark = pytest.mark.browser


async def stands(page: Page, **state: Any) -> None:
    """Wait until picture, orders and diagram show this moment."""
    if "people" in state:
        online = page.locator('[data-participant][data-online="true"]')
        await expect(online).to_have_count(len(state["people"]))
        for name in state["people"]:
            figure = page.locator(f'[data-participant="{name}"]')
            await expect(figure).to_have_attribute("data-online", "true")
    for order, stood in state.get("orders", {}).items():
        shown = page.locator(f'#diagram-orders [data-order="{order}"]')
        if stood is None:
            await expect(shown).to_have_count(0)
        else:
            await expect(shown).to_have_attribute("data-state", stood)
    if "newest" in state:
        await says(page, state["newest"])


async def test_one_sees_the_room_as_it_stood_step_by_step_and_nobody_else_notices(
    server: Any, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice", types="order_confirmed", echo="false")
    order = await send(alice, id=1)
    bob = await come(server, name="bob", types="order_placed")
    await bob.send(
        {"type": "order_confirmed", "data": {"id": 1, "customer": "alice", "event": order}}
    )
    await bob.expect("broker.accepted")
    page, other = [await open_stage(open_page, server, "diagram") for _ in range(2)]
    answer = "broker: alice/1 to all 2 here: alice, bob"
    now: dict[str, Any] = {"people": ["alice", "bob"], "orders": {"alice/1": "confirmed"}}
    await stands(page, newest=answer, **now)
    events = (await Room(http, server).get())["events"]

    await page.keyboard.press("ArrowLeft")
    await stands(page, people=["alice", "bob"], orders={"alice/1": "stored"}, newest="bob: joined")
    await page.keyboard.press("ArrowLeft")
    await stands(page, people=["alice"], orders={"alice/1": "stored"})
    await page.keyboard.press("ArrowLeft")
    await stands(page, people=["alice"], orders={"alice/1": None}, newest="alice: joined")
    await expect(page.locator(".time-told")).to_contain_text("1 of 4")

    await send(alice, id=2)  # the room goes on meanwhile
    await expect(page.locator(".time-told")).to_contain_text("1 of 5")
    await stands(page, people=["alice"], orders={"alice/1": None}, newest="alice: joined")
    await stands(other, orders={"alice/1": "confirmed", "alice/2": "stored"})
    await page.keyboard.press("ArrowRight")
    await stands(page, orders={"alice/1": "stored"})
    await page.get_by_role("button", name="Live").click()
    await stands(page, people=["alice", "bob"], orders={"alice/2": "stored"})
    assert (await Room(http, server).get())["events"] == events + 1
    await alice.fence()
    assert len(alice.of_type("order_confirmed")) == 1


async def test_what_happened_is_played_to_the_end_and_then_it_is_live_again(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice")
    for number in range(3):
        await send(alice, id=number)
    page = await open_stage(open_page, server, "diagram")
    await stands(page, orders={"alice/2": "stored"})
    await page.get_by_label("How fast it is played").select_option("20")
    await page.evaluate("""() => {
      window.seen = [];
      const orders = document.getElementById('diagram-orders');
      new MutationObserver(() => seen.push(orders.querySelectorAll('[data-order]').length))
        .observe(orders, { childList: true, subtree: true });
    }""")
    await page.get_by_role("button", name="Play").click()

    async def played() -> bool:
        return bool(await page.evaluate("seen.length && seen.at(-1) === 3"))

    await until(played, "all three orders were played")
    seen: list[int] = await page.evaluate("seen")
    assert seen[0] == 0, "it began at the beginning"
    assert seen == sorted(seen)
    live = page.get_by_role("button", name="Live")
    await expect(live).to_have_attribute("aria-pressed", "true")
    await stands(page, orders={"alice/2": "stored"})


async def test_the_past_is_there_after_a_restart_and_gone_once_the_room_is_cleared(
    start: Start, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    server = start()
    alice = await come(server, name="alice", echo="false")
    await come(server, name="bob")
    await send(alice, id=1)
    page = await open_stage(open_page, server, "diagram", may_lose_server=True)
    await says(page, "alice sent order_placed 1", "broker: alice/1 to all: bob")
    server.kill()
    server.start()
    await says(page, "broker: alice/1 to all: bob", "The server started again")
    await page.reload()
    await says(page, "broker: alice/1 to all: bob", "The server started again")
    await page.keyboard.press("ArrowLeft")
    await stands(page, people=["alice", "bob"], newest="broker: alice/1 to all: bob")
    await Room(http, server).act("/reset")
    await expect(page.get_by_text("What happens is drawn here.")).to_be_visible()
    await stands(page, orders={"alice/1": None})


@pytest.mark.settings(rate=0)
async def test_a_long_past_is_reached_from_the_beginning(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice", echo="false", quiet="false")
    for number in range(1, 2401):
        event = {"type": "order_placed", "data": {"id": number}}
        await alice.ws.send_str(json.dumps(event))
    await alice.expect("broker.accepted")
    while len(alice.of_type("broker.accepted")) < 2400:
        await alice.next()
    page = await open_stage(open_page, server, "diagram")
    slider = page.get_by_role("slider", name="Moment")
    await expect(slider).to_have_attribute("max", "2000")
    await page.get_by_role("button", name="Play").click()
    await expect(slider).to_have_attribute("max", "2401")
    await slider.fill("1201")  # which stops the play, if it has not reached its end
    await stands(page, people=["alice"], newest="broker: alice/1200 to nobody: no one is here")
    await expect(page.locator(".stage-counter")).to_contain_text("1,200")


async def test_the_past_is_read_once_and_then_carried_on_by_the_feed(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice", types="none", echo="false")
    for number in range(3):
        await send(alice, id=number)
    asked: list[str] = []

    async def listen(page: Page) -> None:
        page.on("request", lambda request: asked.append(request.url))

    page = await open_stage(open_page, server, "diagram", prepare=listen)
    slider = page.locator("#time-slider")
    await expect(slider).to_have_attribute("max", "4")
    for number in range(3, 9):
        await send(alice, id=number)
        await expect(slider).to_have_attribute("max", str(number + 2))
    assert len([url for url in asked if "/records?" in url]) == 1


async def test_what_happened_while_the_connection_was_gone_is_in_the_past_once(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice", types="none", echo="false")
    await send(alice, id=0)

    async def cut_at_will(page: Page) -> None:
        sockets: list[Any] = []

        async def through(socket: Any) -> None:
            sockets.append((socket, socket.connect_to_server()))

        await page.route_web_socket("**/observe/**", through)
        page.cut = lambda: sockets[-1][0].close(code=1001)  # type: ignore[attr-defined]

    page = await open_stage(open_page, server, "diagram", prepare=cut_at_will)
    slider = page.locator("#time-slider")
    await expect(slider).to_have_attribute("max", "2")
    await page.cut()  # type: ignore[attr-defined]
    await page.wait_for_selector('body[data-connection="offline"]')
    for number in range(1, 5):
        await send(alice, id=number)
    await page.wait_for_selector('body[data-connection="open"]')
    await send(alice, id=5)
    await expect(slider).to_have_attribute("max", "7")

    async def drawn() -> list[str]:
        last = (await rows(page, "said"))[-2:]
        return last if last[-1:] == ["alice sent order_placed 5"] else []

    last = await until(drawn, "the diagram has the newest event")
    assert last == ["alice sent order_placed 4", "alice sent order_placed 5"]

"""What the stage tells beside the picture: the sequence diagram, why, and how it was before."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.watching import open_stage, send
from tests.conftest import Connect
from tests.rooms import Room
from tests.wire import Wire, until

pytestmark = pytest.mark.browser

QUEUE: dict[str, str | None] = {"*": "pubsub", "order_placed": "queue"}


async def come(connect: Connect, server: Any, **query: str) -> Wire:
    """Join, and be in the journal."""
    wire = await connect(server, **query)
    await wire.expect("broker.welcome")
    return wire


async def rows(page: Page, kind: str | None = None) -> list[str]:
    """What the rows of the diagram say to who hears them, oldest first."""
    which = f'[data-row="{kind}"]' if kind else ""
    found = page.locator(f".diagram-body .row{which}")
    return [await row.get_attribute("aria-label") or "" for row in await found.all()]


async def says(page: Page, *wanted: str) -> None:
    """Wait until the newest rows of the diagram say this."""

    async def told() -> bool:
        return (await rows(page))[-len(wanted) :] == list(wanted)

    try:
        await until(told, "the diagram says it")
    except AssertionError:
        assert (await rows(page))[-len(wanted) :] == list(wanted)


async def explained(page: Page, event: str) -> dict[str, str]:
    """Wait until this event is explained: for each name whether it received it."""
    await expect(page.locator(f'[data-explains="{event}"] [data-recipient]').first).to_be_visible()
    found = await page.locator(f'[data-explains="{event}"] [data-recipient]').all()
    return {
        await one.get_attribute("data-recipient") or "": (
            await one.get_attribute("data-received") or ""
        )
        for one in found
    }


async def test_the_diagram_tells_of_before_the_page_was_opened_and_goes_on(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await come(connect, server, name="alice", types="order_confirmed", echo="false")
    await come(connect, server, name="bob", types="order_placed")
    await come(connect, server, name="eve", types="tea")
    await send(alice, id=1)
    page = await open_stage(open_page, server)
    await says(page, "alice sent order_placed 1", "broker: alice/1 to all 2: bob, eve")
    await Room(http, server).set_modes({"*": "pubsub"})
    await send(alice, id=2)
    await says(
        page,
        "Publish–subscribe",
        "alice sent order_placed 2",
        "broker: alice/2 to bob, who asked",
    )
    lanes = page.locator(".diagram-heads [data-lane]")
    names = [await lane.get_attribute("data-lane") for lane in await lanes.all()]
    assert names == ["alice", "broker", "bob", "eve"]


async def test_a_confirmer_that_dies_holding_an_order_is_drawn_and_explained_alike(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes(QUEUE)
    alice = await come(connect, server, name="alice", types="order_confirmed")
    bob = await come(connect, server, name="bob", types="order_placed", ack="manual")
    page = await open_stage(open_page, server)
    order = await send(alice, id=7)
    await says(page, "alice sent order_placed 7", "broker to bob: alice/7 to bob alone")
    second = await come(connect, server, name="bob-2", types="order_placed", ack="manual")
    bob.cut()
    await says(
        page,
        "bob to broker: alice/7 back: its connection was lost",
        "bob: left",
        "broker to bob-2: alice/7 again, to bob-2: 2nd try",
    )
    await second.send({"type": "broker.ack", "data": {"event": order}})
    await says(page, "bob-2 to broker: alice/7 done")
    dashed = page.locator(".diagram-body .row[data-again]")
    assert [await row.get_attribute("data-row") for row in await dashed.all()] == [
        "released",
        "handed",
    ]

    await dashed.last.click()
    assert await explained(page, order) == {"alice": "false", "bob": "true", "bob-2": "true"}
    panel = page.locator("#stage-explain")
    await expect(panel).to_contain_text("Took it, but its connection was lost.")
    await expect(panel).to_contain_text("Took it, and is done with it: it was its turn.")
    chosen = page.locator(".diagram-body[data-selected] .row[data-on]")
    await expect(chosen).to_have_count(5)  # sent, handed, back, handed again, done
    faded = page.locator(".diagram-body .row:not([data-on])").first
    await expect(faded).to_have_css("opacity", "0.35")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(faded).to_have_css("opacity", "1")


async def test_with_the_keyboard_alone_one_goes_through_the_rows_and_opens_one(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await come(connect, server, name="alice")
    first = await send(alice, id=1)
    await send(alice, id=2)
    page = await open_stage(open_page, server)
    await says(page, "alice sent order_placed 2", "broker: alice/2 to all: alice")
    await page.locator('.diagram-body [tabindex="0"]').focus()
    for _ in range(3):
        await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    assert await explained(page, first) == {"alice": "true"}
    await page.keyboard.press("Escape")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert await page.evaluate(focused) == "alice sent order_placed 1"


async def test_an_open_explanation_goes_on_with_what_happens(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes(QUEUE)
    alice = await come(connect, server, name="alice")
    page = await open_stage(open_page, server)
    order = await send(alice, id=1)
    await says(page, "alice sent order_placed 1")
    await page.locator(f'.diagram-body [data-event="{order}"]').click()
    assert await explained(page, order) == {"alice": "false"}
    await come(connect, server, name="bob", types="order_placed", ack="manual")
    await expect(page.locator('[data-recipient="bob"]')).to_contain_text("and holds it")


async def test_the_diagram_is_taken_along_as_mermaid_and_as_svg(
    server: Any, connect: Connect, open_page: OpenPage, tmp_path: Path
) -> None:
    alice = await come(connect, server, name="alice", types="order_confirmed", echo="false")
    await come(connect, server, name="bob")
    page = await open_stage(
        open_page, server, permissions=["clipboard-read", "clipboard-write"], accept_downloads=True
    )
    await send(alice, id="</style><b>&;")
    await until(lambda: _has(page, "said"), "the event is drawn")
    await page.get_by_role("button", name="Copy as Mermaid").click()
    await expect(page.locator('[data-says="toast"]')).to_contain_text("Copied")
    text: str = await page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("sequenceDiagram\n    actor p0 as alice\n")
    assert "p0->>broker: order_placed #60;/style#62;#60;b#62;#38;#59;" in text
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save as SVG").click()
    file = tmp_path / "diagram.svg"
    await (await download.value).save_as(file)
    svg = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    words = [
        "".join(element.itertext()) for element in svg.iter("{http://www.w3.org/2000/svg}text")
    ]
    assert {"alice", "bob", "Broker", "+ order_placed </style><b>&;"} <= set(words)
    sheet = svg.find("{http://www.w3.org/2000/svg}style")
    assert sheet is not None
    assert "--placed:#" in (sheet.text or "")
    assert ".lane-head" in (sheet.text or "")


async def _has(page: Page, kind: str) -> bool:
    return bool(await rows(page, kind))


async def test_hiding_the_diagram_leaves_the_time_bar(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await come(connect, server, name="alice")
    await send(alice, id=1)
    page = await open_stage(open_page, server)
    await until(lambda: _has(page, "said"), "the event is drawn")
    await page.get_by_role("button", name="Hide").click()
    await expect(page.locator(".diagram-body")).to_be_hidden()
    await expect(page.get_by_role("slider", name="Moment")).to_be_visible()
    await page.get_by_role("button", name="Show the diagram").click()
    await expect(page.locator(".diagram-body")).to_be_visible()


# ── back in time ────────────────────────────────────────────────────────────────────────────────


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
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await come(connect, server, name="alice", types="order_confirmed", echo="false")
    order = await send(alice, id=1)
    bob = await come(connect, server, name="bob", types="order_placed")
    await bob.send(
        {"type": "order_confirmed", "data": {"id": 1, "customer": "alice", "event": order}}
    )
    await bob.expect("broker.accepted")
    page, other = [await open_stage(open_page, server) for _ in range(2)]
    answer = "broker: alice/1 to all 2: alice, bob"
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
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await come(connect, server, name="alice")
    for number in range(3):
        await send(alice, id=number)
    page = await open_stage(open_page, server)
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
    start: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    server = start()
    alice = await come(connect, server, name="alice", echo="false")
    await come(connect, server, name="bob")
    await send(alice, id=1)
    page = await open_stage(open_page, server, may_lose_server=True)
    await says(page, "alice sent order_placed 1", "broker: alice/1 to all: bob")
    server.kill()
    server.start()
    await says(page, "broker: alice/1 to all: bob", "The server started again")
    await page.reload()
    await until(lambda: _has(page, "given"), "the diagram is there again")
    await page.keyboard.press("ArrowLeft")
    await stands(page, people=["alice", "bob"], newest="broker: alice/1 to all: bob")
    await Room(http, server).act("/reset")
    await expect(page.get_by_text("What happens is drawn here.")).to_be_visible()
    await stands(page, orders={"alice/1": None})


async def test_a_long_past_is_reached_from_the_beginning(
    serve: Any, connect: Connect, open_page: OpenPage
) -> None:
    async with serve(rate=0) as server:
        alice = await come(connect, server, name="alice", echo="false", quiet="false")
        for number in range(1, 3001):
            event = {"type": "order_placed", "data": {"id": number}}
            await alice.ws.send_str(json.dumps(event))
        await alice.expect("broker.accepted")
        while len(alice.of_type("broker.accepted")) < 3000:
            await alice.next()
        page = await open_stage(open_page, server, may_lose_server=True)
        slider = page.get_by_role("slider", name="Moment")
        await expect(slider).to_have_attribute("max", "2000")
        await page.get_by_role("button", name="Play").click()
        await expect(slider).to_have_attribute("max", "3001")
        await page.get_by_role("button", name="Stop").click()
        await slider.fill("1501")
        await stands(page, people=["alice"], newest="broker: alice/1500 to nobody: no one is here")
        await expect(page.locator(".stage-counter")).to_contain_text("1,500")

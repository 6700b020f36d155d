"""What the stage tells beside the picture: the sequence diagram, and why."""

import asyncio
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.telling import has_row, says
from tests.browser.watching import open_stage, send, show
from tests.conftest import Come
from tests.rooms import Room
from tests.wire import until

pytestmark = pytest.mark.browser

QUEUE: dict[str, str | None] = {"*": "pubsub", "order_placed": "queue"}


async def explained(page: Page, event: str) -> dict[str, str]:
    """Wait until this event is explained: for each name whether it received it."""
    await expect(page.locator(f'[data-explains="{event}"] [data-recipient]').first).to_be_visible()
    return dict(
        await page.locator(f'[data-explains="{event}"] [data-recipient]').evaluate_all(
            "rows => rows.map(({ dataset }) => [dataset.recipient, dataset.received])"
        )
    )


async def test_the_diagram_tells_of_before_the_page_was_opened_and_goes_on(
    server: Any, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice", types="order_confirmed", echo="false")
    await come(server, name="bob", types="order_placed")
    await come(server, name="eve", types="tea")
    await send(alice, id=1)
    page = await open_stage(open_page, server, "diagram")
    await says(page, "alice sent order_placed 1", "broker: alice/1 to all 2 here: bob, eve")
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
    server: Any, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes(QUEUE)
    alice = await come(server, name="alice", types="order_confirmed")
    bob = await come(server, name="bob", types="order_placed", ack="manual")
    page = await open_stage(open_page, server, "diagram")
    order = await send(alice, id=7)
    await says(page, "alice sent order_placed 7", "broker to bob: alice/7 to bob alone")
    second = await come(server, name="bob-2", types="order_placed", ack="manual")
    bob.cut()
    await says(
        page,
        "bob to broker: alice/7 back: its connection was lost",
        "bob: left",
        "broker to bob-2: alice/7 again, to bob-2: 2nd try",
    )
    await second.ack(order)
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


async def test_whatever_shows_an_event_opens_its_explanation(
    server: Any, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes(QUEUE)
    alice = await come(server, name="alice")
    order = await send(alice, id=1)
    page = await open_stage(open_page, server, "diagram")
    for place, band in {
        ".stage-counter": "tools",
        "#stage-latest": "table",
        "#diagram-orders": "diagram",
        ".diagram-body": "diagram",
    }.items():
        await show(page, band)
        await page.locator(f'{place} [data-event="{order}"]').first.click()
        assert await explained(page, order) == {"alice": "false"}
        await page.keyboard.press("Escape")
        await expect(page.locator("#stage-explain")).to_be_hidden()
    await page.keyboard.press("e")
    assert await explained(page, order) == {"alice": "false"}


#: How many dots of the canvas over the picture are not empty.
INKED = """() => {
  const canvas = document.querySelector("#stage-flights");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, index) => index % 4 === 3 && value > 0).length;
}"""


async def test_the_way_of_an_explained_event_is_drawn_on_the_picture_while_it_is_open(
    server: Any, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes({"*": "pubsub"})
    alice = await come(server, name="alice", types="order_confirmed")
    await come(server, name="bob", types="order_placed")
    await come(server, name="eve", types="tea.*")
    order = await send(alice, id=1)
    page = await open_stage(open_page, server, "table")
    await page.locator(f'#stage-latest [data-event="{order}"]').click()
    for name, way in {"alice": "from", "bob": "to", "eve": "none"}.items():
        figure = page.locator(f'[data-participant="{name}"]')
        await expect(figure).to_have_attribute("data-way", way)

    async def drawn() -> bool:
        return bool(await page.evaluate(INKED) > 500)

    async def gone() -> bool:
        return bool(await page.evaluate(INKED) == 0)

    await until(drawn, "its way is on the picture")
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-way]")).to_have_count(0)
    await until(gone, "its way is gone")


async def test_with_the_keyboard_alone_one_goes_through_the_rows_and_opens_one(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice")
    first = await send(alice, id=1)
    await send(alice, id=2)
    page = await open_stage(open_page, server, "diagram")
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
    server: Any, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes(QUEUE)
    alice = await come(server, name="alice")
    page = await open_stage(open_page, server, "diagram")
    order = await send(alice, id=1)
    await says(page, "alice sent order_placed 1")
    await page.locator(f'.diagram-body [data-event="{order}"]').click()
    assert await explained(page, order) == {"alice": "false"}
    await come(server, name="bob", types="order_placed", ack="manual")
    why = page.locator("[data-why]", has=page.locator('[data-recipient="bob"]'))
    await expect(why).to_contain_text("and holds it")


@pytest.mark.settings(rate=0)
async def test_while_events_flow_the_pressed_row_is_explained_and_what_one_reads_stays(
    server: Any, come: Come, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice")
    placed = [await send(alice, id=number) for number in range(40)]
    page = await open_stage(open_page, server, "diagram")
    await press(page, placed[-1])
    await expect(
        page.locator(f'.row[data-event="{await send(alice, id=40)}"]').first
    ).to_be_visible()
    await page.mouse.up()
    await expect(page.locator(f'[data-explains="{placed[-1]}"]')).to_be_visible()
    await page.keyboard.press("Escape")

    async def flow() -> None:
        for number in range(41, 10_000):  # ten at a time: the diagram cannot be drawn for each
            for _ in range(9):
                await alice.send({"type": "tick", "data": {}})
            await send(alice, id=number)

    async def more() -> bool:
        return bool((await Room(http, server).get())["events"] > before + 100)

    flowing = asyncio.create_task(flow())
    await expect(page.locator(".row").filter(has_text="tick").last).to_be_visible()
    await page.locator("#diagram-paper").evaluate("paper => { paper.scrollTop -= 300; }")
    before = (await Room(http, server).get())["events"]
    await until(more, "a hundred more events")
    await expect(page.get_by_role("button", name="Newest")).to_be_visible()
    stands = await page.locator("#diagram-paper").evaluate("paper => paper.scrollTop")
    before = (await Room(http, server).get())["events"]
    await until(more, "a hundred more events")
    assert await page.locator("#diagram-paper").evaluate("paper => paper.scrollTop") == stands
    flowing.cancel()


async def press(page: Page, event: str) -> None:
    """Press the mouse on the row of an event, and do not let go."""
    box = await page.locator(f'.row[data-event="{event}"]').first.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.mouse.down()


async def test_the_diagram_is_taken_along_as_mermaid_and_as_svg(
    server: Any, come: Come, open_page: OpenPage, tmp_path: Path
) -> None:
    alice = await come(server, name="alice", types="order_confirmed", echo="false")
    await come(server, name="bob")
    page = await open_stage(
        open_page,
        server,
        "diagram",
        permissions=["clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    await send(alice, id="</style><b>&;")
    await until(lambda: has_row(page, "said"), "the event is drawn")
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


async def test_one_band_at_a_time_makes_the_picture_smaller_and_covers_nothing(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice")
    placed = await send(alice, id=1)
    page = await open_stage(open_page, server)
    room = page.locator(".stage-room")
    bands = page.locator(".stage-band:visible, #stage-explain:visible")
    await expect(bands).to_have_count(0)
    whole = await bottom(room)
    for key, name in (("t", "Tools"), ("g", "Diagram"), ("v", "Table"), ("e", None)):
        await page.keyboard.press(key)
        if name is None:
            await expect(page.locator("#stage-explain")).to_be_visible()
        await expect(bands).to_have_count(1)
        if name:
            button = page.get_by_role("button", name=f"{name} {key}")
            await expect(button).to_have_attribute("aria-expanded", "true")
        box = await bands.bounding_box()
        assert box is not None
        assert await bottom(room) < whole
        assert await bottom(room) <= box["y"] + 1
    await expect(page.locator(f'[data-explains="{placed}"]')).to_be_visible()
    await page.keyboard.press("t")  # which takes the place of why
    await expect(page.get_by_role("group", name="The host’s tools")).to_be_visible()
    await expect(bands).to_have_count(1)
    await page.keyboard.press("v")
    await page.keyboard.press("e")
    await expect(page.locator(f'[data-explains="{placed}"]')).to_be_visible()
    await page.keyboard.press("Escape")  # the table is there again
    await expect(page.get_by_role("table")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(bands).to_have_count(0)
    assert await bottom(room) == whole


async def bottom(place: Locator) -> float:
    box = await place.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


async def test_the_time_bar_stays_while_one_is_in_the_past(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice")
    await send(alice, id=1)
    page = await open_stage(open_page, server, "diagram")
    await until(lambda: has_row(page, "said"), "the event is drawn")
    await page.keyboard.press("ArrowLeft")
    await page.locator("#diagram").get_by_role("button", name="Close").click()
    await expect(page.locator(".diagram-body")).to_be_hidden()
    await expect(page.get_by_role("slider", name="Moment")).to_be_visible()
    await page.get_by_role("button", name="Live").click()
    await expect(page.get_by_role("slider", name="Moment")).to_be_hidden()

"""Watching a room on the log and the stage, while raw participants send."""

import asyncio
import itertools
from typing import Any
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.wire import Wire, until


async def send(wire: Wire, type: str = "order_placed", **data: Any) -> str:
    """Send an event and wait until it is stored; returns its id."""
    id = str(uuid4())
    await wire.send({"id": id, "type": type, "data": data})
    await wire.expect("broker.accepted", event=id)
    return id


async def open_log(open_page: OpenPage, server: Any, query: str = "", **options: Any) -> Page:
    return await is_open(await open_page(server, f"/log{query}", **options))


async def open_stage(open_page: OpenPage, server: Any, band: str = "", **options: Any) -> Page:
    """The stage, with one of the bands below its picture open."""
    path = f"/stage?band={band}" if band else "/stage"
    return await is_open(await open_page(server, path, **options))


async def hurry(page: Page) -> None:
    """Have everything fly twenty times as fast, where a test is about how it ends."""
    await page.evaluate(
        """() => {
          const speed = document.querySelector('input[name="speed"]');
          speed.value = '20';
          speed.dispatchEvent(new Event('change', { bubbles: true }));
        }"""
    )


async def show(page: Page, band: str) -> None:
    """Open a band of the stage, if it is not open."""
    body = page.locator("body")
    if await body.get_attribute("data-band") != band:
        await page.keyboard.press({"tools": "t", "diagram": "g", "table": "v"}[band])
    await expect(body).to_have_attribute("data-band", band)


#: Of the room, then each figure, the counter and the tray: the box around all that is seen of it.
BOXES = """() => {
  const tray = (one) => one.closest('.stage-tray');
  const boxed = (one) => [...one.querySelectorAll('*')]
    .filter((part) => part.checkVisibility({ opacityProperty: true }))
    .filter((part) => !tray(part) || tray(one))
    .map((part) => part.getBoundingClientRect()).filter(({ width }) => width);
  const figures = document.querySelectorAll('.stage-figure, .stage-counter, .stage-tray');
  const room = document.querySelector('.stage-room').getBoundingClientRect().toJSON();
  return [room, ...[...figures].map((one) => ({
    what: one.dataset.figure ?? one.className, role: one.dataset.role,
    left: Math.min(...boxed(one).map(({ left }) => left)),
    right: Math.max(...boxed(one).map(({ right }) => right)),
    top: Math.min(...boxed(one).map(({ top }) => top)),
    bottom: Math.max(...boxed(one).map(({ bottom }) => bottom)),
  }))];
}"""
LOADED = "document.readyState === 'complete' && performance.getEntriesByType('resource').length"


async def loaded(page: Page) -> None:
    """The page is there, and for half a second nothing more came."""

    async def quiet() -> bool:
        before = await page.evaluate(LOADED)
        await asyncio.sleep(0.5)
        return bool(before) and before == await page.evaluate(LOADED)

    await until(quiet, "the page is loaded")


async def figures_apart(page: Page) -> None:
    """Nobody lies on another, on the counter or outside, and nobody crosses to the other role."""

    async def still() -> Any:
        before = await page.evaluate(BOXES)
        await asyncio.sleep(0.2)
        return before if before == await page.evaluate(BOXES) else None

    room, *boxes = await until(still, "everyone stands still")
    middle = (room["left"] + room["right"]) / 2
    for box in boxes:
        assert room["left"] <= box["left"] and box["right"] <= room["right"], box
        assert room["top"] <= box["top"] and box["bottom"] <= room["bottom"], box
        assert box["role"] != "customer" or box["right"] < middle, box
        assert box["role"] != "confirmer" or box["left"] > middle, box
    for one, other in itertools.combinations(boxes, 2):
        apart = (
            one["right"] <= other["left"] + 1
            or other["right"] <= one["left"] + 1
            or one["bottom"] <= other["top"] + 1
            or other["bottom"] <= one["top"] + 1
        )
        assert apart, (one, other)

"""Watching a room on the log and the stage, while raw participants send."""

from typing import Any
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.wire import Wire


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


async def show(page: Page, band: str) -> None:
    """Open a band of the stage, if it is not open."""
    body = page.locator("body")
    if await body.get_attribute("data-band") != band:
        await page.keyboard.press({"tools": "t", "diagram": "g", "table": "v"}[band])
    await expect(body).to_have_attribute("data-band", band)

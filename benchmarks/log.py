"""How the log page fares with 100,000 events: frames, and how long its longest task computes.

A task's processor time is taken, not its duration: on a busy machine the page only waits. Prints a
line for an empty page, and one each for scrolling, jumping, filtering and following.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import FLAGS
from tests.process import Process

EVENTS = 100_000
ITEMS = ("espresso", "mint tea", "lemonade")
FRAMES = """() => {
  window.frames = [];
  let last = performance.now();
  const next = (now) => { frames.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""


async def fill(url: str, count: int) -> None:
    """Transaction so many orders in room main; a rare word stands in one of a thousand."""
    async with aiohttp.ClientSession() as http:
        query = "name=alice&types=nothing&echo=false"
        ws = await http.ws_connect(f"{url.replace('http', 'ws')}/ws?{query}")
        await ws.receive()
        for start in range(0, count, 500):
            for number in range(start, start + 500):
                note = "rare" if number % 1000 == 0 else "usual"
                data = {"id": number + 1, "item": ITEMS[number % 3], "note": note}
                await ws.send_json({"type": "order_placed", "data": data})
            for _ in range(500):
                await ws.receive()
        await ws.close()


async def measured(
    browser: Browser, page: Page, what: str, act: Callable[[], Awaitable[object]]
) -> None:
    """Do it, and print the 95th percentile of the frames and the longest task meanwhile."""
    await page.evaluate(FRAMES)
    await browser.start_tracing(page=page, categories=["devtools.timeline", "toplevel"])
    await act()
    trace = json.loads(await browser.stop_tracing())["traceEvents"]
    frames = sorted(await page.evaluate("frames.splice(0)"))
    names = [e for e in trace if e.get("name") == "thread_name"]
    main = {(e["pid"], e["tid"]) for e in names if e["args"]["name"] == "CrRendererMain"}
    tasks = [
        e.get("tdur", 0) / 1000
        for e in trace
        if e["name"].endswith("RunTask") and (e["pid"], e["tid"]) in main
    ]
    p95 = frames[int(len(frames) * 0.95)]
    print(f"{what:<34} p95 frame {p95:5.1f} ms, longest task computes {max(tasks):5.1f} ms")


async def run(url: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        empty = await browser.new_page()
        await measured(browser, empty, "an empty page", lambda: empty.wait_for_timeout(2000))
        await empty.close()
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        await page.goto(f"{url}/log")
        await page.wait_for_selector("[data-event]")
        await page.mouse.move(500, 500)

        async def wheel(way: int) -> None:
            for _ in range(200):
                await page.mouse.wheel(0, way * 1500)
                await page.wait_for_timeout(10)

        async def filter_by(text: str) -> None:
            await page.get_by_label("Text").fill(text)
            await page.wait_for_timeout(2000)

        grid = page.locator("#log-grid")
        await measured(browser, page, "scrolling down", lambda: wheel(1))
        await measured(browser, page, "to the oldest", lambda: grid.press("End"))
        await measured(browser, page, "scrolling up", lambda: wheel(-1))
        await measured(browser, page, "filtering for a rare word", lambda: filter_by("rare"))
        await measured(browser, page, "and for nothing again", lambda: filter_by(""))
        await measured(browser, page, "following 1,000 that come at once", lambda: fill(url, 1000))
        await browser.close()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Process(Path(folder), "--rate", "0") as server:
        await fill(server.url, EVENTS)
        await run(server.url)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""docs/connecting.md: its snippet runs, and pages may or may not connect as its table says.

So does the README's.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.wire import DEADLINE

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]


def snippet(page: str) -> str:
    """The first program for a browser's console on a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return str(re.findall(r"```js\n(.*?)```", text, re.DOTALL)[0])


SNIPPET = snippet("docs/connecting.md")
ADDRESS = "localhost:8080/ws?name=alice"


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


async def typed(tab: Page, address: str, lines: int) -> list[str]:
    """The first lines that the snippet writes on the console of this page, with this address."""
    said: asyncio.Queue[str] = asyncio.Queue()
    tab.on("console", lambda line: said.put_nowait(line.text) if line.type == "log" else None)
    await tab.evaluate(f"{SNIPPET.replace(ADDRESS, address)}\n0;")
    async with asyncio.timeout(DEADLINE):
        return [await said.get() for _ in range(lines)]


@pytest.mark.parametrize(
    ("page", "says"), [("file", "open"), ("lobby", "open"), ("about:blank", "no connection")]
)
async def test_the_snippet_says_on_each_page_what_the_table_says(
    tab: Page, server: Any, tmp_path: Path, page: str, says: str
) -> None:
    own = tmp_path / "own.html"
    own.write_text("<!doctype html><title>mine</title>", encoding="utf-8")
    await tab.goto({"file": own.as_uri(), "lobby": server.url}.get(page, page))
    (first,) = await typed(tab, f"localhost:{server.port}/ws?name=alice", 1)
    assert first.startswith(says)


@pytest.mark.parametrize(
    ("path", "word"), [("/ws?nmae=alice", "did you mean `name`?"), ("/socket", "wrong_path")]
)
async def test_a_page_hears_what_is_wrong_with_its_address(
    tab: Page, server: Any, path: str, word: str
) -> None:
    await tab.goto(server.url)
    opened, explained, closed = await typed(tab, f"localhost:{server.port}{path}", 3)
    assert opened == "open"
    assert word in explained
    assert closed.startswith("closed 4005")


async def test_the_snippet_of_the_readme_places_an_order(tab: Page, server: Any) -> None:
    await tab.goto(server.url)
    code = snippet("README.md").replace("localhost:8080", f"localhost:{server.port}")
    async with tab.expect_console_message(lambda line: '"order_placed"' in line.text):
        await tab.evaluate(f"{code}\n0;")

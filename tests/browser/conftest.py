"""A real Chromium. Whatever a page complains about, or loads from elsewhere, fails the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.nodes.conftest import nats, nodes, rooms  # noqa: F401 - fixtures
from tests.rooms import Address

FLAGS = [
    "--no-sandbox",  # continuous integration is root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: What Chromium says of a server that is gone: no fault of a page whose server was killed.
LOST_SERVER = ("WebSocket connection to ", "Failed to load resource: net::ERR_CONNECTION_")

Prepare = Callable[[Page], Awaitable[None]]


class OpenPage(Protocol):
    async def __call__(
        self,
        server: Address,
        path: str,
        *,
        prepare: Prepare | None = None,
        may_lose_server: bool = False,
        **options: Any,
    ) -> Page: ...


@pytest.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """`await open_page(server, "/log?room=main")`: a window of its own, as of another person.

    `prepare` is called with the page before it goes anywhere. With `may_lose_server` the page may
    fail to reach a server that is gone. `options` are those of a new context of Playwright.
    """
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    async def open_(
        server: Address,
        path: str,
        *,
        prepare: Prepare | None = None,
        may_lose_server: bool = False,
        **options: Any,
    ) -> Page:
        context = await browser.new_context(**options)
        contexts.append(context)
        host = urlsplit(server.url).netloc

        def on_console(message: ConsoleMessage) -> None:
            # A breach of the Content-Security-Policy is an error on the console, too.
            lost = may_lose_server and message.text.startswith(LOST_SERVER)
            if message.type == "error" and not lost:
                complaints.append(f"console: {message.text}")

        def on_address(address: str) -> None:
            url = urlsplit(address)
            if url.scheme not in ("data", "blob") and url.netloc != host:
                complaints.append(f"request: {address}")

        context.on("request", lambda request: on_address(request.url))
        context.on("console", on_console)
        context.on("weberror", lambda error: complaints.append(f"script: {error.error}"))
        page = await context.new_page()
        page.on("websocket", lambda socket: on_address(socket.url))
        if prepare:
            await prepare(page)
        await page.goto(server.url + path)
        return page

    yield open_
    for context in contexts:
        await context.close()
    assert complaints == []

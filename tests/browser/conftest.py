"""A real Chromium. Whatever a page complains about, or loads from elsewhere, fails the test."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    WebError,
    async_playwright,
    expect,
)

from tests.nodes.conftest import nats, nodes, rooms  # noqa: F401 - fixtures
from tests.rooms import Address
from tests.wire import DEADLINE

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

expect.set_options(timeout=DEADLINE * 1000)

Prepare = Callable[[Page], Awaitable[object]]


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


class Windows:
    """Windows of the browser, each as of another person.

    Chromium needs a second for a new one, so one that a test has left is emptied, and goes to the
    next that wants the same options.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[BrowserContext]] = defaultdict(list)

    async def take(self, options: dict[str, Any], *, new: bool) -> BrowserContext:
        """A window with these options; with `new` one that nobody ever had."""
        free = self._free[repr(options)]
        if free and not new:
            return free.pop()
        context = await self._browser.new_context(**options)
        context.set_default_timeout(DEADLINE * 1000)
        return context

    async def give_back(
        self, context: BrowserContext, options: dict[str, Any], origin: str
    ) -> None:
        """Nothing of the pages of this origin is left in it."""
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        for left in context.pages:
            if left is not page:
                await left.close()
        everything = {"origin": origin, "storageTypes": "all"}
        await devtools.send("Storage.clearDataForOrigin", everything)
        await context.clear_cookies()
        await page.close()
        self._free[repr(options)].append(context)


@pytest.fixture(scope="session")
async def windows(browser: Browser) -> Windows:
    return Windows(browser)


@pytest.fixture
async def open_page(windows: Windows) -> AsyncIterator[OpenPage]:
    """`await open_page(server, "/log?room=main")`: a window of its own, as of another person.

    `prepare` is called with the page before it goes anywhere. With `may_lose_server` the page may
    fail to reach a server that is gone. `options` are those of a new context of Playwright.
    """
    complaints: list[str] = []
    opened = contextlib.AsyncExitStack()

    async def open_(
        server: Address,
        path: str,
        *,
        prepare: Prepare | None = None,
        may_lose_server: bool = False,
        **options: Any,
    ) -> Page:
        context = await windows.take(options, new=prepare is not None)
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

        def on_request(request: Request) -> None:
            on_address(request.url)

        def on_error(error: WebError) -> None:
            complaints.append(f"script: {error.error}")

        context.on("request", on_request)
        context.on("console", on_console)
        context.on("weberror", on_error)

        async def leave() -> None:
            if prepare:  # what was prepared stays, so nobody else gets this window
                await context.close()
                return
            await windows.give_back(context, options, server.url)
            context.remove_listener("request", on_request)
            context.remove_listener("console", on_console)
            context.remove_listener("weberror", on_error)

        opened.push_async_callback(leave)
        page = await context.new_page()
        page.on("websocket", lambda socket: on_address(socket.url))
        if prepare:
            await prepare(page)
        await page.goto(server.url + path)
        return page

    async with opened:
        yield open_
    assert complaints == []

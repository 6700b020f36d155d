"""`orders serve --open`: the browser, and what is opened in it."""

from pathlib import Path

import aiohttp
import pytest

from tests.conftest import Start
from tests.wire import until


@pytest.mark.parametrize("flags", [(), ("--lan",)], ids=["alone", "for a class"])
async def test_the_browser_is_opened_on_the_lobby_or_before_a_class_on_the_hosts_stage(
    start: Start,
    http: aiohttp.ClientSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str, ...],
) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    start("--open", *flags)

    async def url() -> str:
        return opened.read_text().strip() if opened.exists() else ""

    found = await until(url, "the browser is opened")
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, too
    async with (
        aiohttp.ClientSession(cookie_jar=jar) as session,
        session.get(found) as answer,
    ):
        assert answer.status == 200
        assert answer.url.path == ("/stage" if flags else "/")
        assert 'data-host="true"' in await answer.text()

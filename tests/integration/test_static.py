"""What the pages load: compressed on its way, not sent twice, and nothing but it."""

import gzip
import os
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orders.web.static import Files

STATIC = Path(__file__).parents[2] / "static"
CSS = "ui/base.css"


async def test_a_file_is_sent_compressed_to_who_takes_that_and_plain_to_who_does_not(
    server: Any,
) -> None:
    whole = (STATIC / CSS).read_bytes()
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        for accepted, coding in (("gzip, br", "gzip"), ("identity", None)):
            headers = {"Accept-Encoding": accepted}
            async with http.get(f"{server.url}/static/{CSS}", headers=headers) as answer:
                assert answer.status == 200
                assert answer.headers.get("Content-Encoding") == coding
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert answer.content_type == "text/css"
                body = await answer.read()
                assert len(body) == int(answer.headers["Content-Length"])
            assert (gzip.decompress(body) if coding else body) == whole


async def test_what_a_browser_has_already_is_not_sent_again(
    server: Any, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{server.url}/static/{CSS}") as answer:
        tag = answer.headers["ETag"]
    for known, status in ((tag, 304), ('"another"', 200)):
        headers = {"If-None-Match": known}
        async with http.get(f"{server.url}/static/{CSS}", headers=headers) as answer:
            assert answer.status == status
            assert bool(await answer.read()) is (status == 200)


@pytest.mark.parametrize("path", ["", "ui", "ui/", "../pyproject.toml", "ui/nothing.css", "%00"])
async def test_nothing_but_a_file_of_ours_is_sent(
    server: Any, http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(f"{server.url}/static/{path}") as answer:
        assert answer.status == 404


async def test_a_page_names_every_module_that_it_will_import(
    server: Any, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{server.url}/stage") as answer:
        page = await answer.text()
    named = re.findall(r'<link rel="modulepreload" href="([^"]+)">', page)
    assert len(named) == len(set(named)) > 20
    assert {"/static/stage/flights/motion.js", "/static/vendor/lit-html/lit-html.js"} <= set(named)
    assert "/static/stage/diagram/save.js" not in named, "it is imported on demand"
    for module in named:
        async with http.get(server.url + module) as answer:
            assert answer.status == 200, module


async def test_what_every_page_wears_is_one_sheet_and_changes_with_each_of_its_files(
    tmp_path: Path,
) -> None:
    (tmp_path / "ui").mkdir()
    for name in ("tokens", "base"):
        (tmp_path / "ui" / f"{name}.css").write_text(f"{name}{{}}")
    files = Files(tmp_path)
    assert files.body("ui.css") == b"base{}\ntokens{}"
    (tmp_path / "ui" / "base.css").write_text("other{}")
    os.utime(tmp_path / "ui" / "base.css", ns=(0, 1))
    assert files.body("ui.css") == b"other{}\ntokens{}"


async def test_a_file_that_was_changed_is_sent_as_it_is_now(tmp_path: Path) -> None:
    from aiohttp.test_utils import make_mocked_request

    style = tmp_path / "own.css"
    style.write_text("a{}")
    files = Files(tmp_path)

    async def sent() -> tuple[bytes, str]:
        request = make_mocked_request("GET", "/own.css", match_info={"name": "own.css"})
        response = await files.send(request)
        assert isinstance(response.body, bytes)
        return response.body, response.headers["ETag"]

    before = await sent()
    style.write_text("b{}")
    os.utime(style, ns=(0, 1))
    after = await sent()
    assert (before[0], after[0]) == (b"a{}", b"b{}")
    assert before[1] != after[1]
    style.unlink()
    with pytest.raises(aiohttp.web.HTTPNotFound):
        await sent()

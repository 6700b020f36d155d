"""Installed from its wheel, away from its source, it serves every page, and Bob confirms."""

import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from compileall import compile_dir
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open, place, stands
from tests.process import Process

ROOT = Path(__file__).parents[2]
PAGES: tuple[str, ...] = ("/", "/customer", "/confirmer", "/log", "/stage", "/join", "/handout")
PAGES += ("/styleguide", "/exercises", "/board", "/starters", "/starters.zip")
#: What a browser insists on: it runs no script and takes no style sheet of another type.
KINDS = {".css": "text/css", ".js": "javascript", ".svg": "image/svg+xml"}

#: Where a text refers to another: attributes of HTML, url() in CSS, imports of JavaScript.
REFERENCES = (
    re.compile(r"""<(?:script|img|link|source|use)\b[^>]*?\b(?:src|href)="([^"]+)\""""),
    re.compile(r"""url\(["']?([^"')]+)["']?\)"""),
    re.compile(r"""^\s*(?:import|export)\b[^;"'(=]*?["']([./][^"']*\.js)["']""", re.MULTILINE),
)


#: Folders of which the wheel has every file.
WHEEL_HAS = ("orders", "templates", "static", "starters")


async def test_installed_elsewhere_it_serves_every_page_and_an_order_is_confirmed(
    tmp_path: Path, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    wheel = build(tmp_path)
    program = install(wheel, tmp_path / "venv")
    with Process(tmp_path, "--with-bot", program=(str(program),)) as server:
        fetched = await fetch_all(http, server.url)
        assert set(PAGES) <= set(fetched)
        assert sum(path.endswith(".woff2") for path in fetched) == 3
        alice = await is_open(await open_page(server, "/customer?name=alice", may_lose_server=True))
        await place(alice, {"item": "espresso"})
        await stands(alice, "alice/1", "confirmed")


def build(home: Path) -> Path:
    """The wheel, built from the sdist as an installer would; each has what it must, and no more."""
    made = [sys.executable, "-m", "hatchling", "build", "--directory", str(home)]
    subprocess.run([*made, "--target", "sdist"], cwd=ROOT, check=True, capture_output=True)
    (sdist,) = home.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(home, filter="data")
    (source,) = (path for path in home.iterdir() if path.is_dir())
    ours = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    missing = [name for name in ours.stdout.splitlines() if not (source / name).exists()]
    assert not missing, "an sdist is all that a clone is"
    subprocess.run([*made, "--target", "wheel"], cwd=source, check=True, capture_output=True)
    (wheel,) = home.glob("*.whl")
    expected = {
        name if name.startswith("orders/") else f"orders/{name}"
        for name in ours.stdout.splitlines()
        if name.startswith(tuple(f"{folder}/" for folder in WHEEL_HAS))
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected
    return wheel


def install(wheel: Path, home: Path) -> Path:
    """`orders`, from the wheel, in an environment of its own."""
    venv.create(home, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "--quiet"]
    pip += ["--no-compile", "--disable-pip-version-check", "--constraint", "constraints.txt"]
    subprocess.run([*pip, str(wheel)], cwd=ROOT, check=True, capture_output=True)
    (starters,) = home.glob("lib/*/site-packages/orders/starters")
    compile_dir(starters, quiet=1)  # pip does it to all, where it is not told otherwise
    return home / "bin/orders"


async def fetch_all(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """Fetch the pages, whatever they refer to, and so on; each must be there, and from here."""
    fetched: dict[str, str] = {}
    waiting = list(PAGES)
    while waiting:
        path = waiting.pop()
        if path in fetched:
            continue
        async with http.get(url + path) as answer:
            assert answer.status == 200, path
            kind = KINDS.get(Path(urlsplit(path).path).suffix, "")
            assert kind in answer.content_type, (path, answer.content_type)
            text = await answer.text() if answer.content_type[:4] in ("text", "imag") else ""
        fetched[path] = text
        for reference in (found for pattern in REFERENCES for found in pattern.findall(text)):
            if reference.startswith(("data:", "#")):
                continue
            target = urlsplit(urljoin(url + path, reference))
            assert f"{target.scheme}://{target.netloc}" == url, f"{path} loads {reference}"
            waiting.append(target.path + (f"?{target.query}" if target.query else ""))
    return fetched

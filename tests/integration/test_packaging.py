"""The wheel is whole: installed elsewhere, it serves every page and whatever the pages load."""

import re
import subprocess
import sys
import venv
from compileall import compile_dir
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest

from tests.process import Process

ROOT = Path(__file__).parents[2]
PAGES: tuple[str, ...] = (
    "/",
    "/customer",
    "/confirmer",
    "/log",
    "/stage",
    "/join",
    "/handout",
    "/styleguide",
)
PAGES += ("/exercises", "/board", "/starters", "/starters.zip")
#: What a browser insists on: it runs no script and takes no style sheet of another type.
KINDS = {".css": "text/css", ".js": "javascript", ".svg": "image/svg+xml"}

#: Where a text refers to another: attributes of HTML, url() in CSS, imports of JavaScript.
REFERENCES = (
    re.compile(r"""<(?:script|img|link|source|use)\b[^>]*?\b(?:src|href)="([^"]+)\""""),
    re.compile(r"""url\(["']?([^"')]+)["']?\)"""),
    re.compile(r"""^\s*(?:import|export)\b[^;"'(=]*?["']([./][^"']*\.js)["']""", re.MULTILINE),
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`orders`, installed from a wheel into a new environment."""
    home = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*build, str(home)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = home.glob("*.whl")
    venv.create(home / "venv", with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "venv/bin/python")]
    pip += ["install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--constraint", str(ROOT / "constraints.txt"), str(wheel)],
        cwd=home,
        check=True,
        capture_output=True,
    )
    (starters,) = home.glob("venv/lib/*/site-packages/orders/starters")
    compile_dir(starters, quiet=1)  # all would take long, and is what pip does else
    return home / "venv/bin/orders"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_installed_elsewhere_it_serves_every_page_and_all_that_they_load(
    installed: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with Process(tmp_path, program=(str(installed),)) as server:
        fetched = await fetch_all(http, server.url)
    assert set(PAGES) <= set(fetched)
    assert sum(path.endswith(".js") for path in fetched) > 5
    assert sum(path.endswith(".css") for path in fetched) > 2
    assert sum(path.endswith(".woff2") for path in fetched) == 3


def test_it_says_its_version(installed: Path, tmp_path: Path) -> None:
    from orders import __version__

    said = subprocess.run(
        [installed, "--version"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert __version__ in said.stdout


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

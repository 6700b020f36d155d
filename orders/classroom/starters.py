"""`/starters`: a program that does nothing yet in each language, as files and as one zip; and this
server's own wheel, for those who take its client."""

import asyncio
import base64
import hashlib
import importlib.metadata
import io
import re
import zipfile
from functools import cache
from pathlib import Path

from aiohttp import web

from orders import __version__
from orders.domain.envelope import is_room
from orders.errors import NotFound
from orders.web.app import folder
from orders.web.pages import shown
from orders.web.proxy import origin
from orders.web.turns import in_line

PACKAGE = Path(__file__).parent.parent
WHEEL = f"orders-{__version__}-py3-none-any.whl"
LEFT_OUT = {"__pycache__", "static", "templates", "starters"}
README = "README.md"
_ROW = re.compile(r"^\| `(.+?)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def install(app: web.Application) -> None:
    """Give the starters out."""
    app.router.add_get("/starters", page)
    app.router.add_get("/starters.zip", get_zip)
    app.router.add_get(f"/starters/{WHEEL}", get_wheel)
    app.router.add_get("/starters/{path:.+}", get_file)


def files(here: str, room: str) -> dict[str, str]:
    """The text of each by its path, with the address of this server, and of a room of yours."""
    top = folder("starters")
    return {
        path.relative_to(top).as_posix(): path.read_text(encoding="utf-8")
        .replace("ws://localhost:8080/ws?room=YOURS", f"ws{here[4:]}/ws?room={room}")
        .replace("http://SERVER/starters/orders.whl", f"{here}/starters/{WHEEL}")
        for path in sorted(top.rglob("*.*"))
        if path.suffix != ".pyc"  # pip compiles what it installs
    }


def _files(request: web.Request) -> dict[str, str]:
    here = str(origin(request)).rstrip("/")
    return files(here, _room(request) or "YOURS")


def _room(request: web.Request) -> str:
    """The room that is written into them, or nothing."""
    room = request.query.get("room", "")
    return room if is_room(room) else ""


async def page(request: web.Request) -> web.Response:
    """What each needs and how it is started, as their README has it."""
    texts = _files(request)
    starters = [
        {"name": name, "needs": needs, "start": start, "file": file}
        for name, needs, start in _ROW.findall(texts[README])
        for file in texts
        if file.startswith(f"{name}/")
    ]
    return shown(request, "starters", starters=starters, written=_room(request))


async def get_file(request: web.Request) -> web.Response:
    """One of them."""
    path = request.match_info["path"]
    text = _files(request).get(path)
    if text is None:
        raise NotFound("not_found", f"There is no starter {path[:60]}: /starters lists them.")
    response = web.Response(text=text, content_type="text/plain", charset="utf-8")
    if path.endswith(".html"):  # opened from the disk: a page of ours runs no script of its own
        response.headers["Content-Disposition"] = f'attachment; filename="{Path(path).name}"'
    return response


async def get_zip(request: web.Request) -> web.Response:
    """All of them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in _files(request).items():
            archive.writestr(f"starters/{path}", text)
    return web.Response(body=packed.getvalue(), content_type="application/zip")


@in_line
async def get_wheel(_: web.Request) -> web.Response:
    """The package that this server runs, without its pages."""
    return web.Response(body=await asyncio.to_thread(wheel), content_type="application/zip")


@cache
def wheel() -> bytes:
    """A wheel of this package; it brings the client, and the `orders` command."""
    held = importlib.metadata.distribution("orders")
    info = f"orders-{__version__}.dist-info"
    contents = {
        f"orders/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and not LEFT_OUT & set(path.relative_to(PACKAGE).parts)
    }
    for name in ("METADATA", "WHEEL", "entry_points.txt"):
        contents[f"{info}/{name}"] = (held.read_text(name) or "").encode()
    lines = []
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            lines.append(f"{path},sha256={digest},{len(content)}\n")
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", "".join(lines) + f"{info}/RECORD,,\n")
    return packed.getvalue()

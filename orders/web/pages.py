"""The pages: Jinja renders each whole, and one small module enlivens it.

Every page takes `?room=` and `?name=` and hands them on to the others. A wrong one is explained
on a page of its own (HTTP 400), for it was probably typed by hand.
"""

import io
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import aiohttp_jinja2
import segno
from aiohttp import web
from markupsafe import Markup
from yarl import URL

from orders.clock import rng
from orders.domain.confirming import REASONS
from orders.domain.envelope import is_name, is_room, nfc
from orders.domain.menu import MENU
from orders.domain.orders import MAX_NOTE, MAX_QUANTITY
from orders.errors import OrdersError, WrongParameter
from orders.web.keys import NODE, SERVER
from orders.web.proxy import origin

PAGES = {
    "lobby": "Lobby",
    "customer": "Customer",
    "confirmer": "Confirmer",
    "log": "Log",
    "stage": "Stage",
}
LINKED = ("join", "handout", "wire")
DEFAULT_NAMES = {"customer": "alice", "confirmer": "bob"}

# No letter that looks like another: a room's name is read out across a classroom.
_SAYABLE = "abcdefghjkmnpqrstuvwxyz23456789"
LONGEST_NAME = 32
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_HERE = URL("/")


def routes() -> list[web.RouteDef]:
    """The pages and the pictures that belong to them."""
    return [
        web.get("/", lobby),
        web.get("/own", own_room),
        *(web.get(f"/{page}", _page(page)) for page in PAGES if page != "lobby"),
        *(web.get(f"/{page}", _page(page)) for page in ("join", "handout", "styleguide")),
        web.get("/qr.svg", qr),
    ]


async def lobby(request: web.Request) -> web.Response:
    """Where everyone begins: a room, a name, a part; and the address for the others to join."""
    context = _context(request, "lobby")
    own = "own" in request.query
    name = context["name"] or "alice"
    here = origin(request)
    context |= {
        "own": own,
        "snippet_url": str(_socket(here).with_query(room=context["room"], name=name)),
        "partner_url": str(_link(here, "confirmer", context["room"], "bob")),
    }
    return _rendered(request, "lobby", context)


async def own_room(request: web.Request) -> web.Response:
    """Think of a room that nobody has, and go there."""
    room = "pair-" + "".join(rng.choice(_SAYABLE) for _ in range(4))
    name = _name_asked(request)
    query = {"room": room, **({"name": name} if name else {}), "own": ""}
    raise web.HTTPSeeOther(URL("/").with_query(query).with_fragment("own"))


async def qr(request: web.Request) -> web.Response:
    """The address of a room as a QR code, dark on light in either theme, as scanners like it."""
    drawn = _drawn(str(_joining(request, _room_asked(request))))
    return web.Response(body=drawn, content_type="image/svg+xml")


@lru_cache(100)
def _drawn(url: str) -> bytes:
    out = io.BytesIO()
    segno.make(url, error="m").save(
        out, kind="svg", border=2, dark="#16181d", light="#ffffff", xmldecl=False, omitsize=True
    )
    return out.getvalue()


def _page(page: str) -> Any:
    async def handler(request: web.Request) -> web.Response:
        return shown(request, page)

    return handler


def _context(request: web.Request, page: str) -> dict[str, Any]:
    """What every template may use besides the settings."""
    room, given = _room_asked(request), _name_asked(request)
    known = request.app[NODE].rooms.get(room)
    return _links(room, given) | {
        "page": page,
        "title": PAGES.get(page, page.capitalize()),
        "room": room,
        "last": known.state.last if known else None,
        "name": given or DEFAULT_NAMES.get(page, ""),
        "given_name": given,
        "join": _joining(request, room),
        "reachable": _addresses(request)[0].host not in _LOOPBACK,
        "socket": _socket(_addresses(request)[0]).with_query(_but_main(room)),
        "rules": {"menu": MENU, "max_quantity": MAX_QUANTITY, "max_note": MAX_NOTE},
        "reasons": REASONS,
    }


def shown(request: web.Request, page: str, **more: Any) -> web.Response:
    """A page of another part of the application: its template, and what it may use besides."""
    return _rendered(request, page, {**_context(request, page), **more})


def with_code(text: str) -> Markup:
    """A sentence as a page shows it: what stands in `backticks` is code."""
    code = Markup("<code>{}</code>")
    parts = text.split("`")
    return Markup("").join(code.format(one) if at % 2 else one for at, one in enumerate(parts))


def explained(request: web.Request, error: OrdersError) -> web.Response:
    """A refusal as a page, for a person who typed or followed an address."""
    asked = request.query.get("room", "")
    room = asked if is_room(asked) else "main"
    context = _links(room, "") | {
        "page": "error",
        "room": room,
        "name": "",
        "code": error.code,
        "message": error.message,
        "status": error.status,
    }
    return aiohttp_jinja2.render_template("pages/error.html", request, context, status=error.status)


def _links(room: str, name: str) -> dict[str, Any]:
    """The other pages, in the same room and under the same name."""
    return {
        "pages": list(PAGES.items()),
        "links": {page: _link(_HERE, page, room, name) for page in (*PAGES, *LINKED)},
        "alice": _link(_HERE, "customer", room, "alice"),
        "bob": _link(_HERE, "confirmer", room, "bob"),
    }


def _rendered(request: web.Request, page: str, context: Mapping[str, Any]) -> web.Response:
    response = aiohttp_jinja2.render_template(f"pages/{page}.html", request, context)
    response.enable_compression()
    return response


def _room_asked(request: web.Request) -> str:
    """The room of the query, or `main`."""
    room = request.query.get("room") or "main"
    if not is_room(room):
        raise WrongParameter(
            "invalid_room", "A room is 1 to 32 small letters, digits or hyphens, such as `pair-7`."
        )
    return room


def _name_asked(request: web.Request) -> str:
    """The name of the query, as it is on the wire; empty where there is none."""
    given = request.query.get("name", "")
    name = wire_name(given)
    if given and not is_name(name):
        raise WrongParameter("invalid_name", "A name has letters or digits, such as `alice`.")
    return name


def wire_name(name: str) -> str:
    """What a person is called on the wire: `Anna-Lena` for "Anna Lena".

    What is no letter, mark, digit, `-`, `_` or `.` becomes a hyphen; 32 characters are kept.
    """
    kept = "".join(one if one in "-_." or _is_in_name(one) else " " for one in nfc(name))
    return "-".join(kept.split())[:LONGEST_NAME].rstrip("-")


def _is_in_name(one: str) -> bool:
    category = unicodedata.category(one)
    return category[0] in "LM" or category == "Nd"


def _link(base: URL, page: str, room: str, name: str) -> URL:
    query = _but_main(room)
    if name:
        query["name"] = name
    return base.with_path("/" if page == "lobby" else f"/{page}").with_query(query)


def _socket(base: URL) -> URL:
    """Where a program connects."""
    return base.with_scheme("wss" if base.scheme == "https" else "ws").with_path("/")


def _but_main(room: str) -> dict[str, str]:
    """The room as a query; `main` goes without saying."""
    return {} if room == "main" else {"room": room}


def _addresses(request: web.Request) -> list[URL]:
    """Where others reach this server, best first: by the name this visitor used, if others can."""
    here = origin(request)
    known = [URL(url).origin() for url in request.app[SERVER].urls]
    reachable = [url for url in [here, *known] if url.host not in _LOOPBACK]
    return list(dict.fromkeys(reachable)) or [here]


def _joining(request: web.Request, room: str) -> URL:
    """The address for others to join a room: what is said aloud, and what the QR code holds."""
    return _link(_addresses(request)[0], "lobby", room, "")

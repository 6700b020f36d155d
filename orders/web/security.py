"""Who may come in, and who is the host.

`Host` must be an address of this machine or a name it was told: else a stranger's name that
points here (DNS rebinding) would make his page ours. `Origin` tells whose page is asking: ours
may do all, those of local development may join rooms, any other nothing.
"""

import asyncio
import hmac
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from itsdangerous import BadSignature, URLSafeSerializer

from orders.errors import Forbidden
from orders.network import own_addresses
from orders.web.keys import SERVER, SETTINGS, Server
from orders.web.marks import name_device
from orders.web.proxy import scheme

log = structlog.get_logger()

COOKIE = "orders_host"
COOKIE_AGE = 30 * 24 * 3600  # seconds
SLOWED = 1.0  # seconds until a wrong token is answered
MOST_SLOWED = 20  # wrong tokens that wait for their answer; more are refused at once
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def host_name(authority: str) -> str:
    """`localhost:8080` → `localhost`, `[::1]:8080` → `::1`; empty when it makes no sense."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a name or address means this machine itself."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_local(name: str) -> bool:
    """Loopback or a private address: where a student's own page may come from."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return is_loopback(name)
    return address.is_loopback or address.is_private or address.is_link_local


def own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.split(".")[0], f"{name.split('.')[0]}.local"}


def _knows_host(request: web.Request) -> bool:
    name = host_name(request.headers.get("Host", "")).lower()
    settings = request.app[SETTINGS]
    named = [*settings.allow_host, *([settings.address] if settings.address else [])]
    allowed = {host_name(host.lower()) for host in named}
    if is_loopback(name) or name in allowed or name in own_names():
        return True
    sockname = request.get_extra_info("sockname") or ("",)
    return name == sockname[0] or name in own_addresses()


def _origin(request: web.Request) -> str | None:
    """Whose page asks: `ours`, `local`, or None for a stranger's; no page at all is ours."""
    origin = request.headers.get("Origin")
    if origin is None:
        return "ours"
    if origin in ("null", "file://"):
        return "local"
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    if parts.netloc.lower() == request.headers.get("Host", "").lower():
        return "ours"
    if origin.rstrip("/") in {
        allowed.rstrip("/") for allowed in request.app[SETTINGS].allow_origin
    }:
        return "local"
    return "local" if _is_local(parts.hostname or "") else None


def check_stranger(request: web.Request) -> None:
    """Refuse a name that is not this server's, and the page of a stranger (HTTP 403)."""
    if not _knows_host(request):
        raise Forbidden(
            "foreign_host",
            f"This server is not called {request.headers.get('Host', '')[:80]!r}: use one of its"
            " addresses, or start it with --allow-host and that name.",
        )
    if _origin(request) is None:
        origin = request.headers["Origin"][:80].encode(errors="backslashreplace").decode()
        raise Forbidden(
            "foreign_origin",
            f"A page of {origin!r} may not come in: start the server with --allow-origin {origin}"
            " to allow it.",
        )


# ── the host ────────────────────────────────────────────────────────────────────────────────────


def is_host(request: web.Request) -> bool:
    """Whether this visitor holds the host's token, or need not, being alone on this machine."""
    if _origin(request) != "ours":
        return False
    server, settings = request.app[SERVER], request.app[SETTINGS]
    if server.is_loopback and not settings.proxy_headers and not settings.allow_host:
        return is_loopback(host_name(request.headers.get("Host", "")))
    return holds_token(request)


def holds_token(request: web.Request) -> bool:
    """Whether this visitor brings the host's token, or the cookie that was given for it."""
    server = request.app[SERVER]
    if (sent := _sent_token(request)) is not None and _is_token(sent, server.token):
        return True
    cookie = request.cookies.get(COOKIE, "").encode(errors="replace")
    try:
        return bool(_signer(server.token).loads(cookie) == "host")
    except BadSignature:
        return False


def _sent_token(request: web.Request) -> str | None:
    """What stands in `Authorization: Bearer …`."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else None


def _is_token(sent: str, token: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="replace"), token.encode())


def check_host(request: web.Request) -> None:
    """Refuse who is not the host (HTTP 403)."""
    if not is_host(request):
        raise Forbidden(
            "not_host",
            "Only the host may do this: open the host's URL, which the server printed at its"
            " start, or send its token as `Authorization: Bearer …`.",
        )


def _signer(token: str) -> URLSafeSerializer:
    return URLSafeSerializer(token, salt="host")


async def become_host(request: web.Request) -> web.StreamResponse:
    """`/host?token=…`, the URL printed at start: a signed cookie, and on to the stage."""
    server = request.app[SERVER]
    token = request.query.get("token", "")
    if not _is_token(token, server.token):
        await _slow_down(server)
        raise Forbidden(
            "not_host", "This is not the host's token: copy the whole URL printed at the start."
        )
    response = web.HTTPSeeOther("/stage")
    response.set_cookie(
        COOKIE,
        str(_signer(token).dumps("host")),
        httponly=True,
        samesite="Strict",
        secure=scheme(request) == "https",
        max_age=COOKIE_AGE,
    )
    raise response


async def admit(request: web.Request) -> None:
    """Refuse strangers; a wrong token in `Authorization` waits, whatever it was sent for."""
    check_stranger(request)
    sent, server = _sent_token(request), request.app[SERVER]
    if sent is not None and not _is_token(sent, server.token):
        await _slow_down(server)


async def _slow_down(server: Server) -> None:
    """Let nobody guess tokens quickly; a right one is never kept waiting."""
    log.warning("a wrong host token")
    if server.guesses >= MOST_SLOWED:
        return
    server.guesses += 1
    try:
        await asyncio.sleep(SLOWED)
    finally:
        server.guesses -= 1


# ── headers of every answer ─────────────────────────────────────────────────────────────────────


#: What a page of any origin that may join can read; `null` (a file) only one event, which is enough
#: to look up what an `id_conflict` names.
_is_readable = re.compile(r"/api/rooms/[^/]+(/.*)?").fullmatch
_is_event = re.compile(r"/api/rooms/[^/]+/events/[^/]+").fullmatch


def _admit_readers(request: web.Request, response: web.StreamResponse) -> None:
    """Let a student's own page read what needs no host (CORS), without credentials."""
    origin = request.headers.get("Origin")
    if origin is None or request.method != "GET" or _origin(request) is None:
        return
    may_read = _is_event if origin == "null" else _is_readable
    if may_read(request.path):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers.add("Vary", "Origin")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What keeps a page from running or loading what is not ours."""
    if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
        return
    policy = "default-src 'none'; frame-ancestors 'none'"
    if response.content_type == "text/html":  # with each of its thirty files it would weigh 7 KB
        port = request.app[SERVER].port
        own = " ".join(
            f"{kind}://{name}:{port}"
            for kind in ("ws", "http")
            for name in ("localhost", "127.0.0.1")
        )
        policy += (
            "; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:;"
            f" connect-src 'self' {own}; base-uri 'none'; form-action 'self'"
        )
        name_device(request, response)
    response.headers["Content-Security-Policy"] = policy
    _admit_readers(request, response)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if scheme(request) == "https" or is_loopback(host_name(request.host)):
        # elsewhere browsers ignore it, and complain about it on every page
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers.pop("Server", None)

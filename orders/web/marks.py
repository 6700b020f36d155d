"""By what a visitor is known again: hashes of its session, and of the device that our pages name.

What the host set for somebody follows these marks, see `broker.rules`. The address is none of
them: a whole class may share it.
"""

import re
from hashlib import blake2s

from aiohttp import web

from orders.clock import token
from orders.errors import Refused, counted

DEVICE = "orders_device"
SESSION_HEADER = "Orders-Session"
YEAR = 365 * 24 * 3600
_is_device = re.compile(r"[A-Za-z0-9_-]{16,64}").fullmatch


def session_of(request: web.Request) -> str | None:
    """The secret of a visitor's own: `session` of an upgrade, `Orders-Session` of a request."""
    header = request.headers.get(SESSION_HEADER)
    if header and not 16 <= len(header) <= 64:
        raise Refused(
            "wrong_request",
            f"`{SESSION_HEADER}` has {counted(len(header), 'character')}; it must be a secret of"
            " your own, of 16 to 64 characters.",
        )
    session = request.query.get("session") or header
    return session if session and 16 <= len(session) <= 64 else None


def marks_of(request: web.Request) -> list[str]:
    """The marks of a visitor; none for one that brings neither session nor device."""
    session, device = session_of(request), request.cookies.get(DEVICE, "")
    marks = [session_mark(session)] if session else []
    return [*marks, _mark("device", device)] if _is_device(device) else marks


def name_device(request: web.Request, response: web.StreamResponse) -> None:
    """Give a browser that opens a page a name of its own, unless it has one.

    The answer is being prepared: its cookies are among its headers already, so this one is added.
    """
    if not _is_device(request.cookies.get(DEVICE, "")):
        response.set_cookie(DEVICE, token(), httponly=True, samesite="Lax", max_age=YEAR)
        response.headers.add("Set-Cookie", response.cookies[DEVICE].OutputString())


def session_mark(session: str) -> str:
    """The mark of a session."""
    return _mark("session", session)


def _mark(kind: str, secret: str) -> str:
    return blake2s(f"{kind}:{secret}".encode(), digest_size=12).hexdigest()

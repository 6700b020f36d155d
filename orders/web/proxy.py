"""What a proxy in front says about a visitor; believed only with `--proxy-headers`.

Without that setting anyone could write these headers, and claim to be anyone.
"""

from aiohttp import web
from yarl import URL

from orders.web.keys import SETTINGS


def visitor(request: web.Request) -> str:
    """The visitor's address: the one that the proxy next to us added, which comes last."""
    said = _said(request, "X-Forwarded-For")
    return said.rpartition(",")[2].strip() or request.remote or ""


def scheme(request: web.Request) -> str:
    """`https` if the visitor speaks TLS, to us or to the proxy in front; else `http`."""
    said = _said(request, "X-Forwarded-Proto").lower()
    return said if said in ("http", "https") else request.scheme


def origin(request: web.Request) -> URL:
    """This server as the visitor calls it: `https://orders.example`."""
    here = request.url.with_scheme(scheme(request))
    # the port is the proxy's: it stands in `Host`, or is the usual one of the scheme
    return here.with_port(URL(f"//{request.host}").explicit_port).origin()


def _said(request: web.Request, header: str) -> str:
    if not request.app[SETTINGS].proxy_headers:
        return ""
    return ",".join(request.headers.getall(header, ()))

"""The web application: routes, what runs around each of them, and how a refusal is answered."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp_jinja2
import jinja2
import structlog
from aiohttp import web

from orders import __version__
from orders.clock import now_ms
from orders.errors import Close, OrdersError
from orders.server import Node
from orders.settings import Settings
from orders.web import api, bots, health, host, pages, publishing, records, security, socket
from orders.web.asyncapi import document
from orders.web.keys import HOLDS, NODE, SERVER, SETTINGS, Server
from orders.web.observe import FEEDS, Feeds, observe
from orders.web.proxy import scheme
from orders.web.query import however_ended
from orders.web.static import FILES, Files
from orders.web.turns import ADMISSION, LINE, Admission, Line

_PACKAGE = Path(__file__).parent.parent
log = structlog.get_logger()


def folder(name: str) -> Path:
    """`templates` or `static`: within the installed package, or beside it in a checkout."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def build(node: Node, settings: Settings, server: Server) -> web.Application:
    """The application around a node; the node runs as long as it does."""
    app = web.Application(client_max_size=settings.max_message)
    app[NODE], app[SETTINGS], app[SERVER] = node, settings, server
    app[FILES] = Files(folder("static"))
    app[socket.CONNECTIONS], app[socket.TURN] = {}, asyncio.Lock()
    app[ADMISSION], app[LINE] = Admission(), Line(shared=node.engine.shared)
    sockets: list[security.Handler] = [socket.socket, observe]
    app[socket.SOCKETS] = sockets
    app[socket.OPENED], app[FEEDS] = [], Feeds()
    app[publishing.PUBLISHERS] = publishing.Publishers(settings.rate, settings.burst)
    app[bots.BOTS], app[HOLDS] = bots.Bots(), []
    app[health.REGISTRY] = health.registry(node)
    app.router.add_routes(
        [
            *pages.routes(),
            *however_ended(*api.routes(), *publishing.routes(), *records.routes(), *host.routes()),
            web.get("/ws", socket.socket),
            web.get("/observe/{room}", observe),
            web.get("/host", security.become_host),
            web.get("/asyncapi.json", asyncapi),
            web.get("/healthz", health.healthz),
            web.get("/readyz", health.readyz),
            web.get("/metrics", health.metrics),
            app[FILES].route("/static"),
        ]
    )
    app.on_response_prepare.append(security.add_headers)
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(folder("templates")),
        autoescape=True,
        context_processors=[_context],
        filters={"with_code": pages.with_code},
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # within what `setup` put around each request: a refusal may be shown as a page, too
    pages_end_as_they_like = web.normalize_path_middleware(append_slash=False, remove_slash=True)
    app.middlewares.extend([explain_refusals, lead_upgrades, pages_end_as_they_like])
    app.on_shutdown.append(_say_goodbye)
    app.cleanup_ctx.append(_node)
    app.cleanup_ctx.append(bots.ending_bots)
    app.cleanup_ctx.append(socket.heart)
    return app


async def _node(app: web.Application) -> AsyncIterator[None]:
    async with app[NODE].running():
        yield


async def _say_goodbye(app: web.Application) -> None:
    app[NODE].say_goodbye()
    for connection in [*app[socket.CONNECTIONS]]:  # observers' as well
        connection.close(Close.GOING_AWAY, "the server is going down")


async def _context(request: web.Request) -> dict[str, object]:
    return {
        "settings": request.app[SETTINGS],
        "version": __version__,
        "host": security.is_host(request),
        "modules": request.app[FILES].modules,
        "now": now_ms,
    }


async def asyncapi(request: web.Request) -> web.Response:
    return api.answer(document(request.app[SETTINGS], request.host, scheme(request)))


@web.middleware
async def explain_refusals(request: web.Request, handler: security.Handler) -> web.StreamResponse:
    """Every refusal in its stable shape: JSON for programs, a page for people."""
    try:
        await request.app[ADMISSION].turn(request)
        await security.admit(request)
        return await handler(request)
    except OrdersError as error:
        return _refusal(request, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _refusal(request, _explained(request, error))
    except ConnectionError:
        raise  # the client went away: aiohttp knows what to do
    except OSError as error:  # anybody may ask again and again: the log would be full of it
        why = f"This machine cannot do it now ({error.strerror or error}): try again in a moment."
        return _refusal(request, OrdersError("system_failed", why, status=503))
    except Exception:
        log.exception("request failed", path=request.path)
        failure = OrdersError("internal_error", "Something went wrong here: it is in the log.")
        return _refusal(request, failure)


def _explained(request: web.Request, error: web.HTTPException) -> OrdersError:
    """aiohttp's own refusals, in our words."""
    limit = request.app[SETTINGS].max_message
    code, message = {
        404: ("not_found", f"There is nothing at {request.path[:80]}: begin at /."),
        405: ("wrong_method", f"{request.method} makes no sense at {request.path[:80]}."),
        413: ("too_large", f"A message is at most {limit} bytes: send less at once."),
    }.get(error.status, ("wrong_request", (error.text or error.reason)[:200]))
    return OrdersError(code, message, status=error.status)


def _refusal(request: web.Request, error: OrdersError) -> web.StreamResponse:
    is_page = "text/html" in request.headers.get("Accept", "")
    if is_page and not request.path.startswith("/api/"):
        return pages.explained(request, error)
    return api.answer({"error": {"code": error.code, "message": error.message}}, error.status)


@web.middleware
async def lead_upgrades(request: web.Request, handler: security.Handler) -> web.StreamResponse:
    """`new WebSocket('ws://localhost:8080')` works as well as /ws; elsewhere none is answered."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        if request.path == "/":
            return await socket.socket(request)
        if (
            request.method == "GET"
            and request.match_info.handler not in request.app[socket.SOCKETS]
        ):
            return await socket.wrong_path(request)
    return await handler(request)

"""What the handlers find in the application, typed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from orders.broker.room import Room
from orders.server import Node
from orders.settings import Settings


@dataclass(slots=True)
class Server:
    """Where the server is reached. `urls`: every address, best first; no slash at the end."""

    port: int = 0
    url: str = ""
    host_url: str = ""
    urls: list[str] = field(default_factory=list)
    token: str = ""
    is_loopback: bool = True
    guesses: int = 0  # wrong tokens that wait for their answer


NODE = web.AppKey("node", Node)
SETTINGS = web.AppKey("settings", Settings)
SERVER = web.AppKey("server", Server)
#: Asked before the host lets events of a room go; each may refuse.
HOLDS: web.AppKey[list[Callable[[Room], Awaitable[None]]]] = web.AppKey("holds")

"""The HTTP side of a server, as its clients ask it."""

from typing import Any

import aiohttp
from yarl import URL

from orders.errors import NotFound, Refused


def room_url(server: URL, room: str, path: str = "", **query: str) -> URL:
    """The address of something in a room's API."""
    parts = (part for part in ("api", "rooms", room, *path.split("/")) if part)
    return server.joinpath(*parts).with_query(query)


async def fetch(http: aiohttp.ClientSession, url: URL) -> dict[str, Any]:
    """The object that the server answers.

    Raises `Refused` (`NotFound` for a 404) as the server explains it, and `aiohttp.ClientError`
    when there is no sensible answer now but may be later.
    """
    async with http.get(url) as response:
        if response.status >= 500:
            response.raise_for_status()
        answer = await response.json()
    if response.status < 400:
        return dict(answer)
    refusal = answer.get("error", {}) if isinstance(answer, dict) else {}
    kind = NotFound if response.status == 404 else Refused
    raise kind(refusal.get("code", "refused"), refusal.get("message", f"HTTP {response.status}."))

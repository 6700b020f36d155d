"""Which server is meant, and how long to stay away from it."""

import re
from typing import NamedTuple

from yarl import URL

from orders.clock import rng
from orders.domain.envelope import is_room
from orders.errors import Close, Refused

DEFAULT_URL = "http://localhost:8080"
LONGEST_PAUSE = 10.0  # seconds between two attempts to come back

#: Where a WebSocket is, and what else a browser shows: their room is in the query.
WS = ("", "ws")
PLACES = (
    *WS,
    *("board", "confirmer", "customer", "exercises", "handout", "host", "join", "log", "own"),
    *("stage", "starters", "wire"),
)
#: What a WebSocket takes besides these, and a client sets itself.
_NOT_HERE = ("ack", "after", "echo", "heartbeat", "prefetch", "quiet", "session", "types")
_WITH_ROOM = re.compile(r"(?:observe|api/rooms|api/exercises)/([^/]+)(?:/.*)?")

#: How long to stay away after these closes: at least, at most, in seconds.
_AWAY = {
    Close.GOING_AWAY: (0.0, 5.0),
    Close.TOO_MANY: (10.0, 12.0),
    Close.FULL: (30.0, 40.0),
}


class Address(NamedTuple):
    """The origin of a server, such as `http://localhost:8080`; the room that a page of it names,
    and the name in the address of a WebSocket."""

    server: URL
    room: str | None = None
    name: str | None = None


def understood(address: str) -> Address:
    """An address as people write it, or copy it from a browser.

    `localhost:8080`, `ws://localhost:8080/ws` and `http://localhost:8080/log?room=main` are one
    server. `Refused` where the text is no such address, or says something that is not read here.
    """
    text = address.strip()
    try:
        url = URL(text if "://" in text else f"http://{text}")
        scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
        server = URL.build(scheme=scheme, host=url.host or "", port=url.explicit_port)
    except ValueError:
        scheme = ""
    if scheme not in ("http", "https") or not url.host:
        raise Refused(
            "wrong_url",
            f"{address[:80]!r} is no address of a server: give one such as {DEFAULT_URL}.",
        )
    place, room, name = url.path.strip("/"), url.query.get("room"), url.query.get("name")
    if found := _WITH_ROOM.fullmatch(place):
        return Address(server, found[1])
    if place not in PLACES:
        meant = room or place.rpartition("/")[2]
        raise Refused(
            "wrong_url",
            f"Nothing of Orders is at `{url.path[:80]}`, so it names no room: give the address of a"
            f" page, such as {server}/?room={meant if is_room(meant) else 'pair-7'}.",
        )
    if unread := next((key for key in url.query if key in _NOT_HERE), None):
        raise Refused(
            "wrong_url",
            f"`{unread}` in an address is not read here: leave it out, and give it as an argument,"
            ' such as types="order_placed".',
        )
    return Address(server, room or None, name or None if place in WS else None)


def pause_before(attempt: int, close_code: int | None = None) -> float:
    """Seconds to wait before this attempt (1, 2, …) to come back: growing, and never the same.

    All who lost their connection at once would otherwise come back at once, and again.
    """
    if close_code in _AWAY:
        return rng.uniform(*_AWAY[Close(close_code)])
    return rng.uniform(0.05, min(LONGEST_PAUSE, 0.25 * 2 ** min(attempt, 10)))

"""Which server is meant, and how long to stay away from it."""

from yarl import URL

from orders.clock import rng
from orders.errors import Close, Refused

DEFAULT_URL = "http://localhost:8080"
LONGEST_PAUSE = 10.0  # seconds between two attempts to come back

#: How long to stay away after these closes: at least, at most, in seconds.
_AWAY = {
    Close.GOING_AWAY: (0.0, 5.0),
    Close.TOO_MANY: (10.0, 12.0),
    Close.FULL: (30.0, 40.0),
}


def server_url(address: str) -> URL:
    """The origin of a server, from any way to write its address or that of one of its pages.

    `localhost:8080`, `ws://localhost:8080/ws` and `http://localhost:8080/log?room=main` are one
    server: `http://localhost:8080`. `Refused` where the text is no such address.
    """
    text = address if "://" in address else f"http://{address}"
    try:
        url = URL(text)
        scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
        if scheme in ("http", "https") and url.host:
            return URL.build(scheme=scheme, host=url.host, port=url.explicit_port)
    except ValueError:
        pass
    raise Refused(
        "wrong_url", f"{address[:80]!r} is no address of a server: give one such as {DEFAULT_URL}."
    )


def room_in(address: str) -> str | None:
    """The room that the address of a page names, if it names one."""
    return URL(address).query.get("room") if "?" in address else None


def pause_before(attempt: int, close_code: int | None = None) -> float:
    """Seconds to wait before this attempt (1, 2, …) to come back: growing, and never the same.

    All who lost their connection at once would otherwise come back at once, and again.
    """
    if close_code in _AWAY:
        return rng.uniform(*_AWAY[Close(close_code)])
    return rng.uniform(0.05, min(LONGEST_PAUSE, 0.25 * 2 ** min(attempt, 10)))

"""What a proxy says about a visitor is believed if the server was told so, and only then."""

from typing import Any

import pytest
from aiohttp import web

from orders.web import proxy, security
from tests.unit.test_security import request

BEHIND = {"proxy_headers": True, "allow_host": ("orders.example",)}
OPEN = {"allow_host": ("orders.example",)}


def asked(settings: dict[str, Any], host: str = "orders.example", **headers: str) -> web.Request:
    return request(host, settings=settings, **headers)


def test_the_visitors_address_is_the_one_that_the_nearest_proxy_added() -> None:
    claimed = {"X_Forwarded_For": "6.6.6.6, 203.0.113.7"}
    assert proxy.visitor(asked(BEHIND, **claimed)) == "203.0.113.7"
    stranger = asked(OPEN, **claimed)
    assert proxy.visitor(stranger) == (stranger.remote or "")


@pytest.mark.parametrize(
    ("host", "said", "origin"),
    [
        ("orders.example", "https", "https://orders.example"),
        ("orders.example:8443", "https", "https://orders.example:8443"),
        ("orders.example", "http", "http://orders.example"),
        ("orders.example", "gopher", "http://orders.example"),
        ("[::1]:8080", "https", "https://[::1]:8080"),
    ],
)
def test_pages_name_the_server_as_the_visitor_calls_it(host: str, said: str, origin: str) -> None:
    assert str(proxy.origin(asked(BEHIND, host, X_Forwarded_Proto=said))) == origin


def test_a_visitors_own_word_for_tls_counts_for_nothing_without_a_proxy() -> None:
    assert str(proxy.origin(asked(OPEN, X_Forwarded_Proto="https"))) == "http://orders.example"


@pytest.mark.parametrize(("settings", "kept"), [(BEHIND, True), (OPEN, False)])
async def test_behind_tls_the_hosts_cookie_travels_over_tls_alone(
    settings: dict[str, Any], kept: bool
) -> None:
    visit = request(
        "orders.example",
        settings=settings,
        path="/host?token=a-token-of-the-host",
        X_Forwarded_Proto="https",
    )
    with pytest.raises(web.HTTPSeeOther) as seen:
        await security.become_host(visit)
    assert seen.value.cookies[security.COOKIE]["secure"] is kept

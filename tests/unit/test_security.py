"""Who may come in, and who is the host: by `Host`, `Origin`, token and cookie."""

import socket
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from orders.errors import Forbidden
from orders.network import own_addresses
from orders.settings import Settings
from orders.web import security
from orders.web.keys import SERVER, SETTINGS, Server

TOKEN = "a-token-of-the-host"
OURS = "localhost:8080"
LAN = {"lan": True}


def request(
    host: str | None = OURS,
    *,
    settings: dict[str, Any] | None = None,
    path: str = "/",
    **headers: str,
) -> web.Request:
    """A request to a server with these settings; header names with `_` for `-`."""
    chosen = Settings(_env_file=None, host_token=TOKEN, **(settings or {}))
    app = web.Application()
    app[SETTINGS] = chosen
    app[SERVER] = Server(port=8080, token=TOKEN, is_loopback=not chosen.lan)
    sent = {"Host": host} if host is not None else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    transport = Mock()
    transport.get_extra_info.side_effect = {"sockname": ("127.0.0.1", 8080)}.get
    return make_mocked_request("GET", path, headers=sent, app=app, transport=transport)


def comes_in(request: web.Request) -> bool:
    try:
        security.check_stranger(request)
    except Forbidden:
        return False
    return True


# ── Host ────────────────────────────────────────────────────────────────────────────────────────

KNOWN_HOSTS = [
    "localhost",
    "localhost:8080",
    "LOCALHOST:8080",
    "localhost.:8080",
    "127.0.0.1:8080",
    "127.9.9.9",
    "[::1]:8080",
    "orders.localhost:8080",
    f"{socket.gethostname()}:8080",
    "school.example",
]
UNKNOWN_HOSTS = [
    "",
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evillocalhost",
    "localhost@evil.example",
    "8.8.8.8",
    "[2001:db8::1]:8080",
    "[::1",
    "school.example.evil.example",
    "2130706433",
]


@pytest.mark.parametrize("host", KNOWN_HOSTS)
def test_an_address_of_this_machine_or_a_name_it_was_told_comes_in(host: str) -> None:
    assert comes_in(request(host, settings={"allow_host": ("school.example",)}))


@pytest.mark.parametrize("host", [*UNKNOWN_HOSTS, None])
def test_any_other_name_does_not_and_is_told_the_setting(host: str | None) -> None:
    foreign = request(host, settings={"allow_host": ("school.example",)})
    with pytest.raises(Forbidden, match="--allow-host") as refused:
        security.check_stranger(foreign)
    assert refused.value.code == "foreign_host"


def test_every_own_address_comes_in() -> None:
    for address in own_addresses():
        host = f"[{address}]" if ":" in address else address
        assert comes_in(request(f"{host}:8080")), address


# ── Origin ──────────────────────────────────────────────────────────────────────────────────────

ALLOWED = {"allow_origin": ("https://school.example/",)}

#: origin → whose page that is: ours may do all, a local one may join, a stranger's may nothing
ORIGINS = {
    None: "ours",
    f"http://{OURS}": "ours",
    f"http://{OURS.upper()}": "ours",
    "null": "local",
    "file://": "local",
    "http://localhost:5500": "local",
    "http://127.0.0.1:3000": "local",
    "http://[::1]:3000": "local",
    "http://192.168.1.7:5500": "local",
    "http://10.0.0.1": "local",
    "http://[fd00::1]": "local",
    "http://[fe80::1]": "local",
    "http://[::ffff:192.168.1.7]": "local",
    "https://school.example": "local",
    "https://evil.example": None,
    "http://school.example": None,
    "https://school.example:444": None,
    "https://school.example.evil.example": None,
    "http://localhost.evil.example": None,
    "http://8.8.8.8": None,
    "http://[::ffff:8.8.8.8]": None,
    "http://[::ffff:808:808]": None,
    "http://[2001:4860:4860::8888]": None,
    "http://192.168.1.7.evil.example": None,
    "http://evil.example#http://localhost": None,
    "http://localhost@evil.example": None,
    "http://[::1": None,
    "nonsense": None,
    "": None,
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_whose_page_asks_decides_whether_it_comes_in_and_may_act_as_the_host(
    origin: str | None,
) -> None:
    asked = request(settings=ALLOWED, **({} if origin is None else {"Origin": origin}))
    assert comes_in(asked) is (ORIGINS[origin] is not None)
    assert security.is_host(asked) is (ORIGINS[origin] == "ours")


def test_the_page_of_a_stranger_is_told_the_setting_that_would_let_it_in() -> None:
    with pytest.raises(Forbidden, match=r"--allow-origin https://evil\.example") as refused:
        security.check_stranger(request(Origin="https://evil.example"))
    assert refused.value.code == "foreign_origin"


# ── the host ────────────────────────────────────────────────────────────────────────────────────

BEARER = {"Authorization": f"Bearer {TOKEN}"}
COOKIE = {"Cookie": f"{security.COOKIE}={security._signer(TOKEN).dumps('host')!s}"}

#: (settings, Host, headers) → is it the host?
HOSTS: list[tuple[dict[str, Any], str, dict[str, str], bool]] = [
    ({}, "localhost:8080", {}, True),
    ({}, "127.0.0.1", {}, True),
    ({}, "[::1]:8080", {}, True),
    ({}, socket.gethostname(), {}, False),
    ({"proxy_headers": True}, "localhost:8080", {}, False),
    ({"proxy_headers": True}, "localhost:8080", BEARER, True),
    ({"allow_host": ("school.example",)}, "localhost:8080", {}, False),
    ({"allow_host": ("school.example",)}, "school.example", COOKIE, True),
    (LAN, "localhost:8080", {}, False),
    (LAN, "192.168.1.7:8080", {}, False),
    (LAN, "192.168.1.7:8080", BEARER, True),
    (LAN, "192.168.1.7:8080", {"Authorization": f"bearer {TOKEN}"}, True),
    (LAN, "192.168.1.7:8080", COOKIE, True),
    (LAN, "192.168.1.7:8080", {"Authorization": f"Basic {TOKEN}"}, False),
    (LAN, "192.168.1.7:8080", {"Authorization": "Bearer wrong"}, False),
    (LAN, "192.168.1.7:8080", {"Authorization": "Bearer "}, False),
    (LAN, "192.168.1.7:8080", {"Authorization": "Bearer"}, False),
    (LAN, "192.168.1.7:8080", {"Authorization": "Bearer ü"}, False),
    (LAN, "192.168.1.7:8080", {"Cookie": f"{security.COOKIE}={TOKEN}"}, False),
    (LAN, "192.168.1.7:8080", {"Cookie": f"{security.COOKIE}="}, False),
    (LAN, "192.168.1.7:8080", BEARER | {"Origin": "http://10.0.0.1:5500"}, False),
    (LAN, "192.168.1.7:8080", COOKIE | {"Origin": "null"}, False),
    (LAN, "192.168.1.7:8080", COOKIE | {"Origin": "http://192.168.1.7:8080"}, True),
    ({}, "localhost:8080", {"Origin": "http://localhost:5500"}, False),
    ({}, "localhost:8080", {"Origin": "null"}, False),
    ({}, "localhost:8080", {"Origin": "http://127.0.0.1:8080"}, False),
]


@pytest.mark.parametrize(("settings", "host", "headers", "expected"), HOSTS)
def test_the_host_is_who_holds_the_token_or_is_alone_on_this_machine(
    settings: dict[str, Any], host: str, headers: dict[str, str], expected: bool
) -> None:
    asked = request(host, settings=settings, **headers)
    assert security.is_host(asked) is expected
    if not expected:
        with pytest.raises(Forbidden) as refused:
            security.check_host(asked)
        assert refused.value.code == "not_host"


async def test_the_printed_url_gives_a_cookie_that_only_this_token_signs() -> None:
    with pytest.raises(web.HTTPSeeOther) as answer:
        await security.become_host(request(settings=LAN, path=f"/host?token={TOKEN}"))
    morsel = answer.value.cookies[security.COOKIE]
    assert (morsel["httponly"], morsel["samesite"]) == (True, "Strict")
    holder = {"Cookie": f"{security.COOKIE}={morsel.value}"}
    assert security.is_host(request("192.168.1.7", settings=LAN, **holder))
    forged = security._signer("another-token").dumps("host")
    assert not security.is_host(request(settings=LAN, Cookie=f"{security.COOKIE}={forged!s}"))
    assert TOKEN not in morsel.value


@pytest.mark.usefixtures("guesses_at_once")
@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%ED%A0%80", "?x=1"])
async def test_another_token_makes_nobody_the_host(query: str) -> None:
    with pytest.raises(Forbidden, match="not the host's token"):
        await security.become_host(request(settings=LAN, path=f"/host{query}"))

"""Bytes that no browser sends, in every header that is read: refused, and nothing fails."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Serve
from tests.wire import DEADLINE, Wire

UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
BAD_KEY = UPGRADE.replace(b"dGhl", b"\xff")
OURS = b"Host: localhost:%d\r\n"

#: request line, headers → status, code
REQUESTS: dict[str, tuple[bytes, bytes, int, str]] = {
    "an origin": (b"GET /", OURS + b"Origin: http://\xff.example\r\n", 403, "foreign_origin"),
    "half an origin": (b"GET /", OURS + b"Origin: http://[::1\r\n", 403, "foreign_origin"),
    "a host": (b"GET /", b"Host: \xff.example\r\n", 403, "foreign_host"),
    "half a host": (b"GET /", b"Host: [::1\r\n", 403, "foreign_host"),
    "a token": (
        b"POST /api/rooms/main/pause",
        OURS + b"Authorization: Bearer \xff\r\n",
        403,
        "not_host",
    ),
    "a cookie": (
        b"POST /api/rooms/main/pause",
        OURS + b"Cookie: orders_host=\xff.x\r\n",
        403,
        "not_host",
    ),
    "a token in the URL": (b"GET /host?token=%ff", OURS, 403, "not_host"),
    "a room": (b"GET /api/rooms/%ff", OURS, 404, "unknown_room"),
    "a key": (b"GET /ws", OURS + BAD_KEY, 400, "wrong_upgrade"),
    "a version": (b"GET /ws", OURS + UPGRADE.replace(b"13", b"12"), 400, "wrong_upgrade"),
    "a parameter": (b"GET /ws?room=%ff", OURS, 400, "wrong_parameter"),
    "the name of a parameter": (b"GET /ws?%ff=a", OURS, 400, "wrong_parameter"),
}


@pytest.fixture(autouse=True)
def _no_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.INFO)
    yield
    assert [r.getMessage() for r in caplog.get_records("call") if r.exc_info] == []


async def ask(port: int, line: bytes, headers: bytes) -> tuple[int, bytes]:
    """Send a request as it is; the status and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if b"%d" in headers:
        headers %= port
    writer.write(line + b" HTTP/1.1\r\nConnection: close\r\n" + headers + b"\r\n")
    async with asyncio.timeout(DEADLINE):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()
    writer.close()
    return int(head.split()[1]), body


@pytest.mark.usefixtures("guesses_at_once")
@pytest.mark.parametrize("name", REQUESTS)
async def test_what_makes_no_sense_in_a_head_is_refused_in_words(serve: Serve, name: str) -> None:
    line, headers, status, code = REQUESTS[name]
    async with serve(lan=True, journal="memory") as server:
        got, body = await ask(server.port, line, headers)
        assert (got, json.loads(body)["error"]["code"]) == (status, code)


@pytest.mark.parametrize("name", ["an origin", "half an origin", "a host"])
async def test_a_person_with_a_browser_is_shown_a_page_that_says_why(
    serve: Serve, name: str
) -> None:
    line, headers, status, _ = REQUESTS[name]
    async with serve(lan=True, journal="memory") as server:
        got, body = await ask(server.port, line, headers + b"Accept: text/html\r\n")
        assert got == status
        assert b"<html" in body
        assert b"--allow-" in body


@pytest.mark.parametrize("path", ["events?format=csv", "orders", "export?format=html"])
async def test_what_is_streamed_has_no_body_for_head(server: Any, alice: Wire, path: str) -> None:
    await alice.publish("order_placed", id=1)
    reader, writer = await asyncio.open_connection("localhost", server.port)
    for line in (f"HEAD /api/rooms/main/{path}", "GET /healthz"):
        writer.write(f"{line} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    after = await reader.readuntil(b"\r\n")
    assert after == b"HTTP/1.1 200 OK\r\n", "the next answer, and nothing before it"
    writer.close()

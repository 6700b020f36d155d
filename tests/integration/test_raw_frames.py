"""What each bad frame and each bad upgrade gets, sent over a plain socket.

Frames and requests are read by aiohttp: where it is more lenient or stricter than the standard, the
row says so, and docs/contract.md has it under "Known exceptions".
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import Come, Connect, Serve, Start
from tests.process import Process
from tests.raw import BINARY, CLOSE, PING, PONG, TEXT, Raw, close, frame, upgrade
from tests.rooms import Room
from tests.wire import until

GOOD = '{"type": "tick", "data": {"text": "é"}}'.encode()
AT_E = GOOD.index("é".encode()) + 1  # in the middle of a character
CLOSED_1002, CLOSED_1007, CLOSED_1009 = ([f"close {code}", "end"] for code in (1002, 1007, 1009))

FRAMES: dict[str, tuple[bytes, list[str]]] = {
    "a good event": (frame(TEXT, GOOD), ["accepted"]),
    "not masked (aiohttp takes it)": (frame(TEXT, GOOD, masked=False), ["accepted"]),
    "its size in more bytes than needed (aiohttp takes it)": (
        frame(TEXT, GOOD, size_bytes=8),
        ["accepted"],
    ),
    "nothing": (frame(TEXT), ["error malformed_json"]),
    "binary": (frame(BINARY, GOOD), ["error binary_frame"]),
    "a ping": (frame(PING, b"hey"), ["pong hey"]),
    "a pong that nobody asked for": (frame(PONG, b"hey"), []),
    "a ping too large": (frame(PING, b"x" * 126), CLOSED_1002),
    "a ping in pieces": (frame(PING, b"hey", fin=False), CLOSED_1002),
    "in three pieces": (
        frame(TEXT, GOOD[:5], fin=False) + frame(0, GOOD[5:9], fin=False) + frame(0, GOOD[9:]),
        ["accepted"],
    ),
    "in two pieces, a ping between them": (
        frame(TEXT, GOOD[:5], fin=False) + frame(PING, b"hey") + frame(0, GOOD[5:]),
        ["pong hey", "accepted"],
    ),
    "in two pieces, cut within a character": (
        frame(TEXT, GOOD[:AT_E], fin=False) + frame(0, GOOD[AT_E:]),
        ["accepted"],
    ),
    "in thousands of pieces": (
        frame(TEXT, GOOD[:5], fin=False) + frame(0, fin=False) * 5000 + frame(0, GOOD[5:]),
        ["accepted"],
    ),
    "a second piece without a first": (frame(0, GOOD), CLOSED_1002),
    "a new message within another": (
        frame(TEXT, GOOD[:5], fin=False) + frame(TEXT, GOOD),
        CLOSED_1002,
    ),
    "the first reserved bit, of a compression never agreed on": (
        frame(TEXT, GOOD, reserved=4),
        CLOSED_1002,
    ),
    "the second reserved bit": (frame(TEXT, GOOD, reserved=2), CLOSED_1002),
    "the third reserved bit": (frame(TEXT, GOOD, reserved=1), CLOSED_1002),
    "an opcode that nobody knows": (frame(3, GOOD), CLOSED_1002),
    "a control opcode that nobody knows": (frame(11), CLOSED_1002),
    "not UTF-8": (frame(TEXT, b'{"type": "\xff"}'), CLOSED_1007),
    "half a character, in UTF-8 that there is none of": (
        frame(TEXT, b'{"type": "\xed\xa0\x80"}'),
        CLOSED_1007,
    ),
    "too large": (frame(TEXT, b"x" * 65537), CLOSED_1009),
    "too large in pieces": (
        frame(TEXT, b"x" * 40_000, fin=False) + frame(0, b"x" * 40_000),
        CLOSED_1009,
    ),
    "it says that it is a terabyte": (frame(TEXT, size=2**40), CLOSED_1009),
    "it says that it is larger than any": (frame(TEXT, size=2**64 - 1), CLOSED_1009),
    "a close": (frame(CLOSE), ["close 1000", "end"]),
    "a close with a code": (close(4999), ["close 1000", "end"]),
    "a close with half a code": (frame(CLOSE, b"x"), CLOSED_1002),
    "a close with a code that is none": (close(999), CLOSED_1002),
    "a close with a code that is never sent": (close(1005), CLOSED_1002),
    "a close with a code beyond all (aiohttp takes it)": (close(5000), ["close 1000", "end"]),
    "a close whose reason is not UTF-8": (close(1000, b"\xff"), CLOSED_1007),
    "a close too large": (close(1000, b"x" * 124), CLOSED_1002),
    "an event after a close": (close(1000) + frame(TEXT, GOOD), ["close 1000", "end"]),
    "HTTP where frames should be": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", CLOSED_1002),
}


@pytest.fixture
def server(start: Start) -> Iterator[Process]:
    """A real process, in whose log nothing may stand but a line that a request was malformed."""
    server = start("--rate", "0")
    yield server
    assert "Traceback" not in server.log
    assert server.log.count("Error handling request") <= 3, server.log


async def joined(raw: Raw, **query: str) -> Raw:
    """Upgraded and welcome."""
    words = "&".join(f"{name}={value}" for name, value in query.items())
    await raw.send(upgrade(f"/ws?{words}"))
    assert await raw.status() == 101
    assert await raw.said() == ["welcome"]
    return raw


async def test_each_frame_gets_what_it_must_and_disturbs_nobody(
    server: Process, come: Come, http: aiohttp.ClientSession
) -> None:
    neighbour = await come(server, name="neighbour")

    async def one(row: str) -> list[str]:
        async with Raw.open(server.port) as raw:
            await joined(raw, echo="false", types="order_rejected", name="raw")
            await raw.send(FRAMES[row][0])
            return await raw.said()

    got = {row: await one(row) for row in FRAMES}
    assert got == {row: expected for row, (_, expected) in FRAMES.items()}

    await neighbour.fence()
    accepted = sum("accepted" in expected for _, expected in FRAMES.values())
    assert len(neighbour.heard) == 1 + accepted + 1
    assert len(await Room(http, server).log()) == accepted
    await Room(http, server).lacks("raw")


async def test_a_frame_that_never_ends_keeps_nobody_waiting(
    server: Process, connect: Connect
) -> None:
    async with Raw.open(server.port) as raw:
        await joined(raw, name="raw")
        whole = frame(TEXT, GOOD)
        await raw.send(whole[: len(whole) // 2])
        bob = await connect(server, name="bob")
        await bob.send(GOOD.decode())
        await bob.expect("broker.accepted")
        await raw.send(whole[len(whole) // 2 :])
        words = await raw.said()
        assert words.count("accepted") == 1


async def test_frames_sent_along_with_the_upgrade_are_heard(server: Process) -> None:
    async with Raw.open(server.port) as raw:
        await raw.send(upgrade("/ws?echo=false").encode() + frame(TEXT, GOOD))
        assert await raw.status() == 101
        assert (await raw.said())[:2] == ["welcome", "accepted"]


GET = {"Upgrade": "", "Connection": "keep-alive"}
BODY = {**GET, "method": "POST", "path": "/api/rooms/main/events"}


def request(body: bytes = b"", /, **parts: str) -> bytes:
    return upgrade(**parts).encode("latin-1") + body


UPGRADES: dict[str, tuple[bytes, int]] = {
    "a good one": (request(), 101),
    "a compression offered, and not taken": (
        request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"),
        101,
    ),
    "at the root": (request(path="/?name=alice"), 101),
    "with POST": (request(method="POST"), 405),
    "with POST at the root": (request(method="POST", path="/"), 400),
    "with PUT at the root": (request(method="PUT", path="/"), 400),
    "over HTTP/1.0": (request(version="1.0"), 400),
    "over an HTTP that there is none of": (request(version="9.9"), 400),
    "without Connection": (request(Connection=""), 400),
    "to something else": (request(Upgrade="h2c"), 400),
    "without a key": (request(Sec_WebSocket_Key=""), 400),
    "with a key too short": (request(Sec_WebSocket_Key="abc"), 400),
    "in an old version (aiohttp takes it)": (request(Sec_WebSocket_Version="8"), 101),
    "in a version of the future": (request(Sec_WebSocket_Version="14"), 400),
    "in two versions": (request(Sec_WebSocket_Version="13, 8"), 400),
    "without Host": (request(Host=""), 400),
    "with two hosts": (request(X="y\r\nHost: evil.example"), 400),
    "with a foreign host": (request(Host="evil.example"), 403),
    "with a host that is half an address": (request(Host="[::1"), 403),
    "with a host of no known bytes": (request(Host="\xff\xfe"), 403),
    "from a stranger's page": (request(Origin="https://evil.example"), 403),
    "from a page that is half an address": (request(Origin="http://[::1"), 403),
    "from a page of no known bytes": (request(Origin="http://\xff"), 403),
    "from a stranger that is called like us": (
        request(Origin="http://localhost.evil.example"),
        403,
    ),
    "with an unknown subprotocol": (request(Sec_WebSocket_Protocol="mqtt"), 101),
    "with a subprotocol of no known bytes": (request(Sec_WebSocket_Protocol="\xff"), 101),
    "with a body": (request(b"hello", Content_Length="5"), 400),
    "with a body of two lengths": (
        request(Content_Length="5", Transfer_Encoding="chunked"),
        400,
    ),
    "with a negative length": (request(Content_Length="-1"), 400),
    "with a header too large": (request(X="x" * 9000), 400),
    "with an address too long": (request(path="/ws?name=" + "a" * 9000), 400),
    "with thousands of headers": (request(X="y\r\nX: y" * 2000), 400),
    "with a header that is none": (request(X="y\r\nnonsense"), 400),
    "with a folded header": (request(X="y\r\n z"), 400),
    "with U+0000 in a header": (request(X="a\0b"), 400),
    "with a method that is none": (request(method="G=T"), 400),
    "with an expectation that is none": (request(Expect="nonsense"), 417),
    "with lines that end otherwise": (request().replace(b"\r\n", b"\n") + b"\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 60 + b"\r\n\r\n", 400),
    "a file outside": (request(path="/static/%2e%2e/%2e%2e/pyproject.toml", **GET), 404),
    "a page of no known bytes": (request(path="/%ff%00", **GET), 404),
    "a room of no known bytes": (request(path="/api/rooms/%ff%00", **GET), 404),
    "a limit behind zeros": (request(path="/api/rooms/main/events?limit=0009999999", **GET), 400),
    "a body that says it is compressed": (
        request(b"abc", Content_Encoding="gzip", Content_Length="3", **BODY),
        400,
    ),
    "a body not UTF-8": (request(b"\xff\xfe\xfd", Content_Length="3", **BODY), 400),
    "a body too large": (request(b"x" * 65537, Content_Length="65537", **BODY), 413),
    "a chunk that is none": (request(b"ZZ\r\n\r\n", Transfer_Encoding="chunked", **BODY), 400),
    "a bearer of no known bytes": (
        request(b"", path="/api/rooms/main", Authorization="Bearer \xff", **GET),
        200,
    ),
    "a cookie of no known bytes": (
        request(path="/", Cookie="orders_host=\xff", **GET),
        200,
    ),
}


async def test_each_upgrade_and_request_gets_the_status_it_must_and_no_participant(
    server: Process, http: aiohttp.ClientSession
) -> None:
    async def one(data: bytes) -> int:
        async with Raw.open(server.port) as raw:
            await raw.send(data)
            return await raw.status()

    got = {row: await one(data) for row, (data, _) in UPGRADES.items()}
    assert got == {row: status for row, (_, status) in UPGRADES.items()}

    async def empty() -> bool:
        return not await Room(http, server).names()

    await until(empty, "nobody is left in the room")


@pytest.mark.usefixtures("guesses_at_once")
async def test_under_lan_headers_of_no_known_bytes_make_no_host_and_no_error(serve: Serve) -> None:
    async with serve(lan=True, host_token="a-token-for-the-test") as server:
        act = {**GET, "method": "POST", "path": "/api/rooms/main/pause"}
        for header in ({"Authorization": "Bearer \xff"}, {"Cookie": "orders_host=\xff\xfe"}):
            async with Raw.open(server.port) as raw:
                await raw.send(request(**act, **header))
                assert await raw.status() == 403


async def test_a_body_that_goes_wrong_or_breaks_off_later_leaves_no_trace(
    server: Process, http: aiohttp.ClientSession
) -> None:
    begun = request(b"2\r\n{}\r\n", Transfer_Encoding="chunked", **BODY)
    for piece in (b"ZZ\r\n", b"3\r\nabcdef\r\n", b""):
        async with Raw.open(server.port) as raw:
            await raw.send(begun)
            await Room(http, server).get()  # by now the server has read the beginning
            await raw.send(piece)
            await Room(http, server).get()
    assert await Room(http, server).log() == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_of_those_who_send_as_fast_as_they_can_little_is_read_ahead(start: Start) -> None:
    server, many = start(), 60
    async with contextlib.AsyncExitStack() as stack:
        raws = [await stack.enter_async_context(Raw.open(server.port)) for _ in range(many)]
        for number, raw in enumerate(raws):
            await raw.join_deaf(f"n{number}")
        before = _peak(server)
        sending = [asyncio.create_task(raw.send(frame(TEXT) * 60_000)) for raw in raws]
        async with Raw.open(server.port) as neighbour:
            await neighbour.join_deaf("neighbour")
            for _ in range(5):  # meanwhile it has read all that it would
                await neighbour.said()
        grown = _peak(server) - before
        for task in sending:
            task.cancel()
    assert grown < many * 400, f"{grown / many:.0f} KiB of each"


def _peak(server: Process) -> int:
    """The most memory that a server ever took, in KiB."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])

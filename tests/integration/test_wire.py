"""The wire: what a viewer is told of a connection, who may look, and that nothing stays behind."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from yarl import URL

from orders.classroom.wire_shown import GUID
from orders.classroom.wire_tap import KEPT, Taps
from orders.server import Node
from tests.conftest import Come, Connect, Serve
from tests.raw import PONG, TEXT, Raw, frame
from tests.wire import DEADLINE

SESSION = "a-secret-of-alice-0123456789"


class Viewer:
    """Somebody who looks at a wire; `frames` has all that was shown, `told` the rest."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.frames: list[dict[str, Any]] = []
        self.told: dict[str, Any] = {}
        self.skipped = 0

    @classmethod
    async def look(
        cls, http: aiohttp.ClientSession, server: Any, name: str, **query: str
    ) -> "Viewer":
        url = URL(server.url).with_scheme("ws") / "observe" / "main" / "wire" / name
        return cls(await http.ws_connect(url.with_query(query)))

    async def hear(self) -> None:
        said = json.loads((await self.ws.receive(DEADLINE)).data)
        self.frames += said.pop("frames", [])
        self.skipped += said.pop("skipped", 0)
        self.told |= said

    async def until(self, **told: Any) -> None:
        """Until it was told that."""
        while not told.items() <= self.told.items():
            await self.hear()

    async def frame(self, **wanted: Any) -> dict[str, Any]:
        """The first frame like that."""
        while True:
            for one in self.frames:
                if wanted.items() <= one.items():
                    return one
            await self.hear()


async def test_the_handshake_is_told_in_steps_and_every_frame_both_ways(
    server: Any, http: aiohttp.ClientSession, connect: Connect
) -> None:
    viewer = await Viewer.look(http, server, "alice")
    await viewer.until(state="waiting")
    alice = await connect(server, name="alice", session=SESSION)
    await viewer.until(state="open", whole=True, name="alice", reads=True)
    request, answer = viewer.told["request"], viewer.told["response"]
    assert request["line"] == "GET /ws?name=alice&session=••• HTTP/1.1"
    headers = dict(request["headers"])
    assert (headers["Upgrade"], headers["Sec-WebSocket-Version"]) == ("websocket", "13")
    steps = viewer.told["accept"]
    digest = hashlib.sha1((headers["Sec-WebSocket-Key"] + GUID).encode()).digest()
    assert steps["sha1"] == digest.hex()
    assert answer["line"] == "HTTP/1.1 101 Switching Protocols"
    said = dict(answer["headers"])["Sec-WebSocket-Accept"]
    assert said == steps["accept"] == base64.b64encode(digest).decode()

    await alice.send({"type": "order_placed", "data": {"id": 5}})
    welcome = await viewer.frame(number=1)
    assert welcome["from"] == "server" and not welcome["masked"] and welcome["form"] == 16
    assert json.loads(welcome["text"])["type"] == "broker.welcome"
    order = await viewer.frame(**{"from": "client", "kind": "text"})
    assert order["masked"] and order["fin"] and order["form"] == 7
    key, raw = bytes.fromhex(order["key"]), bytes.fromhex(order["raw"])
    plain = bytes(byte ^ key[at % 4] for at, byte in enumerate(raw))
    assert plain.hex() == order["plain"] and plain.decode() == order["text"]
    assert json.loads(order["text"]) == {"type": "order_placed", "data": {"id": 5}}

    await alice.ws.ping(b"there?")
    assert (await viewer.frame(kind="ping", text="there?"))["from"] == "client"
    assert (await viewer.frame(kind="pong", text="there?"))["from"] == "server"
    await alice.ws.close(code=1000, message=b"bye")
    closing = await viewer.frame(**{"kind": "close", "from": "client"})
    assert closing["close"]["code"] == 1000 and closing["close"]["reason"] == "bye"
    assert (await viewer.frame(**{"kind": "close", "from": "server"}))["close"]["code"] == 1000
    await viewer.until(state="closed")
    await viewer.until(state="waiting")


async def test_who_begins_to_look_within_a_frame_sees_from_the_next_one_on(
    server: Any, http: aiohttp.ClientSession
) -> None:
    async with Raw.open(server.port) as alice:
        await alice.join_deaf("alice")
        order = frame(TEXT, b'{"type": "order_placed", "data": {"id": 5}}')
        await alice.send(order[:11])
        viewer = await Viewer.look(http, server, "alice")
        await viewer.until(state="open", whole=False, name="alice", reads=False)
        ping = await viewer.frame(kind="ping")
        await alice.send(order[11:] + order)
        accepted = {"from": "server", "kind": "text"}
        while [one["from"] for one in viewer.frames].count("server") < 3:
            await viewer.frame(**accepted, number=len(viewer.frames) + 1)
        assert {one["from"] for one in viewer.frames} == {"server"}
        await alice.send(frame(PONG, b"not this one") + frame(PONG, bytes.fromhex(ping["raw"])))
        await viewer.until(reads=True)
        await alice.send(order)
        read = await viewer.frame(**{"from": "client", "kind": "text"})
        assert [one["kind"] for one in viewer.frames if one["from"] == "client"][:2] == [
            "pong",
            "text",
        ]
        assert json.loads(read["text"])["data"] == {"id": 5}


async def test_a_student_sees_itself_and_nobody_else(
    serve: Serve, http: aiohttp.ClientSession, come: Come
) -> None:
    async with serve(lan=True) as server:
        await come(server, name="alice", session=SESSION)
        await come(server, name="bob", session=f"{SESSION}-bob")
        own = await Viewer.look(http, server, "ALICE", session=SESSION)
        await own.until(state="open", name="alice")
        for name, query in (
            ("bob", {"session": SESSION}),
            ("alice", {}),
            ("alice", {"session": "x" * 16}),
        ):
            other = await Viewer.look(http, server, name, **query)
            await other.until(type="broker.error")
            assert other.told["data"]["code"] == "not_yours" and other.told["data"]["message"]
            assert "request" not in other.told and other.frames == []
            assert (await other.ws.receive(DEADLINE)).data == 4005
        url = URL(server.url).with_scheme("ws") / "observe/main/wire/bob"
        host = Viewer(
            await http.ws_connect(url, headers={"Authorization": f"Bearer {server.token}"})
        )
        await host.until(state="open", name="bob")
        # somebody else who gets the name later is somebody else
        late = await Viewer.look(http, server, "carol", session=SESSION)
        await late.until(state="waiting")
        await come(server, name="carol", session=f"{SESSION}-carol")
        await late.until(type="broker.error")
        assert late.told["data"]["code"] == "not_yours"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Taps]:
    """The taps of each server that is started from here on."""
    made: list[Taps] = []

    def make(node: Node) -> Taps:
        made.append(Taps(node))
        return made[-1]

    monkeypatch.setattr("orders.classroom.wire.Taps", make)
    return made


async def comes(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not true():
            await asyncio.sleep(0.01)


async def test_with_the_last_viewer_the_tap_is_gone_and_the_connection_as_it_was(
    made: list[Taps], serve: Serve, http: aiohttp.ClientSession, come: Come
) -> None:
    async with serve() as server:
        (taps,) = made
        alice = await come(server, name="alice")
        await come(server, name="bob")
        assert taps.taps == {}
        first = await Viewer.look(http, server, "alice")
        await first.until(reads=True)
        second = await Viewer.look(http, server, "alice")
        await second.until(reads=True)
        waits = await Viewer.look(http, server, "nobody")
        await waits.until(state="waiting")
        (connection,) = taps.taps
        assert "tap" in type(connection.transport).__module__
        await first.ws.close()
        await alice.send("one more")
        error = {"from": "server", "kind": "text", "number": 4}  # after ping, pong and ours
        assert "malformed_json" in (await second.frame(**error))["text"]
        assert (await second.frame(**{"from": "client", "kind": "text"}))["text"] == "one more"
        await second.ws.close()
        await comes(lambda: not taps.taps)
        for plain in (connection.transport, connection.transport.get_protocol()):
            assert "tap" not in type(plain).__module__
        assert connection.ws._writer is not None
        assert connection.ws._writer.transport is connection.transport
        assert len(await alice.fence()) == 0  # it goes on
        await waits.ws.close()
        await comes(lambda: not taps.awaited)


async def test_a_new_connection_that_is_not_the_one_waited_for_is_tapped_no_longer(
    made: list[Taps], serve: Serve, http: aiohttp.ClientSession, come: Come, monkeypatch: Any
) -> None:
    monkeypatch.setattr("orders.classroom.wire_tap.EXPECTED", 0.05)
    async with serve() as server:
        (taps,) = made
        viewer = await Viewer.look(http, server, "alice")
        await viewer.until(state="waiting")
        await come(server, name="bob")
        assert taps.taps == {}
        guest = await come(server)
        await comes(lambda: not taps.taps)
        assert len(await guest.fence()) == 0


async def test_a_flood_is_shown_as_far_as_anybody_could_read_it(
    made: list[Taps], serve: Serve, http: aiohttp.ClientSession, come: Come
) -> None:
    async with serve(rate=0) as server:
        (taps,) = made
        alice = await come(server, name="alice", types="nothing")
        viewer = await Viewer.look(http, server, "alice")
        await viewer.until(reads=True)
        for number in range(3 * KEPT):
            await alice.send(f"{number} " + "x" * 3000)
        for _ in range(3 * KEPT):
            await alice.expect("broker.error")
        await alice.send("done")
        await viewer.frame(text="done")
        ((_, tap),) = taps.taps.items()
        assert len(tap.frames) == KEPT
        assert viewer.skipped + len(viewer.frames) == viewer.frames[-1]["number"]
        numbers = [one["number"] for one in viewer.frames]
        assert numbers == sorted(set(numbers))
        large = next(one for one in viewer.frames if one["from"] == "client" and one["cut"])
        assert large["cut"] == large["length"] - len(bytes.fromhex(large["raw"]))


async def test_a_name_that_changes_and_a_wrong_one(
    server: Any, http: aiohttp.ClientSession, connect: Connect
) -> None:
    viewer = await Viewer.look(http, server, "guest-1")
    await viewer.until(state="waiting")
    guest = await connect(server)
    await viewer.until(state="open", whole=True, name="guest-1")
    await guest.send("Hello Server!")
    assert (await viewer.frame(**{"from": "client"}))["text"] == "Hello Server!"
    await guest.send({"type": "order_placed", "source": "alice", "data": {"id": 5}})
    await viewer.until(name="alice")
    wrong = await Viewer.look(http, server, "a b")
    await wrong.until(type="broker.error")
    assert wrong.told["data"]["code"] == "invalid_name"

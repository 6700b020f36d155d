"""The teacher's hand holds: mute, kick and lock through reloads, resets and restarts; rooms end."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Come, Connect, Serve
from tests.rooms import Room
from tests.wire import Wire, until

SESSION = "a-session-of-alice"
OTHER = "a-session-of-somebody"


async def refused(wire: Wire) -> tuple[str, int]:
    """The code that a connection was refused with, and the one it was closed with."""
    code = str((await wire.expect("broker.error"))["data"]["code"])
    return code, await wire.close_code()


async def is_muted(wire: Wire) -> bool:
    await wire.send({"type": "tick", "data": {}})
    while True:
        said = await wire.next()
        if said["type"] in ("broker.accepted", "broker.error"):
            return bool(said["type"] == "broker.error" and said["data"]["code"] == "muted")


async def test_a_mute_follows_name_and_session_through_reloads_resets_and_restarts(
    serve: Serve, connect: Connect, come: Come, http: aiohttp.ClientSession
) -> None:
    async with serve() as server:
        alice = await come(server, name="Alice", session=SESSION)
        room = Room(http, server)
        await room.act("/participants/alice/mute")
        await alice.expect("broker.notice", code="muted")
        assert await is_muted(alice)
        again = await connect(server, name="Alice", session=SESSION)
        assert await is_muted(again), "a reload does not lift it"
        await room.act("/reset")
        assert await is_muted(again), "nor does a new beginning"
        renamed = await connect(server, name="bella", session=SESSION)
        assert await is_muted(renamed), "nor another name"
        await renamed.ws.close()

        async def is_alone() -> bool:
            return await room.names() == []

        await until(is_alone, "she has left")
        spelled = await connect(server, name="aLICE", session=OTHER)
        assert await is_muted(spelled), "nor another spelling"
        headers = {"Orders-Session": SESSION}
        url = f"{server.url}/api/rooms/main/events"
        async with http.post(url, json={"type": "tick", "data": {}}, headers=headers) as answer:
            host_is_never_muted = answer.status
        assert host_is_never_muted in (201, 403), "on this machine everyone is the host"
        assert (await room.get())["muted"] == ["alice"]
    async with serve() as server:
        room = Room(http, server)
        alice = await connect(server, name="ALICE", session=OTHER)
        assert await is_muted(alice), "nor does a restart"
        await room.act("/participants/alice/unmute")
        await alice.expect("broker.notice", code="unmuted")
        assert not await is_muted(alice)


async def test_one_who_was_kicked_stays_out_until_that_is_lifted(
    serve: Serve, connect: Connect, come: Come, http: aiohttp.ClientSession
) -> None:
    async with serve() as server:
        room = Room(http, server)
        bob = await come(server, name="bob", session=SESSION)
        await room.act("/participants/bob/kick")
        assert await bob.close_code() == 4003
        assert await refused(await connect(server, name="BOB")) == ("kicked", 4003)
        assert await refused(await connect(server, session=SESSION)) == ("kicked", 4003)
        await come(server, name="carol")
    async with serve() as server:
        room = Room(http, server)
        assert await refused(await connect(server, name="bob")) == ("kicked", 4003)
        async with http.delete(f"{server.url}/api/rooms/main/kicked/Bob") as answer:
            assert answer.status == 200
        bob = await come(server, name="bob", session=SESSION)
        async with http.delete(f"{server.url}/api/rooms/main/kicked/Bob") as answer:
            assert answer.status == 404


async def test_one_who_left_or_only_posts_is_reached_as_well(
    serve: Serve, connect: Connect, come: Come, http: aiohttp.ClientSession
) -> None:
    async with serve(lan=True) as server:
        http.headers["Authorization"] = f"Bearer {server.token}"
        room = Room(http, server)
        ghost = await come(server, name="ghost", session=SESSION)
        await ghost.ws.close()

        async def has_left() -> bool:
            return await room.names() == []

        await until(has_left, "it is gone before the teacher acts")
        await room.act("/participants/ghost/kick")
        assert await refused(await connect(server, name="other", session=SESSION)) == (
            "kicked",
            4003,
        )
        url = f"http://127.0.0.1:{server.port}/api/rooms/main/events"

        async def post(name: str) -> str | None:
            headers = {"Orders-Session": OTHER}
            body = {"type": "tick", "data": {}}
            async with (
                aiohttp.ClientSession(headers=headers) as pupil,
                pupil.post(url, params={"name": name}, json=body) as answer,
            ):
                code: str | None = (await answer.json()).get("error", {}).get("code")
                return code

        assert await post("poster") is None
        await room.act("/participants/Poster/mute")
        assert await post("poster") == "muted"
        assert await post("another") == "muted", "its session, whatever it calls itself"


async def test_into_a_locked_room_come_only_those_who_were_in(
    serve: Serve, connect: Connect, come: Come, http: aiohttp.ClientSession
) -> None:
    async with serve(lan=True) as server:
        url = f"http://127.0.0.1:{server.port}/api/rooms/main/events"

        async def post(name: str) -> str | None:
            body = {"type": "tick", "data": {}}
            async with http.post(url, params={"name": name}, json=body) as answer:
                code: str | None = (await answer.json()).get("error", {}).get("code")
                return code

        async def host(act: str) -> None:
            headers = {"Authorization": f"Bearer {server.token}"}
            async with http.post(url.replace("/events", act), headers=headers) as answer:
                assert answer.status == 200

        assert await post("early") is None
        await host("/lock")
        assert await post("late") == "room_locked", "nor does anyone new post from outside"
        assert await post("early") is None
        await host("/unlock")
    async with serve() as server:
        room = Room(http, server)
        alice = await come(server, name="alice", session=SESSION)
        await room.act("/lock")
        assert (await room.get())["locked"] is True
        assert await refused(await connect(server, name="new")) == ("room_locked", 4004)
        await alice.ws.close()
        await come(server, name="alice", session=SESSION)
    async with serve() as server:
        room = Room(http, server)
        assert await refused(await connect(server, name="new")) == ("room_locked", 4004)
        await room.act("/unlock")
        await come(server, name="new")


@pytest.mark.parametrize("name", ["class-7", "main"])
async def test_a_room_that_ended_is_erased_from_the_disk(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession, tmp_path: Path, name: str
) -> None:
    secret = "Wolfgang-Amadeus"
    async with serve() as server:
        alice = await connect(server, name=secret, room=name)
        other = await connect(server, name="other", room="other")
        watching = await connect(server, path=f"/observe/{name}")
        for wire in (alice, other):
            await wire.publish("order_placed", id=1, note=secret)
        await Room(http, server, name).act("/reset")
        await alice.publish("order_placed", id=2, note=secret)
        rooms = f"{server.url}/api/rooms"
        async with http.get(rooms) as answer:
            listed = {one["room"]: one for one in (await answer.json())["rooms"]}
        assert listed[name] == {"room": name, "participants": 1, "events": 1, "locked": False}
        async with http.delete(f"{rooms}/{name}") as answer:
            assert answer.status == 200
        assert await alice.close_code() == 4003
        if name != "main":
            assert await watching.close_code() == 4003
            assert watching.heard[-1]["data"]["code"] == "room_ended"
        async with http.delete(f"{rooms}/other") as answer:
            assert answer.status == 200
        assert secret not in await _on_disk(tmp_path)
        async with http.get(rooms) as answer:
            assert [one["room"] for one in (await answer.json())["rooms"]] == ["main"]
        again = await connect(server, name="somebody", room=name)
        assert (await again.expect("broker.welcome"))["data"]["last"] is None
    assert secret not in await _on_disk(tmp_path)


async def _on_disk(directory: Path) -> str:
    files = await asyncio.to_thread(lambda: sorted(directory.glob("orders.db*")))
    assert files
    return "".join(path.read_bytes().decode("latin-1") for path in files)


async def test_those_who_post_without_joining_take_nobodys_name(
    serve: Serve, come: Come, http: aiohttp.ClientSession
) -> None:
    async with serve(lan=True) as server:
        url = f"http://127.0.0.1:{server.port}/api/rooms/main/events"

        async def post(name: str = "", session: str = "", token: str = "") -> int:
            headers = {"Orders-Session": session} if session else {}
            headers |= {"Authorization": f"Bearer {token}"} if token else {}
            body, query = {"type": "tick", "data": {}}, {"name": name} if name else {}
            async with http.post(url, params=query, json=body, headers=headers) as answer:
                return answer.status

        alice = await come(server, name="alice", session=SESSION)
        assert await post("Alice") == 409
        assert await post("alice", SESSION) == 201, "it is her own name"
        assert await post("alice", OTHER) == 409
        await alice.ws.close()

        async def has_left() -> bool:
            return "alice" not in await Room(http, server).names()

        await until(has_left, "alice has left")
        assert await post("alice") == 409, "nor while she is away"
        assert await post("alice", SESSION) == 201, "but she may: she joined with it"
        guest = await come(server)
        assert await post() == 201, "who gives no name gets one that nobody has had"
        await guest.ws.close()
        assert await post() == 201
        assert await post(session="short") == 400, "a session that is none is not left out"
        assert await post("poster", OTHER) == 201
        assert await post("POSTER") == 409, "the session that posted first has it"
        assert await post("teacher") in (400, 403, 409)
        assert await post("teacher", token=server.token) == 201


async def test_wrong_host_tokens_are_slowed_and_the_right_one_is_not(
    serve: Serve, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await really(seconds)

    async with serve(lan=True) as server:
        monkeypatch.setattr("orders.web.security.SLOWED", 0.0123)
        monkeypatch.setattr("orders.web.security.asyncio.sleep", sleep)
        url = f"http://127.0.0.1:{server.port}/host"
        for guess in ("wrong", "x" * 22):
            async with http.get(url, params={"token": guess}) as answer:
                assert answer.status == 403
        assert slept.count(0.0123) == 2
        async with http.get(url, params={"token": server.token}, allow_redirects=False) as answer:
            assert answer.status == 303
            assert "Max-Age=2592000" in answer.headers["Set-Cookie"]
        assert slept.count(0.0123) == 2
        room = f"http://127.0.0.1:{server.port}/api/rooms/main"
        for path, token in (("/pause", "wrong"), ("/events", "wrong"), ("/pause", server.token)):
            headers = {"Authorization": f"Bearer {token}"}
            async with http.post(f"{room}{path}", headers=headers, json={}):
                pass
        assert slept.count(0.0123) == 4, "in a header it is a guess as well"


async def test_one_who_asks_for_a_heartbeat_hears_one_when_nothing_else_is_said(
    serve: Serve, connect: Connect, come: Come
) -> None:
    async with serve() as server:
        alice = await come(server, name="alice", heartbeat=5)
        assert (await alice.next())["type"] == "broker.heartbeat"
        quick = await connect(server, name="bob", heartbeat=2)
        assert await refused(quick) == ("wrong_parameter", 4005)


async def test_an_observer_who_asks_for_a_heartbeat_hears_one_too(
    serve: Serve, http: aiohttp.ClientSession
) -> None:
    async with (
        serve() as server,
        http.ws_connect(f"{server.url}/observe/main?heartbeat=5") as observer,
    ):
        assert "snapshot" in await observer.receive_json()
        while "records" in (said := await observer.receive_json()):
            pass
        assert said["type"] == "broker.heartbeat"


async def test_a_browser_that_opens_a_page_is_known_again_by_its_device(
    server: Any, connect: Connect, http: aiohttp.ClientSession, room: Room
) -> None:
    async with http.get(f"{server.url}/customer") as page:
        device = page.cookies["orders_device"]
        assert (len(device.value) >= 16, device["httponly"], device["samesite"]) == (
            True,
            True,
            "Lax",
        )
    ann = await connect(server, name="ann")  # with the cookie, as a tab of that browser
    await ann.expect("broker.welcome")
    await room.act("/participants/ann/kick")
    assert await ann.close_code() == 4003
    assert (await refused(await connect(server, name="somebody-else")))[0] == "kicked"

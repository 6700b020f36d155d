"""What the host may do, and that nobody else may."""

from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.conftest import Connect, Serve
from tests.rooms import Room
from tests.wire import Wire, until

TOKEN = "the-secret-of-the-host"
ACTIONS = [
    ("PUT", "/modes"),
    ("POST", "/pause"),
    ("POST", "/step"),
    ("POST", "/resume"),
    ("POST", "/reset"),
    ("POST", "/participants/alice/kick"),
    ("POST", "/participants/alice/mute"),
    ("POST", "/participants/alice/unmute"),
    ("POST", "/dead-letters/69688550-5be2-41e4-a057-b9da2d59eb03/retry"),
    ("POST", "/dead-letters/69688550-5be2-41e4-a057-b9da2d59eb03/discard"),
    ("POST", "/bots"),
    ("DELETE", "/bots/bob"),
    ("POST", "/participants/alice/faults"),
    ("DELETE", "/participants/alice/faults"),
    ("DELETE", "/faults"),
]


@pytest.mark.usefixtures("guesses_at_once")
@pytest.mark.parametrize(("method", "path"), ACTIONS)
async def test_behind_a_proxy_or_another_name_only_the_token_makes_a_host(
    serve: Serve, http: aiohttp.ClientSession, method: str, path: str
) -> None:
    for changes in ({"proxy_headers": True}, {"allow_host": ("class.example",)}):
        async with serve(host_token=TOKEN, **changes) as server:
            url = f"{server.url}/api/rooms/main{path}"
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
                async with http.request(method, url, json={}, headers=headers) as answer:
                    assert answer.status == 403, path
                    assert (await answer.json())["error"]["code"] == "not_host"
            held = {"Authorization": f"Bearer {TOKEN}"}
            if path != "/bots":  # that would start one
                async with http.request(method, url, json={}, headers=held) as answer:
                    assert answer.status != 403


@pytest.mark.parametrize("origin", ["null", "file://", "http://localhost:3000", "http://10.0.0.7"])
@pytest.mark.parametrize(("method", "path"), ACTIONS)
async def test_a_students_own_page_may_join_but_never_act_as_the_host(
    server: Any, http: aiohttp.ClientSession, method: str, path: str, origin: str
) -> None:
    url = f"{server.url}/api/rooms/main{path}"
    async with http.request(method, url, json={}, headers={"Origin": origin}) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "not_host"


@pytest.mark.usefixtures("guesses_at_once")
async def test_the_hosts_url_gives_a_cookie_that_makes_its_browser_the_host(serve: Serve) -> None:
    async with (
        serve(host_token=TOKEN, proxy_headers=True) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
    ):
        url = f"{server.url}/api/rooms/main/pause"
        async with browser.post(url) as answer:
            assert answer.status == 403
        wrong = URL(server.host_url).update_query(token="guessed-it")
        async with browser.get(wrong) as answer:
            assert answer.status == 403
        async with browser.get(server.host_url, allow_redirects=False) as answer:
            cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        async with browser.post(url) as answer:
            assert answer.status == 200


async def test_paused_events_are_stored_but_held_a_step_lets_one_go_and_resume_all_in_order(
    server: Any, connect: Connect, room: Room
) -> None:
    alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
    await room.act("/pause")
    await bob.expect("broker.notice", code="paused")
    ids = [await alice.publish("order_placed", id=number) for number in range(1, 6)]
    assert [event["id"] for event in await room.log()] == ids, "they are stored"
    await bob.fence()
    assert bob.of_type("order_placed") == []

    assert (await room.act("/step"))["event"] == ids[0]
    await bob.expect("order_placed", id=1)
    await bob.fence()
    assert len(bob.of_type("order_placed")) == 1
    await room.act("/resume")
    await bob.expect("order_placed", id=5)
    assert [event["id"] for event in bob.of_type("order_placed")] == ids


async def test_a_paused_room_is_paused_after_a_restart(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve() as server:
        alice = await connect(server, name="alice")
        await Room(http, server).act("/pause")
        await alice.publish("order_placed", id=1)
        await alice.ws.close()
    async with serve() as server:
        room = Room(http, server)
        assert (await room.get())["paused"] is True
        bob = await connect(server, name="bob")
        await bob.fence()
        assert bob.of_type("order_placed") == []
        alice = await connect(server, name="alice")
        await alice.publish("order_placed", id=2)
        await room.act("/resume")
        await bob.expect("order_placed", id=2)


async def test_a_reset_is_a_new_beginning_for_all(room: Room, alice: Wire) -> None:
    await room.set_modes({"order_placed": "queue"})
    order = {
        "id": "69688550-5be2-41e4-a057-b9da2d59eb03",
        "type": "order_placed",
        "data": {"id": 1},
    }
    await alice.send(order)
    await alice.expect("broker.accepted")
    await room.act("/reset")
    await alice.expect("broker.notice", code="reset")
    assert await room.log() == []
    assert (await room.get("/orders"))["orders"] == []
    stands = await room.get()
    assert (stands["events"], stands["last"]) == (0, None)
    assert stands["queues"].get("order_placed", {}).get("ready", 0) == 0
    await alice.send(order)
    accepted = await alice.expect("broker.accepted")
    assert "duplicate" not in accepted["data"], "its id is free again"


async def test_a_kicked_participant_is_closed_with_4003_and_a_muted_one_is_not_heard(
    server: Any, connect: Connect, room: Room
) -> None:
    alice, bob = await connect(server, name="alice"), await connect(server, name="bob")
    await bob.expect("broker.welcome")
    await room.act("/participants/bob/mute")
    await bob.expect("broker.notice", code="muted")
    await bob.send({"type": "order_placed", "data": {"id": 1}})
    await bob.expect("broker.error", code="muted")
    await room.act("/participants/bob/unmute")
    await bob.expect("broker.notice", code="unmuted")
    await bob.publish("order_placed", id=2)
    await alice.expect("order_placed", id=2)
    assert len(alice.of_type("order_placed")) == 1
    await room.act("/participants/bob/kick")
    assert await bob.close_code() == 4003
    await room.lacks("bob")
    await alice.fence()


async def test_a_bot_is_sent_in_as_a_real_process_answers_and_is_killed(
    server: Any, http: aiohttp.ClientSession, room: Room, alice: Wire
) -> None:
    async with http.post(f"{server.url}{room.path}/bots", json={"dely": 1}) as answer:
        assert answer.status == 400, "what it does not know is not left out"
    name = (await room.act("/bots"))["name"]
    await room.has(name)
    await alice.publish("order_placed", id=1)
    assert (await alice.expect("order_confirmed"))["source"] == name

    async def listed() -> bool:
        return [bot["name"] for bot in (await room.get())["bots"]] == [name]

    await until(listed, "the room lists its bot")
    async with http.delete(f"{server.url}/api/rooms/main/bots/{name}") as answer:
        assert answer.status == 200
    await room.lacks(name)
    assert (await room.get())["bots"] == []


@pytest.mark.parametrize(
    ("origin", "path", "admitted"),
    [
        ("http://localhost:5500", "/api/rooms/main", True),
        ("http://localhost:5500", "/api/rooms/main/events", True),
        ("http://localhost:5500", "/api/rooms", False),
        ("http://localhost:5500", "/readyz", False),
        ("null", "/api/rooms/main/events", False),
        ("null", "/api/rooms/main/events/69688550-5be2-41e4-a057-b9da2d59eb03", True),
        ("https://example.org", "/api/rooms/main", False),
    ],
)
async def test_a_students_own_page_may_read_what_needs_no_host(
    serve: Serve, http: aiohttp.ClientSession, origin: str, path: str, admitted: bool
) -> None:
    async with serve() as server:
        async with http.get(server.url + path, headers={"Origin": origin}) as answer:
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            assert allowed == (origin if admitted else None)
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert ("Origin" in answer.headers.getall("Vary", [])) is admitted
        async with http.post(server.url + path, headers={"Origin": origin}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers

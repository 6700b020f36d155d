"""Those who send too much, read too little, come all at once, or take what is the host's."""

import asyncio
import re
import sys
import time
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from itsdangerous import URLSafeSerializer

from orders.web import host, socket
from tests.conftest import Come, Connect, Serve, Start
from tests.process import Process
from tests.raw import CLOSE, PING, TEXT, Raw, frame
from tests.rooms import Room
from tests.wire import DEADLINE, Wire, until

LARGE = "x" * 60_000
#: Signed with another server's secret.
FORGED = f"orders_host={URLSafeSerializer('another secret', salt='host').dumps('host')}"
linux = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


# ── those who send much ─────────────────────────────────────────────────────────────────────────


async def test_one_participants_burst_of_the_largest_messages_reaches_all_and_ends_nobody(
    serve: Serve, connect: Connect, come: Come, http: aiohttp.ClientSession
) -> None:
    count = 60
    async with serve(rate=0, max_unread=256 * 1024, slow_grace=DEADLINE) as server:
        others = [await connect(server, name=f"other-{n}") for n in range(8)]
        alice = await come(server, name="alice", echo="false")
        for number in range(count):
            await alice.send({"type": "tick", "data": {"n": number, "text": LARGE}})
        small = await others[0].publish(n=count)
        for other in others:
            while len(other.of_type("tick")) < count + 1:
                await other.next()
        log = [event["id"] for event in await Room(http, server).log()]
        assert small in log and len(log) == count + 1
        for other in others:
            assert [event["id"] for event in other.of_type("tick")] == log


async def test_publishing_over_http_has_its_limits_and_each_address_its_own(
    serve: Serve, http: aiohttp.ClientSession
) -> None:
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with (
        serve(rate=0.001, burst=20, max_message=2048) as server,
        aiohttp.ClientSession(connector=elsewhere) as another,
    ):
        url = f"http://127.0.0.1:{server.port}/api/rooms/main/events"

        async def post(session: aiohttp.ClientSession, text: str) -> tuple[int, str]:
            async with session.post(url, json={"type": "tick", "data": {"text": text}}) as answer:
                said = await answer.json()
                return answer.status, said.get("error", {}).get("code", "accepted")

        assert await post(http, "x" * 3000) == (413, "too_large")
        answers = await asyncio.gather(*(post(http, "x") for _ in range(40)))
        assert {*answers} == {(201, "accepted"), (429, "rate_limited")}
        taken = answers.count((201, "accepted"))
        assert 19 <= taken <= 20
        assert await post(another, "x") == (201, "accepted")
        assert len(await Room(http, server).log()) == taken + 1


async def test_who_sends_too_much_for_too_long_is_closed_with_4002_and_nobody_else(
    serve: Serve, connect: Connect
) -> None:
    async with serve(rate=1, burst=10, abusive_grace=0.2) as server:
        alice, bob = await connect(server, name="alice"), await connect(server, name="bob")

        async def shout() -> None:
            while not alice.ws.closed:
                await alice.send("nonsense")
                await asyncio.sleep(0.005)

        shouting = asyncio.create_task(shout())
        assert await alice.close_code() == 4002
        shouting.cancel()
        await bob.publish(n=1)


# ── those who read little ───────────────────────────────────────────────────────────────────────


def holds(server: Process, port: int) -> bool:
    """Whether the server still has its end of the connection that comes from this port."""
    links = Path(f"/proc/{server.pid}/fd").iterdir()
    held = {str(link.readlink()) for link in links if link.is_symlink()}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *_, inode = line.split()[:10]
        if (int(local[-4:], 16), int(remote[-4:], 16)) == (server.port, port):
            return f"socket:[{inode}]" in held
    return False


@linux
async def test_a_reader_that_stops_is_gone_its_socket_is_freed_and_its_neighbours_miss_nothing(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    flags = ("--rate", "0", "--max-unread", "65536", "--slow-grace", "0.5")
    server = start(*flags)
    room = Room(http, server)
    bob = await connect(server, name="bob")
    await room.has("bob")
    async with Raw.open(server.port) as stalled:
        await stalled.join_deaf("stalled")
        await room.has("stalled")
        assert holds(server, stalled.port)
        ids = []
        deadline = time.monotonic() + DEADLINE
        while "stalled" in await room.names():
            assert time.monotonic() < deadline, "it is still there"
            ids.append(await bob.publish(text=LARGE))

        async def freed() -> bool:
            return not holds(server, stalled.port)

        await until(freed, "the socket of the one that reads nothing is freed")
        async with http.get(f"{server.url}/metrics") as answer:
            assert "orders_slow_total 1.0" in await answer.text()
    ids.append(await bob.publish(n=1))
    await bob.fence()
    assert [event["id"] for event in bob.of_type("tick")] == ids
    back = await connect(server, name="stalled", after=ids[0])
    await back.expect("broker.caught_up", events=len(ids) - 1)
    assert [event["id"] for event in back.of_type("tick")] == ids[1:]


async def test_a_reader_that_stopped_and_goes_on_hears_4001(
    serve: Serve,
    connect: Connect,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "CLOSE_GRACE", DEADLINE)  # so that it has time to
    async with serve(rate=0, max_unread=65536, slow_grace=0.2) as server:
        bob = await connect(server, name="bob", echo="false")
        async with Raw.open(server.port) as raw:
            await raw.join_deaf("slow")
            await Room(http, server).has("slow")
            deadline = time.monotonic() + DEADLINE
            while "slow" in await Room(http, server).names():
                assert time.monotonic() < deadline, "it is still there"
                await bob.publish(text=LARGE)
            opcode, code = 0, b""
            while opcode != CLOSE:
                opcode, code = await raw.frame()
            assert int.from_bytes(code[:2], "big") == 4001


async def test_one_that_answers_no_ping_is_gone_whatever_it_trickles_and_one_that_does_stays(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(heartbeat=0.2, heartbeat_timeout=2.0) as server:
        room = Room(http, server)
        bob = await connect(server, name="bob")
        async with Raw.open(server.port) as trickling, Raw.open(server.port) as silent:
            for raw, name in ((trickling, "trickling"), (silent, "silent")):
                await raw.join_deaf(name)
                await room.has(name)
            never_ending = frame(TEXT, LARGE.encode())
            deadline = time.monotonic() + DEADLINE
            sent = 0
            while {"trickling", "silent"} & {*await room.names()}:
                assert time.monotonic() < deadline, "they are still there"
                await trickling.send(never_ending[sent : sent + 1] or frame(PING))
                sent += 1
                await asyncio.sleep(0.01)
        await bob.publish(n=1)
        assert await room.names() == ["bob"]


async def test_large_orders_and_dead_letters_make_no_large_answers(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    count, workers = 40, 20

    async with serve(rate=0, max_attempts=1) as server:
        room = Room(http, server)
        await room.set_modes({"order_placed": "queue"})
        eve = await connect(server, name="eve", echo="false")
        for number in range(count):
            note = LARGE if number % 2 else [LARGE]
            await eve.send({"type": "order_placed", "data": {"id": number, "note": note}})
        await eve.fence()

        async def turn_down(number: int) -> None:
            bob = await connect(server, name=f"bob-{number}", ack="manual", types="order_placed")
            for _ in range(count // workers):
                placed = await bob.expect("order_placed")
                await bob.send({"type": "broker.nack", "data": {"event": placed["id"]}})
            await bob.fence()

        await asyncio.gather(*(turn_down(number) for number in range(workers)))
        async with http.get(f"{server.url}{room.path}/orders") as answer:
            assert len((await answer.json())["orders"]) == count
            assert len(await answer.read()) < count * 2000
        async with http.get(f"{server.url}{room.path}/dead-letters") as answer:
            letters = (await answer.json())["dead_letters"]
            assert 1 <= len(letters) < count
            assert len(letters[0]["event"]["data"]["note"][0]) == len(LARGE), (
                "the log has all of it"
            )


async def test_who_reads_nothing_of_an_export_and_hangs_up_leaves_no_trace_in_the_log(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    server = start("--rate", "0")
    alice = await connect(server, name="alice", echo="false")
    for number in range(200):
        await alice.publish(n=number, text=LARGE)
    async with Raw.open(server.port) as raw:
        await raw.send(
            "GET /api/rooms/main/events?format=jsonl HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert await raw.status() == 200
        for _ in range(20):
            await Room(http, server).get()  # meanwhile its answer fills what there is to fill
    await alice.publish(n=200)
    await Room(http, server).get()
    assert "Traceback" not in server.log


# ── all at once ─────────────────────────────────────────────────────────────────────────────────


async def test_when_a_class_comes_back_all_at_once_each_hears_exactly_what_it_missed(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    students, missed = 150, 20
    server = start("--rate", "0")

    async def come(number: int, **query: str) -> Wire:
        secret = f"the-session-of-student-{number}"
        wire = await connect(server, name=f"s{number}", session=secret, echo="false", **query)
        await wire.expect("broker.welcome", name=f"s{number}")
        return wire

    await asyncio.gather(*(come(number) for number in range(students)))
    alice = await connect(server, name="alice", echo="false")
    last = await alice.publish(n=0)
    server.kill()
    server.start()
    alice = await connect(server, name="alice", echo="false")
    ids = [await alice.publish(n=number) for number in range(missed)]
    back = [asyncio.create_task(come(number, after=last)) for number in range(students)]
    ids += [await alice.publish(n=missed + number) for number in range(missed)]
    for wire in await asyncio.gather(*back):
        while len(wire.of_type("tick")) < len(ids):
            await wire.next()
        assert [event["id"] for event in wire.of_type("tick")] == ids
    assert len(await Room(http, server).names()) == students + 1
    assert "Traceback" not in server.log


# ── who is the host ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("guesses_at_once")
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer guessed-it"}, {"Cookie": FORGED}]
)
async def test_in_a_class_students_can_do_nothing_of_the_hosts_even_on_this_machine(
    serve: Serve, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with serve(lan=True, host_token="the-secret-of-the-host") as server:
        for route in host.routes():
            assert isinstance(route, web.RouteDef)
            path = re.sub(r"\{action:(\w+)[^}]*\}", r"\1", route.path)
            url = server.url + path.format(room="main", name="alice", event=uuid4())
            async with http.request(route.method, url, json={}, headers=headers) as answer:
                assert answer.status == 403, url
                assert (await answer.json())["error"]["code"] == "not_host"
        bearer = {"Authorization": "Bearer the-secret-of-the-host"}
        async with http.post(f"{server.url}/api/rooms/main/pause", headers=bearer) as answer:
            assert answer.status == 200

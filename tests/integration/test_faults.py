"""When the disk is full, the journal locked, a reader gone, or all come back at once."""

import asyncio
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from itsdangerous import URLSafeSerializer

from orders.web import host, socket
from tests.conftest import Connect, Serve, Start
from tests.process import Process
from tests.raw import PING, TEXT, Raw, frame, upgrade
from tests.rooms import Room
from tests.wire import DEADLINE, Wire, until

LARGE = "x" * 60_000
#: Signed with another server's secret.
FORGED = f"orders_host={URLSafeSerializer('another secret', salt='host').dumps('host')}"
linux = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc, or limits a process")


async def accepted(wire: Wire, **data: Any) -> str:
    """Send an event, and wait until it is accepted; its id."""
    await wire.send({"type": "tick", "data": data})
    event: str = (await wire.expect("broker.accepted"))["data"]["event"]
    return event


async def refused(wire: Wire, code: str, **data: Any) -> None:
    await wire.send({"type": "tick", "data": data})
    answer = await wire.next()
    assert answer["type"] == "broker.error", answer
    assert answer["data"]["code"] == code


# ── the disk ────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def no_room(server: Process) -> Iterator[None]:
    """Its files cannot grow any more, until this context ends."""
    files = server.directory.glob("orders.db*")
    limit = max(file.stat().st_size for file in files)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        everything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, everything)


@linux
async def test_while_the_journal_cannot_grow_nothing_is_accepted_reading_goes_on_and_later_all_does(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    server = start()
    room = Room(http, server)
    alice = await connect(server, name="alice", echo="false")
    await (await connect(server, room="empty")).ws.close()
    kept = [await accepted(alice, n=1)]
    ready = f"{server.url}/readyz"
    with no_room(server):
        for number in (2, 3):
            await refused(alice, "storage_failed", n=number, text=LARGE)
        async with http.get(ready) as answer:
            assert answer.status == 503
        for action in ("pause", "reset"):
            async with http.post(f"{server.url}{room.path}/{action}") as answer:
                assert answer.status == 507, "the host is told that nothing came of it"
        bob = await connect(server, name="bob")
        await room.has("bob")
        assert [event["id"] for event in await room.log()] == kept, "reading goes on"
        assert not (await room.get())["paused"]

    async def is_ready() -> bool:
        async with http.get(ready) as answer:
            return answer.status == 200

    await until(is_ready, "the server is ready once there is room again")
    kept += [await accepted(alice, n=4, text=LARGE), await accepted(alice, n=5)]
    while len(bob.of_type("tick")) < 2:  # who came meanwhile misses nothing that was accepted
        await bob.next()
    assert [event["id"] for event in bob.of_type("tick")] == kept[1:]
    server.kill()
    server.start()
    assert [event["id"] for event in await room.log()] == kept
    assert "Traceback" not in server.log


async def test_on_a_full_disk_the_error_says_so_and_a_duplicate_is_still_known(
    start: Start, connect: Connect, http: aiohttp.ClientSession, strace: str, tmp_path: Path
) -> None:
    server = start()
    alice = await connect(server, name="alice", echo="false")
    id = await accepted(alice, n=1)
    said = tmp_path / "strace"
    with said.open("wb") as output:
        filling = subprocess.Popen(
            [
                *(strace, "-f", "-p", str(server.pid), "-o", "/dev/null"),
                *("-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC"),
            ],
            stderr=output,
        )
    try:

        async def attached() -> bool:
            assert filling.poll() is None, said.read_text()
            return "attached" in said.read_text()

        await until(attached, "strace is attached to the server")
        await refused(alice, "storage_full", n=2)
    finally:
        filling.send_signal(signal.SIGINT)
        filling.wait(DEADLINE)
    await alice.send({"id": id, "type": "tick", "data": {"n": 1}})
    await alice.expect("broker.accepted", event=id, duplicate=True)
    await accepted(alice, n=3)
    assert [event["data"]["n"] for event in await Room(http, server).log()] == [1, 3]
    assert "Traceback" not in server.log


async def test_while_another_program_locks_the_journal_nothing_is_accepted_and_nobody_stalls(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    server = start()
    alice = await connect(server, name="alice", echo="false")
    await accepted(alice, n=1)
    other = sqlite3.connect(server.directory / "orders.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await alice.send({"type": "tick", "data": {"n": 2}})
    for _ in range(20):
        assert len(await Room(http, server).log()) == 1, "reading goes on"
    error = await alice.expect("broker.error")
    assert error["data"]["code"] == "storage_failed"
    assert "locked" in error["data"]["message"]
    other.execute("ROLLBACK")
    other.close()
    await accepted(alice, n=3)
    assert [event["data"]["n"] for event in await Room(http, server).log()] == [1, 3]


# ── those who send much ─────────────────────────────────────────────────────────────────────────


async def test_one_participants_burst_of_the_largest_messages_reaches_all_and_ends_nobody(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    count = 60
    async with serve(max_unread=256 * 1024, slow_grace=DEADLINE) as server:
        others = [await connect(server, name=f"other-{n}") for n in range(8)]
        alice = await connect(server, name="alice", echo="false")
        await alice.expect("broker.welcome")
        for number in range(count):
            await alice.send({"type": "tick", "data": {"n": number, "text": LARGE}})
        small = await accepted(others[0], n=count)
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
        await accepted(bob, n=1)


# ── those who read little ───────────────────────────────────────────────────────────────────────


async def joined(raw: Raw, name: str) -> None:
    """In the room, and from now on silent and deaf."""
    raw.send(upgrade(f"/ws?name={name}"))
    assert await raw.status() == 101
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]


def sockets(server: Process) -> int:
    """How many sockets the server has."""
    links = Path(f"/proc/{server.pid}/fd").iterdir()
    return sum("socket:" in str(link.readlink()) for link in links if link.is_symlink())


@linux
async def test_a_reader_that_stops_is_gone_its_socket_is_freed_and_its_neighbours_miss_nothing(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    flags = ("--rate", "0", "--max-unread", "65536", "--slow-grace", "0.5")
    server = start(*flags)
    room = Room(http, server)
    bob = await connect(server, name="bob")
    before = sockets(server)
    async with Raw.open(server.port) as stalled:
        await joined(stalled, "stalled")
        await room.has("stalled")
        assert sockets(server) > before
        ids = []
        deadline = time.monotonic() + DEADLINE
        while "stalled" in await room.names():
            assert time.monotonic() < deadline, "it is still there"
            ids.append(await accepted(bob, text=LARGE))

        async def freed() -> bool:
            return sockets(server) <= before

        await until(freed, "the socket of who reads nothing is freed")
        async with http.get(f"{server.url}/metrics") as answer:
            assert "orders_slow_total 1.0" in await answer.text()
    ids.append(await accepted(bob, n=1))
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
            await joined(raw, "slow")
            deadline = time.monotonic() + DEADLINE
            while "slow" in await Room(http, server).names():
                assert time.monotonic() < deadline, "it is still there"
                await accepted(bob, text=LARGE)
            raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
            while (await raw.frame())[0] != 8:
                pass
            assert await raw.reader.read(1) == b""


async def test_one_that_answers_no_ping_is_gone_whatever_it_trickles_and_one_that_does_stays(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(heartbeat=0.1, heartbeat_timeout=0.5) as server:
        room = Room(http, server)
        bob = await connect(server, name="bob")
        async with Raw.open(server.port) as trickling, Raw.open(server.port) as silent:
            for raw, name in ((trickling, "trickling"), (silent, "silent")):
                await joined(raw, name)
                await room.has(name)
            never_ending = frame(TEXT, LARGE.encode())
            deadline = time.monotonic() + DEADLINE
            sent = 0
            while {"trickling", "silent"} & {*await room.names()}:
                assert time.monotonic() < deadline, "they are still there"
                trickling.send(never_ending[sent : sent + 1] or frame(PING))
                sent += 1
                await asyncio.sleep(0.01)
        await accepted(bob, n=1)
        assert await room.names() == ["bob"]


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
    last = await accepted(alice, n=0)
    server.kill()
    server.start()
    alice = await connect(server, name="alice", echo="false")
    ids = [await accepted(alice, n=number) for number in range(missed)]
    back = [asyncio.create_task(come(number, after=last)) for number in range(students)]
    ids += [await accepted(alice, n=missed + number) for number in range(missed)]
    for wire in await asyncio.gather(*back):
        while len(wire.of_type("tick")) < len(ids):
            await wire.next()
        assert [event["id"] for event in wire.of_type("tick")] == ids
    assert len(await Room(http, server).names()) == students + 1
    assert "Traceback" not in server.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_though_one_reads_nothing_another_never_finishes_and_all_accepted_is_there(
    start: Start, connect: Connect, http: aiohttp.ClientSession, number: signal.Signals
) -> None:
    server = start("--rate", "0")
    alice = await connect(server, name="alice", echo="false")
    async with Raw.open(server.port) as deaf, Raw.open(server.port) as posting:
        await joined(deaf, "deaf")
        posting.send(
            "POST /api/rooms/main/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
        ids = [await accepted(alice, n=n, text=LARGE) for n in range(40)]
        assert server.stop(number) == 0
        assert await alice.close_code() == 1001
    server.start()
    assert [event["id"] for event in await Room(http, server).log(limit="10")] == ids
    assert "Traceback" not in server.log


async def test_a_stall_of_the_event_loop_is_seen_in_a_metric(
    server: Any, http: aiohttp.ClientSession
) -> None:
    async def stall() -> float:
        async with http.get(f"{server.url}/metrics") as answer:
            for line in (await answer.text()).splitlines():
                if line.startswith("orders_event_loop_stall_seconds "):
                    return float(line.split()[1])
        raise AssertionError("there is no such metric")

    await stall()
    time.sleep(1.0)  # noqa: ASYNC251 - the server runs in this very loop

    async def seen() -> bool:
        return await stall() >= 0.8

    await until(seen, "the stall is in the metric")


async def test_clocks_that_lie_are_shown_and_change_no_order(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    alice = await connect(server, name="alice")
    created = ["9999999999999999", "0", "1676554735324", "1"]
    for time_ in created:
        await alice.send({"type": "tick", "created": time_, "data": {}})
    while len(alice.of_type("tick")) < len(created):
        await alice.next()
    assert [event["created"] for event in alice.of_type("tick")] == created
    assert [event["created"] for event in await Room(http, server).log()] == created


# ── who is the host ─────────────────────────────────────────────────────────────────────────────


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

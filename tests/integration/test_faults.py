"""When the disk is full, the journal locked, files run out, or the server is told to end."""

import asyncio
import os
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

import aiohttp
import pytest

from tests.conftest import Connect, Start
from tests.process import Process
from tests.raw import Raw
from tests.rooms import Room
from tests.wire import DEADLINE, Wire, until

LARGE = "x" * 60_000
linux = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc, or limits a process")


async def refused(wire: Wire, code: str, **data: Any) -> None:
    await wire.send({"type": "tick", "data": data})
    while (answer := await wire.next())["type"] == "broker.notice":
        assert answer["data"]["code"] in ("journal_away", "journal_back")
    assert answer["type"] == "broker.error", answer
    assert answer["data"]["code"] == code


# ── the disk ────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def no_room(server: Process) -> Iterator[None]:
    """Its journal cannot grow any more, until this context ends."""
    limit = (server.directory / "orders.db-wal").stat().st_size
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
    kept = [await alice.publish(n=1)]

    async def is_ready() -> bool:
        async with http.get(f"{server.url}/readyz") as answer:
            assert answer.status in (200, 503)
            return answer.status == 200

    async def is_not_ready() -> bool:
        return not await is_ready()

    with no_room(server):
        for number in (2, 3):
            await refused(alice, "storage_failed", n=number, text=LARGE)
        # A commit that this cut off has left room for a page or two, which the probes fill.
        await until(is_not_ready, "the server is not ready any more")
        for action in ("pause", "reset"):
            async with http.post(f"{server.url}{room.path}/{action}") as answer:
                assert answer.status == 507, "the host is told that nothing came of it"
        bob = await connect(server, name="bob")
        await room.has("bob")
        assert [event["id"] for event in await room.log()] == kept, "reading goes on"
        assert not (await room.get())["paused"]

    await until(is_ready, "the server is ready once there is room again")
    kept += [await alice.publish(n=4, text=LARGE), await alice.publish(n=5)]
    while len(bob.of_type("tick")) < 2:  # one who came meanwhile misses nothing that was accepted
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
    id = await alice.publish(n=1)
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
    await alice.publish(n=3)
    assert [event["data"]["n"] for event in await Room(http, server).log()] == [1, 3]
    assert "Traceback" not in server.log


async def test_while_another_program_locks_the_journal_nothing_is_accepted_and_nobody_stalls(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    server = start()
    alice = await connect(server, name="alice", echo="false")
    await alice.publish(n=1)
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
    await alice.publish(n=3)
    assert [event["data"]["n"] for event in await Room(http, server).log()] == [1, 3]


# ── the process ─────────────────────────────────────────────────────────────────────────────────


def open_files(server: Process) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


#: The same without uvloop, as on Windows.
PLAIN = (
    *(sys.executable, "-c"),
    "import sys; sys.modules['uvloop'] = None; from orders.cli import main; sys.exit(main())",
)


@linux
@pytest.mark.parametrize("program", [(sys.executable, "-m", "orders"), PLAIN])
async def test_the_server_opens_as_many_files_as_it_may_and_beyond_that_it_recovers(
    tmp_path: Path, connect: Connect, program: tuple[str, ...]
) -> None:
    with Process(tmp_path, wrapper=("prlimit", "--nofile=40:80"), program=program) as server:
        await _use_up_files(server, connect)


async def _use_up_files(server: Process, connect: Connect) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(150)]

    async def full() -> bool:
        return open_files(server) >= 80

    await until(full, "it opens no more files than it may")
    for _, writer in silent:
        writer.close()

    async def welcome() -> bool:
        try:
            wire = await connect(server, name="alice")
        except aiohttp.ClientError:
            return False
        return bool(await wire.expect("broker.welcome"))

    await until(welcome, "somebody comes in again")
    assert len(server.log.splitlines()) < 10, server.log


async def test_after_a_suspension_nobody_is_cut_off_and_what_is_held_is_still_held(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:
    server = start("--heartbeat", "0.5", "--heartbeat-timeout", "1", "--lease", "2")
    room = Room(http, server)
    await room.set_modes({"order_placed": "queue"})
    bob = await connect(server, name="bob", ack="manual", types="order_placed")
    alice = await connect(server, name="alice", echo="false")
    await alice.send({"type": "order_placed", "data": {"id": 1}})
    held = await bob.expect("order_placed")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(3)  # longer than anything may take
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await bob.ack(held["id"])
    assert await bob.fence() == [], "its ack is taken, and it hears of no lease that ended"
    await alice.publish(n=1)

    async def settled() -> bool:
        depths = (await room.get())["queues"]["order_placed"]
        return {*depths.values()} == {0}

    await until(settled, "the order is settled")
    assert await room.names() == ["bob", "alice"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_though_one_reads_nothing_another_never_finishes_and_all_accepted_is_there(
    start: Start, connect: Connect, http: aiohttp.ClientSession, number: signal.Signals
) -> None:
    server = start("--rate", "0")
    alice = await connect(server, name="alice", echo="false")
    async with Raw.open(server.port) as deaf, Raw.open(server.port) as posting:
        await deaf.join_deaf("deaf")
        await posting.send(
            "POST /api/rooms/main/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
        ids = [await alice.publish(n=n, text=LARGE) for n in range(40)]
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
    server: Any, http: aiohttp.ClientSession, alice: Wire
) -> None:
    created = ["9999999999999999", "0", "1676554735324", "1"]
    for time_ in created:
        await alice.send({"type": "tick", "created": time_, "data": {}})
    while len(alice.of_type("tick")) < len(created):
        await alice.next()
    assert [event["created"] for event in alice.of_type("tick")] == created
    assert [event["created"] for event in await Room(http, server).log()] == created

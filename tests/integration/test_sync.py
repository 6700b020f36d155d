"""Accepted means on disk: watched from outside, in the server's own system calls."""

import re
import signal
import subprocess
from pathlib import Path

import aiohttp

from tests.conftest import Connect, Start
from tests.rooms import Room
from tests.wire import DEADLINE, until

SYNCED = re.compile(r"(?:fsync|fdatasync)(?:\(\d+| resumed>).*= 0$")
ACCEPTED = re.compile(r"(?:write|sendto|sendmsg|writev)\(.*broker\.accepted")
EVENTS = 20


async def test_a_sync_to_disk_ends_before_each_batch_is_accepted(
    start: Start, connect: Connect, strace: str, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg"
    server = start(wrapper=(strace, "-f", "-s", "4096", "-e", calls, "-o", str(trace)))
    alice = await connect(server, name="alice", echo="false")
    for number in range(1, EVENTS + 1):
        await alice.publish("order_placed", id=number)
    server.kill()

    synced, batches = False, 0
    for line in trace.read_text(errors="replace").splitlines():
        if SYNCED.search(line):
            synced = True
        elif ACCEPTED.search(line):
            batches += 1
            assert synced, f"accepted number {batches} went out with no sync before it"
            synced = False
    assert batches == EVENTS


async def test_with_an_io_error_on_each_sync_nothing_is_accepted_and_later_it_goes_on(
    start: Start, connect: Connect, http: aiohttp.ClientSession, strace: str, tmp_path: Path
) -> None:
    server = start()
    room = Room(http, server)
    alice = await connect(server, name="alice", echo="false")
    await alice.publish("order_placed", id=1)

    said = tmp_path / "strace"
    with said.open("wb") as output:
        breaking = subprocess.Popen(
            [
                *(strace, "-f", "-p", str(server.pid), "-o", "/dev/null"),
                *("-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"),
            ],
            stderr=output,
        )
    try:

        async def attached() -> bool:
            assert breaking.poll() is None, said.read_text()
            return "attached" in said.read_text()

        await until(attached, "strace is attached to the server")
        for number in (2, 3, 4):
            await alice.send({"type": "order_placed", "data": {"id": number}})
            error = await alice.expect("broker.error")
            assert error["data"]["code"] == "storage_failed"
        assert [e["data"]["id"] for e in await room.log()] == [1], "reading goes on"
    finally:
        breaking.send_signal(signal.SIGINT)
        breaking.wait(DEADLINE)

    async def accepted() -> bool:
        await alice.send({"type": "order_placed", "data": {"id": 5}})
        answer = await alice.next()
        while answer["type"] == "broker.notice":  # the journal is away, or back
            answer = await alice.next()
        return bool(answer["type"] == "broker.accepted")

    await until(accepted, "an event is accepted once the disk works again")
    assert len(alice.of_type("broker.accepted")) == 2
    assert [e["data"]["id"] for e in await room.log()] == [1, 5]
    server.kill()
    server.start()
    assert [e["data"]["id"] for e in await room.log()] == [1, 5]
    assert "Traceback" not in server.log

"""Calls on the journal's files that fail: `make io-faults` tries each, here are a few of them."""

import shutil
import sqlite3
from pathlib import Path

import aiohttp
import pytest

from tests import io_faults
from tests.conftest import Connect, Start
from tests.rooms import Room
from tests.wire import until

#: A call, which one of them, what happens: those that once ended in a traceback, and one of each.
STARTS = [
    *(("pread64", 2, "EIO"), ("openat", 1, "EACCES"), ("fcntl", 3, "EIO")),
    ("newfstatat", 31, "EIO"),
]
RUNS = [
    *(("pread64", 1, "EIO"), ("pwrite64", 3, "ENOSPC"), ("pwrite64", 4, "EIO")),
    *(("fdatasync", 2, "EIO"), ("newfstatat", 3, "EIO"), ("openat", 1, "EMFILE")),
]


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("seed")
    io_faults.seed(directory)
    return directory


@pytest.fixture
def seeded(seed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(seed, tmp_path / "seeded")


@pytest.mark.parametrize(("call", "number", "error"), STARTS)
def test_a_start_that_meets_a_failure_succeeds_or_says_why_not(
    seeded: Path, strace: str, call: str, number: int, error: str
) -> None:
    assert io_faults.start_run(strace, call, number, error, seeded).hit


@pytest.mark.parametrize(("call", "number", "error"), RUNS)
def test_a_failure_while_it_runs_is_a_refusal_and_nothing_accepted_is_lost(
    seeded: Path, strace: str, call: str, number: int, error: str
) -> None:
    assert io_faults.running_run(strace, call, number, error, seeded).hit


@pytest.mark.parametrize("name", ["orders.db", "orders.db-wal", "orders.db.lock", "."])
async def test_where_the_journal_may_not_be_written_to_the_server_says_so_until_it_may_again(
    start: Start, connect: Connect, http: aiohttp.ClientSession, name: str
) -> None:
    server = start()
    alice = await connect(server, name="alice", echo="false")
    place = (server.directory / name).resolve()
    mode = place.stat().st_mode
    place.chmod(mode & ~0o222)
    assert str(place) in await _unready(http, server.url, "storage_failed")
    await alice.send({"type": "tick", "data": {}})
    await alice.expect("broker.error", code="storage_failed")
    place.chmod(mode)

    async def is_ready() -> bool:
        async with http.get(f"{server.url}/readyz") as answer:
            return answer.status == 200

    await until(is_ready, "it is ready again")
    await alice.publish()


@pytest.mark.parametrize("cut_off", [False, True])
async def test_a_journal_whose_log_is_removed_or_cut_off_says_so_and_takes_nothing_more(
    start: Start, connect: Connect, http: aiohttp.ClientSession, cut_off: bool
) -> None:
    server = start()
    alice = await connect(server, name="alice", echo="false")
    await alice.publish()
    log = server.directory / "orders.db-wal"
    if cut_off:
        log.write_bytes(b"")
    else:
        log.unlink()
    assert str(log) in await _unready(http, server.url, "journal_lost")
    await alice.send({"type": "tick", "data": {}})
    await alice.expect("broker.error", code="journal_lost")
    assert "Traceback" not in server.log


async def _unready(http: aiohttp.ClientSession, url: str, code: str) -> str:
    """Wait until it says that it is not ready, and return the sentence."""
    said: str = ""

    async def is_said() -> bool:
        nonlocal said
        async with http.get(f"{url}/readyz") as answer:
            if answer.status != 503:
                return False
            error = (await answer.json())["error"]
        assert error["code"] == code, error
        said = error["message"]
        return True

    await until(is_said, "it is not ready")
    return said


async def test_an_answer_that_cannot_be_finished_breaks_off(
    start: Start, connect: Connect, http: aiohttp.ClientSession
) -> None:

    server = start("--rate", "0")
    alice = await connect(server, name="alice", echo="false")
    for number in range(600):
        await alice.send({"type": "tick", "data": {"n": number}})
    await alice.fence()
    db = sqlite3.connect(server.directory / "orders.db", timeout=10)
    db.execute("UPDATE records SET body = x'00' WHERE kind = 'event' AND place % 1024 = 580")
    db.commit()
    db.close()
    room = Room(http, server)
    url = f"{server.url}{room.path}/events?format=jsonl"
    with pytest.raises(aiohttp.ClientPayloadError):
        async with http.get(url) as answer:
            await answer.read()
    assert "Traceback" not in server.log

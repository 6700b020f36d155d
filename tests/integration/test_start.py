"""A server that cannot run says why in one line that names the thing, and ends with code 1."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Connect, Serve, Start
from tests.process import orders


def refused_to_start(result: subprocess.CompletedProcess[str], *names: str) -> None:
    """It ended with exit code 1 and one line of at most two sentences, which names these things."""
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    assert result.returncode == 1, said
    assert result.stdout == ""
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    for name in names:
        assert name in lines[0]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = orders("serve", "--port", port, "--journal", "memory", cwd=tmp_path)
    refused_to_start(result, f"Port {port}", "--port")


def test_a_port_that_is_none(tmp_path: Path) -> None:
    result = orders("serve", "--port", "70000", "--journal", "memory", cwd=tmp_path)
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
    assert "port" in result.stderr


def test_a_journal_in_a_directory_that_is_not_there(tmp_path: Path) -> None:
    journal = tmp_path / "nowhere" / "orders.db"
    refused_to_start(orders_on(tmp_path, journal), str(journal))


def test_a_journal_that_is_a_directory(tmp_path: Path) -> None:
    refused_to_start(orders_on(tmp_path, tmp_path), str(tmp_path))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    journal = tmp_path / "essay.txt"
    journal.write_text("It was a dark and stormy night. " * 200)
    refused_to_start(orders_on(tmp_path, journal), "essay.txt")
    assert journal.read_text() == "It was a dark and stormy night. " * 200


def test_a_database_of_something_else(tmp_path: Path) -> None:
    journal = tmp_path / "music.db"
    with sqlite3.connect(journal) as database:
        database.execute("CREATE TABLE songs (title TEXT)")
        database.execute("INSERT INTO songs VALUES ('Yesterday')")
    database.close()
    before = journal.read_bytes()
    refused_to_start(orders_on(tmp_path, journal), "music.db")
    assert journal.read_bytes() == before, "it is somebody else's: nothing is changed in it"


@pytest.fixture
async def journal(tmp_path: Path, serve: Serve) -> Path:
    """`orders.db`, as a server left it that was stopped."""
    async with serve():
        pass
    journal = tmp_path / "orders.db"
    assert journal.stat().st_size > 5000
    return journal


def test_a_journal_of_a_later_version(journal: Path) -> None:
    with sqlite3.connect(journal) as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()
    refused_to_start(orders_on(journal.parent, journal), "orders.db")


def test_a_corrupt_journal(journal: Path) -> None:
    with journal.open("r+b") as file:
        size = journal.stat().st_size
        file.seek(100)
        file.write(b"\xa5" * (size - 100))
    refused_to_start(orders_on(journal.parent, journal), "orders.db")


def test_a_truncated_journal(journal: Path) -> None:
    os.truncate(journal, 5000)
    refused_to_start(orders_on(journal.parent, journal), "orders.db")


def test_a_journal_that_may_only_be_read(journal: Path) -> None:
    journal.chmod(0o444)
    journal.parent.chmod(0o555)
    wrapper: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root may write whatever it may read, unless that is taken from it
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("setpriv is not installed (Debian: util-linux), and this is root")
        wrapper = (setpriv, "--bounding-set", "-dac_override", "--inh-caps", "-dac_override")
    try:
        refused_to_start(orders_on(journal.parent, journal, wrapper), "orders.db")
    finally:
        journal.parent.chmod(0o755)


async def test_a_second_server_on_the_same_journal(start: Start, connect: Connect) -> None:
    first = start()
    refused_to_start(orders_on(first.directory, first.directory / "orders.db"), "orders.db")
    alice = await connect(first, name="alice")
    await alice.publish("order_placed", id=1)


async def test_it_ends_on_sigterm_with_exit_code_0_and_all_who_are_connected_hear_1001(
    start: Start, connect: Connect
) -> None:
    server = start()
    alice = await connect(server, name="alice")
    await alice.publish("order_placed", id=1)
    observer = await connect(server, "/observe/main")
    assert "snapshot" in json.loads((await observer.message()).data)
    assert server.stop() == 0
    for wire in (alice, observer):
        assert await wire.close_code() == 1001
    assert "Traceback" not in server.log


def orders_on(
    directory: Path, journal: Path, wrapper: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `orders serve` on this journal, which it is expected to refuse."""
    return orders(
        *("serve", "--port", "0", "--journal", str(journal)), cwd=directory, wrapper=wrapper
    )

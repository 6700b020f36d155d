"""The commands, as a person and a program use them, against real servers."""

import asyncio
import csv
import io
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Connect, Start
from tests.process import orders
from tests.terminal import Command
from tests.wire import DEADLINE, Wire, until

ADDRESS = re.compile(r"http://localhost:(\d+)")


async def ready(command: Command) -> str:
    """The address of a server that this command runs, once it is ready."""
    await command.until_said("Open http")
    found = ADDRESS.search(command.said)
    assert found is not None
    return found[0]


async def participants(http: aiohttp.ClientSession, url: str) -> list[str]:
    async with http.get(f"{url}/api/rooms/main") as answer:
        return [participant["name"] for participant in (await answer.json())["participants"]]


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie that nobody has buried yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except FileNotFoundError:
        return True


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


async def gone(pid: int) -> None:
    async def probe() -> bool:
        return has_ended(pid)

    await until(probe, f"process {pid} ended")


# ── serve ───────────────────────────────────────────────────────────────────────────────────────


async def test_any_free_port_is_taken_and_printed(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with Command(tmp_path, "serve", "--port", "0") as server:
        url = await ready(server)
        async with http.get(f"{url}/readyz") as answer:
            assert answer.status == 200
        assert "token" not in server.said
        assert "taken" not in server.noted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_closes_sockets_with_1001_and_ends_with_0(
    connect: Connect, tmp_path: Path, number: signal.Signals
) -> None:
    with Command(tmp_path, "serve", "--port", "0") as server:
        server.url = await ready(server)  # type: ignore[attr-defined]
        alice = await connect(server, name="alice")  # type: ignore[arg-type]
        await alice.expect("broker.welcome")
        server.send(number)
        assert await alice.close_code() == 1001
        assert await server.ended() == 0
        assert "Traceback" not in server.noted


async def test_the_default_port_taken_means_the_next_free_one_and_it_says_so(
    tmp_path: Path,
) -> None:
    try:
        taken = socket.create_server(("127.0.0.1", 8080))
    except OSError:
        taken = None  # somebody has it already, which is just as well
    with Command(tmp_path, "serve") as server:
        url = await ready(server)
        assert url != "http://localhost:8080"
        assert f"Port 8080 is taken, so this is port {url.rpartition(':')[2]}." in server.noted
    if taken:
        taken.close()


async def test_lan_prints_every_address_a_qr_code_and_the_hosts_address_once(
    tmp_path: Path,
) -> None:
    with Command(
        tmp_path, "serve", "--port", "0", "--lan", "--host-token", "open sesame, please!"
    ) as lan:
        said = await lan.until_said("Ctrl-C")
    addresses = re.findall(r"for the class: http://([\d.]+):\d+", said)
    if addresses:  # this machine is in a network
        assert "127.0.0.1" not in addresses
        assert "█" in said
    assert said.count("token=") == 1
    assert "\x1b" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_bob_comes_with_the_server_and_ends_with_it(
    http: aiohttp.ClientSession, tmp_path: Path, number: signal.Signals
) -> None:
    with Command(tmp_path, "serve", "--port", "0", "--with-bot") as server:
        url = await ready(server)

        async def is_there() -> bool:
            return "bob" in await participants(http, url)

        await until(is_there, "bob joined")
        (bob,) = children_of(server.process.pid)
        server.send(number)
        await server.ended()
        await gone(bob)


async def test_reload_starts_the_server_again_when_source_changes(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("orders", "templates", "static"):
        await asyncio.to_thread(_copy_tree, root / name, copy / name)
    with Command(tmp_path, "serve", "--port", "0", "--reload", PYTHONPATH=str(copy)) as server:
        await ready(server)
        (first,) = children_of(server.process.pid)
        (copy / "orders" / "domain" / "menu.py").touch()
        await server.until_said("Open http", 2)
        await gone(first)
        (second,) = children_of(server.process.pid)
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
        await gone(second)


def _copy_tree(source: Path, target: Path) -> None:
    import shutil

    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))


# ── place and bot ───────────────────────────────────────────────────────────────────────────────


async def test_orders_placed_are_answered_by_the_bot_and_shown(server: Any, tmp_path: Path) -> None:
    with Command(tmp_path, "bot", server.url) as bob:
        await bob.until_said("bob is in room main")
        ended = await run(
            tmp_path, "place", server.url, "--count", "10", "--invalid", "30%", "--rate", "0"
        )
        said = await bob.until_said("alice/10")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("stored") == 10
    assert ended.stdout.count("confirmed  by bob") == 7
    assert ended.stdout.count("rejected   by bob") == 3
    assert "10 placed: 7 confirmed, 3 rejected, 0 unanswered." in ended.stderr
    assert said.count("confirmed") == 7
    assert "\x1b" not in said + ended.stdout


async def test_numbers_go_on_where_the_customer_stopped(server: Any, tmp_path: Path) -> None:
    for expected in (1, 2):
        ended = await run(tmp_path, "place", server.url, "--wait", "0")
        assert f"alice/{expected} " in ended.stdout
        assert ended.returncode == 0


async def test_without_a_confirmer_it_says_how_to_bring_one(server: Any, tmp_path: Path) -> None:
    ended = await run(tmp_path, "place", server.url, "--wait", "0.1")
    assert ended.returncode == 1
    assert "orders bot" in ended.stderr


async def test_answers_come_as_json_for_programs(server: Any, tmp_path: Path) -> None:
    with Command(tmp_path, "bot", server.url):
        ended = await run(
            tmp_path, "place", server.url, "--json", "--id", "7", "--item", "gold", "--wait", "60"
        )
    (answer,) = [json.loads(line) for line in ended.stdout.splitlines()]
    assert answer["id"] == 7
    assert answer["state"] == "rejected"
    assert answer["reason"] == "unknown_item"


async def run(directory: Path, *arguments: str) -> Any:
    return await asyncio.to_thread(orders, *arguments, cwd=directory)


# ── tail and export ─────────────────────────────────────────────────────────────────────────────


async def test_tail_follows_the_log_and_nobody_notices(
    server: Any, http: aiohttp.ClientSession, tmp_path: Path, alice: Wire
) -> None:
    await alice.publish("order_placed", id=1)
    with (
        Command(tmp_path, "tail", server.url, "--after", "start", "--json") as all_events,
        Command(tmp_path, "tail", server.url, "--after", "start", "--type", "order_r*") as some,
    ):
        await all_events.until_said('"type"')
        assert await participants(http, server.url) == ["alice"]
        hostile = {"id": 2, "reason": "\x1b[31m\u202e"}
        await alice.send({"type": "order_rejected", "data": hostile})
        await all_events.until_said('"type"', 2)
        await some.until_said("order_rejected")
        lines = [json.loads(line) for line in all_events.said.splitlines()]
        assert [line["type"] for line in lines] == ["order_placed", "order_rejected"]
        assert lines[1]["data"] == hostile
        assert "\x1b" not in some.said + all_events.said
        assert "order_placed" not in some.said
        some.send(signal.SIGINT)
        assert await some.ended() == 0


@pytest.mark.settings(rate=0)
async def test_tail_shows_a_long_log_whole_once_and_in_order(
    server: Any, connect: Connect, tmp_path: Path
) -> None:
    count = 7_000  # more than the feed sends to an observer that is so far behind
    alice = await connect(server, name="alice", echo="false")
    for n in range(1, count + 1):
        await alice.send({"type": "counted", "data": {"n": n}})
    for _ in range(count):
        await alice.expect("broker.accepted")
    with Command(tmp_path, "tail", server.url, "--json", "--after", "start") as tail:
        await tail.until_said(f'"n": {count}}}')
        await alice.send({"type": "ended", "data": {}})
        await tail.until_said('"ended"')
        numbers = [json.loads(line)["data"].get("n") for line in tail.said.splitlines()]
    assert numbers == [*range(1, count + 1), None]


async def test_tail_comes_back_with_the_server_and_repeats_nothing(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    server = start()
    with Command(tmp_path, "tail", server.url, "--json", "--after", "start") as tail:
        for n in (1, 2):
            alice = await connect(server, name="alice")
            await alice.publish("order_placed", id=n)
            await tail.until_said('"type"', n)
            if n == 1:
                server.kill()
                server.start()
        assert [json.loads(line)["data"]["id"] for line in tail.said.splitlines()] == [1, 2]
        assert "Not connected to" in tail.noted


async def test_a_room_that_is_not_there_is_one_sentence(server: Any, tmp_path: Path) -> None:
    for command in ("tail", "export"):
        ended = await run(tmp_path, command, server.url, "--room", "nowhere")
        assert ended.returncode == 1
        assert "nowhere" in ended.stderr
        assert ended.stderr.count("\n") == 1


@pytest.mark.settings(rate=0)
async def test_the_log_is_exported_whole_in_every_format(
    server: Any, tmp_path: Path, alice: Wire
) -> None:
    for n in range(1, 1201):
        await alice.send({"type": "order_placed", "data": {"id": n, "note": '="1" , \n'}})
    for _ in range(1200):
        await alice.expect("broker.accepted")
    jsonl = await run(tmp_path, "export", server.url)
    assert [json.loads(line)["data"]["id"] for line in jsonl.stdout.splitlines()] == [
        *range(1, 1201)
    ]
    table = await run(tmp_path, "export", server.url, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert [json.loads(row["data"])["id"] for row in rows] == [*range(1, 1201)]
    diagram = await run(tmp_path, "export", server.url, "--format", "mermaid", "-o", "a.mmd")
    assert diagram.returncode == 0
    text = (tmp_path / "a.mmd").read_text()
    assert text.startswith("sequenceDiagram")
    assert text.count("order_placed") == 1200
    for flags, is_named in (((), False), (("--names",), True)):
        ended = await run(
            tmp_path, "export", server.url, "--format", "html", "-o", "a.html", *flags
        )
        assert ended.returncode == 0, ended.stderr
        page = (tmp_path / "a.html").read_text()
        assert page.count('"type":"order_placed"') == 1200
        assert ('"source":"alice"' in page) is is_named
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


async def test_what_cannot_be_written_is_one_sentence(server: Any, tmp_path: Path) -> None:
    ended = await run(tmp_path, "export", server.url, "-o", "no/such/folder.jsonl")
    assert ended.returncode == 1
    assert "no/such/folder.jsonl" in ended.stderr
    wrong = await run(tmp_path, "export", server.url, "--format", "pdf")
    assert wrong.returncode == 1
    assert "pdf" in wrong.stderr


async def test_the_doctor_knows_a_server_of_ours(server: Any, tmp_path: Path) -> None:
    ended = await run(tmp_path, "doctor", "--port", str(server.port))
    assert f"An Orders server is running on port {server.port}." in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_export_that_is_stopped_leaves_what_was_there_and_nothing_half(
    tmp_path: Path, number: signal.Signals
) -> None:
    begun = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}\n")
        begun.set()
        await reader.read()  # until it goes away
        writer.close()

    (tmp_path / "log.jsonl").write_text("before")
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as stub:
        url = f"http://127.0.0.1:{stub.sockets[0].getsockname()[1]}"
        with Command(tmp_path, "export", url, "-o", "log.jsonl") as export:
            await asyncio.wait_for(begun.wait(), DEADLINE)
            export.send(number)
            assert await export.ended() == 130
            assert export.noted == ""
    assert [name for name in os.listdir(tmp_path) if name.startswith("log")] == ["log.jsonl"]
    assert (tmp_path / "log.jsonl").read_text() == "before"


@pytest.mark.settings(rate=0)
async def test_output_into_a_pipe_that_closes_is_no_error(
    server: Any, tmp_path: Path, alice: Wire
) -> None:
    for n in range(1, 400):
        await alice.send({"type": "order_placed", "data": {"id": n, "note": "x" * 5000}})
    for _ in range(1, 400):
        await alice.expect("broker.accepted")
    shell = f"{sys.executable} -m orders export {server.url} | head -n 1"
    process = await asyncio.create_subprocess_shell(
        shell,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, noted = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert json.loads(out)["data"]["id"] == 1
    assert noted == b""

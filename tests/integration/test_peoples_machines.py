"""What people's machines do to the commands: closed pipes, full disks, consoles, signals."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Connect
from tests.process import Process, environment
from tests.terminal import Command
from tests.wire import DEADLINE, until

ORDERS = shlex.join([sys.executable, "-m", "orders"])
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="devices and FIFOs are those of POSIX")


async def shell(line: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell to its end."""
    return await asyncio.to_thread(
        lambda: subprocess.run(
            ["bash", "-c", line],
            cwd=cwd,
            env=environment(**env),
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
    )


@pytest.fixture
async def ordered(server: Any, connect: Connect) -> Any:
    """A server whose log has an order with a character that not every console has."""
    alice = await connect(server, name="alice")
    await alice.publish("order_placed", id=1, note="☕")
    return server


@POSIX
@pytest.mark.parametrize("command", ["tail {url} --after start", "bot {url}"])
async def test_who_reads_no_further_ends_the_command(
    ordered: Any, tmp_path: Path, command: str
) -> None:
    ended = await shell(f"{ORDERS} {command.format(url=ordered.url)} | head -n 0", tmp_path)
    assert b"Traceback" not in ended.stderr
    assert ended.returncode == 0


@POSIX
@pytest.mark.parametrize(
    "command",
    [
        "export {url} > /dev/full",
        "export {url} -o /dev/full",
        "tail {url} --after start > /dev/full",
        "place {url} --wait 0 > /dev/full",
        "doctor > /dev/full",
        "--version > /dev/full",
        "--help > /dev/full",
    ],
)
async def test_a_full_disk_is_one_sentence(ordered: Any, tmp_path: Path, command: str) -> None:
    ended = await shell(f"{ORDERS} {command.format(url=ordered.url)}", tmp_path)
    said = ended.stderr.decode()
    assert ended.returncode == 1
    assert said.count("\n") == 1, said
    assert "cannot be written: No space left on device." in said


@POSIX
@pytest.mark.parametrize(
    "command",
    [
        *("--version >&-", "doctor --port 0 >&-", "export {url} >&-"),
        "tail {url} --after start 2>&- | head -n 1",
    ],
)
async def test_who_is_started_without_standard_streams_gets_no_traceback(
    ordered: Any, tmp_path: Path, command: str
) -> None:
    """As a service may be: then what is printed leads nowhere, and into no other file."""
    ended = await shell(f"timeout 20 {ORDERS} {command.format(url=ordered.url)}", tmp_path)
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr


@POSIX
@pytest.mark.parametrize("streams", ["> out 2> /dev/full", ">&- 2>&- <&-"])
async def test_a_server_goes_on_where_nobody_can_be_told_what_it_does(
    http: aiohttp.ClientSession, tmp_path: Path, streams: str
) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    serve = f"{ORDERS} serve --port {port} --journal orders.db {streams} & echo $!"
    pid = int((await shell(serve, tmp_path)).stdout.split()[-1])

    async def is_ready() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get(f"http://localhost:{port}/readyz") as answer:
                return answer.status == 200
        return False

    try:
        await until(is_ready, "it serves")
    finally:
        os.kill(pid, signal.SIGTERM)


@POSIX
async def test_an_export_leaves_links_modes_devices_and_pipes_what_they_are(
    ordered: Any, tmp_path: Path
) -> None:
    file, link, pipe = tmp_path / "log.jsonl", tmp_path / "link.jsonl", tmp_path / "pipe"
    file.write_text("before", encoding="utf-8")
    file.chmod(0o640)
    link.symlink_to(file.name)
    os.mkfifo(pipe)
    export = f"{ORDERS} export {ordered.url} -o"
    await shell(f"{export} link.jsonl", tmp_path)
    assert link.is_symlink()
    assert json.loads(file.read_text(encoding="utf-8"))["data"]["id"] == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    ended = await shell(f"{export} pipe & cat pipe; wait", tmp_path)
    assert json.loads(ended.stdout)["data"]["id"] == 1
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert not any(name.endswith(".part") for name in os.listdir(tmp_path))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
async def test_a_console_that_lacks_a_character_shows_another(
    ordered: Any, tmp_path: Path, encoding: str
) -> None:
    command = f"{ORDERS} tail {ordered.url} --json --after start | head -n 1"
    ended = await shell(command, tmp_path, PYTHONIOENCODING=encoding)
    assert json.loads(ended.stdout)["data"]["note"] == "☕", "JSON says it in another way"
    serve = ["serve", "--lan", "--port", "0", "--journal", "memory"]
    with Command(tmp_path, *serve, PYTHONIOENCODING=encoding) as command_:
        said = await command_.until_said("/join")
        assert "?" * 5 not in said, "no QR code of question marks"
        assert "/join" in said


@pytest.mark.parametrize(
    ("env", "port"),
    [("", None), ("tcp://10.0.0.1:8080", None)],
)
def test_what_says_nothing_to_us_in_the_environment_is_passed_over(
    env: str, port: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orders.settings import Settings

    monkeypatch.setenv("ORDERS_PORT", env)
    monkeypatch.setenv("ORDERS_LEASE", "")
    settings = Settings()
    assert (settings.port, settings.lease) == (port, 30.0)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
async def test_an_env_file_that_is_not_utf_8_is_one_sentence(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_text("# Größe\nORDERS_PORT=0\n", encoding=encoding)
    ended = await shell(f"{ORDERS} serve", tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.decode().count("\n") == 1
    assert ".env here is not in UTF-8" in ended.stderr.decode()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--journal .", "The journal . cannot be used (it is a folder)"),
        ("--engine nats:", "it must be sqlite, or addresses such as"),
        ("--host-token short", "it should have at least 16 characters"),
    ],
)
async def test_what_a_server_cannot_run_with_is_one_sentence(
    tmp_path: Path, flags: str, said: str
) -> None:
    ended = await shell(f"{ORDERS} serve --port 0 {flags}", tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.decode().count("\n") == 1
    assert said in ended.stderr.decode()


async def test_an_env_file_of_notepad_is_read(tmp_path: Path) -> None:
    text = "ORDERS_PORT=0\nORDERS_JOURNAL=memory\nORDERS_LEASE=nonsense\n"
    (tmp_path / ".env").write_text(text, encoding="utf-8-sig")
    ended = await shell(f"{ORDERS} serve", tmp_path)
    assert "--lease (or ORDERS_LEASE) is 'nonsense'" in ended.stderr.decode()


def test_a_port_that_is_drawn_is_drawn_again_if_ipv6_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from orders import app
    from orders.settings import Settings

    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    taken: list[socket.socket] = []
    listen = app._listen

    def unlucky(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        bound = listen(family, host, port)
        if not taken:  # somebody has the first port that is drawn on IPv6
            taken.append(listen(socket.AF_INET6, "::1", bound.getsockname()[1]))
        return bound

    monkeypatch.setattr(app, "_listen", unlucky)
    bound = app.bind(Settings(port=0))
    try:
        assert bound[0].getsockname()[1] != taken[0].getsockname()[1]
    finally:
        for one in [*bound, *taken]:
            one.close()


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_ends_it_at_once_and_nothing_is_left(
    tmp_path: Path, number: signal.Signals
) -> None:
    serve = ["serve", "--port", "0", "--journal", "memory", "--with-bot"]
    with Command(tmp_path, *serve) as command:
        await command.until_said("Open http")
        command.send(number)
        command.send(number)
        assert await command.ended() in (0, 130)
        assert "Traceback" not in command.noted
        assert "trying again" not in command.noted


FEW_FILES = """
import resource, sys
if not {uvloop}:
    sys.modules["uvloop"] = None
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
from orders.cli import main
main()
"""


@POSIX
@pytest.mark.parametrize("uvloop", [True, False])
async def test_when_no_more_files_may_be_opened_it_says_so_once_and_goes_on(
    tmp_path: Path, http: aiohttp.ClientSession, uvloop: bool
) -> None:
    program = FEW_FILES.format(uvloop=uvloop)
    server = Process(tmp_path, program=(sys.executable, "-c", program))
    with server, contextlib.ExitStack() as stack:
        async with http.get(f"{server.url}/healthz") as answer:
            assert answer.status == 200  # a connection that is kept
        for _ in range(100):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(("127.0.0.1", server.port))

        async def is_said() -> bool:
            return "ulimit -n" in server.log

        async def is_refused() -> bool:
            async with http.get(f"{server.url}/starters") as answer:
                return answer.status == 503 and "system_failed" in await answer.text()

        await until(is_refused, "what needs one more file is refused")
        if not uvloop:  # which waits, and says nothing
            await until(is_said, "it says why nobody comes in")
        stack.close()
        async with http.get(f"{server.url}/readyz") as answer:
            assert answer.status == 200
        assert server.stop() == 0
    assert server.log.count("\n") <= 4 and "Traceback" not in server.log, server.log

"""deploy/nginx.conf in front of two nodes, and the image's health check, really run.

Only names, ports and directories are changed for it. No container is started.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import Start
from tests.deployed import DEPLOY, changed, free_ports, program
from tests.process import Process, environment
from tests.wire import Wire, until

NAME = "orders.example"
TOKEN = "a-token-of-the-host"
FLAGS = ("--proxy-headers", "--allow-host", NAME, "--host-token", TOKEN)


# ── nginx ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def nginx() -> str:
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        reason = "nginx is not installed (Debian: apt-get install nginx-light)"
        if os.environ.get("ORDERS_REQUIRE_NGINX"):
            pytest.fail(f"{reason}, and ORDERS_REQUIRE_NGINX is set")
        pytest.skip(reason)
    return path


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Process]]:
    """Two nodes; here with a journal each, for the proxy cannot tell."""
    directories = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    with Process(directories[0], *FLAGS) as one, Process(directories[1], *FLAGS) as two:
        yield [one, two]


def configured(directory: Path, nodes: list[Process], port: int, **changes: str) -> list[str]:
    """nginx.conf for these nodes and this port, as arguments of nginx."""
    writable = "".join(
        f"{kind}_temp_path {directory / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = changed(
        "nginx.conf",
        **{
            "orders-1:8080": f"127.0.0.1:{nodes[0].port}",
            "orders-2:8080": f"127.0.0.1:{nodes[1].port}",
            "listen 80;": f"listen 127.0.0.1:{port};",
            "/dev/stdout": str(directory / "access.log"),
            "http {": f"http {{\n{writable}",
            **changes,
        },
    )
    path = directory / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    rest = f"daemon off; pid {directory / 'nginx.pid'};"
    return ["-e", str(directory / "error.log"), "-p", str(directory), "-c", str(path), "-g", rest]


def check(nginx: str, arguments: list[str]) -> None:
    seen = subprocess.run([nginx, "-t", *arguments], capture_output=True, text=True, check=False)
    assert seen.returncode == 0, seen.stderr
    assert "[emerg]" not in seen.stderr


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nginx writes, its `access.log` too."""
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
async def proxied(nginx: str, nodes: list[Process], directory: Path) -> AsyncIterator[str]:
    """Where nginx listens, in front of two nodes."""
    (port,) = free_ports(1)
    arguments = configured(directory, nodes, port)
    check(nginx, arguments)
    url = f"http://127.0.0.1:{port}"
    with program([nginx, *arguments], directory / "nginx.log"):
        async with aiohttp.ClientSession() as http:
            await until(lambda: answers(http, f"{url}/readyz"), "nginx answers")
        yield url


async def answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


@asynccontextmanager
async def joined(http: aiohttp.ClientSession, url: str, query: str) -> AsyncIterator[Wire]:
    headers = {"Host": NAME, "Origin": f"http://{NAME}"}
    async with http.ws_connect(f"{url}/ws?{query}", headers=headers) as ws:
        yield Wire(ws)


async def test_events_pass_the_proxy_both_ways(proxied: str, http: aiohttp.ClientSession) -> None:
    async with joined(http, proxied, "room=both-ways&name=alice") as alice:
        await alice.expect("broker.welcome", name="alice")
        await alice.publish("order_placed", id=5)
        await alice.send({"type": "note", "data": {"text": "x" * 60_000}})
        await alice.expect("note")
        assert [e["data"]["id"] for e in alice.heard if e["type"] == "order_placed"] == [5]


async def test_requests_pass_the_proxy_under_the_name_that_visitors_use(
    proxied: str, http: aiohttp.ClientSession
) -> None:
    headers = {"Host": NAME, "Authorization": f"Bearer {TOKEN}", "Origin": f"http://{NAME}"}
    event = {"type": "order_placed", "data": {"id": 5}}
    api = f"{proxied}/api/rooms/main"
    async with http.post(f"{api}/events?name=carol", json=event, headers=headers) as answer:
        assert answer.status == 201
    async with http.post(f"{api}/pause", headers={**headers, "Authorization": ""}) as answer:
        assert answer.status == 403, "a proxy must not make every visitor the host"
    async with http.post(f"{api}/pause", headers=headers) as answer:
        assert answer.status == 200
    async with http.get(f"{proxied}/asyncapi.json", headers=headers) as answer:
        assert NAME in await answer.text()
    async with http.get(proxied, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403


async def test_figures_and_secrets_stay_within(
    proxied: str, directory: Path, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{proxied}/metrics") as answer:
        assert answer.status == 404
    entry = f"{proxied}/host?token={TOKEN}"
    async with http.get(entry, headers={"Host": NAME}, allow_redirects=False) as answer:
        assert answer.status == 303
    log = directory / "access.log"
    await until(lambda: says(log, "GET /host"), "the access log")
    assert not await says(log, TOKEN)


async def says(log: Path, text: str) -> bool:
    return text in await asyncio.to_thread(log.read_text)


async def test_when_a_node_ends_its_participants_come_in_at_the_other(
    proxied: str, nodes: list[Process], http: aiohttp.ClientSession
) -> None:
    async with joined(http, proxied, "room=ending&name=alice") as alice:
        await alice.expect("broker.welcome", name="alice")
        here = [await has_room(http, node, "ending") for node in nodes]
        assert sorted(here) == [False, True]
        assert nodes[here.index(True)].stop() == 0
        assert await alice.close_code() == 1001
        # in turn, so that some would go to the node that is no more
        for name in ("alice", "bob", "carol"):
            async with joined(http, proxied, f"room=ending&name={name}") as wire:
                await wire.expect("broker.welcome", name=name)
    nodes[here.index(True)].start()


async def has_room(http: aiohttp.ClientSession, node: Process, room: str) -> bool:
    async with http.get(f"{node.url}/api/rooms/{room}") as answer:
        return answer.status == 200


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of our own making; its key lies beside it as `orders.key`."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "orders.key", tmp_path / "orders.crt"
    make = f"req -x509 -newkey rsa:2048 -nodes -subj /CN={NAME} -keyout {key} -out {certificate}"
    subprocess.run([openssl, *make.split()], check=True, capture_output=True)
    return certificate


async def test_with_its_four_lines_the_proxy_speaks_tls(
    nginx: str,
    nodes: list[Process],
    certificate: Path,
    tmp_path: Path,
    http: aiohttp.ClientSession,
) -> None:
    key = certificate.with_suffix(".key")
    port, secure = free_ports(2)
    lines = {
        "# listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;",
        "# ssl_certificate /etc/nginx/orders.crt;": f"ssl_certificate {certificate};",
        "# ssl_certificate_key /etc/nginx/orders.key;": f"ssl_certificate_key {key};",
        "# if ($scheme": "if ($scheme",
    }
    arguments = configured(tmp_path, nodes, port, **lines)
    check(nginx, arguments)
    with program([nginx, *arguments], tmp_path / "nginx.log"):
        url, host = f"https://127.0.0.1:{secure}", {"Host": NAME}
        await until(lambda: connects(secure), "nginx listens")
        async with http.get(
            f"http://127.0.0.1:{port}/stage", headers=host, allow_redirects=False
        ) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/stage")
        async with http.get(f"{url}/asyncapi.json", headers=host, ssl=False) as answer:
            assert '"wss"' in await answer.text()
        entry = f"{url}/host?token={TOKEN}"
        async with http.get(entry, headers=host, ssl=False, allow_redirects=False) as answer:
            assert "Secure" in answer.headers["Set-Cookie"]
        headers = {**host, "Origin": f"https://{NAME}"}
        async with http.ws_connect(f"{url}/ws?name=alice", headers=headers, ssl=False) as ws:
            await Wire(ws).expect("broker.welcome", name="alice")


async def connects(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


# ── the image ───────────────────────────────────────────────────────────────────────────────────


def test_the_image_is_healthy_while_its_server_is_ready(start: Start) -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.+\])$", text, re.MULTILINE)
    assert found is not None
    server = start()
    assert "localhost:8080/readyz" in found[1]
    command = json.loads(found[1].replace("8080", str(server.port)))
    assert command[0] == "python"

    def health() -> int:
        again = [sys.executable, *command[1:]]
        return subprocess.run(again, env=environment(), capture_output=True, check=False).returncode

    assert health() == 0
    server.kill()
    assert health() == 1

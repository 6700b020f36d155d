"""NATS with logins that may do too little, accounts that have too little, and TLS or none."""

import asyncio
import os
import re
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from orders.errors import CannotStart
from tests.conftest import Come, Connect, Serve
from tests.nats_servers import Nats, required
from tests.nodes.conftest import say
from tests.nodes.test_failures import is_not_ready, refused
from tests.transports import Nobody
from tests.wire import until

ACCOUNTS = """
max_connections: 40
accounts {
  A { jetstream: enabled, users: [
    {user: unheard, password: x, permissions: {publish: {deny: "$JS.API.>"}}},
    {user: deaf, password: x, permissions: {subscribe: {deny: "_INBOX.>"}}},
    {user: maker, password: x, permissions: {publish: {deny: "$JS.API.STREAM.CREATE.>"}}},
    {user: reader, password: x, permissions: {publish: {deny: "orders.log.>"}}}] }
  PLAIN { users: [{user: plain, password: x}] }
  FEW { jetstream: {max_streams: 2}, users: [{user: few, password: x}] }
  SEVEN { jetstream: {max_streams: 7}, users: [{user: seven, password: x}] }
  SMALL { jetstream: {max_file: 4096}, users: [{user: small, password: x}] }
}
"""


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    required()
    with Nats(tmp_path_factory.mktemp("nats"), more=ACCOUNTS) as nats:
        yield nats


def as_user(nats: Nats, user: str) -> str:
    return nats.url.replace("//", f"//{user}@" if ":" in user else f"//{user}:x@")


async def why_not(address: str, creds: str | None = None, ca: str | None = None) -> CannotStart:
    """What a node says that cannot start with this journal."""
    required()
    from orders.journal.nats import NatsEngine, connection, starting

    connection.CONNECT, starting.LISTEN = 1.0, 0.2  # seconds: all of it is on this machine
    engine = NatsEngine(address.split(","), creds=creds, ca=ca, patience=1)
    engine.callbacks = Nobody()
    with pytest.raises(CannotStart) as failed:
        await engine.open()
    return failed.value


@pytest.mark.parametrize(
    ("user", "code", "says"),
    [
        ("unheard", "engine_forbidden", "publish to .*js.api.info"),
        ("deaf", "engine_forbidden", "subscription to .*_inbox"),
        ("maker", "engine_forbidden", "stream.create"),
        ("plain", "engine_without_jetstream", "enable it for this account"),
        ("few", "engine_full", "maximum number of streams"),
        ("nobody:secret", "engine_forbidden", "check the name and password"),
    ],
)
async def test_a_login_that_may_too_little_is_said_at_the_start(
    accounts: Nats, user: str, code: str, says: str
) -> None:
    error = await why_not(as_user(accounts, user))
    assert error.code == code
    assert f"127.0.0.1:{accounts.port}" in error.message and "secret" not in error.message
    assert re.search(says, error.message), error.message


async def test_a_login_that_may_not_write_is_refused_by_name_until_it_may(
    tmp_path: Path, serve: Serve, http: aiohttp.ClientSession
) -> None:
    required()
    with Nats(tmp_path, more=ACCOUNTS) as nats:
        async with serve(engine=as_user(nats, "reader"), engine_patience=1) as node:
            await is_not_ready(http, node, "storage_failed")
            event = {"type": "tick", "data": {}}
            url = f"{node.url}/api/rooms/main/events?name=alice"
            async with http.post(url, json=event) as answer:
                error = (await answer.json())["error"]
            assert error["code"] == "storage_failed"
            assert "permissions violation" in error["message"] and "_INBOX.>" in error["message"]
            config = nats._config.read_text()
            nats._config.write_text(config.replace('deny: "orders.log.>"', 'deny: "other"'))
            os.kill(nats.pid, signal.SIGHUP)

            async def is_taken() -> bool:
                async with http.post(url, json=event) as answer:
                    return answer.status == 201

            await until(is_taken, "it may write by now")
            async with http.get(f"{node.url}/readyz") as answer:
                assert answer.status == 200


async def test_a_login_that_is_refused_while_it_runs_is_told_until_it_is_let_in_again(
    tmp_path: Path, serve: Serve, http: aiohttp.ClientSession
) -> None:
    required()
    with Nats(tmp_path) as nats:
        async with serve(engine=nats.url, engine_patience=1) as node:
            config = nats._config.read_text()
            nats.kill()
            nats._config.write_text(f"{config}\nauthorization {{ user: a, password: b }}\n")
            nats.start()
            await is_not_ready(http, node, "storage_failed")
            event = {"type": "tick", "data": {}}
            url = f"{node.url}/api/rooms/main/events?name=alice"
            async with http.post(url, json=event) as answer:
                error = (await answer.json())["error"]
            assert error["code"] == "storage_failed"
            assert "Check the name and password in --engine" in error["message"]
            nats.kill()
            nats._config.write_text(config)
            nats.start()

            async def is_taken() -> bool:
                async with http.post(url, json=event) as answer:
                    return answer.status == 201

            await until(is_taken, "it is let in again")


async def test_an_account_without_room_is_full_and_so_is_one_that_has_all_its_streams(
    accounts: Nats, serve: Serve, come: Come, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(engine=as_user(accounts, "seven")) as node:
        alice = await come(node, name="alice")
        bob = await connect(node, name="bob", room="another")
        said = await bob.expect("broker.error", code="storage_full")
        assert "number of streams" in said["data"]["message"]
        await say(alice)
    async with serve(engine=as_user(accounts, "small")) as node:
        alice = await come(node, name="alice")
        assert (await refused(alice, 4000))["code"] == "storage_full"

        async def is_full() -> bool:
            await alice.send({"type": "tick", "data": {"text": "x" * 300}})
            answer = await alice.next()
            return bool(answer["data"].get("code") == "storage_full")

        await until(is_full, "its account is full")
        await is_not_ready(http, node, "storage_full")


# ── the way there ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of our own, and its key in the same file."""
    path = tmp_path / "tls.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost"
    made += " -addext subjectAltName=IP:127.0.0.1 -keyout tls.pem -out tls.pem"
    subprocess.run(made.split(), cwd=tmp_path, check=True, capture_output=True)
    return path


async def test_tls_is_never_less_than_was_asked_for(tmp_path: Path, certificate: Path) -> None:
    required()
    with Nats(tmp_path / "plain") as nats:
        error = await why_not(nats.url.replace("nats://", "tls://orders:secret@"))
        assert error.code == "engine_not_encrypted" and "secret" not in error.message
        assert (await why_not(nats.url, ca=str(certificate))).code == "engine_not_encrypted"
    pem = f'cert_file: "{certificate}", key_file: "{certificate}"'
    with Nats(tmp_path / "encrypted", more=f"tls {{ {pem} }}") as nats:
        for address in (nats.url, nats.url.replace("nats:", "tls:")):
            error = await why_not(address)
            assert error.code == "engine_certificate" and "--engine-ca" in error.message
        from nats import connect

        trusting = ssl.create_default_context(cafile=certificate)
        await (await connect(nats.url, tls=trusting)).close()


async def test_a_server_that_takes_no_more_connections_says_so(tmp_path: Path) -> None:
    required()
    from nats import connect

    with Nats(tmp_path, more="max_connections: 1") as nats:
        first = await connect(nats.url)
        error = await why_not(nats.url)
        assert error.code == "engine_full" and "max_connections" in error.message
        await first.close()


async def test_who_looks_for_a_server_stops_even_if_one_cancellation_is_lost() -> None:
    """As `wait_for` may lose it, in the library that tries again for ever."""
    from orders.journal.nats import starting

    lost: list[asyncio.CancelledError] = []

    async def try_for_ever() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError as cancelled:
                if lost:
                    raise
                lost.append(cancelled)

    with pytest.raises(TimeoutError):
        await starting.within(0.01, try_for_ever())
    assert lost


@pytest.mark.parametrize(
    "address", ["", "nats://", "http://localhost:4222", "ws://localhost:1", "nats://a:99999", "a b"]
)
async def test_an_address_that_names_no_server_is_said_at_once(address: str) -> None:
    error = await why_not(address)
    assert error.code == "engine_address" and "nats://host:port" in error.message


async def test_files_for_the_way_there_that_hold_something_else_are_named(tmp_path: Path) -> None:
    required()
    other = tmp_path / "other"
    other.write_text("something else")
    for path, reason in ((other, "it holds no"), (tmp_path / "none", "No such file")):
        for wish in ({"ca": str(path)}, {"creds": str(path)}):
            error = await why_not("nats://localhost:4222", **wish)
            assert str(path) in error.message and reason in error.message

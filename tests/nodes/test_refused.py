"""Where JetStream could not keep what Orders promises, it does not start, and says why."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orders.errors import CannotStart
from tests.nats_servers import Nats, free_port, required
from tests.process import orders
from tests.transports import Nobody

if TYPE_CHECKING:
    from orders.journal.nats import NatsEngine


def engine(*addresses: str) -> "NatsEngine":
    required()
    from orders.journal.nats import NatsEngine

    engine = NatsEngine(addresses)
    engine.callbacks = Nobody()
    return engine


@contextlib.asynccontextmanager
async def server_of_version(version: str) -> AsyncIterator[str]:
    """The address of something that greets as a NATS server of this version, and says no more."""
    info = {
        "server_id": "old",
        "server_name": "old",
        "version": version,
        "proto": 1,
        "headers": True,
        "max_payload": 1_048_576,
        "jetstream": True,
    }

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_without_a_server_it_says_where_it_looked(tmp_path: Path) -> None:
    required()
    address = f"nats://127.0.0.1:{free_port()}"
    run = await asyncio.to_thread(orders, "serve", "--port", "0", "--engine", address, cwd=tmp_path)
    assert run.returncode == 1
    assert address.removeprefix("nats://") in run.stderr
    assert "Traceback" not in run.stderr


async def test_a_port_where_another_protocol_is_spoken_is_no_nats_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orders.journal.nats.connection.CONNECT", 0.2)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(CannotStart, match=r"expecting INFO|speaks as a NATS server") as refused:
            await engine(f"nats://{address}").open()
    assert refused.value.code == "engine_unreachable"
    assert f" at {address} " in refused.value.message


@pytest.mark.parametrize("version", ["2.9.25", "2.10.22"])
async def test_a_server_that_is_too_old_is_refused_by_its_version(version: str) -> None:
    async with server_of_version(version) as address:
        with pytest.raises(CannotStart, match=version.replace(".", r"\.")) as refused:
            await engine(address).open()
    assert "2.10.23" in refused.value.message


async def test_a_server_without_jetstream_is_refused(tmp_path: Path) -> None:
    required()
    with Nats(tmp_path / "nats", js=False) as nats, pytest.raises(CannotStart, match="JetStream"):
        await engine(nats.url).open()


async def test_a_journal_in_memory_is_refused(tmp_path: Path) -> None:
    """Somebody made the streams again, in memory: what is accepted there would be gone."""
    required()
    from nats import connect
    from nats.js.api import StorageType

    with Nats(tmp_path / "nats") as nats:
        first = engine(nats.url)
        await first.open()
        await first.close()
        client = await connect(nats.url)
        streams = client.jetstream()
        configs = [info.config for info in await streams.streams_info()]
        assert configs, "nothing was made"
        for config in configs:
            await streams.delete_stream(config.name or "")
            config.storage = StorageType.MEMORY
            await streams.add_stream(config)
        await client.close()
        with pytest.raises(CannotStart, match="memory"):
            await engine(nats.url).open()

"""What goes wrong at NATS is called by its name, and touches nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from orders.errors import CannotStart
from tests.conftest import Serve
from tests.nats_servers import Nats, required
from tests.nodes.conftest import Come, Nodes, say
from tests.nodes.test_refused import engine
from tests.wire import Wire, until

if TYPE_CHECKING:
    from nats.js import JetStreamContext


@pytest.fixture
async def jetstream(nats: Nats) -> AsyncIterator["JetStreamContext"]:
    from nats import connect

    client = await connect(nats.url)
    yield client.jetstream()
    await client.close()


async def refused(wire: Wire, size: int = 1) -> dict[str, Any]:
    """Send an event of about so many bytes that must be refused: what is said then."""
    await wire.send({"type": "tick", "data": {"text": "x" * size}})
    data: dict[str, Any] = (await wire.expect("broker.error"))["data"]
    return data


async def test_a_login_that_is_refused_is_no_missing_server(tmp_path: Path) -> None:
    required()
    login = 'authorization { user: "orders", password: "right" }'
    with Nats(tmp_path / "nats", more=login) as nats:
        address = nats.url.replace("//", "//orders:wrong@")
        with pytest.raises(CannotStart, match="refuses this login") as failed:
            await engine(address).open()
    assert failed.value.code == "engine_forbidden"
    assert "wrong" not in failed.value.message


async def test_an_event_that_nats_finds_too_large_is_refused_alone(
    tmp_path: Path, serve: Serve, come: Come
) -> None:
    required()
    with Nats(tmp_path / "nats", more="max_payload: 8192") as nats:
        async with serve(engine=nats.url) as node:
            alice, bob = [await come(node, name=name) for name in ("alice", "bob")]
            error = await refused(alice, 20_000)
            assert error["code"] == "too_large"
            assert "max_payload" in error["message"]
            await say(bob)
            await say(alice)


async def test_a_stream_that_was_deleted_is_missed_by_name(
    nodes: Nodes, come: Come, jetstream: "JetStreamContext", http: aiohttp.ClientSession
) -> None:
    (node,) = await nodes(1, engine_patience=1)
    alice = await come(node, name="alice")
    await say(alice)
    await jetstream.delete_stream("ORDERS_main_1")
    error = await refused(alice)
    assert error["code"] == "journal_lost"
    assert "ORDERS_main_1" in error["message"]

    async def is_not_ready() -> bool:
        async with http.get(f"{node.url}/readyz") as answer:
            return answer.status == 503

    await until(is_not_ready, "it says that it is not ready")


async def test_a_journal_without_room_left_is_full(
    nodes: Nodes, come: Come, jetstream: "JetStreamContext"
) -> None:
    from nats.js.api import DiscardPolicy

    (node,) = await nodes(1)
    alice = await come(node, name="alice")
    await say(alice)
    info = await jetstream.stream_info("ORDERS_main_1")
    info.config.max_bytes = info.state.bytes
    info.config.discard = DiscardPolicy.NEW
    await jetstream.update_stream(info.config)
    assert (await refused(alice))["code"] == "storage_full"

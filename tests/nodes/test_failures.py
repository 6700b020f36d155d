"""What goes wrong at NATS is called by its name, and touches nothing else."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from orders.errors import Close
from orders.journal.nats import ranges
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import NO_MESSAGE, Rejected
from tests.conftest import Come, Connect, Serve
from tests.nats_servers import Nats, required
from tests.nodes.conftest import Nodes, Rooms, hears, ids, say
from tests.rooms import Address
from tests.wire import Wire, until

if TYPE_CHECKING:
    from nats.js import JetStreamContext

STREAM = "ORDERS_main_1"
BUCKETS = ("orders-nodes", "orders-presence", "orders-sessions", "orders-rooms")


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


async def is_not_ready(http: aiohttp.ClientSession, node: Address, code: str) -> None:
    async def says_so() -> bool:
        async with http.get(f"{node.url}/readyz") as answer:
            return answer.status == 503 and (await answer.json())["error"]["code"] == code

    await until(says_so, f"it says that it is not ready: {code}")


async def is_ready(http: aiohttp.ClientSession, node: Address) -> None:
    async def says_so() -> bool:
        async with http.get(f"{node.url}/readyz") as answer:
            return answer.status == 200

    await until(says_so, "it is ready again")


async def delete(jetstream: "JetStreamContext") -> None:
    await jetstream.delete_stream(STREAM)


async def replace(jetstream: "JetStreamContext") -> None:
    config = (await jetstream.stream_info(STREAM)).config
    await jetstream.delete_stream(STREAM)
    await jetstream.add_stream(config)
    for _ in range(9):  # it is longer than the first
        await jetstream.publish("orders.log.main.1.event.other", b"")


async def seal(jetstream: "JetStreamContext") -> None:
    config = (await jetstream.stream_info(STREAM)).config
    config.sealed = True
    await jetstream.update_stream(config)


@pytest.mark.parametrize(
    ("harm", "code", "says"),
    [
        (delete, "journal_lost", "is gone"),
        (replace, "journal_lost", "another has its name"),
        (seal, "storage_failed", "sealed"),
    ],
)
async def test_a_stream_that_was_deleted_replaced_or_sealed_is_missed_by_name_in_its_room_alone(
    nodes: Nodes,
    come: Come,
    jetstream: "JetStreamContext",
    http: aiohttp.ClientSession,
    harm: Callable[["JetStreamContext"], Awaitable[None]],
    code: str,
    says: str,
) -> None:
    (node,) = await nodes(1, engine_patience=1)
    alice = await come(node, name="alice")
    bob = await come(node, name="bob", room="other")
    await say(alice)
    await harm(jetstream)
    await is_not_ready(http, node, code)
    error = await refused(alice)
    assert error["code"] == code
    assert STREAM in error["message"] and says in error["message"]
    await say(bob)


async def test_a_stream_whose_subjects_were_changed_is_named_until_it_has_its_own_again(
    nodes: Nodes, come: Come, jetstream: "JetStreamContext", http: aiohttp.ClientSession
) -> None:
    (node,) = await nodes(1, engine_patience=1)
    alice = await come(node, name="alice")
    bob = await come(node, name="bob", room="other")
    config = (await jetstream.stream_info(STREAM)).config
    own, config.subjects = config.subjects, ["elsewhere"]
    await jetstream.update_stream(config)
    error = await refused(alice)
    assert error["code"] == "journal_changed"
    assert STREAM in error["message"] and own is not None and own[0] in error["message"]
    await is_not_ready(http, node, "journal_changed")
    await say(bob)
    config.subjects = own
    await jetstream.update_stream(config)
    await is_ready(http, node)
    await say(alice)


async def test_servers_without_jetstream_are_named_until_they_have_it_again(
    tmp_path: Path, serve: Serve, come: Come, http: aiohttp.ClientSession
) -> None:
    required()
    with Nats(tmp_path) as nats:
        async with serve(engine=nats.url, engine_patience=1) as node:
            alice = await come(node, name="alice")
            config = nats._config.read_text()
            nats.kill()
            nats._config.write_text(re.sub(r"(?s)jetstream .*?\}", "", config))
            nats.start()
            await is_not_ready(http, node, "engine_without_jetstream")
            error = await refused(alice)
            assert error["code"] == "engine_without_jetstream"
            assert "nats-server -js" in error["message"]
            nats.kill()
            nats._config.write_text(config)
            nats.start()
            await is_ready(http, node)
            await say(alice)


async def test_what_cannot_be_read_any_more_is_refused_and_ends_nobody_elses_room(
    nodes: Nodes,
    come: Come,
    connect: Connect,
    rooms: Rooms,
    jetstream: "JetStreamContext",
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log of a stream that is gone, and one who comes back to it."""
    monkeypatch.setattr("orders.journal.nats.room.RECENT", 2)  # all else is read from the stream
    (node,) = await nodes(1, engine_patience=1, rate=0)
    alice, bob = await come(node, name="alice"), await come(node, name="bob", room="other")
    for _ in range(5):
        await say(alice)
    await delete(jetstream)
    await is_not_ready(http, node, "journal_lost")
    async with http.get(f"{node.url}/api/rooms/main/events") as answer:
        assert answer.status >= 500
        assert (await answer.json())["error"]["code"] == "journal_lost"
    await connect(node, name="carol", after="start")
    await say(bob)
    await say(bob)


async def test_an_event_too_large_for_its_stream_is_refused_alone(
    nodes: Nodes, come: Come, jetstream: "JetStreamContext"
) -> None:
    (node,) = await nodes(1)
    alice = await come(node, name="alice")
    config = (await jetstream.stream_info(STREAM)).config
    config.max_msg_size = 1024
    await jetstream.update_stream(config)
    error = await refused(alice, 5_000)
    assert error["code"] == "too_large"
    assert "max_msg_size" in error["message"]
    await say(alice)


async def test_a_stream_cannot_be_purged_unawares(
    nodes: Nodes, come: Come, jetstream: "JetStreamContext"
) -> None:
    from nats.js.errors import APIError

    (node,) = await nodes(1)
    await say(await come(node, name="alice"))
    with pytest.raises(APIError, match="purge"):
        await jetstream.purge_stream(STREAM)


async def test_a_purge_of_a_stream_that_allows_it_is_noticed_and_what_is_left_is_read_at_the_start(
    nats: Nats,
    nodes: Nodes,
    serve: Serve,
    come: Come,
    rooms: Rooms,
    jetstream: "JetStreamContext",
    http: aiohttp.ClientSession,
) -> None:
    """Version 0.1 made such streams."""
    await jetstream.add_stream(name=STREAM, subjects=["orders.log.main.1.>"], allow_direct=True)
    (node,) = await nodes(1)
    alice = await come(node, name="alice")
    for _ in range(5):
        await say(alice)
    await jetstream.purge_stream(STREAM)
    await is_not_ready(http, node, "journal_lost")
    assert "was purged" in (await refused(alice))["message"]
    async with serve(engine=nats.url) as new:
        event = await say(await come(new, name="carol"))
        (room,) = rooms([new])
        assert ids(await room.log()) == [event]


async def test_buckets_that_were_deleted_are_made_again_with_the_names_in_use(
    nodes: Nodes, come: Come, jetstream: "JetStreamContext", http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2, engine_patience=1)
    alice = await come(one, name="alice")
    await say(alice)
    for bucket in BUCKETS:
        await jetstream.delete_key_value(bucket)

    async def are_there() -> bool:
        names = {info.config.name for info in await jetstream.streams_info()}
        return {f"KV_{bucket}" for bucket in BUCKETS} <= names

    await until(are_there, "the buckets are there")

    async def is_ready() -> bool:
        async with http.get(f"{one.url}/readyz") as answer:
            return answer.status == 200

    await until(is_ready, "it is ready again")
    from nats.js.errors import NotFoundError

    names = await jetstream.key_value("orders-presence")

    async def has_name() -> bool:
        try:
            return bool((await names.get(f"main.{b'alice'.hex()}")).value)
        except NotFoundError:
            return False

    await until(has_name, "alice's name is taken again")
    carol = await come(two, name="carol", room="another")
    await say(carol)


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


async def test_a_stream_of_which_nats_tells_another_time_is_still_the_same(
    nodes: Nodes, come: Come, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a cluster of NATS was upgraded who led it told another time at which it was made."""
    monkeypatch.setattr("orders.journal.nats.follower.CHECK", 0.05)
    (node,) = await nodes(1)
    alice = await come(node, name="alice")
    await say(alice)
    api, looks = NatsConnection.api, list[str]()

    async def tell_another(connection: NatsConnection, subject: str, /, **more: Any) -> Any:
        said = await api(connection, subject, **more)
        if subject == f"STREAM.INFO.{STREAM}":
            looks.append(subject)
            if len(looks) > 3:  # before that it has seen what stands first
                said["created"] = "2026-11-28T14:50:13.072526936Z"
        return said

    monkeypatch.setattr(NatsConnection, "api", tell_another)

    async def has_looked() -> bool:
        return len(looks) > 6

    await until(has_looked, "the node looks at the stream")
    await say(alice)


async def test_a_new_leader_that_does_not_know_the_end_of_the_log_yet_is_waited_for(
    nodes: Nodes,
    come: Come,
    rooms: Rooms,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orders.journal.nats.follower.CHECK", 0.05)
    (node,) = await nodes(1)
    (room,) = rooms([node])
    alice = await come(node, name="alice")
    event = await say(alice)
    api, is_short = NatsConnection.api, True

    async def tell_less(connection: NatsConnection, subject: str, /, **more: Any) -> Any:
        said = await api(connection, subject, **more)
        if is_short and subject == f"STREAM.INFO.{STREAM}":
            said["config"]["num_replicas"] = 3
            said["state"]["last_seq"] -= 1
        return said

    monkeypatch.setattr(NatsConnection, "api", tell_less)
    await is_not_ready(http, node, "engine_unavailable")
    assert (await refused(alice))["code"] == "engine_unavailable"
    monkeypatch.setattr("orders.journal.nats.follower.LAGS", 0.0)
    await is_not_ready(http, node, "journal_lost")
    assert ids(await room.log()) == [event], "what is left can be read"
    is_short = False
    await is_ready(http, node)
    await say(alice)


async def test_what_a_new_leader_does_not_know_yet_is_no_unknown_position(
    nodes: Nodes, come: Come, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has led since a moment ago, and none of the servers tells of the last events."""
    (node,) = await nodes(1)
    alice = await come(node, name="alice")
    events = [await say(alice) for _ in range(3)]
    api, last, asked = NatsConnection.api, ranges.last, Counter[str]()

    async def know_less(connection: NatsConnection, subject: str, /, **more: Any) -> Any:
        asked[subject] += 1
        if subject == f"STREAM.MSG.GET.{STREAM}" and asked[subject] < 4:
            raise Rejected(NO_MESSAGE, "no message found")
        said = await api(connection, subject, **more)
        if subject == f"STREAM.INFO.{STREAM}" and asked[subject] < 4:
            said["state"]["last_seq"] = 1
        return said

    async def find_nothing(*where: Any) -> Any:
        asked["last"] += 1
        return None if asked["last"] < 4 else await last(*where)

    monkeypatch.setattr(NatsConnection, "api", know_less)
    monkeypatch.setattr(ranges, "last", find_nothing)
    bob = await connect(node, name="bob", after=events[0])
    assert ids(await hears(bob, 2)) == events[1:]
    assert not bob.of_type("broker.error")


async def test_a_session_keeps_its_name_where_an_admin_purged_what_the_nodes_remember(
    nodes: Nodes, come: Come, rooms: Rooms, jetstream: "JetStreamContext"
) -> None:
    """Whose session it is also follows from the journal, as far as that has arrived."""
    one, two = await nodes(2)
    here, there = rooms([one, two])
    old = await come(one, name="alice", session="a-session-of-alice")
    await there.has("alice")
    await jetstream.purge_stream("KV_orders-sessions")
    new = await come(two, name="alice", session="a-session-of-alice")
    assert new.of_type("broker.welcome")[0]["data"]["name"] == "alice"
    assert await old.close_code() == Close.TAKEN_OVER
    assert await here.names() == ["alice"]

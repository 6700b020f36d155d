"""Who comes and who goes on a node: names, sessions, the welcome, and how many there may be."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orders.broker.limits import Limits
from orders.broker.participants import Participant
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.errors import Close, Full, StorageFailed
from orders.journal.sqlite.engine import SqliteEngine
from orders.server import Node
from tests.transports import Transport, join, running, settled

SESSION = "s" * 16


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with running(SqliteEngine()) as node:
        yield node


@pytest.fixture
def main(node: Node) -> Room:
    return node.room("main")


async def kinds(node: Node, name: str) -> list[str]:
    """The control records about a participant."""
    records: list[Record] = await node.engine.read("main", 0, 1000)
    controls = [record for record in records if record.kind is not Kind.EVENT]
    return [str(record.kind) for record in controls if record.data.get("name") == name]


async def test_a_room_that_could_not_be_erased_goes_on(
    node: Node, main: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_rooms: object) -> None:
        raise StorageFailed("storage_full", "The disk is full.")

    alice = await join(node, "alice")
    monkeypatch.setattr(node.engine, "erase", full)
    with pytest.raises(StorageFailed):
        await node.presence.end(main)
    assert alice.participant.gone
    assert (node.room("main"), main.participants) == (main, {})
    await join(node, "alice")
    await settled(node, main)
    assert await kinds(node, "alice") == ["joined", "left", "joined"]


async def test_the_same_name_in_two_rooms_is_two_participants(node: Node) -> None:
    one, other = await join(node, "alice"), await join(node, "alice", room="other")
    assert (one.participant.name, other.participant.name) == ("alice", "alice")


async def test_the_same_session_takes_the_name_over_and_the_old_one_is_gone(
    node: Node, main: Room
) -> None:
    old = await join(node, "alice", session=SESSION)
    new = await join(node, "somebody", session=SESSION)
    assert (old.participant.gone, old.transport.closed) == (True, Close.TAKEN_OVER)
    assert new.participant.name == "alice"
    assert node.leave(old.participant) is None
    await settled(node, main)
    assert await kinds(node, "alice") == ["joined", "left", "joined"]
    assert main.participants == {"alice": new.participant}
    assert main.sessions == {SESSION: new.participant}


async def test_a_session_without_a_name_takes_over_the_one_that_its_source_gave(
    node: Node, main: Room
) -> None:
    old = await join(node, session=SESSION)
    old.send({"type": "tea", "data": {}, "source": "alice"})
    new = await join(node, session=SESSION)
    assert new.participant.name == "alice"
    new.send({"type": "tea", "data": {}, "source": "bob"})
    await settled(node, main)
    assert "wrong_source" in new.transport.codes()


async def test_a_session_that_ended_is_forgotten(node: Node, main: Room) -> None:
    (await join(node, "alice", session=SESSION)).leave()
    assert main.sessions == {}
    assert (await join(node, "bob", session=SESSION)).participant.name == "bob"


async def test_a_first_source_renames_in_the_journal_before_its_event(
    node: Node, main: Room
) -> None:
    guest = await join(node)
    guest.send({"type": "tea", "data": {}, "source": "alice"})
    await settled(node, main)
    records = [r for r in await node.engine.read("main", 0, 9) if r.position <= 4]
    assert [str(record.kind) for record in records] == ["joined", "left", "joined", "event"]
    assert records[1].data["to"] == records[2].data["name"] == records[3].source == "alice"
    assert records[2].data["was"] == records[0].data["name"] == "guest-1"


async def test_a_subscription_holds_from_its_place_in_the_journal_on(
    node: Node, main: Room
) -> None:
    alice = await join(node, "alice")
    await alice.fence()
    for type in ("a", "b"):
        alice.send({"type": "broker.subscribe", "data": {"types": [type]}})
    assert alice.participant.types == {"*"}
    assert alice.participant.subscription == {"a", "b"}
    await settled(node, main)
    assert alice.participant.types == main.state.members["alice"].types == {"a", "b"}


async def test_the_welcome_says_who_one_is_and_how_the_room_stands(node: Node, main: Room) -> None:
    first = await join(node, "bob")
    first.tick()
    await first.hears(1)
    await node.host.set_modes(main, {"*": "pubsub"})
    bob = await join(node, "bob", types=["b", "a"], ack="manual")
    (said,) = await bob.hears(1, "broker.welcome")
    assert said["source"] == "broker"
    assert said["data"] == {
        "room": "main",
        "name": "bob-2",
        "modes": {"*": "pubsub"},
        "types": ["a", "b"],
        "works": ["a", "b"],
        "ack": "manual",
        "participants": 2,
        "last": main.state.last,
        "durable": False,
    }


async def test_a_full_room_and_a_full_server_refuse_and_nothing_is_left_of_it() -> None:
    limits = Limits(max_participants=2, max_rooms=2)
    async with running(SqliteEngine(), limits=limits) as node:
        main = node.room("main")
        await join(node, "a", session=SESSION)
        await join(node, "b")
        refused = Participant("main", "", Transport())
        with pytest.raises(Full, match="has 2 participants"):
            await node.join(refused, "c", None)
        assert node.leave(refused) is None
        assert list(main.participants) == ["a", "b"]
        assert (await join(node, "a", session=SESSION)).participant.name == "a"
        await join(node, "a", room="second")
        with pytest.raises(Full, match="takes 2 rooms"):
            await join(node, "a", room="third")
        assert list(node.rooms) == ["main", "second"]
        await settled(node, node.room("second"))
        assert await kinds(node, "c") == []


async def test_rooms_are_as_the_journal_remembers_them_and_main_is_always_there(
    tmp_path: Path,
) -> None:
    async with running(SqliteEngine(tmp_path / "orders.db")) as node:
        alice = await join(node, "alice", room="other")
        other = node.room("other")
        await node.host.set_modes(other, {"tick": "queue"})
        alice.tick()
        await alice.fence()
        await node.host.pause(other)
        alice.tick()
        await alice.fence()
        before = other.state
    async with running(SqliteEngine(tmp_path / "orders.db")) as node:
        assert sorted(node.rooms) == ["main", "other"]
        state = node.room("other").state
        assert state.modes == {"*": "relay", "tick": "queue"}
        assert (state.paused, state.events, state.last) == (True, 2, before.last)
        assert state.cursor == before.cursor

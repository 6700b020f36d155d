"""A crowd that comes back at once: all read the same log, and each hears its own part of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orders.broker.limits import Limits
from orders.broker.records import Record
from orders.journal.sqlite.engine import SqliteEngine
from orders.server import Node, replay_cache
from tests.transports import join, running, settled
from tests.wire import until

EVENTS = 1200  # more than two pages


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running(SqliteEngine(tmp_path / "orders.db"), limits=Limits(rate=0)) as node:
        yield node


class Reads:
    """Counts how often the journal was read from each position."""

    def __init__(self, node: Node) -> None:
        self.after: list[int] = []
        self._read = node.engine.read
        node.engine.read = self  # type: ignore[method-assign]

    async def __call__(
        self, room: str, after: int, limit: int, epoch: int | None = None
    ) -> list[Record]:
        self.after.append(after)
        return await self._read(room, after, limit, epoch)


async def test_a_crowd_that_comes_back_at_once_reads_the_journal_once(node: Node) -> None:
    alice = await join(node, "alice")
    alice.tick(EVENTS)
    await alice.fence()
    reads = Reads(node)
    crowd = await asyncio.gather(*(join(node, f"p{n}", after="start") for n in range(30)))
    for party in crowd:
        await party.hears(1, "broker.caught_up")
        assert party.numbers == list(range(1, EVENTS + 1))
    assert reads.after.count(0) == reads.after.count(500) == 1


async def test_those_who_come_back_to_different_places_soon_read_together(node: Node) -> None:
    alice = await join(node, "alice")
    alice.tick(EVENTS)
    await alice.fence()
    ids = [event["id"] for event in alice.transport.of_type("tick")]
    reads = Reads(node)
    crowd = await asyncio.gather(*(join(node, f"p{n}", after=ids[n]) for n in range(10)))
    for number, party in enumerate(crowd):
        await party.hears(1, "broker.caught_up")
        assert party.numbers == list(range(number + 2, EVENTS + 1))
    assert reads.after.count(500) == 1


async def test_each_of_a_crowd_hears_what_it_subscribed_to_and_none_of_its_own_without_echo(
    node: Node,
) -> None:
    await node.host.set_modes(node.room("main"), {"*": "pubsub"})
    alice, bob = await join(node, "alice"), await join(node, "bob")
    for sender in (alice, bob):
        sender.tick(EVENTS // 2)
        sender.send({"type": "news", "data": {"n": 0}})
        await sender.fence()
    bob.leave()
    wishes: dict[str, dict[str, Any]] = {
        "all": {},
        "ticks": {"types": ["tick"]},
        "news": {"types": ["news"]},
        "bob": {"echo": False},
        "carol": {"echo": False},
    }
    crowd = await asyncio.gather(
        *(join(node, name, after="start", **wished) for name, wished in wishes.items())
    )
    heard = {}
    for party in crowd:
        (said,) = await party.hears(1, "broker.caught_up")
        ticks, news = party.transport.of_type("tick"), party.transport.of_type("news")
        assert said["data"]["events"] == len(ticks) + len(news)
        heard[party.participant.name] = (len(ticks), len(news))
        assert party.participant.delivered == said["data"]["events"]
    assert heard == {
        "all": (EVENTS, 2),
        "ticks": (EVENTS, 0),
        "news": (0, 2),
        "bob": (EVENTS // 2, 1),
        "carol": (EVENTS, 2),
    }
    assert {event["source"] for event in crowd[3].transport.of_type("tick")} == {"alice"}


async def test_what_was_read_is_kept_in_bounds_and_dropped_when_all_have_caught_up(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_cache, "MOST_KEPT", 2)
    kept = replay_cache.ReplayCache(node.engine, node.context.frame)
    alice = await join(node, "alice")
    alice.tick(EVENTS)
    await alice.fence()
    room, types = node.room("main"), frozenset("*")
    with kept.reader():
        for after in range(0, 1000, 100):
            assert (await kept.read(room, after, room.cursor, 100, types)).last == after + 100
            assert len(kept._kept) <= 2
        with kept.reader():
            pass
        assert len(kept._kept) == 2, "somebody reads on"
    assert len(kept._kept) == 0


async def test_a_room_that_began_again_is_read_again(node: Node) -> None:
    room, types = node.room("main"), frozenset("*")
    alice = await join(node, "alice")
    alice.tick(3)
    await alice.fence()
    kept = replay_cache.ReplayCache(node.engine, node.context.frame)
    with kept.reader():
        assert (await kept.read(room, 0, room.cursor, 500, types)).events == 3
        await node.host.reset(room)
        await settled(node, room)
        alice.tick(2)
        await alice.fence()
        assert (await kept.read(room, 0, room.cursor, 500, types)).events == 2


async def test_who_changes_its_subscription_while_it_catches_up_hears_by_the_new_one(
    node: Node,
) -> None:
    await node.host.set_modes(node.room("main"), {"*": "pubsub"})
    alice = await join(node, "alice")
    alice.tick(EVENTS)
    await alice.fence()
    late = await join(node, "late", after="start")
    late.send({"type": "broker.subscribe", "data": {"types": ["news"]}})

    async def caught_up() -> bool:
        return bool(late.transport.of_type("broker.caught_up"))

    await until(caught_up, "it has caught up")
    ticks = len(late.transport.of_type("tick"))
    assert ticks % 500 == 0 or ticks == EVENTS, "it hears a passage, or none of it"
    (said,) = late.transport.of_type("broker.caught_up")
    assert said["data"]["events"] == ticks

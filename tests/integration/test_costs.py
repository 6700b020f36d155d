"""What waits, and who looks on, must not make each step cost more: steps are counted, not timed."""

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import pytest

from orders import app
from orders.broker import queue
from orders.broker.leases import Leases
from orders.broker.limits import Limits
from orders.broker.queue import Entry, State
from orders.broker.records import EVENT, Record
from orders.broker.room import Room
from orders.domain.orders import Order
from orders.journal.sqlite.engine import SqliteEngine
from orders.journal.sqlite.opening import open_journal
from orders.journal.sqlite.rows import QUERIES, OrdersOfRoom
from orders.web import observe
from tests.conftest import Connect
from tests.transports import join, running

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"
NO_LIMITS = Limits(rate=0)


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python are executed."""
    count = 0

    def trace(_frame: FrameType, what: str, _argument: object) -> Any:
        nonlocal count
        count += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def entry(position: int, source: str, type: str = "order") -> Entry:
    return Entry(position, position.to_bytes(16, "big"), type, source)


def of_sources(count: int, sources: int) -> Leases:
    leases = Leases()
    for position in range(1, count + 1):
        leases.offer(entry(position, f"p{position % sources}"))
    return leases


@pytest.mark.parametrize("upto", [0, 10**9], ids=["paused", "flowing"])
@pytest.mark.parametrize("name", ["bob", "p1"], ids=["another's", "its own"])
def test_to_find_the_next_event_costs_the_same_however_many_wait(upto: int, name: str) -> None:
    few, many = of_sources(20, 2), of_sources(20_000, 1_000)
    assert steps(lambda: many.next("order", name, upto)) <= steps(
        lambda: few.next("order", name, upto)
    )


def test_one_that_is_given_back_comes_before_those_that_are_younger_whoever_sent_them() -> None:
    leases = Leases()
    entries = [entry(position, f"p{position % 3}") for position in range(1, 10)]
    for one in entries:
        leases.offer(one)

    def taken(by: str) -> Iterator[int]:
        while found := leases.next("order", by, 99):
            found.state = State.HELD
            yield found.position

    assert list(taken("p1")) == [2, 3, 5, 6, 8, 9], "and nobody takes its own"
    for one in reversed(entries[1:6]):
        one.state = State.READY
        leases.offer(one)
    assert list(taken("bob")) == [1, 2, 3, 4, 5, 6, 7]
    assert leases.types() == [], "and nothing is kept of a type in which nothing is ready"


async def test_an_ack_costs_the_same_in_however_many_types_events_wait() -> None:
    async def asked_for_an_ack(types: int) -> int:
        """How often somebody is asked whether it takes an event of a type."""
        async with running(SqliteEngine(), limits=NO_LIMITS) as node:
            room = node.room("main")
            await node.host.set_modes(room, {"*": "queue"})
            alice = await join(node, "alice", types=["none"])
            for number in range(types):
                alice.send({"type": f"t{number}", "data": {}})
            await alice.fence()
            bob = await join(node, "bob", ack="manual")
            held = await bob.hears(1, "t0")
            asked = 0
            takes = Room.takes

            def counted(*arguments: Any) -> bool:
                nonlocal asked
                asked += 1
                return takes(*arguments)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Room, "takes", counted)
                patch.setattr(Room, "takers", lambda *_: pytest.fail("everybody is asked"))
                bob.ack(held[0]["id"])
                await bob.hears(1, "t1")
            return asked

    assert await asked_for_an_ack(300) == await asked_for_an_ack(3)


@pytest.mark.settings(rate=0)
async def test_what_many_observers_see_is_read_and_written_once(
    server: Any, connect: Connect, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = observe.observed, 0

    def counted(record: Record) -> dict[str, Any]:
        nonlocal seen
        seen += record.kind is EVENT
        return real(record)

    monkeypatch.setattr(observe, "observed", counted)
    events, observers = 300, 12
    alice = await connect(server, name="alice", types="none", quiet="true")
    feeds = [await http.ws_connect(f"{server.url}/observe/main") for _ in range(observers)]

    async def say_and_see(numbers: range) -> None:
        for number in numbers:
            await alice.send({"type": "tick", "data": {"n": number}})
        for feed in feeds:
            found: list[int] = []
            while len(found) < len(numbers):
                records = (await feed.receive_json()).get("records", [])
                found += [one["event"]["data"]["n"] for one in records if one["kind"] == "event"]
            assert found == list(numbers)

    await say_and_see(range(1))  # from here on all of them stand at the same place
    seen = 0
    await say_and_see(range(1, events))
    assert events - 1 <= seen < 2 * events


async def test_the_collector_passes_over_the_ids_that_wait() -> None:
    engine = SqliteEngine()
    async with running(engine, limits=NO_LIMITS) as node:
        alice = await join(node, "alice")
        for number in range(100):
            alice.send({"type": "tick", "data": {"n": number}})
        await alice.fence()
        waiting = engine._log.ids.waiting
        gc.collect()
        assert len(waiting) >= 100
        assert not any(map(gc.is_tracked, waiting))


ASKED: dict[str, Callable[[OrdersOfRoom], object]] = {
    "an unknown customer": lambda orders: orders.before("nobody", None, 100),
    "a page of an unknown customer": lambda orders: orders.page("nobody", None, 0, 100),
    "an unknown state": lambda orders: orders.before(None, "rejected", 100),
    "a page of an unknown state": lambda orders: orders.page(None, "rejected", 0, 100),
    "an unknown order": lambda orders: orders.get("alice", "none"),
    "a known order": lambda orders: orders.get("alice", "7"),
    "an unknown pending order": lambda orders: orders.oldest_pending("7", None),
    "the newest": lambda orders: orders.page(None, None, orders.before(None, None, 10), 10),
}


@pytest.mark.parametrize("asked", ASKED)
def test_to_ask_for_orders_costs_the_same_however_many_there_are(asked: str) -> None:
    def operations(count: int) -> int:
        """That SQLite executes."""
        db, executed = open_journal(None), 0
        order = Order(event=ID, at=0, customer="alice", state="confirmed").to_json()
        said = {"room": 1, "customer": "alice", "state": "confirmed", "body": order}
        for number in range(1, count + 1):
            values = {**said, "number": str(number), "position": number}
            db.execute(QUERIES["save_order"], values)

        def count_one() -> int:
            nonlocal executed
            executed += 1
            return 0

        db.set_progress_handler(count_one, 1)
        ASKED[asked](OrdersOfRoom(db, 1))
        db.close()
        return executed

    assert operations(2_000) == operations(20)


async def test_events_that_are_not_at_hand_are_read_many_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(queue, "AT_HAND", 4_000)
    events, reads = 300, 0
    engine = SqliteEngine(tmp_path / "orders.db")
    async with running(engine, limits=NO_LIMITS) as node:
        await node.host.set_modes(node.room("main"), {"*": "queue"})
        alice = await join(node, "alice", types=["none"])
        alice.tick(events)
        await alice.fence()
        read = engine.read

        async def counted(room: str, after: int, limit: int) -> list[Record]:
            nonlocal reads
            reads += 1
            return await read(room, after, limit)

        monkeypatch.setattr(engine, "read", counted)
        bob = await join(node, "bob", types=["tick"])
        await bob.hears(events)
        assert bob.numbers == list(range(1, events + 1))
        state = node.room("main").state
        assert (state.queue.entries, state.queue.at_hand) == ({}, 0)
    assert reads < events / 5


async def test_the_collector_passes_over_what_waits_once_it_is_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "MUCH", 30)
    async with running(SqliteEngine(), limits=NO_LIMITS) as node:
        looked = app.spare(node)
        await node.host.set_modes(node.room("main"), {"*": "queue"})
        alice = await join(node, "alice", types=["none"])
        before = gc.get_freeze_count()
        try:
            for more in (20, 20, 20, 20):
                alice.tick(more)
                await alice.fence()
                looked("stop", {"generation": 0})
                spared = gc.get_freeze_count()
                looked("stop", {"generation": 1})
                waiting = len(node.room("main").state.queue.entries)
                grown = gc.get_freeze_count() > spared
                assert grown == (waiting == 40 or waiting == 80)
            bob = await join(node, "bob", types=["tick"])
            await bob.hears(80)
            looked("start", {"generation": 0})
            bob.leave()
            alice.tick(40)
            await alice.fence()
            spared = gc.get_freeze_count()
            looked("stop", {"generation": 1})
            assert gc.get_freeze_count() > spared, "as much waits again"
        finally:
            gc.unfreeze()
        assert before < spared

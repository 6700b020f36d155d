"""The pump and all around it, with participants without sockets: what happens at once.

Whatever races here is started within one turn of the event loop, so that it meets in one batch.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest

from orders.broker import queue
from orders.broker.explain import explain
from orders.broker.limits import Limits
from orders.broker.participants import Life
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.errors import Close, Full, StorageFailed
from orders.journal.base import Answer, Engine
from orders.journal.sqlite.engine import SqliteEngine
from orders.server import Node
from orders.server.inbox import MOST_GATHERED
from tests.transports import Party, join, running, settled
from tests.wire import until

NO_LIMITS = Limits(rate=0)
ID = "69688550-5be2-41e4-a057-b9da2d59eb03"


@pytest.fixture(params=["memory", "sqlite"])
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Node]:
    engine = SqliteEngine() if request.param == "memory" else SqliteEngine(tmp_path / "orders.db")
    async with running(engine, limits=NO_LIMITS) as node:
        yield node


@pytest.fixture
def main(node: Node) -> Room:
    return node.room("main")


class Gate:
    """Holds a method of an engine back, as a slow disk does, until it is opened.

    `after`: it has done its work already, and only its answer, if it has one, comes late.
    """

    def __init__(self, engine: Engine, method: str, *, after: bool = False) -> None:
        self._engine, self._method, self._after = engine, method, after
        self._open = asyncio.Event()
        self._reached = False
        self._held: Callable[..., Any] = getattr(engine, method)
        setattr(engine, method, self._call)

    async def _call(self, *args: Any, **kwargs: Any) -> Any:
        answer = await self._held(*args, **kwargs) if self._after else None
        if answer is not None or not self._after:
            self._reached = True
            await self._open.wait()
        return answer if self._after else await self._held(*args, **kwargs)

    async def until_reached(self) -> None:
        async def reached() -> bool:
            return self._reached

        await until(reached, f"{self._method} is called")

    def open(self) -> None:
        setattr(self._engine, self._method, self._held)
        self._open.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()  # else a test that failed would wait for ever


class Broken(SqliteEngine):
    """A journal in memory whose disk can fail."""

    failing = False

    async def append(self, records: Any) -> list[Answer]:
        if self.failing:
            return [StorageFailed("storage_full", "The disk is full.")] * len(records)
        return await super().append(records)

    async def probe(self) -> StorageFailed | None:
        return StorageFailed("storage_full", "The disk is full.") if self.failing else None


async def log(node: Node, room: str = "main") -> list[int]:
    """The numbers of the ticks in the journal."""
    records: list[Record] = []
    while page := await node.engine.read(room, records[-1].position if records else 0, 500):
        records += page
    return [r.parsed().data["n"] for r in records if r.kind is Kind.EVENT and r.type == "tick"]


# ── pause, step, resume ─────────────────────────────────────────────────────────────────────────


async def test_what_was_held_and_what_comes_in_the_batch_of_the_resume_are_heard_once_in_order(
    node: Node, main: Room
) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob")
    await node.host.pause(main)
    alice.tick(5)
    await alice.fence()
    assert bob.numbers == []
    resuming = asyncio.create_task(node.host.resume(main))
    await asyncio.sleep(0)
    alice.tick(5)
    await resuming
    await alice.fence()
    assert bob.numbers == list(range(1, 11))
    assert alice.numbers == bob.numbers


async def test_an_event_in_the_batch_of_the_pause_is_held_if_it_came_after_it(
    node: Node, main: Room
) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob")
    await alice.fence()
    alice.tick()
    pausing = asyncio.create_task(node.host.pause(main))
    await asyncio.sleep(0)
    alice.tick()
    await pausing
    await alice.fence()
    assert bob.numbers == [1]
    await node.host.resume(main)
    assert bob.numbers == [1, 2]


async def test_pausing_twice_holds_what_was_held(node: Node, main: Room) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob")
    await node.host.pause(main)
    alice.tick(2)
    await node.host.pause(main)
    alice.tick(1)
    await asyncio.gather(node.host.pause(main), node.host.pause(main))
    await alice.fence()
    assert bob.numbers == []
    await node.host.resume(main)
    await node.host.resume(main)
    assert bob.numbers == [1, 2, 3]


async def test_steps_at_once_let_go_one_event_each_and_none_twice(node: Node, main: Room) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob")
    await node.host.pause(main)
    alice.tick(5)
    await alice.fence()
    stepped = await asyncio.gather(*(node.host.step(main) for _ in range(3)))
    assert len(set(stepped)) == 3
    assert bob.numbers == [1, 2, 3]
    await asyncio.gather(*(node.host.step(main) for _ in range(4)))
    assert bob.numbers == [1, 2, 3, 4, 5]
    assert await node.host.step(main) is None


@pytest.mark.parametrize("first", ["step", "resume"])
async def test_a_step_and_a_resume_at_once_let_nothing_go_twice(
    node: Node, main: Room, first: str
) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob")
    for _ in range(10):
        await node.host.pause(main)
        alice.tick(4)
        await alice.fence()
        acts: list[Any] = [node.host.step(main), node.host.resume(main), node.host.step(main)]
        await asyncio.gather(*(acts if first == "step" else acts[::-1]))
        alice.tick(1)
        await alice.fence()
    assert bob.numbers == list(range(1, 51))


async def test_those_who_join_while_paused_hear_what_is_released_after_that(
    node: Node, main: Room
) -> None:
    alice = await join(node, "alice")
    alice.tick(1)
    (first,) = await alice.hears(1)
    await node.host.pause(main)
    alice.tick(2)
    await alice.fence()
    late, back = await join(node, "late"), await join(node, "back", after=first["id"])
    alice.tick(1)
    await settled(node, main)
    await back.hears(1, "broker.caught_up")
    await node.host.resume(main)
    assert alice.numbers == [1, 2, 3, 4]
    assert late.numbers == [2, 3, 4]
    assert back.numbers == [2, 3, 4]


async def test_a_queue_hands_out_only_what_was_let_go(node: Node, main: Room) -> None:
    await node.host.set_modes(main, {"tick": "queue"})
    alice, bob = await join(node, "alice"), await join(node, "bob", types=["tick"])
    await node.host.pause(main)
    alice.tick(3)
    await settled(node, main)
    assert bob.numbers == []
    await node.host.step(main)
    await bob.hears(1)
    await node.host.resume(main)
    await bob.hears(3)
    assert bob.numbers == [1, 2, 3]


@pytest.mark.parametrize("act", ["pause", "resume", "reset"])
async def test_what_the_disk_refuses_the_host_is_not_true_and_he_hears_of_it(act: str) -> None:
    engine = Broken()
    async with running(engine, limits=NO_LIMITS) as node:
        room = node.room("main")
        alice, bob = await join(node, "alice"), await join(node, "bob")
        if act == "resume":
            await node.host.pause(room)
        alice.tick(5)
        await alice.fence()
        engine.failing = True
        with pytest.raises(StorageFailed, match="full"):
            await getattr(node.host, act)(room)
        alice.tick(1)
        await alice.fence()
        assert alice.transport.codes().count("storage_full") == 1
        assert room.state.paused is (act == "resume")
        engine.failing = False
        await node.host.resume(room)
        alice.tick(1)
        await alice.fence()
        assert bob.numbers == [1, 2, 3, 4, 5, 7]
        assert await log(node) == bob.numbers


async def test_a_session_goes_on_elsewhere_unless_somebody_here_has_its_name() -> None:
    """It was here a moment ago; that it left the other node before that has not arrived yet."""
    async with running(SqliteEngine(), limits=NO_LIMITS) as node:
        alice = await join(node, "alice")
        await alice.fence()
        members = node.room("main").state.members
        members["bob"] = replace(members["alice"], name="bob", node="another")
        assert await node.presence.take_over("main", "a-session", "bob") == "bob"
        assert await node.presence.take_over("main", "a-session", "Alice") is None


async def test_what_one_room_stores_does_not_say_that_the_journal_is_back_for_another() -> None:
    engine = Broken()
    async with running(engine, limits=NO_LIMITS) as node:
        alice = await join(node, "alice")
        await alice.fence()
        gone = StorageFailed("journal_lost", "The stream of a room is gone.")
        engine.lost = lambda: gone  # type: ignore[method-assign]
        node._pump.learn(gone)
        alice.tick(1)
        await alice.fence()
        assert node._pump.failure is gone


async def test_what_is_true_is_stored_though_the_journal_is_known_to_be_back_before_that() -> None:
    """In a quiet room nothing else comes that would be stored with it."""
    engine = Broken()
    async with running(engine, limits=NO_LIMITS) as node:
        alice = await join(node, "alice")
        await alice.fence()
        engine.failing = True
        alice.leave()

        async def is_carried() -> bool:
            return bool(node._pump._carried)

        await until(is_carried, "it could not be stored")
        engine.failing = False
        assert await node.storage_failure() is None

        async def is_stored() -> bool:
            return (await engine.read("main", 0, 99))[-1].kind is Kind.LEFT

        await until(is_stored, "it is stored")


class Asks(SqliteEngine):
    """Asks other nodes for names, which takes until the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.answers = asyncio.Event(), asyncio.Event()

    async def take_name(self, room: str, name: str, session: str | None) -> bool:
        self.is_asked.set()
        await self.answers.wait()
        return True


@pytest.mark.parametrize("session", ["a-session-of-alice", "a-session-of-another"])
async def test_a_session_goes_elsewhere_also_while_it_is_coming_and_no_other_takes_its_name(
    session: str,
) -> None:
    engine = Asks()
    async with running(engine, limits=NO_LIMITS) as node:
        coming = asyncio.create_task(join(node, "alice", session="a-session-of-alice"))
        await engine.is_asked.wait()
        is_its_own = session == "a-session-of-alice"
        name = await node.presence.take_over("main", session, "alice")
        assert name == ("alice" if is_its_own else None)
        engine.answers.set()
        alice = await coming
        assert alice.participant.gone is is_its_own
        assert [*node.room("main").participants] == ([] if is_its_own else ["alice"])
        assert (await join(node, "alice")).participant.name == (
            "alice" if is_its_own else "alice-2"
        )


async def test_who_joins_while_the_disk_is_full_hears_what_comes_once_there_is_room() -> None:
    engine = Broken()
    async with running(engine, limits=NO_LIMITS) as node:
        alice = await join(node, "alice")
        await alice.fence()
        engine.failing = True
        bob = await join(node, "bob")
        with pytest.raises(StorageFailed):
            await node.host.set_modes(node.room("main"), {"*": "pubsub"})
        assert node.room("main").state.modes == {"*": "relay"}, "what was not stored is not true"
        alice.tick(1)
        await alice.fence()
        alice.leave()
        assert bob.transport.heard[0]["type"] == "broker.welcome"
        engine.failing = False
        assert await node.storage_failure() is None
        carol = await join(node, "carol")
        carol.tick(2)
        await carol.fence()
        assert bob.numbers == [1, 2]
        records = await engine.read("main", 0, 99)
        told = [(r.kind, r.data["name"]) for r in records if r.kind in (Kind.JOINED, Kind.LEFT)]
        assert told == [
            ("joined", "alice"),
            ("joined", "bob"),
            ("left", "alice"),
            ("joined", "carol"),
        ]


# ── reset ───────────────────────────────────────────────────────────────────────────────────────


async def test_events_in_the_batch_of_a_reset_belong_to_the_beginning_they_came_after(
    node: Node,
) -> None:
    alice = await join(node, "alice", room="class")
    room = node.room("class")
    await alice.fence()
    alice.tick(2)
    resetting = asyncio.create_task(node.host.reset(room))
    await asyncio.sleep(0)
    alice.tick(3)
    await resetting
    await alice.fence()
    assert await log(node, "class") == [3, 4, 5]
    assert alice.numbers == [1, 2, 3, 4, 5]
    last = alice.transport.of_type("tick")[-1]["id"]
    assert (room.state.events, room.state.last) == (3, last)
    alice.leave()
    await settled(node, room)
    assert node.room("class") is room, "it has events: nobody forgets it"
    assert await log(node, "class") == [3, 4, 5]


async def test_a_reset_is_a_notice_to_all_and_no_second_welcome(node: Node, main: Room) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob", quiet=True)
    await node.host.reset(main)
    alice.tick(1)
    await alice.fence()
    assert alice.transport.codes()[0] == bob.transport.codes()[0] == "reset"
    assert len(alice.transport.of_type("broker.welcome")) == 1
    assert bob.numbers == [1]
    records = await node.engine.read("main", 0, 99)
    present = {r.data["name"] for r in records if r.kind is Kind.JOINED}
    assert present == {"alice", "bob"}, "the new beginning knows who was there"


@contextlib.asynccontextmanager
async def catching_up(node: Node) -> AsyncIterator[tuple[Party, Party, Gate]]:
    """Alice, who said twenty things; one who comes back to hear them; and the gate it waits at."""
    alice = await join(node, "alice")
    alice.tick(20)
    await alice.fence()
    with Gate(node.engine, "read") as gate:
        back = await join(node, "back", after="start")
        await gate.until_reached()
        yield alice, back, gate


async def test_who_was_catching_up_when_the_room_began_again_hears_the_new_beginning_once(
    node: Node, main: Room
) -> None:
    async with catching_up(node) as (alice, back, gate):
        await node.host.reset(main)
        alice.tick(3)
        await alice.fence()
        gate.open()
        await back.hears(1, "broker.caught_up")
        alice.tick(2)
        await alice.fence()
        heard = [number for number in back.numbers if number > 20]
        assert heard == [21, 22, 23, 24, 25]
        assert len(back.transport.of_type("broker.caught_up")) == 1


async def gathered(node: Node, count: int) -> None:
    """Wait until at least so many submissions wait for the next batch."""

    async def are_there() -> bool:
        return len(node.inbox.waiting) >= count

    await until(are_there, f"{count} submissions wait")


async def test_what_was_held_goes_before_what_came_later_though_the_room_begins_again_right_then(
    node: Node, main: Room
) -> None:
    """Seed 5430 of the simulation: stored together with the end of the pause, the end of the epoch
    hid what was held, and what came later was heard without it."""
    alice, bob = await join(node, "alice"), await join(node, "bob")
    await node.host.pause(main)
    alice.tick(5)
    await alice.fence()
    with Gate(node.engine, "append") as gate:
        alice.tick(1)
        await gate.until_reached()  # what comes now goes into the next batch, all of it
        acts = [asyncio.ensure_future(node.host.resume(main))]
        await gathered(node, 1)
        alice.tick(1)
        acts.append(asyncio.ensure_future(node.host.reset(main)))
        await gathered(node, 3)
    await asyncio.gather(*acts)
    alice.tick(1)
    await alice.fence()
    await bob.hears(8)
    assert bob.numbers == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_what_was_kept_for_one_who_catches_up_is_not_heard_after_the_room_began_again(
    node: Node, main: Room
) -> None:
    """Seed 2172 of the simulation: it heard of the reset, and then an event of before."""
    async with catching_up(node) as (alice, back, gate):
        alice.tick(1)
        await alice.fence()
        assert back.participant.kept
        await node.host.reset(main)
        alice.tick(1)
        await alice.fence()
        gate.open()
        await back.hears(1, "broker.caught_up")
        await back.fence()
        assert [number for number in back.numbers if number > 20] == [22]


async def test_a_place_of_before_is_unknown_to_a_room_that_began_again_while_a_name_was_found(
    node: Node, main: Room
) -> None:
    alice = await join(node, "alice")
    alice.tick(4)
    await alice.fence()
    place = alice.transport.of_type("broker.accepted")[2]["data"]["event"]
    with Gate(node.engine, "take_name") as gate:
        coming = asyncio.create_task(join(node, "back", after=place))
        await gate.until_reached()
        await node.host.reset(main)
        alice.tick(3)
        await alice.fence()
        gate.open()
        back = await coming
        await back.fence()
        assert "unknown_position" in back.transport.codes()
        alice.tick(2)
        await alice.fence()
        assert back.numbers == [8, 9], "what comes from now on, as it was told"


async def test_who_came_back_as_the_room_began_again_hears_so_and_the_whole_new_beginning(
    node: Node, main: Room
) -> None:
    alice = await join(node, "alice")
    alice.tick(4)
    await alice.fence()
    place = alice.transport.of_type("broker.accepted")[3]["data"]["event"]
    with Gate(node.engine, "append") as gate:
        resetting = asyncio.create_task(node.host.reset(main))
        await gate.until_reached()
        alice.tick(1)
        coming = asyncio.create_task(join(node, "back", after=place))
        back = await coming
        gate.open()
        await resetting
        await back.hears(1, "broker.caught_up")
    assert "reset" in back.transport.codes()
    assert back.numbers == [5]
    (event,) = [one for one in await node.engine.read("main", 0, 100) if one.kind is Kind.EVENT]

    async def is_explained() -> bool:
        controls = await node.engine.controls("main", event.position)
        return {one.name: one.received for one in explain(event, controls)}["back"]

    await until(is_explained, "why says that it received the event")


async def test_who_was_slow_when_the_room_began_again_hears_the_new_beginning_once(
    tmp_path: Path,
) -> None:
    engine = SqliteEngine(tmp_path / "orders.db")
    async with running(engine, limits=NO_LIMITS, max_unread=2000, slow_grace=60) as node:
        main = node.room("main")
        alice, slow = await join(node, "alice"), await join(node, "slow", reads=False)
        alice.tick(100)
        await alice.fence()
        assert slow.participant.life is not Life.LIVE
        await node.host.reset(main)
        alice.tick(3)
        await alice.fence()
        slow.transport.reads = True
        slow.transport.read()
        alice.tick(2)

        async def caught_up() -> bool:
            return slow.participant.life is Life.LIVE

        await until(caught_up, "slow is live again")
        await alice.fence()
        assert [n for n in slow.numbers if n > 100] == [101, 102, 103, 104, 105]


async def test_an_after_that_was_looked_up_before_a_reset_holds_no_longer(
    node: Node, main: Room
) -> None:
    alice = await join(node, "alice")
    alice.tick(9)
    last = (await alice.hears(9))[-1]["id"]
    with Gate(node.engine, "find", after=True) as gate:
        joining = asyncio.create_task(join(node, "bob", after=last))
        await gate.until_reached()
        await node.host.reset(main)
        gate.open()
        bob = await joining
        alice.tick(3)
        await alice.fence()
        await bob.fence()
        assert bob.transport.codes()[0] == "unknown_position"
        assert bob.numbers == [10, 11, 12]


async def test_what_was_sent_before_the_end_is_stored() -> None:
    """More of it than one batch takes."""
    sent = MOST_GATHERED + 1
    async with running(SqliteEngine(), limits=NO_LIMITS) as node:
        alice = await join(node, "alice")
        alice.tick(sent)
    assert node.room("main").state.events == sent


# ── coming and going ────────────────────────────────────────────────────────────────────────────


def known(node: Node) -> set[str]:
    """The rooms that the journal has."""
    engine = node.engine
    return set(engine._log.rooms)  # type: ignore[attr-defined]


async def test_an_empty_room_without_events_leaves_nothing_behind(node: Node) -> None:
    for number in range(5):
        party = await join(node, room=f"room-{number}")
        await party.fence()
        party.leave()

    async def forgotten() -> bool:
        return known(node) <= {"main"} and set(node.rooms) == {"main"}

    await until(forgotten, "the empty rooms are forgotten")


async def test_the_modes_that_the_host_gives_a_room_await_the_first_who_joins(node: Node) -> None:
    room = await node.enter("class", begin=True)
    await node.host.set_modes(room, {"order_placed": "queue"})
    await settled(node, node.room("main"))
    alice = await join(node, "alice", room="class")
    await alice.fence()
    assert node.room("class").state.modes == {"*": "relay", "order_placed": "queue"}
    assert "class" in known(node)


async def test_an_event_on_its_way_into_a_room_that_is_left_keeps_the_room(node: Node) -> None:
    party = await join(node, "alice", room="class")
    await party.fence()
    with Gate(node.engine, "append") as gate:
        party.send({"type": "other", "data": {}, "id": "not an id"})
        party.leave()
        await gate.until_reached()
        publisher = await join(node, "bob", room="class")
        publisher.tick(1)
        publisher.leave()
        gate.open()
        await settled(node, node.room("main"))

        async def stored() -> bool:
            return await log(node, "class") == [1]

        await until(stored, "the event is stored")
        assert node.room("class").state.events == 1


async def test_who_joins_while_the_last_one_leaves_is_in_the_room_that_all_others_find(
    node: Node,
) -> None:
    last = await join(node, "last", room="class")
    await last.fence()
    with Gate(node.engine, "find") as gate:
        joining = asyncio.create_task(join(node, "alice", room="class", after=ID))
        await gate.until_reached()
        last.leave()

        async def forgotten() -> bool:
            return "class" not in node.rooms

        await until(forgotten, "the room is forgotten")
        gate.open()
        alice, bob = await joining, await join(node, "bob", room="class")
        bob.tick(1)
        assert (await alice.hears(1))[0]["source"] == "bob"
        assert set(node.room("class").participants) == {"alice", "bob"}


async def test_who_was_taken_over_speaks_no_more_and_leaves_nobody_behind(
    node: Node, main: Room
) -> None:
    old = await join(node, session="s" * 16)
    new = await join(node, session="s" * 16)
    await new.fence()
    old.send({"type": "tick", "source": "alice", "data": {"n": 1}})  # it was on its way
    old.send({"type": "broker.subscribe", "data": {"types": ["x"]}})
    old.leave()
    new.tick(1)
    assert (await new.hears(1))[0]["source"] == "guest-1"
    assert old.transport.closed is Close.TAKEN_OVER
    assert main.participants == {"guest-1": new.participant}
    new.leave()
    await settled(node, main)
    assert main.participants == {}


async def test_participants_queues_and_audiences_are_gone_when_all_have_left(
    node: Node, main: Room
) -> None:
    await node.host.set_modes(main, {"tick": "queue"})
    for _ in range(3):
        parties = [
            await join(node, f"p{n}", ack="manual", types=[f"t{n}", "tick"], session=f"{n}" * 16)
            for n in range(5)
        ]
        parties[0].tick(3)
        await parties[0].fence()
        for party in parties:
            party.leave()
            party.leave()
        await settled(node, main)
    assert (main.participants, main.audiences, main.sessions) == ({}, {}, {})
    assert node.room("main").state.queue.depths()["tick"] == {"ready": 9, "in_flight": 0, "dead": 0}
    assert [p.name for p in node._replay._lagging] == []


async def test_who_is_refused_is_not_told_of_as_leaving(tmp_path: Path) -> None:
    limits = Limits(max_participants=1)
    async with running(SqliteEngine(tmp_path / "orders.db"), limits=limits) as node:
        alice = await join(node, "alice")
        for name in ("alice", None):
            refused = Party(node, alice.participant, alice.transport)
            with pytest.raises(Full):
                refused = await join(node, name)
            assert refused.participant is alice.participant
        await alice.fence()
        kinds = [r.kind for r in await node.engine.read("main", 0, 99)]
        assert kinds == [Kind.JOINED]


async def test_the_welcome_comes_first_whatever_happens_meanwhile(node: Node, main: Room) -> None:
    alice = await join(node, "alice")
    await alice.fence()
    with Gate(node.engine, "append") as gate:
        pausing = asyncio.create_task(node.host.pause(main))
        setting = asyncio.create_task(node.host.set_modes(main, {"*": "pubsub"}))
        await gate.until_reached()
        bob = await join(node, "bob")
        bob.tick(1)
        gate.open()
        await asyncio.gather(pausing, setting)
        await bob.fence()
        assert bob.transport.heard[0]["type"] == "broker.welcome"
        assert alice.transport.codes()[-1] == "paused"


async def test_quiet_spares_one_the_welcome_and_accepted_and_nothing_else(
    node: Node, main: Room
) -> None:
    quiet = await join(node, "quiet", quiet=True, after="start")
    quiet.tick(1)
    await quiet.fence()
    await node.host.set_modes(main, {"*": "pubsub"})
    await node.host.pause(main)
    types = [event["type"] for event in quiet.transport.heard]
    expected = {"broker.caught_up", "tick", "broker.error", "broker.modes", "broker.notice"}
    assert set(types) == expected


async def test_answers_come_one_to_an_event_in_the_order_sent(node: Node) -> None:
    alice = await join(node, "alice", echo=False)
    sent: list[dict[str, Any]] = [
        {"type": "tick", "data": {}, "id": ID},
        {"type": "tick", "data": 5},
        {"type": "tick", "data": {}, "id": ID},
        {"type": "tick", "data": {"other": 1}, "id": ID},
        {"type": "broker.dance", "data": {}},
        {"type": "tick", "data": {}, "source": "bob"},
        {"type": "tick", "data": {}},
    ]
    for message in sent:
        alice.send(message)
    await alice.fence()
    answers = [
        event["data"].get("code", event["data"].get("duplicate", "accepted"))
        for event in alice.transport.heard[1:-1]
    ]
    assert answers == [
        "accepted", "wrong_data", True, "id_conflict", "unknown_command", "wrong_source",
        "accepted",
    ]  # fmt: skip


# ── readers that are slow ───────────────────────────────────────────────────────────────────────


async def test_a_slow_reader_reads_on_from_the_journal_and_misses_nothing(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "orders.db")
    async with running(engine, limits=NO_LIMITS, max_unread=5_000, slow_grace=60) as node:
        alice = await join(node, "alice")
        slow, fast = await join(node, "slow", reads=False), await join(node, "fast", echo=False)
        most = 0
        for _ in range(40):
            alice.tick(50)
            await alice.fence()
            most = max(most, slow.transport.unread())
            slow.transport.read()
        slow.transport.reads = True
        slow.transport.read()
        await slow.hears(2000)
        assert slow.numbers == fast.numbers == list(range(1, 2001))
        assert most < 300_000, "what waits for it is bounded"
        assert slow.transport.of_type("broker.caught_up") == []


async def test_a_reader_that_stopped_is_cut_off_with_4001_and_its_neighbours_are_not(
    node: Node,
) -> None:
    object.__setattr__(node.options, "max_unread", 2_000)
    object.__setattr__(node.options, "slow_grace", 0.05)
    alice = await join(node, "alice")
    stopped, neighbour = await join(node, "stopped", reads=False), await join(node, "neighbour")
    alice.tick(50)
    await alice.fence()

    async def cut_off() -> bool:
        return stopped.transport.closed is Close.TOO_SLOW

    await until(cut_off, "one that reads nothing is cut off")
    stopped.leave()
    alice.tick(50)
    await alice.fence()
    assert neighbour.numbers == list(range(1, 101))
    assert (alice.transport.closed, neighbour.transport.closed) == (None, None)
    assert node.stats.slow == 1
    assert [p.name for p in node._replay._lagging] == []


async def test_who_leaves_while_it_is_behind_hears_nothing_more_and_takes_nothing(
    tmp_path: Path,
) -> None:
    engine = SqliteEngine(tmp_path / "orders.db")
    async with running(engine, limits=NO_LIMITS, max_unread=2_000, slow_grace=60) as node:
        main = node.room("main")
        alice = await join(node, "alice", types=["none"])
        slow = await join(node, "slow", reads=False)
        alice.tick(100)
        await alice.fence()
        assert slow.participant.life is not Life.LIVE
        slow.leave()
        await node.host.set_modes(main, {"tick": "queue"})

        async def ended() -> bool:
            return len(node.context._tasks) == 2  # the pump and the clock

        await until(ended, "nobody replays anything to it")
        alice.tick(1)
        await alice.fence()
        assert list(main.audiences) == [frozenset({"none"})]
        assert node.room("main").state.queue.depths()["tick"]["ready"] == 1


async def test_what_comes_while_the_last_page_is_read_is_heard_after_it_and_once(
    node: Node,
) -> None:
    alice = await join(node, "alice")
    alice.tick(5)
    await alice.fence()
    with Gate(node.engine, "read", after=True) as gate:
        back = await join(node, "back", after="start")
        await gate.until_reached()
        alice.tick(3)
        await alice.fence()
        assert back.numbers == []
    await back.hears(8)
    assert back.numbers == [1, 2, 3, 4, 5, 6, 7, 8]
    types = [e["type"] for e in back.transport.heard if e["type"] in ("tick", "broker.caught_up")]
    assert types.index("broker.caught_up") == 5
    assert back.transport.of_type("broker.caught_up")[0]["data"] == {"events": 5}


async def test_nothing_is_handed_to_who_is_still_catching_up(node: Node, main: Room) -> None:
    alice = await join(node, "alice")
    alice.tick(5)
    await alice.fence()
    await node.host.set_modes(main, {"tick": "queue"})
    with Gate(node.engine, "read") as gate:
        back = await join(node, "back", after="start", types=["tick"])
        await gate.until_reached()
        alice.tick(2)
        await alice.fence()
        assert node.room("main").state.queue.depths()["tick"]["ready"] == 2
        gate.open()
        await back.hears(7)
        assert back.numbers == [1, 2, 3, 4, 5, 6, 7]
        types = [
            e["type"] for e in back.transport.heard if e["type"] in ("tick", "broker.caught_up")
        ]
    assert types == ["tick"] * 5 + ["broker.caught_up"] + ["tick"] * 2


# ── queues ──────────────────────────────────────────────────────────────────────────────────────


async def test_one_that_is_lost_while_its_event_is_read_leaves_it_to_another(
    node: Node, main: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "AT_HAND", 0)
    await node.host.set_modes(main, {"tick": "queue"})
    alice, bob = await join(node, "alice"), await join(node, "bob", ack="manual")
    carol = await join(node, "carol", ack="manual", prefetch=10)
    await carol.fence()
    with Gate(node.engine, "read", after=True) as gate:
        alice.tick(3)
        await gate.until_reached()
        bob.leave()
        gate.open()
        await carol.hears(3)
        assert sorted(carol.numbers) == [1, 2, 3]
        assert bob.numbers == []
        for event in carol.transport.of_type("tick"):
            carol.ack(event["id"])
        await carol.fence()
        assert node.room("main").state.queue.entries == {}
        assert carol.participant.in_flight == 0


async def test_of_many_that_are_lost_at_once_none_is_handed_what_another_held(
    node: Node, main: Room
) -> None:
    """Else a class whose Wi-Fi fails uses up the attempts of an order among those who are gone."""
    await node.host.set_modes(main, {"tick": "queue"})
    alice = await join(node, "alice")
    gone = [await join(node, f"gone-{number}", ack="manual", prefetch=5) for number in range(5)]
    alice.tick(5)
    for one in gone:
        await one.hears(1)
    carol = await join(node, "carol", ack="manual", prefetch=10)
    for one in gone:
        one.transport.abort()
    for one in gone:
        one.leave()
        await carol.fence()
    assert [event["attempt"] for event in await carol.hears(5)] == [2] * 5


async def test_what_is_held_is_nobody_elses_until_it_is_let_go(node: Node, main: Room) -> None:
    await node.host.set_modes(main, {"tick": "queue"})
    alice = await join(node, "alice")
    bob = await join(node, "bob", ack="manual", prefetch=2)
    alice.tick(3)
    held = await bob.hears(2)
    carol = await join(node, "carol", ack="manual")
    (third,) = await carol.hears(1)
    carol.ack(held[0]["id"])
    await carol.fence()
    assert carol.transport.codes()[0] == "not_held"
    bob.leave()
    carol.ack(third["id"])
    again = (await carol.hears(2))[1]
    assert (again["id"], again["attempt"]) == (held[0]["id"], 2)


async def test_an_ack_may_spell_the_id_as_it_likes(node: Node, main: Room) -> None:
    await node.host.set_modes(main, {"tick": "queue"})
    alice, bob = await join(node, "alice"), await join(node, "bob", ack="manual")
    alice.send({"type": "tick", "data": {}, "id": ID.upper()})
    (event,) = await bob.hears(1)
    assert event["id"] == ID.upper()
    bob.ack(ID.lower())
    await bob.fence()
    assert bob.transport.codes() == ["malformed_json"]
    assert node.room("main").state.queue.entries == {}


# ── nothing that can be sent makes the pump fail ────────────────────────────────────────────────

VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 2**53, "", "x", "\u202e\ud83d\ude00", "a" * 5000, ID, [], {}, [[]],
    {"": 0}, {"types": ["*"]}, ["*"], {"event": ID}, "queue",
]  # fmt: skip
TYPES = [
    "order_placed", "order_confirmed", "order_rejected", "tick", "broker.subscribe",
    "broker.unsubscribe", "broker.ack", "broker.nack", "broker.welcome", "broker", "a" * 64,
]  # fmt: skip
FIELDS = ["id", "customer", "event", "item", "quantity", "note", "reason", "message", "types"]


@pytest.mark.parametrize("mode", ["relay", "pubsub", "queue"])
async def test_whatever_is_sent_is_answered_and_the_pump_goes_on(
    node: Node, main: Room, mode: str
) -> None:
    await node.host.set_modes(main, {"*": mode})
    neighbour = await join(node, "neighbour", types=["none"])
    alice, bob = await join(node, echo=False), await join(node, "bob", ack="manual", prefetch=100)
    count = 0
    for type in TYPES:
        for value in VALUES:
            whole = {"type": type, "data": {}}
            messages: list[Any] = [{**whole, "data": {field: value}} for field in FIELDS]
            messages += [{**whole, field: value} for field in ("id", "type", "created", "source")]
            messages += [{**whole, "data": value}, {**whole, "model_config": value}]
            for message in messages:
                alice.send(json.dumps(message))
                bob.send(json.dumps(message))
                count += 1
        await alice.fence()
    assert count > 3000
    assert alice.transport.closed is None
    neighbour.tick(1)
    await neighbour.hears(1, "broker.accepted")


async def test_modes_that_make_no_sense_change_nothing_for_anyone(node: Node, main: Room) -> None:
    alice = await join(node, "alice")
    wrong: list[dict[str, Any]] = [{"*": 5}, {"*": []}, {"*": {}}, {"": "relay"}]
    for modes in (*wrong, {"a" * 65: None}, {"\0": "queue"}):
        with pytest.raises(Exception, match="is no"):
            await node.host.set_modes(main, modes)
    alice.tick(1)
    await alice.hears(1)
    assert main.state.modes == {"*": "relay"}


async def test_a_batch_of_which_a_part_is_refused_is_stored_for_the_rest(node: Node) -> None:
    alice = await join(node, "alice")
    alice.send({"type": "tick", "id": ID, "data": {"n": 0}})
    for number in range(1, 50):
        alice.send({"type": "tick", "id": ID, "data": {"n": number}})
    alice.tick(3)
    await alice.fence()
    assert alice.transport.codes().count("id_conflict") == 49
    assert await log(node) == [0, 1, 2, 3]


async def test_what_a_socket_hands_over_in_pieces_is_stored_as_one_batch(node: Node) -> None:
    alice = await join(node, "alice")
    await alice.fence()
    before = node.stats.batches
    for _ in range(3):
        alice.tick(16)
        await asyncio.sleep(0)
    await alice.hears(48)
    assert node.stats.batches == before + 1

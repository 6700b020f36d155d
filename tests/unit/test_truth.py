"""*Why* is what happened: examples on a real node, each of which was once explained wrongly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from orders.broker.explain import explain
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.broker.room_state import RoomState
from orders.journal.sqlite.engine import SqliteEngine
from orders.server import Node
from orders.server.queues import AHEAD
from tests.transports import Party, Slow, join, running, settled


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with running(SqliteEngine()) as node:
        yield node


@pytest.fixture
def main(node: Node) -> Room:
    return node.room("main")


async def records(node: Node) -> list[Record]:
    return await node.engine.read("main", 0, 1000)


async def received(node: Node, number: int = 0) -> dict[str, bool]:
    """Who received an event, by its explanation: the first, or the one with this number."""
    event = [record for record in await records(node) if record.kind is Kind.EVENT][number]
    said = explain(event, await node.engine.controls("main", event.position))
    return {recipient.name: recipient.received for recipient in said}


def heard(*parties: Party, number: int = 0, type: str = "note") -> dict[str, bool]:
    """To whom an event of this type was written."""
    wanted = {"n": number}
    return {
        party.participant.name: any(e["data"] == wanted for e in party.transport.of_type(type))
        for party in parties
    }


def note(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "note", "data": {"n": number}} | more


def subscribe(party: Party, type: str, un: str = "") -> None:
    party.send({"type": f"broker.{un}subscribe", "data": {"types": [type]}})


async def folded(node: Node) -> RoomState:
    """The room as it follows from its records."""
    state = RoomState("main")
    for record in await records(node):
        state.apply(record)
    return state


async def test_a_subscription_that_changed_while_the_event_was_held_counts(
    node: Node, main: Room
) -> None:
    await node.host.set_modes(main, {"*": "pubsub"})
    alice = await join(node, "alice", types=["nothing"])
    bob, carol = await join(node, "bob", types=["tea"]), await join(node, "carol", types=["note"])
    await node.host.pause(main)
    alice.send(note())
    await alice.fence()
    subscribe(bob, "note")
    subscribe(carol, "note", un="un")
    await bob.fence()
    await carol.fence()
    await node.host.resume(main)
    await settled(node, main)
    there = heard(alice, bob, carol)
    assert there == {"alice": False, "bob": True, "carol": False}
    assert {name: (await received(node))[name] for name in there} == there


async def test_those_who_are_here_when_a_room_begins_again_received_what_came_right_then(
    node: Node, main: Room
) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob")
    doing = asyncio.ensure_future(node.host.reset(main))
    await asyncio.sleep(0)
    for number in range(9):
        alice.send(note(number))
    await doing
    await settled(node, main)
    for number in range(9):
        there = heard(alice, bob, number=number)
        assert there == {"alice": True, "bob": True}
        assert {name: (await received(node, number))[name] for name in there} == there


async def test_one_that_left_before_its_joining_was_stored_received_nothing(
    node: Node, main: Room
) -> None:
    alice = await join(node, "alice")
    alice.send(note())
    await alice.fence()
    bob = await join(node, "bob", after="start")
    bob.leave()
    await settled(node, main)
    assert heard(bob) == {"bob": False}
    assert not (await received(node))["bob"]


async def test_one_that_reads_on_from_a_held_event_does_not_hear_what_lay_before_it(
    node: Node, main: Room
) -> None:
    alice = await join(node, "alice")
    await node.host.pause(main)
    for number in (0, 1):
        alice.send(note(number))
    await alice.fence()
    last = main.state.last
    bob = await join(node, "bob", after=last)
    await bob.hears(1, "broker.caught_up")
    await node.host.resume(main)
    alice.send(note(2))
    await bob.hears(1, "note")
    for number, there in ((0, False), (1, False), (2, True)):
        assert heard(bob, number=number) == {"bob": there}
        assert (await received(node, number))["bob"] is there


async def test_what_a_guest_sent_before_it_took_a_name_is_its_own(node: Node, main: Room) -> None:
    guest = await join(node, echo=False)
    guest.send(note(0))
    guest.send(note(1, source="alice"))
    await settled(node, main)
    for number in (0, 1):
        assert heard(guest, number=number) == {"alice": False}
        assert not (await received(node, number))["alice"]


async def test_a_name_that_is_taken_right_behind_a_subscription_does_not_undo_it(
    node: Node, main: Room
) -> None:
    guest = await join(node)
    subscribe(guest, "tea")
    guest.send(note(source="alice"))
    await settled(node, main)
    assert guest.participant.types == {"tea"}
    assert main.state.members["alice"].types == {"tea"}
    assert (await folded(node)).members["alice"].types == {"tea"}


async def test_one_that_came_back_has_read_from_the_beginning_once_the_room_begins_again(
    node: Node, main: Room
) -> None:
    alice = await join(node, "alice")
    alice.send(note())
    await alice.fence()
    bob = await join(node, "bob", after=main.state.last)
    await bob.hears(1, "broker.caught_up")
    await node.host.reset(main)
    assert main.state.members["bob"].after == 0
    assert (await folded(node)).members["bob"].after == 0


class Asked(Slow):
    """A journal in which reading a queued event waits until the test has done something."""

    meanwhile: Awaitable[None] | None = None

    async def read(
        self, room: str, after: int, limit: int, epoch: int | None = None
    ) -> list[Record]:
        if self.meanwhile is not None and limit == AHEAD:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile
        return await super().read(room, after, limit, epoch)


async def test_what_was_handed_with_ack_auto_is_written_though_its_taker_leaves_right_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orders.broker.queue.AT_HAND", 200)  # the second has to be read
    engine = Asked()
    async with running(engine) as node:
        main = node.room("main")
        await node.host.set_modes(main, {"note": "queue"})
        alice = await join(node, "alice", types=["nothing"])
        await node.host.pause(main)
        for number in (0, 1):
            alice.send(note(number, id=f"69688550-5be2-41e4-a057-b9da2d59eb0{number}"))
        await alice.fence()
        bob = await join(node, "bob", types=["note"])
        await bob.fence()

        async def leave() -> None:
            bob.leave()

        engine.meanwhile = leave()
        await node.host.resume(main)
        await settled(node, main)
        for record in await records(node):
            if record.kind is Kind.HANDED:
                ids = [event["id"] for event in bob.transport.of_type("note")]
                assert record.data["event"] in ids
        assert engine.meanwhile is None, "it left while the second was read"

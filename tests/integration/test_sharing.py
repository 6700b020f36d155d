"""One room's work is not another's wait: what a turn of the event loop does for one is bounded."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Self

import pytest
from aiohttp import WSMessage, WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue

from orders.broker.limits import Limits
from orders.journal.sqlite.engine import SqliteEngine
from orders.server import Node
from orders.server.context import MOST_AT_ONCE
from orders.server.inbox import MOST_GATHERED
from orders.web.closing import InTurns
from orders.web.turns import AT_ONCE
from tests.transports import InlineWriter, Party, join, running

MANY = 3 * MOST_AT_ONCE


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    engine = SqliteEngine(make_writer=InlineWriter)
    async with running(engine, limits=Limits(rate=0)) as node:
        yield node


class Turns:
    """`with Turns(bob) as turns`: how many messages he is written in each turn of the loop.

    The loop, which is also that of all other tests, does not rest meanwhile.
    """

    def __init__(self, party: Party) -> None:
        self.written: Counter[int] = Counter()
        self._turn = 0
        self._write = party.transport.write
        party.transport.write = self._count  # type: ignore[method-assign]
        party.participant.connect(party.transport)

    def __enter__(self) -> Self:
        self._next()
        return self

    def __exit__(self, *_: object) -> None:
        self._coming.cancel()

    def _next(self) -> None:
        self._turn += 1
        self._coming = asyncio.get_running_loop().call_soon(self._next)

    def _count(self, buffer: bytes) -> int:
        self.written[self._turn] += buffer.count(b"\n")
        return self._write(buffer)


async def test_a_burst_reaches_those_who_hear_it_a_share_a_turn(node: Node) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob")
    await alice.fence()
    with Turns(bob) as turns:
        alice.tick(MANY)
        await bob.hears(MANY)
    assert max(turns.written.values()) <= MOST_AT_ONCE
    assert bob.numbers == list(range(1, MANY + 1))


async def test_what_was_held_and_what_came_meanwhile_are_let_go_a_share_a_turn(node: Node) -> None:
    alice, bob = await join(node, "alice"), await join(node, "bob", quiet=True)
    room = node.room("main")
    await node.host.pause(room)
    alice.tick(MANY)
    await alice.fence()
    with Turns(bob) as turns:
        resumed = asyncio.ensure_future(node.host.resume(room))
        await asyncio.sleep(0)
        alice.tick(MANY)  # in one batch with the end of the pause
        await resumed
        await bob.hears(2 * MANY)
    assert max(turns.written.values()) <= MOST_AT_ONCE + 1  # and that the room was resumed
    assert bob.numbers == list(range(1, 2 * MANY + 1))


async def test_of_one_batch_the_room_with_less_comes_first(node: Node) -> None:
    alice, carol = await join(node, "alice"), await join(node, "carol")
    bob = await join(node, "bob", room="other", quiet=True)
    await alice.fence()
    await bob.fence()
    with Turns(carol) as busy, Turns(bob) as other:
        alice.tick(MANY)
        bob.tick()
        await carol.hears(MANY)
    assert min(other.written) <= min(busy.written)


async def test_a_batch_is_no_larger_than_a_batch_may_be_whatever_waits(node: Node) -> None:
    alice = await join(node, "alice")
    await alice.fence()
    batches = node.stats.batches
    alice.tick(2 * MOST_GATHERED + 1)
    await alice.hears(2 * MOST_GATHERED + 1)
    assert node.stats.batches == batches + 3
    assert all(one < other for one, other in pairwise(alice.numbers))


async def test_what_many_take_is_handed_to_them_and_given_back_a_share_a_turn(node: Node) -> None:
    """The room is resumed, then their leases end, and others have their turn meanwhile."""
    room = node.room("main")
    await node.host.set_modes(room, {"tick": "queue"})
    await node.host.pause(room)
    workers = [
        await join(node, f"w{n}", types=["tick"], ack="manual", prefetch=100) for n in range(20)
    ]
    alice = await join(node, "alice", types=["nothing"])
    alice.tick(2_000)
    await alice.fence()
    held = [0]

    async def watch(count: int) -> int:
        """How many leases began or ended in one turn, until so many are held."""
        while held[-1] != count:
            await asyncio.sleep(0)
            held.append(len(room.leases.held))
        return max(abs(one - other) for one, other in pairwise(held))

    watching = asyncio.ensure_future(watch(2_000))
    await node.host.resume(room)
    assert await watching < 1_000
    for worker in workers:
        await worker.hears(100)
    for worker in workers:
        worker.send({"type": "broker.unsubscribe", "data": {"types": ["tick"]}})
        await worker.fence()
    room.leases.prolong(-2 * node.options.lease)
    assert await watch(0) < 1_000


async def test_who_sends_on_without_end_when_it_is_closed_is_read_a_share_a_turn() -> None:
    protocol: Any = SimpleNamespace(_reading_paused=False, pause_reading=lambda: None)
    queue = WebSocketDataQueue(protocol, 1 << 16, loop=asyncio.get_running_loop())
    for _ in range(5 * AT_ONCE):
        queue.feed_data(WSMessage(WSMsgType.PING, b"", ""), 0)
    reader, read = InTurns(queue), [0]

    async def neighbour() -> None:
        while read[-1] < 5 * AT_ONCE:
            read.append(read[-1])
            await asyncio.sleep(0)

    watching = asyncio.ensure_future(neighbour())
    for _ in range(5 * AT_ONCE):
        await reader.read()
        read[-1] += 1
    await watching
    assert max(other - one for one, other in pairwise(read)) <= AT_ONCE

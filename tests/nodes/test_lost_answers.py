"""The journal takes a claim, and its answer is lost on the way: nobody waits for ever."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from nats.aio.msg import Msg

from orders.journal.nats.appending import Appending
from orders.journal.nats.client import OnMessage
from orders.journal.nats.connection import Message, NatsConnection
from orders.journal.nats.follower import Follower
from tests.conftest import Come
from tests.nodes.conftest import Nodes, Rooms, become, say

QUEUE: dict[str, str | None] = {"*": "pubsub", "work": "queue"}
EMPTY = {"ready": 0, "in_flight": 0, "dead": 0}


class Late:
    """What NATS delivers, held back on its way while `is_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_on = False
        self._held: list[tuple[Follower, Msg]] = []
        self._take = Follower._take
        monkeypatch.setattr(Follower, "_take", lambda *delivered: self._delivered(*delivered))

    def _delivered(self, follower: Follower, message: Msg) -> None:
        if self.is_on:
            self._held.append((follower, message))
        else:
            self._take(follower, message)

    def release(self) -> None:
        self.is_on = False
        for follower, message in self._held:
            self._take(follower, message)
        self._held.clear()


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Late:
    return Late(monkeypatch)


def has_claim(messages: Sequence[Message]) -> bool:
    return any(b'"lease":' in body for _, body, _ in messages)


async def test_a_claim_whose_first_answer_was_lost_is_held_when_it_arrives(
    nodes: Nodes, come: Come, rooms: Rooms, late: Late, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is published again, and refused: it is in its own way. What lies there is this claim."""
    store, route, explain = NatsConnection.store, NatsConnection._route, Appending._explain
    is_losing, explained = False, asyncio.Event()

    async def store_losing(connection: NatsConnection, messages: Sequence[Message]) -> Any:
        nonlocal is_losing
        if has_claim(messages) and not explained.is_set():
            is_losing = late.is_on = True
        try:
            return await store(connection, messages)
        finally:
            is_losing = False

    def route_losing(connection: NatsConnection, on_message: OnMessage) -> str:
        answers: list[Msg] = []

        def on_later_ones(message: Msg) -> None:
            answers.append(message)
            if len(answers) > 1:
                on_message(message)

        return route(connection, on_later_ones if is_losing else on_message)

    async def explain_and_say_so(engine: Appending, refused: Any, there: Any) -> Any:
        answers = await explain(engine, refused, there)
        if late.is_on:
            explained.set()
        return answers

    (node,) = await nodes(1, engine_patience=1)
    (room,) = rooms([node])
    await room.set_modes(QUEUE)
    alice = await come(node, name="alice", types="none")
    bob = await come(node, name="bob", types="work", ack="manual")
    monkeypatch.setattr(NatsConnection, "store", store_losing)
    monkeypatch.setattr(NatsConnection, "_route", route_losing)
    monkeypatch.setattr(Appending, "_explain", explain_and_say_so)
    first, second = await say(alice, "work"), await say(alice, "work")
    await explained.wait()
    late.release()
    for event in (first, second):
        given = await bob.expect("work")
        assert (given["id"], given["attempt"]) == (event, 1)
        await bob.ack(event)
    await become(room, "", "all is settled", queues={"work": EMPTY})


async def test_a_claim_that_arrives_while_another_is_asked_for_is_given_back(
    nodes: Nodes, come: Come, rooms: Rooms, late: Late, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answered the first, so the event is claimed again; and that finds the first one."""
    store, claims = NatsConnection.store, 0

    async def store_losing(connection: NatsConnection, messages: Sequence[Message]) -> Any:
        nonlocal claims
        claims += has_claim(messages)
        late.is_on = late.is_on or claims == 1
        answers = await store(connection, messages)
        if not has_claim(messages) or claims > 2:
            return answers
        if claims == 1:
            return [None] * len(messages)
        late.release()
        return answers

    (node,) = await nodes(1, engine_patience=1)
    (room,) = rooms([node])
    await room.set_modes(QUEUE)
    alice = await come(node, name="alice", types="none")
    bob = await come(node, name="bob", types="work", ack="manual")
    monkeypatch.setattr(NatsConnection, "store", store_losing)
    event = await say(alice, "work")
    given = await bob.expect("work")
    assert (given["id"], given["attempt"]) == (event, 2), "the first never reached bob"
    await bob.ack(event)
    await become(room, "", "it is settled", queues={"work": EMPTY})

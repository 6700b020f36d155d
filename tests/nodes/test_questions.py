"""A question is asked on one node, and answered, counted and revealed on another."""

from typing import Any

import aiohttp

from tests.conftest import Connect
from tests.integration.test_questions import QUEUE, TOKEN, Asking
from tests.nodes.conftest import Nodes
from tests.rooms import Room
from tests.wire import until


async def test_a_question_is_the_same_on_every_node(
    nodes: Nodes, connect: Connect, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2, host_token=TOKEN)
    here, there = (Asking(http, node, connect) for node in (one, two))
    await here.host("/modes", QUEUE, "PUT")
    await Room(http, two).has_modes(QUEUE)
    await here.come("ann")
    await there.come("bob", types="order_placed", ack="manual")
    id = await there.ask()
    await here.wires["ann"].expect("broker.notice", code="question")
    await here.send("ann", id=5)
    assert await here.answer(id, "ann", "bob") == (204, None)
    assert await there.answer(id, "ann", "nobody") == (409, "already_answered")
    assert await here.answer(id, "bob", "nobody") == (204, None)
    await here.act(id, "close")
    assert await there.answer(id, "bob", "bob") == (409, "question_closed")
    told = await there.act(id, "reveal")
    await there.wires["bob"].expect("order_placed")
    assert (told["truth"], told["votes"][0]["bob"], told["votes"][0]["nobody"]) == ("bob", 1, 1)

    async def revealed() -> Any:
        return (await here.question()).get("truth")

    assert await until(revealed, "the other node knows the truth") == "bob"

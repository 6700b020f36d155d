"""A fault is set where the host is, and happens where the participant is; so does a ping."""

import aiohttp

from orders.classroom.examiner import Verdict, examine
from tests.conftest import Come
from tests.exercises.bobs import at_work
from tests.exercises.found_out import TOKEN, TRIES
from tests.exercises.wrong import HearsNothing
from tests.integration.test_message_faults import QUEUED, Faulty
from tests.nodes.conftest import Nodes


async def test_faults_work_on_the_node_of_the_participant_and_are_told_on_all(
    nodes: Nodes, come: Come, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2)
    host, there = Faulty(http, one), Faulty(http, two)
    await host.set_modes({**QUEUED})
    alice = await come(one, name="alice", types="order_confirmed")
    bob = await come(two, name="bob", types="order_placed", ack="manual")
    await host.has("bob")
    await host.set("bob", "lose_ack")
    event = await alice.publish("order_placed", id=5)
    await bob.expect("order_placed")
    await bob.ack(event)
    for room in (host, there):
        assert "its ack was lost on the way" in await room.why(event, "bob")
    await host.set("bob", "end_lease")
    assert (await bob.expect("order_placed"))["attempt"] == 2
    await bob.ack(event)
    await host.set("bob", "hold_in", seconds=300)
    later = await alice.publish("order_placed", id=6)
    assert "it was held on its way there" in await host.why(later, "bob")
    await host.lift("bob")
    assert (await bob.expect("order_placed", id=6))["id"] == later
    await host.set("bob", "cut")
    assert (await bob.message()).type is not aiohttp.WSMsgType.CLOSE
    await host.lacks("bob")


async def test_a_bot_dies_before_its_ack_on_its_node_and_who_is_none_is_refused(
    nodes: Nodes, come: Come, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2)
    host, there = Faulty(http, one), Faulty(http, two)
    await host.set_modes({**QUEUED})
    await there.act("/bots")
    await host.has("bob")
    carol = await come(two, name="carol")
    await host.has("carol")
    url = f"{one.url}{host.path}/participants/carol/faults"
    async with http.post(url, json={"fault": "die_before_ack"}) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (409, "not_a_bot")
    await host.set("bob", "die_before_ack")
    event = await carol.publish("order_placed", id=5)
    assert "it died before its ack" in await host.why(event, "bob")
    await host.lacks("bob")


async def test_a_silence_is_judged_also_where_the_student_is_on_another_node(
    nodes: Nodes, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2, host_token=TOKEN)
    async with http.post(f"{one.url}/api/exercises", json={}) as answer:
        room = (await answer.json())["room"]
    said: list[Verdict] = []
    async with at_work(HearsNothing(f"{two.url.replace('http', 'ws')}/ws?room={room}", 1)):
        for seed in range(TRIES):
            await examine(one.url, room, TOKEN, (1, 4), seed, said.append)
            if said[-1]["verdict"] != "unknown":
                break
    assert said[-1]["verdict"] == "failed", said[-1]
    assert said[-1]["failure"]["came"] == "nothing, within 5 s"

"""Bob at work: every order answered once, no matter who crashes, comes back or does the same."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import aiohttp
import pytest

from orders.clients.bot import Bot, Handled
from tests.conftest import Connect, Serve, Start
from tests.terminal import Command
from tests.wire import DEADLINE, Wire, until

Modes = Callable[..., Awaitable[None]]
QUEUED = {"*": "pubsub", "order_placed": "queue"}


@pytest.fixture
def set_modes(http: aiohttp.ClientSession) -> Modes:
    """`await set_modes(server, order_placed="queue")`."""

    async def put(server: Any, modes: dict[str, str], room: str = "main") -> None:
        async with http.put(f"{server.url}/api/rooms/{room}/modes", json=modes) as answer:
            assert answer.status == 200, await answer.text()

    return put


class Bobs:
    """Bots in this process, and what each of them did."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.handled: list[tuple[str, Handled]] = []
        self.here = 0

    async def have_handled(self, count: int) -> None:
        async def probe() -> bool:
            return len(self.handled) >= count

        await until(probe, f"{count} orders handled")

    @asynccontextmanager
    async def bob(self, name: str = "bob", **more: Any) -> AsyncIterator[Bot]:
        """Bob, from his welcome on."""
        welcome = asyncio.Event()

        def hear(said: Any) -> None:
            if said.type == "broker.welcome":
                welcome.set()

        bot = Bot(
            self.url,
            name=name,
            on_handled=lambda handled: self.handled.append((name, handled)),
            on_broker=hear,
            **more,
        )
        running = asyncio.create_task(bot.run())
        await asyncio.wait_for(welcome.wait(), DEADLINE)
        yield bot
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def log_of(
    http: aiohttp.ClientSession, server: Any, type: str | None = None
) -> list[dict[str, Any]]:
    url = f"{server.url}/api/rooms/main/events"
    query = {"limit": "1000"} | ({"type": type} if type else {})
    async with http.get(url, params=query) as answer:
        events: list[dict[str, Any]] = (await answer.json())["events"]
        return events


async def orders_of(http: aiohttp.ClientSession, server: Any) -> list[dict[str, Any]]:
    async with http.get(f"{server.url}/api/rooms/main/orders") as answer:
        orders: list[dict[str, Any]] = (await answer.json())["orders"]
        return orders


async def all_answered(
    http: aiohttp.ClientSession, server: Any, count: int
) -> list[dict[str, Any]]:
    async def probe() -> list[dict[str, Any]] | None:
        orders = await orders_of(http, server)
        done = len(orders) == count and all(order["state"] != "placed" for order in orders)
        return orders if done else None

    orders = await until(probe, f"{count} orders answered")
    assert orders is not None
    return orders


async def place(alice: Wire, *datas: dict[str, Any]) -> list[str]:
    """Place orders; their event ids."""
    ids = []
    for data in datas:
        await alice.send({"type": "order_placed", "data": data})
        ids.append((await alice.expect("broker.accepted"))["data"]["event"])
    return ids


async def confirm(who: Wire, placed: str) -> None:
    """Confirm alice's order 5 as a naive program does: under a random id."""
    data = {"id": 5, "customer": "alice", "event": placed}
    await who.send({"type": "order_confirmed", "data": data})
    await who.expect("broker.accepted")


async def test_the_bot_confirms_what_is_good_and_rejects_what_is_not(
    server: Any, tmp_path: Path, alice: Wire
) -> None:
    with Command(tmp_path, "bot", server.url, "--json") as bob:
        await bob.until_said("bob is in room main")
        (good,) = await place(alice, {"id": 5})
        confirmed = await alice.expect("order_confirmed")
        (bad,) = await place(alice, {"id": 6, "quantity": 0})
        rejected = await alice.expect("order_rejected")
        said = await bob.until_said('"outcome"', 2)
    assert confirmed["source"] == "bob"
    assert confirmed["data"] == {"id": 5, "customer": "alice", "event": good}
    assert rejected["data"]["event"] == bad
    assert rejected["data"]["reason"] == "invalid_quantity"
    assert '"outcome": "confirmed"' in said
    assert '"reason": "invalid_quantity"' in said


@pytest.mark.parametrize("modes", [{"*": "relay"}, {"*": "pubsub"}, QUEUED])
async def test_many_bots_answer_every_order_once(
    server: Any, http: aiohttp.ClientSession, connect: Connect, set_modes: Modes, modes: Any
) -> None:
    await set_modes(server, modes)
    alice = await connect(server, name="alice", types="broker.*")
    bobs = Bobs(server.url)
    async with bobs.bob("bob"), bobs.bob("bert"), bobs.bob("bella"):
        await place(alice, *({"id": n, "quantity": n % 11} for n in range(1, 34)))
        orders = await all_answered(http, server, 33)
    events = await log_of(http, server)
    answered = [e["data"]["event"] for e in events if e["type"] != "order_placed"]
    assert len(answered) == len(set(answered)) == 33
    assert {o["id"] for o in orders if o["state"] == "rejected"} == {11, 22, 33}
    assert not any(order.get("also") for order in orders)


@pytest.mark.parametrize("modes", [{"*": "relay"}, QUEUED])
async def test_a_number_placed_twice_is_confirmed_once_and_rejected_once(
    server: Any, http: aiohttp.ClientSession, connect: Connect, set_modes: Modes, modes: Any
) -> None:
    await set_modes(server, modes)
    alice = await connect(server, name="alice", types="broker.*")
    bobs = Bobs(server.url)
    async with bobs.bob("bob"), bobs.bob("bert"):
        for n in range(1, 11):
            await alice.send({"type": "order_placed", "data": {"id": n}})
            await alice.send({"type": "order_placed", "data": {"id": n, "quantity": 2}})

        async def both_answered() -> bool:
            events = await log_of(http, server)
            return len(events) == 40

        await until(both_answered, "20 answers")
    rejected = await log_of(http, server, "order_rejected")
    confirmed = await log_of(http, server, "order_confirmed")
    assert sorted(e["data"]["id"] for e in confirmed) == list(range(1, 11))
    assert sorted(e["data"]["id"] for e in rejected) == list(range(1, 11))
    assert {e["data"]["reason"] for e in rejected} == {"duplicate_order"}
    assert {o["state"] for o in await orders_of(http, server)} == {"confirmed"}


async def test_another_bob_takes_over_what_a_killed_one_held(
    server: Any,
    http: aiohttp.ClientSession,
    connect: Connect,
    set_modes: Modes,
    tmp_path: Path,
) -> None:
    await set_modes(server, QUEUED)
    alice = await connect(server, name="alice", types="order_*")
    with Command(tmp_path, "bot", server.url, "--delay", "600") as slow:
        await slow.until_said("bob is in room main")
        await place(alice, {"id": 5})

        async def is_held() -> bool:
            async with http.get(f"{server.url}/api/rooms/main") as answer:
                return bool((await answer.json())["queues"]["order_placed"]["in_flight"])

        await until(is_held, "bob holds the order")
        slow.send(signal.SIGKILL)
    with Command(tmp_path, "bot", server.url, "--name", "bert", "--json") as bert:
        confirmed = await alice.expect("order_confirmed")
        said = await bert.until_said('"outcome"')
    assert confirmed["source"] == "bert"
    assert '"attempt": 2' in said
    assert len(await log_of(http, server, "order_confirmed")) == 1


async def test_the_bot_comes_back_when_the_server_does_and_misses_nothing(
    start: Start, http: aiohttp.ClientSession, connect: Connect
) -> None:
    server = start()
    bobs = Bobs(server.url)
    async with bobs.bob():
        alice = await connect(server, name="alice", types="order_*")
        await place(alice, {"id": 1})
        await alice.expect("order_confirmed", id=1)
        server.kill()
        server.start()
        alice = await connect(server, name="alice", types="order_*")
        await place(alice, {"id": 2})
        await all_answered(http, server, 2)
    assert [h.placed.data["id"] for _, h in bobs.handled] == [1, 2]
    assert len(await log_of(http, server, "order_confirmed")) == 2


async def test_the_bot_waits_for_a_server_that_is_not_there_yet(
    start: Start, http: aiohttp.ClientSession, connect: Connect
) -> None:
    server = start()
    server.stop()
    running = asyncio.create_task(Bot(server.url).run())
    server.start()
    alice = await connect(server, name="alice")
    await place(alice, {"id": 1})
    await all_answered(http, server, 1)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_waited_before_the_bot_came_is_answered(
    server: Any, http: aiohttp.ClientSession, alice: Wire
) -> None:
    await place(alice, {"id": 1}, {"id": 2, "item": "gold"})
    async with Bobs(server.url).bob():
        orders = await all_answered(http, server, 2)
    assert {o["id"]: o["state"] for o in orders} == {1: "confirmed", 2: "rejected"}


async def test_what_is_queued_is_answered_only_by_whom_it_is_handed_to(
    server: Any, http: aiohttp.ClientSession, connect: Connect, set_modes: Modes
) -> None:
    await set_modes(server, QUEUED)
    alice = await connect(server, name="alice", types="order_confirmed")
    holder = await connect(server, name="zoe", types="order_placed", ack="manual")
    (held,) = await place(alice, {"id": 1})
    await holder.expect("order_placed")
    async with Bobs(server.url).bob():
        # The bot has looked at what is pending before it answers this one.
        await set_modes(server, {"order_placed": "pubsub"})
        await place(alice, {"id": 2})
        await alice.expect("order_confirmed", id=2)
        states = {o["id"]: o["state"] for o in await orders_of(http, server)}
    assert states == {1: "placed", 2: "confirmed"}
    assert held


async def test_a_squatted_answer_does_not_keep_an_order_from_being_confirmed(
    server: Any, http: aiohttp.ClientSession, connect: Connect
) -> None:
    mallory = await connect(server, name="mallory", types="broker.*")
    squatted = str(uuid5(NAMESPACE_URL, "orders:main/alice/5/confirmed"))
    await mallory.send({"id": squatted, "type": "nothing", "data": {}})
    await mallory.expect("broker.accepted", event=squatted)
    alice = await connect(server, name="alice")
    async with Bobs(server.url).bob():
        await place(alice, {"id": 5})
        (order,) = await all_answered(http, server, 1)
    assert order["state"] == "confirmed"
    (confirmed,) = await log_of(http, server, "order_confirmed")
    assert confirmed["id"] != squatted


@pytest.mark.parametrize("name", ["bob", "hand"])
async def test_an_answer_that_stands_before_its_order_does_not_keep_it_from_being_confirmed(
    server: Any, http: aiohttp.ClientSession, connect: Connect, name: str
) -> None:
    """Seed 4078 of the simulation: after a reset Bob's answer was sent again before the order
    was, and then it was there already when he answered."""
    early = str(uuid5(NAMESPACE_URL, "orders:main/alice/5/confirmed"))
    placed = "69688550-5be2-41e4-a057-b9da2d59eb03"
    alice = await connect(server, name="alice")
    async with Bobs(server.url).bob(name), Bobs(server.url).bob("bob-2"):
        data = {"id": 5, "customer": "alice", "event": placed}
        url = f"{server.url}/api/rooms/main/events"
        said = {"id": early, "type": "order_confirmed", "data": data, "source": name}
        async with http.post(url, json=said) as answer:
            assert answer.status == 201, await answer.text()
        await alice.send({"id": placed, "type": "order_placed", "data": {"id": 5}})
        (order,) = await all_answered(http, server, 1)
        await place(alice, {"id": 6})
        await all_answered(http, server, 2)
    assert order["state"] == "confirmed"
    first, second, _ = await log_of(http, server, "order_confirmed")
    assert (first["source"], first["id"], second["id"]) == (name, early, order["answer"])


async def test_someone_faster_is_not_answered_over(
    server: Any, http: aiohttp.ClientSession, connect: Connect
) -> None:
    alice = await connect(server, name="alice", types="broker.*")
    hand = await connect(server, name="hand", types="order_placed", echo="false")
    bobs = Bobs(server.url)
    async with bobs.bob(delay=2.0):
        (placed,) = await place(alice, {"id": 5})
        await hand.expect("order_placed")
        answer = str(uuid5(NAMESPACE_URL, "orders:main/alice/5/confirmed"))
        data = {"id": 5, "customer": "alice", "event": placed}
        await hand.send({"id": answer, "type": "order_confirmed", "data": data})
        await hand.expect("broker.accepted", event=answer)

        async def is_handled() -> bool:
            return bool(bobs.handled)

        await until(is_handled, "bob dealt with the order")
    assert [handled.by for _, handled in bobs.handled] == ["hand"]
    assert len(await log_of(http, server, "order_confirmed")) == 1


async def test_naive_bots_confirm_an_order_twice(
    server: Any, http: aiohttp.ClientSession, connect: Connect
) -> None:
    alice = await connect(server, name="alice", types="broker.*")
    bobs = Bobs(server.url)
    async with bobs.bob("bob", naive=True), bobs.bob("bert", naive=True):
        await place(alice, {"id": 5})

        async def twice() -> bool:
            return len(await log_of(http, server, "order_confirmed")) == 2

        await until(twice, "two confirmations of one order")
        (order,) = await orders_of(http, server)
    assert order["state"] == "confirmed"
    assert len(order["also"]) == 1


async def test_a_careful_bob_does_not_confirm_what_a_naive_one_confirmed_and_never_acked(
    server: Any, http: aiohttp.ClientSession, connect: Connect, set_modes: Modes
) -> None:
    await set_modes(server, QUEUED)
    alice = await connect(server, name="alice", types="order_confirmed")
    hasty = await connect(server, name="hasty", types="order_placed", ack="manual")
    (placed,) = await place(alice, {"id": 5})
    await hasty.expect("order_placed")
    await confirm(hasty, placed)
    hasty.cut()
    bobs = Bobs(server.url)
    async with bobs.bob():
        await bobs.have_handled(1)
    assert [(handled.placed.attempt, handled.by) for _, handled in bobs.handled] == [(2, "hasty")]
    assert len(await log_of(http, server, "order_confirmed")) == 1


async def test_a_careful_bob_looks_at_what_was_queued_before_he_came(
    server: Any, http: aiohttp.ClientSession, connect: Connect, set_modes: Modes
) -> None:
    await set_modes(server, QUEUED)
    alice = await connect(server, name="alice", types="order_confirmed")
    (placed,) = await place(alice, {"id": 5})
    await confirm(alice, placed)
    bobs = Bobs(server.url)
    async with bobs.bob():
        await bobs.have_handled(1)
    assert [(handled.placed.attempt, handled.by) for _, handled in bobs.handled] == [(1, "alice")]
    assert len(await log_of(http, server, "order_confirmed")) == 1


async def test_a_careful_bob_who_takes_his_time_honours_a_naive_one_at_his_side(
    server: Any, http: aiohttp.ClientSession, connect: Connect, set_modes: Modes
) -> None:
    await set_modes(server, {"*": "pubsub"})
    alice = await connect(server, name="alice", types="broker.*")
    bobs = Bobs(server.url)
    async with bobs.bob("hasty", naive=True), bobs.bob("bob", delay=1.0):
        await place(alice, {"id": 5})
        await bobs.have_handled(2)
    assert [(name, handled.by) for name, handled in bobs.handled] == [
        ("hasty", None),
        ("bob", "hasty"),
    ]
    assert len(await log_of(http, server, "order_confirmed")) == 1


async def test_what_bob_hears_and_answers_at_once_costs_no_look(
    server: Any, http: aiohttp.ClientSession, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await connect(server, name="alice", types="broker.*")
    async with Bobs(server.url).bob() as bot:
        await place(alice, {"id": 1})
        await all_answered(http, server, 1)
        looks: list[str] = []
        get = bot.participant.get

        async def count(path: str, **query: str) -> dict[str, Any]:
            looks.append(path)
            return await get(path, **query)

        monkeypatch.setattr(bot.participant, "get", count)
        await place(alice, *({"id": number} for number in range(2, 32)))
        await all_answered(http, server, 31)
    assert looks == []


async def test_a_flood_beyond_bobs_rate_is_answered_all_the_same(
    serve: Serve, http: aiohttp.ClientSession, connect: Connect
) -> None:
    customers = [f"customer-{n}" for n in range(8)]
    async with serve(burst=5, rate=50) as server, Bobs(server.url).bob():
        for name in customers:
            customer = await connect(server, name=name, types="broker.*")
            for n in range(1, 6):
                await customer.send({"type": "order_placed", "data": {"id": n}})
        await all_answered(http, server, 40)
        confirmed = await log_of(http, server, "order_confirmed")
    assert len(confirmed) == 40


async def test_in_a_room_begun_again_numbers_are_free_again(
    server: Any, http: aiohttp.ClientSession, alice: Wire
) -> None:
    async with Bobs(server.url).bob():
        await place(alice, {"id": 5})
        await all_answered(http, server, 1)
        async with http.post(f"{server.url}/api/rooms/main/reset") as answer:
            assert answer.status < 300
        await alice.expect("broker.notice", code="reset")
        assert await orders_of(http, server) == []
        await place(alice, {"id": 5})
        (order,) = await all_answered(http, server, 1)
    assert order["state"] == "confirmed"


async def test_a_bot_that_the_host_removes_says_so_and_does_not_come_back(
    server: Any, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with Command(tmp_path, "bot", server.url) as bob:
        await bob.until_said("bob is in room main")
        async with http.post(f"{server.url}/api/rooms/main/participants/bob/kick") as answer:
            assert answer.status < 300
        assert await bob.ended() == 1
        assert bob.noted.endswith("The host removed you from the room.\n")


async def test_the_bot_ends_with_the_process_that_started_it(server: Any, tmp_path: Path) -> None:
    with Command(tmp_path, "bot", server.url, "--until-stdin-closes", stdin=True) as bob:
        await bob.until_said("bob is in room main")
        assert bob.process.stdin is not None
        bob.process.stdin.close()
        assert await bob.ended() == 0


async def test_the_bot_of_a_server_says_nothing_of_its_end(start: Start, tmp_path: Path) -> None:
    server = start()
    one, other = ["bot", server.url, "--name", "own", "--until-stdin-closes"], ["bot", server.url]
    with Command(tmp_path, *one, stdin=True) as own, Command(tmp_path, *other) as bob:
        for command in (own, bob):
            await command.until_said("is in room main")
        assert server.stop() == 0
        await bob.until_said("going down")
        await bob.until_said("trying again")
        assert own.noted.splitlines()[1:] == []


async def test_the_bot_can_be_ended_while_that_process_goes_on(server: Any, tmp_path: Path) -> None:
    with Command(tmp_path, "bot", server.url, "--until-stdin-closes", stdin=True) as bob:
        await bob.until_said("bob is in room main")
        bob.send(signal.SIGTERM)
        assert await bob.ended() == 0
        assert "rror" not in bob.noted


async def test_ctrl_c_lets_the_bot_say_goodbye(
    server: Any, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with Command(tmp_path, "bot", server.url) as bob:
        await bob.until_said("bob is in room main")
        bob.send(signal.SIGINT)
        assert await bob.ended() == 0
        assert "Traceback" not in bob.noted


@pytest.mark.parametrize("queued", [False, True])
async def test_after_a_reset_bob_answers_no_order_of_before(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession, set_modes: Modes, queued: bool
) -> None:
    async with serve() as server:
        if queued:
            await set_modes(server, QUEUED)
        bobs = Bobs(server.url)
        async with bobs.bob(delay=0.3):
            alice = await connect(server, name="alice", types="order_confirmed")
            for number in (1, 2, 3, 3, 4, 5):
                await alice.publish("order_placed", id=number)
            async with http.post(f"{server.url}/api/rooms/main/reset") as answer:
                assert answer.status == 200
            await alice.expect("broker.notice", code="reset")
            await alice.send({"type": "order_placed", "data": {"id": 7}})
            while (await alice.expect("order_confirmed"))["data"]["id"] != 7:
                pass
            async with http.get(f"{server.url}/api/rooms/main/events") as answer:
                log = (await answer.json())["events"]
        assert [(event["type"], event["data"]["id"]) for event in log] == [
            ("order_placed", 7),
            ("order_confirmed", 7),
        ], "every confirmation names an event of its own epoch"

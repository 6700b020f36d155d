"""Alice orders and Bob answers, in two windows: by hand, by rules, by keyboard, and two at once."""

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, Route, WebSocketRoute, expect

from orders.domain.confirming import Confirmed, answer_data, answer_id, id_after
from orders.domain.envelope import Event
from tests.browser.conftest import OpenPage
from tests.browser.people import confirm, is_open, order, place, reject, stands
from tests.browser.watching import send
from tests.conftest import Connect
from tests.process import running
from tests.rooms import Room
from tests.wire import until

pytestmark = pytest.mark.browser

PLACED = Event(
    id="69688550-5be2-41e4-a057-b9da2d59eb03",
    type="order_placed",
    created="0",
    source="alice",
    data={"id": 5},
)
MODES: dict[str, dict[str, str | None]] = {
    "relay": {"*": "relay"},
    "pubsub": {"*": "pubsub"},
    "queue": {"*": "pubsub", "order_placed": "queue"},
}


async def confirmations(http: aiohttp.ClientSession, server: Any) -> list[dict[str, Any]]:
    return await Room(http, server).log(type="order_confirmed")


@pytest.mark.parametrize("mode", MODES)
async def test_an_order_placed_in_one_window_is_confirmed_in_another(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession, mode: str
) -> None:
    await Room(http, server).set_modes(MODES[mode])
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    await place(alice, {"id": 5, "item": "mint tea", "quantity": 2, "note": "hot, please"})
    await stands(alice, "alice/5", "stored")
    await stands(bob, "alice/5", "waiting")
    await confirm(bob, "alice/5")
    await stands(alice, "alice/5", "confirmed")
    await stands(bob, "alice/5", "confirmed")
    await expect(order(alice, "alice/5")).to_contain_text("confirmed by bob")
    (placed,) = await Room(http, server).log(type="order_placed")
    assert placed["data"] == {"id": 5, "item": "mint tea", "quantity": 2, "note": "hot, please"}
    (answer,) = await confirmations(http, server)
    assert answer["data"] == {"id": 5, "customer": "alice", "event": placed["id"]}


@pytest.mark.parametrize("meanwhile", [False, True])
async def test_what_waits_is_asked_for_once_unless_something_happened_meanwhile(
    server: Any, open_page: OpenPage, connect: Connect, http: aiohttp.ClientSession, meanwhile: bool
) -> None:
    alice = await connect(server, name="alice")
    await send(alice, id=1)
    asked: list[str] = []

    async def prepare(page: Page) -> None:
        async def join(socket: WebSocketRoute) -> None:
            if meanwhile:
                await send(alice, id=2)
            socket.connect_to_server()

        async def orders(route: Route) -> None:
            asked.append(route.request.url)
            response = await route.fetch()
            told = await response.json()
            first = told["orders"][:1] if len(asked) == 1 else told["orders"]
            await route.fulfill(response=response, json={"orders": first})

        await page.route_web_socket(re.compile("/ws"), join)
        await page.route("**/api/rooms/main/orders", orders)

    bob = await is_open(await open_page(server, "/confirmer?name=bob", prepare=prepare))
    for number in (1, 2) if meanwhile else (1,):
        await stands(bob, f"alice/{number}", "waiting")
    await send(alice, id=3)
    await stands(bob, "alice/3", "waiting")
    assert len(asked) == 1 + meanwhile


async def test_who_answered_while_a_confirmer_was_still_arriving_is_seen(
    server: Any, open_page: OpenPage, connect: Connect, room: Room
) -> None:
    await room.set_modes(MODES["pubsub"])
    event = await send(await connect(server, name="alice", types="tea"), id=5)
    ben, watches = await connect(server, name="ben", types="tea"), asyncio.Event()

    async def watch(socket: WebSocketRoute) -> None:
        await watches.wait()
        socket.connect_to_server()

    page = await open_page(
        server,
        "/confirmer?name=bob",
        prepare=lambda page: page.route_web_socket("**/observe/**", watch),
    )
    await stands(page, "alice/5", "waiting")
    await send(ben, "order_confirmed", id=5, customer="alice", event=event)
    watches.set()
    await stands(page, "alice/5", "confirmed")


async def test_a_rejection_says_why(server: Any, open_page: OpenPage) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await place(alice, {"id": 5, "quantity": 500})
    await expect(order(bob, "alice/5")).to_contain_text("Bob’s rules say: reject.")
    await reject(bob, "alice/5")
    await stands(alice, "alice/5", "rejected")
    await expect(order(alice, "alice/5")).to_contain_text("invalid_quantity")
    await expect(order(alice, "alice/5")).to_contain_text("The quantity was 500")


@pytest.mark.parametrize("mode", ["relay", "pubsub"])
async def test_of_two_who_confirm_one_order_the_other_is_told_by_whom(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession, mode: str
) -> None:
    await Room(http, server).set_modes(MODES[mode])
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    carl = await is_open(await open_page(server, "/confirmer?name=carl"))
    await place(alice, {"id": 5})
    await stands(carl, "alice/5", "waiting")
    await confirm(bob, "alice/5")
    await stands(carl, "alice/5", "confirmed")
    await expect(order(carl, "alice/5")).to_contain_text("by bob, who was faster")


async def test_who_confirms_too_late_without_having_heard_is_told_by_whom(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    """Under publish–subscribe Carl hears no answer of Bob's; here even his feed is dead."""

    async def deaf(page: Page) -> None:
        await page.route_web_socket("**/observe/**", lambda _: None)

    await Room(http, server).set_modes(MODES["pubsub"])
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    carl = await is_open(await open_page(server, "/confirmer?name=carl", prepare=deaf))
    await place(alice, {"id": 5})
    await stands(carl, "alice/5", "waiting")
    await confirm(bob, "alice/5")
    await stands(alice, "alice/5", "confirmed")
    await confirm(carl, "alice/5")
    await stands(carl, "alice/5", "confirmed")
    await expect(order(carl, "alice/5")).to_contain_text("by bob, who was faster")
    assert [event["source"] for event in await confirmations(http, server)] == ["bob"]


async def test_an_answer_that_stands_before_its_order_is_given_again(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    """After a reset both were sent again, the answer first."""

    async def post(type: str, source: str, id: str, data: dict[str, Any]) -> None:
        said = {"type": type, "source": source, "id": id, "data": data}
        async with http.post(f"{server.url}/api/rooms/main/events", json=said) as stored:
            assert stored.status == 201, await stored.text()

    early = answer_id("main", PLACED, Confirmed())
    await post("order_confirmed", "bob", early, answer_data(PLACED, Confirmed()))
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await post(PLACED.type, PLACED.source, PLACED.id, PLACED.data)
    await confirm(bob, "alice/5")
    await stands(bob, "alice/5", "confirmed")
    _, again = await confirmations(http, server)
    assert again["id"] == id_after(early)


async def test_the_rules_decide_by_themselves_when_told_so(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    for fields in ({"id": 5}, {"id": 6, "quantity": 0}, {"id": 7}):
        await place(alice, fields)
    await stands(alice, "alice/7", "stored")
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await stands(bob, "alice/7", "waiting")
    await bob.get_by_label("Let the rules decide").check()
    await stands(alice, "alice/5", "confirmed")
    await stands(alice, "alice/6", "rejected")
    await stands(alice, "alice/7", "confirmed")
    await place(alice, {"id": 8})
    await stands(alice, "alice/8", "confirmed")
    assert len(await confirmations(http, server)) == 3


async def test_the_rules_decide_nothing_before_it_is_known_where_the_orders_stand(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession, connect: Connect
) -> None:
    """A naive program confirmed an order and never acked it: it comes again, to a page."""
    told = asyncio.Event()

    async def slowly(route: Route) -> None:
        await told.wait()
        await route.continue_()

    async def prepare(page: Page) -> None:
        await page.route("**/api/rooms/main/orders", slowly)

    await Room(http, server).set_modes(MODES["queue"])
    alice = await connect(server, name="alice", types="order_confirmed")
    hasty = await connect(server, name="hasty", types="order_placed", ack="manual")
    await alice.send({"type": "order_placed", "data": {"id": 5}})
    placed = (await hasty.expect("order_placed"))["id"]
    data = {"id": 5, "customer": "alice", "event": placed}
    await hasty.send({"type": "order_confirmed", "data": data})
    await hasty.expect("broker.accepted")
    hasty.cut()
    bob = await is_open(await open_page(server, "/confirmer?name=bob", prepare=prepare))
    await stands(bob, "alice/5", "waiting")
    await bob.get_by_label("Let the rules decide").check()
    told.set()
    await stands(bob, "alice/5", "confirmed")
    await expect(order(bob, "alice/5")).to_contain_text("hasty")

    async def settled() -> bool:
        return bool((await Room(http, server).get("/queue"))["queued"] == [])

    await until(settled, "the page acknowledged what another had answered")
    await alice.send({"type": "order_placed", "data": {"id": 6}})
    await alice.expect("order_confirmed", id=6)
    assert [one["source"] for one in await confirmations(http, server)] == ["hasty", "bob"]


async def test_the_bot_confirms_what_is_placed_on_the_page(
    server: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    await expect(alice.get_by_text("No confirmer is connected")).to_be_visible()
    await place(alice, {"id": 5})
    await stands(alice, "alice/5", "stored")
    with running("bot", server.url, cwd=tmp_path):
        await stands(alice, "alice/5", "confirmed")
        await expect(order(alice, "alice/5")).to_contain_text("confirmed by bob")
        await expect(alice.get_by_text("No confirmer is connected")).to_be_hidden()


async def test_a_second_order_of_one_number_is_proposed_for_rejection(
    server: Any, open_page: OpenPage
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await place(alice, {"id": 5})
    await place(alice, {"id": 5})
    await expect(order(bob, "alice/5")).to_have_count(2)
    await expect(order(bob, "alice/5").nth(1)).to_contain_text("already: take another number.")
    await bob.get_by_label("Let the rules decide").check()
    states = [
        await order(alice, "alice/5").nth(i).get_attribute("data-state")
        for i in range(await order(alice, "alice/5").count())
    ]
    await expect(order(alice, "alice/5").nth(0)).to_have_attribute("data-state", "rejected")
    await expect(order(alice, "alice/5").nth(1)).to_have_attribute("data-state", "confirmed")
    assert len(states) == 2


async def test_a_reload_keeps_the_orders_and_proposes_the_next_number(
    server: Any, open_page: OpenPage
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await place(alice, {"id": 41})
    await place(alice, {"id": 42})
    await confirm(bob, "alice/41")
    await stands(alice, "alice/41", "confirmed")
    await alice.reload()
    await stands(alice, "alice/41", "confirmed")
    await stands(alice, "alice/42", "stored")
    await expect(alice.get_by_label("Number")).to_have_value("43")
    await bob.reload()
    await stands(bob, "alice/42", "waiting")
    await expect(order(bob, "alice/41")).to_have_count(0)


async def test_the_customer_sees_as_json_what_she_sent_and_got(
    server: Any, open_page: OpenPage
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    await place(alice, {"id": 5})
    await confirm(bob, "alice/5")
    await stands(alice, "alice/5", "confirmed")
    await order(alice, "alice/5").get_by_text("What crossed the wire").click()
    wires = order(alice, "alice/5").locator("pre")
    types = ["order_placed", "broker.accepted", "order_confirmed"]
    for type_ in types:
        await expect(wires.filter(has_text=f'"type": "{type_}"').first).to_be_visible()
    await alice.reload()
    await order(alice, "alice/5").get_by_text("What crossed the wire").click()
    await expect(wires).to_have_count(2)
    await expect(wires.last).to_contain_text('"type": "order_confirmed"')


async def test_the_keyboard_alone_suffices(server: Any, open_page: OpenPage) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))

    async def tab_to(page: Page, selector: str) -> None:
        for _ in range(40):
            if await page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            await page.keyboard.press("Tab")
        pytest.fail(f"{selector} is not reached with the Tab key")

    for number in ("5", "0", "7"):
        await alice.locator("body").focus()
        await tab_to(alice, "[name=id]")
        await alice.keyboard.type(number)
        await tab_to(alice, "button.primary")
        await alice.keyboard.press("Enter")
        await stands(alice, f"alice/{number}", "stored")
    await stands(bob, "alice/7", "waiting")
    await tab_to(bob, '[data-order="alice/5"]')
    await bob.keyboard.press("c")
    await stands(alice, "alice/5", "confirmed")
    await bob.wait_for_function("document.activeElement.matches('[data-order=\"alice/0\"]')")
    await bob.keyboard.press("r")
    await tab_to(bob, "[data-rejecting] button")
    await bob.keyboard.press("Enter")
    await stands(alice, "alice/0", "rejected")
    await tab_to(bob, '[data-order="alice/7"] .yes')
    await bob.keyboard.press("Space")
    await stands(alice, "alice/7", "confirmed")


async def test_the_second_of_a_name_is_told_who_she_is_and_stays_so(
    server: Any, open_page: OpenPage
) -> None:
    await is_open(await open_page(server, "/customer?name=alice"))
    other = await is_open(await open_page(server, "/customer?name=alice"))
    await expect(other.get_by_text("You are alice-2")).to_be_visible()
    await expect(other).to_have_url(re.compile("name=alice-2"))
    await place(other, {"id": 5})
    await stands(other, "alice-2/5", "stored")


async def test_a_name_that_runs_from_right_to_left_leaves_the_words_beside_it_in_their_order(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    await send(await connect(server, name="محمد"), id=1, item="espresso", quantity=2, note="")
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    heading = order(bob, "محمد/1").get_by_role("heading")
    await expect(heading).to_contain_text("محمد: 2 × espresso")
    ends = """(heading, text) => {
      const words = document.createTreeWalker(heading, NodeFilter.SHOW_TEXT);
      while (!words.nextNode().data.includes(text));
      const range = document.createRange();
      const at = words.currentNode.data.indexOf(text);
      range.setStart(words.currentNode, at);
      range.setEnd(words.currentNode, at + text.length);
      return [range.getBoundingClientRect().left, range.getBoundingClientRect().right];
    }"""
    _, name_ends = await heading.evaluate(ends, "محمد")
    number_begins, _ = await heading.evaluate(ends, "2")
    assert name_ends <= number_begins + 1
    await expect(order(bob, "محمد/1").locator(".note")).to_have_count(0)  # it is empty

"""The stage: the room as a picture, and the three modes as one switch."""

import asyncio
import itertools
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.browser.watching import open_stage, send
from tests.conftest import Clock, Connect
from tests.rooms import Room
from tests.wire import Wire

pytestmark = pytest.mark.browser


async def test_participants_appear_and_are_seen_to_leave(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="order_confirmed")
    page = await open_stage(open_page, server)
    await expect(page.locator('[data-participant="alice"]')).to_have_attribute(
        "data-role", "customer"
    )
    await expect(page.get_by_text("Nobody is confirming yet.")).to_be_visible()
    bob = await connect(server, name="bob", types="order_placed")
    figure = page.locator('[data-participant="bob"]')
    await expect(figure).to_have_attribute("data-role", "confirmer")
    await expect(page.get_by_text("Nobody is confirming yet.")).to_have_count(0)
    await expect(page.get_by_text("2 participants")).to_be_visible()
    await bob.ws.close()
    await expect(figure).to_have_attribute("data-online", "false")
    await expect(figure).to_contain_text("offline")
    await expect(page.locator('[data-participant="alice"]')).to_have_attribute(
        "data-online", "true"
    )
    assert not alice.ws.closed


async def test_nobody_moves_when_someone_joins_until_the_grid_grows(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    names = ["alice", "ben", "carol", "dora"]
    people = [await connect(server, name=name, types="order_confirmed") for name in names]
    page = await open_stage(open_page, server)
    alice = page.locator('[data-participant="alice"]')
    await expect(alice).to_be_visible()
    await page.evaluate("document.fonts.ready")
    before = await alice.bounding_box()
    for number in range(2):
        name = f"customer-{number}"
        people.append(await connect(server, name=name, types="order_confirmed"))
    await expect(page.locator('[data-role="customer"][data-participant]')).to_have_count(6)
    assert await alice.bounding_box() == before
    assert not any(one.ws.closed for one in people)


async def test_the_switch_changes_who_receives_an_event(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="order_confirmed", echo="false")
    bob = await connect(server, name="bob", types="order_placed")
    eve = await connect(server, name="eve", types="tea.made")
    page = await open_stage(open_page, server, "table")
    switch = page.get_by_role("radiogroup", name="How events are handed on")
    await expect(switch.get_by_role("radio", name="Relay")).to_be_checked()

    relayed = await send(alice, id=1)
    await expect(page.locator(f'[data-latest="{relayed}"]')).to_contain_text("To bob, eve")
    assert [event["id"] for event in await eve.fence() if event["type"] == "order_placed"] == [
        relayed
    ]

    await switch.get_by_role("radio", name="Publish–subscribe").click()
    await expect(page.get_by_text("Each receives only the types they asked for.")).to_be_visible()
    published = await send(alice, id=2)
    await expect(page.locator(f'[data-latest="{published}"]')).to_contain_text("To bob")
    assert [event["type"] for event in await eve.fence()] == ["broker.modes"]

    await switch.get_by_role("radio", name="Queue").click()
    await Room(http, server).has_modes({"*": "pubsub", "order_placed": "queue"})
    await expect(switch.get_by_role("radio", name="Queue")).to_be_checked()
    queued = await send(alice, id=3)
    await expect(page.locator(f'[data-latest="{queued}"]')).to_contain_text("bob took it")
    received = [event["id"] for event in await bob.fence() if event["type"] == "order_placed"]
    assert received == [relayed, published, queued]


async def test_what_nobody_takes_is_stacked_on_the_counter_until_someone_comes(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes({"*": "pubsub", "order_placed": "queue"})
    alice = await connect(server, name="alice", types="order_confirmed")
    await send(alice, id=1)
    page = await open_stage(open_page, server)
    await expect(page.locator('[data-waiting="1"]')).to_be_visible()
    for number in range(2, 10):
        await send(alice, id=number)
    await expect(page.locator('[data-waiting="9"]')).to_be_visible()
    await expect(page.locator(".stage-stack .envelope")).to_have_count(7)
    await expect(page.locator(".stage-stack")).to_contain_text("+2")
    bob = await connect(server, name="bob", types="order_placed")
    await expect(page.locator('[data-waiting="0"]')).to_be_visible()
    taken = [event["data"]["id"] for event in await bob.fence() if event["type"] == "order_placed"]
    assert taken == list(range(1, 10))


async def test_keys_switch_the_mode_and_the_light(
    server: Any, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    page = await open_stage(open_page, server, color_scheme="dark")
    root = page.locator("html")
    await expect(root).to_have_attribute("data-theme", "light")
    await page.keyboard.press("d")
    await expect(root).to_have_attribute("data-theme", "dark")
    for key, name in (("2", "Publish–subscribe"), ("3", "Queue"), ("1", "Relay")):
        await page.keyboard.press(key)
        await expect(page.get_by_role("radio", name=name)).to_be_checked()
    await Room(http, server).has_modes({"*": "relay"})


async def test_the_table_sets_the_mode_of_one_type(
    server: Any, http: aiohttp.ClientSession, open_page: OpenPage, alice: Wire
) -> None:
    await send(alice, "tea.made", cups=1)
    page = await open_stage(open_page, server, "table")
    await page.get_by_label("Mode of tea.made").select_option("queue")
    await expect(page.get_by_text("tea.made: exactly one takes it")).to_be_visible()
    await Room(http, server).has_modes({"*": "relay", "tea.made": "queue"})


@pytest.mark.settings(allow_host=("orders.example",))
async def test_who_is_not_the_host_sees_the_switch_and_why_it_is_not_theirs(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    page = await open_stage(open_page, server, "table")
    for name in ("Relay", "Publish–subscribe", "Queue"):
        await expect(page.get_by_role("radio", name=name)).to_be_disabled()
    await expect(page.get_by_text("Only the host can switch.")).to_be_visible()
    await page.keyboard.press("2")
    alice = await connect(server, name="alice")
    await send(alice, id=1)
    await expect(page.locator('[data-counted="order_placed"]')).to_contain_text("Relay")
    assert await page.get_by_label("Mode of order_placed").count() == 0


async def test_an_envelope_flies_in_and_on_to_each_who_receives_it(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing", echo="false")
    others = [await connect(server, name=name) for name in ("bob", "carol", "dan")]
    page = await open_stage(open_page, server)
    await expect(page.locator("[data-participant]")).to_have_count(4)
    await send(alice, id=1)
    flights = page.locator("#stage-flights")
    await expect(flights).to_have_attribute("data-flown", "4")  # one in, three out
    await expect(flights).to_have_attribute("data-flying", "0")
    await expect(flights).to_have_attribute("data-drawn", "envelopes")
    assert not any(one.ws.closed for one in others)


async def test_without_motion_trails_show_the_same_ways(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing", echo="false")
    bob = await connect(server, name="bob")
    page = await open_stage(open_page, server, reduced_motion="reduce")
    await expect(page.locator("[data-participant]")).to_have_count(2)
    await send(alice, id=1)
    flights = page.locator("#stage-flights")
    await expect(flights).to_have_attribute("data-flown", "2")  # one in, one out
    await expect(flights).to_have_attribute("data-drawn", "trails")
    assert not bob.ws.closed


@pytest.mark.settings(lease=60.0, max_attempts=2)
async def test_what_is_held_lies_with_its_holder_and_comes_back_when_the_lease_runs_out(
    server: Any,
    connect: Connect,
    http: aiohttp.ClientSession,
    open_page: OpenPage,
    clock: Clock,
) -> None:
    await Room(http, server).set_modes({"*": "pubsub", "order_placed": "queue"})
    alice = await connect(server, name="alice", types="order_confirmed")
    bob = await connect(server, name="bob", types="order_placed", ack="manual")
    page = await open_stage(open_page, server)
    id = await send(alice, id=7)
    figure = page.locator('[data-participant="bob"]')
    held = figure.locator(f'[data-event="{id}"]')
    await expect(held).to_have_accessible_name("order_placed 7 from alice, leased")
    await expect(figure.locator(".stage-lease")).to_be_visible()
    clock.forward(61)
    await expect(figure).to_contain_text("2nd try")
    clock.forward(61)
    tray = page.locator('.stage-tray[data-dead="1"]')
    await expect(tray.locator(f'[data-event="{id}"]')).to_be_visible()
    await expect(held).to_have_count(0)
    await page.get_by_role("button", name="1 dead letter").click()
    letters = page.get_by_role("dialog", name="Dead letters")
    await expect(letters).to_contain_text("the lease of bob ran out")
    await letters.get_by_role("button", name="Discard").click()
    await expect(letters).to_contain_text("There is none.")
    await expect(page.locator('.stage-tray[data-dead="0"]')).to_be_visible()
    assert not bob.ws.closed


async def test_a_page_that_comes_later_sees_what_waits_is_held_and_is_dead(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes({"order_placed": "queue"})
    alice = await connect(server, name="alice", types="order_confirmed")
    ids = [await send(alice, id=number) for number in (1, 2)]
    bob = await connect(server, name="bob", types="order_placed", ack="manual")
    await bob.expect("order_placed")
    page = await open_stage(open_page, server)
    await expect(page.locator(f'[data-participant="bob"] [data-event="{ids[0]}"]')).to_be_visible()
    await expect(page.locator(f'.stage-stack [data-event="{ids[1]}"]')).to_be_visible()


async def test_the_host_sends_in_bots_and_kills_one_which_holds_an_order(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes({"*": "pubsub", "order_placed": "queue"})
    alice = await connect(server, name="alice", types="order_confirmed")
    page = await open_stage(open_page, server, "tools")
    await page.get_by_label("How long the bot thinks").select_option("30")
    await page.locator("#stage-tools").get_by_role("button", name="Send in a bot").click()
    await expect(page.locator('[data-participant="bob"][data-bot]')).to_be_visible()
    id = await send(alice, id=1)
    held = page.locator(f'[data-participant="bob"] [data-event="{id}"]')
    await expect(held).to_be_visible()
    await page.get_by_role("button", name="Kill bob").first.click()
    await expect(page.locator('[data-participant="bob"]')).to_have_attribute("data-online", "false")
    await expect(page.locator(f'.stage-stack [data-event="{id}"]')).to_be_visible()
    await page.get_by_label("How long the bot thinks").select_option("0")
    await page.get_by_role("button", name="A naive one").click()
    assert (await alice.expect("order_confirmed"))["data"]["event"] == id


async def test_space_holds_events_at_the_broker_and_lets_them_go_one_by_one(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing")
    bob = await connect(server, name="bob")
    page = await open_stage(open_page, server, "tools")
    await page.keyboard.press("Space")
    await expect(page.get_by_text("Paused: 0 kept")).to_be_visible()
    ids = [await send(alice, id=number) for number in (1, 2, 3)]
    await expect(page.get_by_text("Paused: 3 kept")).to_be_visible()
    await expect(page.locator(".stage-stack [data-event]")).to_have_count(3)
    await page.keyboard.press("Space")
    assert (await bob.expect("order_placed"))["id"] == ids[0]
    await expect(page.get_by_text("Paused: 2 kept")).to_be_visible()
    assert [e for e in await bob.fence() if e["type"] == "order_placed"] == []
    await page.get_by_role("button", name="Resume").click()
    assert (await bob.expect("order_placed"))["id"] == ids[1]
    assert (await bob.expect("order_placed"))["id"] == ids[2]
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()


async def test_clearing_the_room_asks_first(
    server: Any, http: aiohttp.ClientSession, open_page: OpenPage, alice: Wire
) -> None:
    await send(alice, id=1)
    page = await open_stage(open_page, server, "tools")
    for answer, events in (("Keep it", 1), ("Clear the room", 0)):
        await page.get_by_role("button", name="Clear the room…").click()
        asked = page.get_by_role("dialog", name="Clear room main?")
        await asked.get_by_role("button", name=answer, exact=True).click()
        await expect(asked).to_be_hidden()
        await expect(page.locator(".stage-front")).to_contain_text(f"{events} event")
    assert (await Room(http, server).get())["events"] == 0


async def test_single_keys_can_be_switched_off(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    page = await open_stage(open_page, server)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_contain_text(
        "events stay at the broker"
    )
    await page.get_by_label("Single keys do something").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("2")
    await page.keyboard.press("Space")
    await page.get_by_role("button", name="Keys").click()
    await page.get_by_label("Single keys do something").check()
    await page.keyboard.press("Escape")
    await page.keyboard.press("3")
    await expect(page.get_by_role("radio", name="Queue")).to_be_checked()
    assert not (await Room(http, server).get())["paused"]


@pytest.mark.settings(rate=0)
async def test_many_events_a_second_are_flows_with_rates(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing")
    bob = await connect(server, name="bob")
    page = await open_stage(open_page, server)
    flights = page.locator("#stage-flights")

    async def flood() -> None:
        for number in itertools.count(1):
            await alice.send({"type": "order_placed", "data": {"id": number}})
            await asyncio.sleep(0.01)

    flooding = asyncio.create_task(flood())
    await expect(flights).to_have_attribute("data-drawn", "flows")
    await expect(page.locator("[data-rate]")).to_contain_text("/s")
    flooding.cancel()
    await expect(flights).to_have_attribute("data-drawn", "envelopes")  # when it is calm again
    assert not bob.ws.closed


async def test_hostile_data_is_drawn_as_text(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    eve = await connect(server, name="eve")
    page = await open_stage(open_page, server, "table")
    hostile = "<img src=x onerror=\"document.title='owned'\">"
    id = await send(eve, id=hostile, customer=hostile, item=hostile)
    await expect(page.locator(f'[data-latest="{id}"]')).to_be_visible()
    assert await page.locator("main img").count() == 0
    assert await page.title() == "Stage · Orders"


async def test_what_could_not_be_loaded_while_the_server_was_away_is_loaded_when_asked_again(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_page(
        server,
        "/stage",
        may_lose_server=True,
        prepare=lambda page: page.route(
            "**/tools/tools.js", lambda route: route.abort("connectionrefused")
        ),
    )
    await is_open(page)
    await page.keyboard.press("w")
    await expect(page.locator('[data-says="toast"]')).to_contain_text("could not be loaded")
    await page.unroute_all()
    await page.keyboard.press("w")
    await expect(page.get_by_role("dialog", name="People in room main")).to_be_visible()


async def test_the_switch_stays_under_the_hand_in_each_mode(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_stage(open_page, server, viewport={"width": 1366, "height": 768})
    switch = page.locator("#stage-modes")
    sentence = page.locator("#stage-sentence")
    places = []
    for key, words in (("1", "Everyone"), ("2", "Each receives"), ("3", "exactly one")):
        await page.keyboard.press(key)
        await expect(sentence).to_contain_text(words)
        places.append(await switch.bounding_box())
    assert places[0] == places[1] == places[2]

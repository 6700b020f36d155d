"""The stage: the room as a picture, and the three modes as one switch."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.watching import open_stage, send
from tests.conftest import Connect, Serve
from tests.rooms import Room
from tests.wire import until

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


async def test_nobody_moves_when_someone_joins(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    people = [await connect(server, name="alice", types="order_confirmed")]
    page = await open_stage(open_page, server)
    alice = page.locator('[data-participant="alice"]')
    await expect(alice).to_be_visible()
    before = await alice.bounding_box()
    for number in range(6):
        name = f"customer-{number}"
        people.append(await connect(server, name=name, types="order_confirmed"))
    await expect(page.locator('[data-role="customer"][data-participant]')).to_have_count(7)
    assert await alice.bounding_box() == before
    assert not any(one.ws.closed for one in people)


async def test_the_switch_changes_who_receives_an_event(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="order_confirmed", echo="false")
    bob = await connect(server, name="bob", types="order_placed")
    eve = await connect(server, name="eve", types="tea.made")
    page = await open_stage(open_page, server)
    switch = page.get_by_role("radiogroup", name="How events are handed on")
    await expect(switch.get_by_role("radio", name="Relay")).to_be_checked()

    relayed = await send(alice, id=1)
    await expect(page.locator(f'[data-latest="{relayed}"]')).to_contain_text("To bob, eve")
    assert [event["id"] for event in await eve.fence() if event["type"] == "order_placed"] == [
        relayed
    ]

    await switch.get_by_role("radio", name="Publish–subscribe").check()
    await expect(page.get_by_text("Each receives only the types they asked for.")).to_be_visible()
    published = await send(alice, id=2)
    await expect(page.locator(f'[data-latest="{published}"]')).to_contain_text("To bob")
    assert [event["type"] for event in await eve.fence()] == ["broker.modes"]

    await switch.get_by_role("radio", name="Queue").check()
    await expect(switch.get_by_role("radio", name="Queue")).to_be_checked()
    assert (await Room(http, server).get())["modes"] == {"*": "pubsub", "order_placed": "queue"}
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
    assert (await Room(http, server).get())["modes"] == {"*": "relay"}


async def test_the_table_sets_the_mode_of_one_type(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice")
    await send(alice, "tea.made", cups=1)
    page = await open_stage(open_page, server)
    await page.get_by_label("Mode of tea.made").select_option("queue")
    await expect(page.get_by_text("Each type goes its own way")).to_be_visible()
    assert (await Room(http, server).get())["modes"] == {"*": "relay", "tea.made": "queue"}


async def test_who_is_not_the_host_sees_the_switch_and_why_it_is_not_theirs(
    serve: Serve, connect: Connect, open_page: OpenPage
) -> None:
    async with serve(allow_host=("orders.example",)) as server:
        page = await open_stage(open_page, server, may_lose_server=True)
        for name in ("Relay", "Publish–subscribe", "Queue"):
            await expect(page.get_by_role("radio", name=name)).to_be_disabled()
        await expect(page.get_by_text("Only the host can switch.")).to_be_visible()
        await page.keyboard.press("2")
        alice = await connect(server, name="alice")
        await send(alice, id=1)
        await expect(page.locator('[data-counted="order_placed"]')).to_contain_text("Relay")
        assert await page.get_by_label("Mode of order_placed").count() == 0


COUNT_FLIGHTS = """() => {
  window.seen = { flight: 0, trail: 0 };
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) {
      if (node.className === 'stage-flight') seen.flight += 1;
      else seen.trail += 1;
    }
  }).observe(document.getElementById('stage-flights'), { childList: true });
}"""


async def test_an_envelope_flies_in_and_on_to_each_who_receives_it(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing", echo="false")
    others = [await connect(server, name=name) for name in ("bob", "carol", "dan")]
    page = await open_stage(open_page, server)
    await expect(page.locator("[data-participant]")).to_have_count(4)
    await page.evaluate(COUNT_FLIGHTS)
    await send(alice, id=1)

    async def all_flown() -> bool:
        left: int = await page.locator(".stage-flight").count()
        return bool(await page.evaluate("seen.flight") == 4 and left == 0)

    await until(all_flown, "one flight in and three out, all landed")
    assert await page.evaluate("seen.trail") == 0
    assert not any(one.ws.closed for one in others)


async def test_without_motion_trails_show_the_same_ways(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing", echo="false")
    bob = await connect(server, name="bob")
    page = await open_stage(open_page, server, reduced_motion="reduce")
    await expect(page.locator("[data-participant]")).to_have_count(2)
    await page.evaluate(COUNT_FLIGHTS)
    await send(alice, id=1)

    async def shown() -> bool:
        return bool(await page.evaluate("seen.trail") == 2)

    await until(shown, "one trail in and one out")
    assert await page.evaluate("seen.flight") == 0
    assert not bob.ws.closed


async def test_hostile_data_is_drawn_as_text(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    eve = await connect(server, name="eve")
    page = await open_stage(open_page, server)
    hostile = "<img src=x onerror=\"document.title='owned'\">"
    id = await send(eve, id=hostile, customer=hostile, item=hostile)
    await expect(page.locator(f'[data-latest="{id}"]')).to_be_visible()
    assert await page.locator("main img").count() == 0
    assert await page.title() == "Stage · Orders"

"""The picture on the stage: where everyone stands, and that nothing is left out of it."""

import asyncio
import itertools
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.watching import open_stage, send
from tests.conftest import Connect
from tests.rooms import Room

pytestmark = pytest.mark.browser


async def test_of_a_crowd_those_who_act_have_faces_and_the_rest_is_counted(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    people = [await connect(server, name=f"kid-{n}", types="order_confirmed") for n in range(30)]
    page = await open_stage(open_page, server)
    group = page.locator('[data-group="customer"]')
    await expect(group).to_contain_text("30 customers")
    await send(people[7], id=1)
    await expect(page.locator('[data-participant="kid-7"]')).to_be_visible()
    await expect(group).to_contain_text("+29 customers")
    await people[0].ws.close()
    await expect(group).to_contain_text("1 offline")


#: Of each figure, the counter and the tray: the box around all that is seen of it.
BOXES = """() => {
  const tray = (one) => one.closest('.stage-tray');
  const boxed = (one) => [...one.querySelectorAll('*')]
    .filter((part) => part.checkVisibility({ opacityProperty: true }))
    .filter((part) => !tray(part) || tray(one))
    .map((part) => part.getBoundingClientRect()).filter(({ width }) => width);
  const figures = document.querySelectorAll('.stage-figure, .stage-counter, .stage-tray');
  return [...figures].map((one) => ({
    what: one.dataset.figure ?? one.className, role: one.dataset.role,
    left: Math.min(...boxed(one).map(({ left }) => left)),
    right: Math.max(...boxed(one).map(({ right }) => right)),
    top: Math.min(...boxed(one).map(({ top }) => top)),
    bottom: Math.max(...boxed(one).map(({ bottom }) => bottom)),
  }));
}"""
STILL = "!document.getAnimations().some(({ playState }) => playState === 'running')"


async def figures_apart(page: Page) -> None:
    """Nobody lies on another, on the counter or outside, and nobody crosses to the other role."""
    await page.wait_for_function(STILL)
    boxes = await page.evaluate(BOXES)
    room = await page.locator(".stage-room").bounding_box()
    assert room is not None
    right, middle = room["x"] + room["width"], room["x"] + room["width"] / 2
    for box in boxes:
        assert room["x"] <= box["left"] and box["right"] <= right, box
        assert room["y"] <= box["top"] and box["bottom"] <= room["y"] + room["height"], box
        assert box["role"] != "customer" or box["right"] < middle, box
        assert box["role"] != "confirmer" or box["left"] > middle, box
    for one, other in itertools.combinations(boxes, 2):
        apart = (
            one["right"] <= other["left"] + 1
            or other["right"] <= one["left"] + 1
            or one["bottom"] <= other["top"] + 1
            or other["bottom"] <= one["top"] + 1
        )
        assert apart, (one, other)


@pytest.mark.parametrize("people", [1, 3, 12, 60, 300, 500])
async def test_figures_never_overlap(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage, people: int
) -> None:
    confirmers, others = people // 3, people // 10
    kinds = [("c", "order_confirmed")] * (people - confirmers - others)
    kinds += [("bob", "order_placed")] * confirmers + [("eve", "tea.*")] * others
    everyone = [
        await connect(server, name=f"{kind}-{n}", types=types, ack="manual")
        for n, (kind, types) in enumerate(kinds)
    ]
    page = await open_stage(open_page, server, viewport={"width": 1366, "height": 768})
    for modes in (["relay"], ["pubsub"], ["pubsub", "queue"]):
        await Room(http, server).set_modes(dict(zip(["*", "order_placed"], modes, strict=False)))
        for number, one in enumerate(everyone[:3]):
            await send(one, id=number + 1)
        await expect(page.locator("#stage-flights")).to_have_attribute("data-flying", "0")
        await figures_apart(page)


@pytest.mark.settings(rate=0)
async def test_every_way_of_a_busy_room_is_drawn_or_counted(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing", echo="false")
    others = [await connect(server, name=f"kid-{n}", quiet="true") for n in range(300)]
    page = await open_stage(open_page, server)
    await expect(page.locator("#stage-count")).to_contain_text("301")
    for number in range(60):
        await alice.send({"type": "order_placed", "data": {"id": number}})
        await asyncio.sleep(0.05)
    flown = str(60 * (1 + len(others)))
    await expect(page.locator("#stage-flights")).to_have_attribute("data-flown", flown)


async def test_a_refused_message_turns_round_at_the_counter_with_its_sentence(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice")
    page = await open_stage(open_page, server)
    await alice.ws.send_str('{"type": "order_placed", id: 5}')
    refused = page.locator(".stage-refused")
    await expect(refused).to_contain_text("alice: A name without quotes")
    await expect(page.locator("#stage-flights")).to_have_attribute("data-flown", "2")
    await expect(refused).to_be_hidden()


async def test_two_naive_bobs_make_two_coffees_of_one_order_and_one_is_wasted(
    server: Any, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> None:
    await Room(http, server).set_modes({"*": "pubsub"})
    for _ in range(2):
        async with http.post(f"{server.url}/api/rooms/main/bots", json={"naive": True}) as answer:
            assert answer.status == 201
    alice = await connect(server, name="alice", types="order_confirmed")
    page = await open_stage(open_page, server)
    await expect(page.locator('[data-role="confirmer"][data-bot]')).to_have_count(2)
    await send(alice, id=5, item="espresso")
    foot = page.locator(".stage-foot")
    await expect(foot).to_contain_text("order 5: 2 coffees made, 1 wasted")
    await expect(foot.locator('[data-coffees="pubsub"]')).to_contain_text("2, 1 wasted")
    await Room(http, server).set_modes({"*": "relay"})
    await page.reload()  # what was made is counted for the mode in which it was placed
    await expect(foot.locator('[data-coffees="pubsub"]')).to_contain_text("2, 1 wasted")
    await expect(foot.locator('[data-coffees="relay"]')).to_have_count(0)

"""The picture on the stage: where everyone stands, and that nothing is left out of it."""

import asyncio
import itertools
import re
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.watching import figures_apart, hurry, open_stage, send, show
from tests.conftest import Connect
from tests.rooms import Room
from tests.wire import Wire

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


MODES: list[dict[str, str | None]] = [
    {"*": "relay"},
    {"*": "pubsub"},
    {"*": "pubsub", "order_placed": "queue"},
]


async def test_figures_never_overlap_however_many_come(
    server: Any, connect: Connect, open_page: OpenPage, room: Room
) -> None:
    parts = itertools.cycle(["order_confirmed"] * 6 + ["order_placed"] * 3 + ["tea.*"])
    everyone: list[Wire] = []
    page = await open_stage(open_page, server, viewport={"width": 1366, "height": 768})
    await hurry(page)
    for people in (1, 3, 12, 60, 300, 500):
        while len(everyone) < people:
            name = f"kid-{len(everyone)}"
            everyone.append(await connect(server, name=name, types=next(parts), ack="manual"))
        await expect(page.locator("#stage-count")).to_have_text(re.compile(f"^{people} part"))
        for modes in MODES if people <= 60 else MODES[:1]:  # to everyone: that moves most
            await room.set_modes({"order_placed": None, **modes})
            for number, one in enumerate(everyone[:3]):
                await send(one, id=number + 1)
            await expect(page.locator("#stage-flights")).to_have_attribute("data-flying", "0")
            await figures_apart(page)
    for band, size in itertools.product(
        ("diagram", "table"), ((1366, 768), (1024, 768), (667, 375))
    ):
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        await show(page, band)
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
    server: Any, open_page: OpenPage, alice: Wire
) -> None:
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

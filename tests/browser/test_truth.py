"""What the pages say is so: whatever the clock of a phone, the names and the types are."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import confirm, is_open, order, place, stands
from tests.browser.watching import figures_apart, open_log, open_stage, send
from tests.conftest import Come, Connect, Start

pytestmark = pytest.mark.browser

HOUR = 3_600_000
PHONE = {"width": 360, "height": 640}


def clock_off_by(milliseconds: int) -> Any:
    async def prepare(page: Page) -> None:
        await page.add_init_script(
            f"const now = Date.now; Date.now = () => now() + {milliseconds};"
        )

    return prepare


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
async def test_on_a_phone_whose_clock_is_wrong_times_and_order_are_right(
    server: Any, connect: Connect, open_page: OpenPage, off: int
) -> None:
    alice = await connect(server, name="alice", types="order_confirmed")
    await send(alice, id=1)
    alice.cut()
    page = await is_open(await open_page(server, "/customer?name=alice", prepare=clock_off_by(off)))
    bob = await is_open(await open_page(server, "/confirmer?name=bob", prepare=clock_off_by(-off)))
    await stands(page, "alice/1", "stored")
    await place(page, {"id": 2})
    await stands(bob, "alice/2", "waiting")
    keys = "all => all.map(one => one.dataset.order)"
    assert await page.locator("[data-order]").evaluate_all(keys) == ["alice/2", "alice/1"]
    assert await bob.locator("#waiting [data-order]").evaluate_all(keys) == ["alice/1", "alice/2"]
    await expect(order(bob, "alice/2")).to_contain_text(re.compile(r"waits \d+ s"))
    await order(bob, "alice/2").get_by_role("button", name="Confirm").click()
    await stands(page, "alice/2", "confirmed")
    took = await page.locator('[data-order="alice/2"] [data-step="confirmed"] small').inner_text()
    assert re.fullmatch(r"[\d.]+ (ms|s)", took), took
    assert took != "0 ms"


async def test_a_type_that_every_object_has_does_no_harm(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await is_open(await open_page(server, "/customer?name=alice"))
    stage = await open_stage(open_page, server, "table")
    log = await open_log(open_page, server)
    await place(alice, {"id": 1})
    await stands(alice, "alice/1", "stored")
    placed = await stage.locator("[data-latest]").get_attribute("data-event")
    eve = await connect(server, name="eve")
    strange = await send(eve, "constructor", id=1, customer="alice", event=placed)
    await expect(stage.locator(f'[data-latest="{strange}"]')).to_contain_text("To alice, eve")
    await expect(stage.locator('[data-counted="constructor"]')).to_contain_text("Relay")
    await log.locator(f'[data-event="{placed}"]').click()
    await expect(log.locator("[data-why]").first).to_be_visible()
    await expect(log.locator(".log-answers")).to_have_count(0)
    await send(eve, "order_confirmed", id=1, customer="alice", event=placed)
    await stands(alice, "alice/1", "confirmed")
    assert "undefined" not in await alice.content()


async def test_after_a_crash_the_log_counts_each_event_once(
    start: Start, connect: Connect, open_page: OpenPage
) -> None:
    server = start()
    alice = await connect(server, name="alice", types="nothing")
    for number in range(5):
        await send(alice, id=number)
    page = await is_open(await open_page(server, "/log", may_lose_server=True))
    await expect(page.locator("#log-count")).to_have_text("5 events")
    server.kill()
    await page.wait_for_selector('body[data-connection="offline"]')
    server.start()
    alice = await connect(server, name="alice", types="nothing")
    for number in range(5, 15):
        await send(alice, id=number)
    await is_open(page)
    await send(alice, id=15)
    await expect(page.locator("[data-event]")).to_have_count(16)
    await expect(page.locator("#log-count")).to_have_text("16 events")


async def test_while_the_journal_is_asked_nothing_is_said_of_what_became_of_an_event(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing")
    tea = await send(alice, "tea", id=1)
    held: list[Route] = []

    async def slow(page: Page) -> None:
        async def hold(route: Route) -> None:
            held.append(route)

        await page.route(f"**/events/{tea}", hold)

    page = await is_open(await open_page(server, "/log", prepare=slow))
    await page.locator(f'[data-event="{tea}"]').click()
    panel = page.locator(f'[data-explains="{tea}"]')
    await expect(panel).to_contain_text("Asking the journal…")
    await expect(panel).not_to_contain_text("Nothing refers to it")
    await held[0].continue_()
    await expect(panel.locator("[data-why]").first).to_be_visible()
    await expect(panel).not_to_contain_text("by the sender’s clock")
    await expect(panel).to_contain_text("by the server’s clock")


async def test_those_who_share_a_reason_share_a_sentence(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice", types="nothing")
    placed = await send(alice, id=1)
    for number in range(8):
        await come(server, name=f"late-{number}")
    page = await open_log(open_page, server)
    await page.locator(f'[data-event="{placed}"]').click()
    await expect(page.locator("[data-why]")).to_have_count(2)
    late = page.locator('[data-why="false"]')
    await expect(late).to_contain_text("late-4 and 3 more did not receive it. Joined later.")
    await late.get_by_text("The other 3").click()
    await expect(late.locator('[data-recipient="late-7"]')).to_be_visible()


CALLED = {
    "Anna Lena": "Anna-Lena",
    "José": "José",
    "O’Brien": "O-Brien",
    "👩‍👩‍👧 Ana": "Ana",
    "\"Q\" <b>'n'": "Q-b-n",
    "שרה לוי": "שרה-לוי",
    "__proto__": "__proto__",
    "W" * 60: "W" * 32,
}


async def test_people_may_be_called_whatever_they_are_called(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_page(server, "/")
    for typed, called in CALLED.items():
        await page.goto(server.url)
        await page.get_by_label("Your name").fill(typed)
        await page.get_by_role("button", name=re.compile("^Customer")).click()
        await page.wait_for_url("**/customer?**")
        await is_open(page)
        await expect(page.locator("#me")).to_have_text(called)


async def test_whatever_people_are_called_each_has_their_place_and_their_order(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    names = ["constructor", "__proto__", "مريم-علي", "Z̵̡̛a̷͎̓", "名前", "W" * 32]
    bob = await is_open(await open_page(server, "/confirmer?name=bob"))
    stage = await is_open(await open_page(server, "/stage?band=diagram"))
    for name in names:
        wire = await connect(server, name=name)
        await send(wire, id=1)
        await confirm(bob, f"{name}/1")
        await wire.expect("order_confirmed")
        await expect(stage.locator(f'[data-participant="{name}"] > b')).to_have_text(name)
        await expect(stage.locator("#diagram-orders")).to_contain_text(name)
    await stage.keyboard.press("e")
    for name in [*names, "bob"]:
        await expect(stage.locator(f'[data-recipient="{name}"]')).to_have_count(1)
    await figures_apart(stage)


async def test_on_a_phone_the_answer_to_a_tap_is_beside_the_button(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_page(server, "/customer?name=alice", viewport=PHONE, has_touch=True)
    await is_open(page)
    button = page.get_by_role("button", name="Place order")
    await button.scroll_into_view_if_needed()
    await button.tap()
    said = page.get_by_text("Order 1: stored. It waits for Bob.")
    await expect(said).to_be_in_viewport()


async def test_the_stage_of_another_room_says_how_to_join_that_room(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_page(server, "/stage?room=pair-7")
    await expect(page.locator(".stage-address")).to_contain_text("/?room=pair-7")


async def test_after_a_click_in_the_diagram_the_space_bar_is_the_stages_again(
    server: Any, come: Come, open_page: OpenPage
) -> None:
    alice = await come(server, name="alice", types="nothing")
    placed = await send(alice, id=1)
    page = await open_stage(open_page, server, "diagram")
    await page.locator(f'.diagram-body [data-event="{placed}"]').first.click()
    await expect(page.locator(f'[data-explains="{placed}"]')).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Space")
    await expect(page.get_by_text("Paused: 0 kept")).to_be_visible()
    await expect(page.locator("#stage-explain")).to_be_hidden()


async def test_in_colours_of_ones_own_one_sees_what_is_chosen(
    server: Any, open_page: OpenPage
) -> None:
    page = await open_stage(open_page, server, "diagram", forced_colors="active")
    colour = "one => getComputedStyle(one).backgroundColor"
    switches = page.locator("#stage-modes input + span")
    chosen, other = [await switches.nth(index).evaluate(colour) for index in (0, 1)]
    assert chosen not in (other, await page.locator("body").evaluate(colour))
    # The browser paints over any background but one that is exempt, which a style does not tell.
    exempt = "one => getComputedStyle(one).forcedColorAdjust"
    assert await switches.nth(0).evaluate(exempt) == "none"
    live = await page.locator("#time-live").evaluate(colour)
    assert live == chosen
    log = await open_log(open_page, server, forced_colors="active")
    ticked = log.locator("#log-keys-on:checked + span")  # which a tick tells, and no ground
    assert (await ticked.evaluate(colour)).endswith(", 0)")


async def test_what_was_searched_for_is_marked_and_seen(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing")
    await send(alice, id=1, note=f"{'much ' * 30}Darjeeling, please")
    page = await open_log(open_page, server, "?text=darjeeling")
    hit = page.locator("[data-event] mark")
    await expect(hit).to_have_text("Darjeeling")
    cell = await page.locator("[data-event] .log-data").bounding_box()
    box = await hit.bounding_box()
    assert cell is not None
    assert box is not None
    assert box["x"] + box["width"] <= cell["x"] + cell["width"]


async def test_a_type_as_long_as_may_be_leaves_room_for_the_counts(
    server: Any, connect: Connect, open_page: OpenPage
) -> None:
    alice = await connect(server, name="alice", types="nothing")
    await send(alice, "x" * 62, id=1)
    page = await open_stage(open_page, server, "table", viewport={"width": 1366, "height": 768})
    row = page.locator(f'[data-counted="{"x" * 62}"]')
    await expect(row).to_be_visible()
    overflow = await page.locator("#stage-table-band").evaluate(
        "one => one.scrollWidth - one.clientWidth"
    )
    assert overflow <= 0

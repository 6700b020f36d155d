"""The keys of a stage that plays the lesson: on, back, look up; and a second stage beside it."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from orders.classroom.lesson import BUNDLED, read
from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.conftest import Connect
from tests.rooms import Room
from tests.wire import until

pytestmark = pytest.mark.browser

SCENES = read(BUNDLED).scenes


async def stage_of(open_page: OpenPage, server: Any, query: str = "") -> Page:
    return await is_open(await open_page(server, f"/stage{query}"))


async def stands(stage: Page, number: int, *, answered: bool = False) -> None:
    """Wait until a stage shows this scene, and its answer or not."""
    scene = SCENES[number - 1]
    await expect(stage.locator(f'body[data-scene="{number}"]')).to_have_count(1)
    await expect(stage.locator("[data-caption]")).to_have_text(scene.caption)
    await expect(stage.locator("#lesson-question")).to_have_text(scene.question)
    await expect(stage.locator("#lesson-answer")).to_have_text(scene.answer if answered else "")


async def is_paused(room: Room, paused: bool) -> None:
    async def probe() -> bool:
        return bool((await room.get())["paused"] is paused)

    await until(probe, f"the room is {'paused' if paused else 'going on'}")


async def is_blank(stage: Page) -> bool:
    """Whether nothing but black is on the screen."""
    middle = "getComputedStyle(document.body, '::after')"
    blank = f"{middle}.content !== 'none' && {middle}.backgroundColor === 'rgb(0, 0, 0)'"
    return bool(await stage.evaluate(blank))


async def test_b_takes_back_the_answer_and_then_the_scene(
    server: Any, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    stage = await stage_of(open_page, server, "?scene=2")
    await stands(stage, 2)
    await stage.keyboard.press("n")
    await stands(stage, 2, answered=True)
    await stage.keyboard.press("n")
    await stands(stage, 3)
    assert (await Room(http, server).get())["modes"] == {"*": "pubsub"}
    await stage.keyboard.press("b")
    await stands(stage, 2)
    await Room(http, server).has_modes({"*": "relay"})
    await stage.keyboard.press("n")
    await stands(stage, 2, answered=True)
    await stage.keyboard.press("b")
    await stands(stage, 2)
    await stage.keyboard.press("b")
    await stands(stage, 1)
    await stage.keyboard.press("b")  # there is nothing before the first
    await stage.keyboard.press("n")
    await stands(stage, 1, answered=True)


async def test_in_a_cut_b_and_n_pass_over_what_it_leaves_out(
    server: Any, open_page: OpenPage
) -> None:
    stage = await stage_of(open_page, server, "?scene=5&cut=20")
    await stands(stage, 5)
    await stage.keyboard.press("n")
    await stage.keyboard.press("n")
    await stands(stage, 7)
    await stage.keyboard.press("b")
    await stands(stage, 5)


async def test_a_full_stop_holds_the_room_and_blanks_the_screen(
    server: Any, open_page: OpenPage, connect: Connect, room: Room
) -> None:
    stage = await stage_of(open_page, server, "?scene=2")
    await stands(stage, 2)
    ben = await connect(server, name="ben")
    await stage.keyboard.press(".")
    await is_paused(room, True)
    assert await is_blank(stage)
    await ben.publish("order_placed", id=1)
    assert len((await room.get("/queue"))["parked"]) == 1
    await stage.keyboard.press(".")
    await is_paused(room, False)
    assert not await is_blank(stage)
    await ben.expect("order_placed")
    await stands(stage, 2)


async def test_a_room_that_was_paused_stays_so_after_they_looked_up(
    server: Any, open_page: OpenPage, room: Room
) -> None:
    stage = await stage_of(open_page, server, "?scene=2")
    await stands(stage, 2)
    await stage.keyboard.press(" ")
    await expect(stage.locator(".stage-paused")).to_be_visible()
    await stage.keyboard.press(".")
    await expect(stage.locator("body[data-blank]")).to_have_count(1)
    await stage.keyboard.press(".")
    await expect(stage.locator("body[data-blank]")).to_have_count(0)
    await stage.keyboard.press("n")
    await stands(stage, 2, answered=True)
    await is_paused(room, True)


async def test_what_there_is_to_open_covers_no_word_of_the_lesson(
    server: Any, open_page: OpenPage
) -> None:
    for width, height in ((1366, 768), (1920, 1080)):
        size = {"width": width, "height": height}
        stage = await is_open(await open_page(server, "/stage?scene=3", viewport=size))
        await stands(stage, 3)
        nav = await stage.locator(".stage-nav").bounding_box()
        lesson = await stage.locator("#lesson-answer").bounding_box()
        assert nav
        assert lesson
        assert nav["y"] >= lesson["y"] + lesson["height"] - 1


async def test_a_key_of_the_lesson_brings_nothing_over_the_picture(
    server: Any, open_page: OpenPage
) -> None:
    stage = await stage_of(open_page, server, "?scene=1")
    await stands(stage, 1)
    await expect(stage.locator("body[data-rests]")).to_have_count(1)
    await stage.keyboard.press("n")
    await stands(stage, 1, answered=True)
    assert await stage.locator("body[data-rests]").count() == 1
    await stage.mouse.move(300, 300)
    await expect(stage.locator("body[data-rests]")).to_have_count(0)


async def test_two_stages_follow_one_another(server: Any, open_page: OpenPage) -> None:
    one = await stage_of(open_page, server, "?scene=2")
    await stands(one, 2)
    other = await stage_of(open_page, server)
    await stands(other, 2)
    await one.keyboard.press("n")
    await stands(other, 2, answered=True)
    await other.keyboard.press("n")
    await stands(one, 3)
    await expect(one.locator('input[name="speed"][value="0.5"]')).to_be_checked()
    await expect(other.locator('input[name="speed"][value="0.5"]')).to_be_checked()
    await one.keyboard.press("b")
    await stands(other, 2)

"""Three phones and a projector: ask, tap, discuss, tap again, let go; and what may come between."""

import json
from typing import Any

import pytest
from playwright.async_api import Page, Response, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open, place
from tests.browser.test_axe import complaints
from tests.conftest import Start

pytestmark = pytest.mark.browser

TOKEN = "the-token-of-the-host"
PHONE = {"width": 390, "height": 844}
PROJECTOR = {"width": 1920, "height": 1080}


async def asks(phone: Page, text: str) -> None:
    """Wait until the question stands over the whole screen, with its choices."""
    await expect(phone.locator("dialog#question[open]")).to_contain_text(text)
    await expect(phone.locator("[data-choice]").first).to_be_visible()
    box = await phone.locator("dialog#question").bounding_box()
    assert box
    assert (box["width"], box["height"]) == (PHONE["width"], PHONE["height"])


async def tap(phone: Page, choice: str) -> None:
    await phone.get_by_role("button", name=choice, exact=True).click()
    await expect(phone.get_by_text(f"You said: {choice}.")).to_be_visible()
    await expect(phone.locator("[data-choice]")).to_have_count(0)


async def counts(stage: Page, answers: int) -> None:
    await expect(stage.locator(".ask-count b")).to_have_text(str(answers))


async def step(stage: Page, words: str) -> None:
    """Press `a`, once it would do this."""
    await expect(stage.locator("#stage-ask-band .primary")).to_have_text(f"{words} a")
    await expect(stage.locator("#stage-ask-band .primary")).to_be_enabled()
    await stage.keyboard.press("a")


async def in_the_dark_too(stage: Page) -> None:
    """Axe finds nothing, neither on the light stage nor on the dark one."""
    for _ in range(2):
        assert await complaints(stage) == []
        await stage.keyboard.press("d")


async def rounds(page: Page) -> dict[str, list[int]]:
    """The votes as they stand beside each other: by choices, of each round."""
    found: dict[str, list[int]] = await page.locator(".rounds tbody tr").evaluate_all(
        "rows => Object.fromEntries(rows.map(row => [row.dataset.choice,"
        " [...row.querySelectorAll('td')].map(cell => Number(cell.textContent))]))"
    )
    return {choice: votes for choice, votes in found.items() if any(votes)}


async def test_a_class_predicts_discusses_and_predicts_again(
    start: Start, open_page: OpenPage
) -> None:
    server = start("--lan", "--host-token", TOKEN)
    stage = await open_page(
        server, f"/host?token={TOKEN}", viewport=PROJECTOR, may_lose_server=True
    )
    await is_open(stage)
    told: list[Any] = []

    async def listen(response: Response) -> None:
        if "/questions" in response.url and response.request.method == "GET":
            told.append(json.loads(await response.text()))

    async def phone(path: str, **media: Any) -> Page:
        page = await open_page(server, path, viewport=PHONE, may_lose_server=True, **media)
        page.on("response", listen)
        return await is_open(page)

    ann = await phone("/customer?name=ann")
    ben = await phone("/customer?name=ben", color_scheme="dark")
    bob = await phone("/confirmer?name=bob")
    assert told == [], "what shows a question comes with the first one"

    # ── the first vote ──────────────────────────────────────────────────────────────────────
    await stage.keyboard.press("a")
    await step(stage, "Who receives it?")
    for page in (ann, ben, bob):
        await asks(page, "Who receives the next event?")
    assert await complaints(ann) == await complaints(ben) == []
    await in_the_dark_too(stage)
    await tap(ann, "Those who asked for it")
    await counts(stage, 1)

    await ann.reload()  # it has answered, and knows so
    await expect(ann.get_by_text("You have answered.")).to_be_visible()
    second = await ann.context.new_page()
    await second.goto(f"{server.url}/customer?name=ann")
    await expect(second.get_by_text("You have answered.")).to_be_visible()
    await second.close()
    late = await phone("/customer?name=late")
    await asks(late, "Who receives the next event?")
    await late.get_by_role("button", name="Back to my page").click()
    await place(late, {"id": 5})
    await late.get_by_role("button", name="Answer").click()
    await tap(late, "Nobody")

    server.kill()
    for page in (stage, ben):
        await page.wait_for_selector('body[data-connection="offline"]')
    server.start()
    await is_open(stage)
    await is_open(ben)
    await tap(ben, "Everyone in the room")
    await counts(stage, 3)
    await stage.reload()
    await counts(stage, 3)
    await expect(stage.locator("#stage-ask-band h2")).to_have_text("Who receives late’s order 5?")
    assert await stage.locator(".rounds").count() == 0
    await step(stage, "Close the vote")
    for page in (ann, ben, bob, late):
        await expect(page.get_by_text("The round is over.")).to_be_visible()
    await expect(stage.locator(".rounds")).to_be_visible()
    first = {"everyone": [1], "those_who_asked": [1], "nobody": [1]}
    assert await rounds(stage) == first
    await bob.reload()
    await expect(bob.locator("dialog#question[open]")).to_have_count(0)

    # ── the second ──────────────────────────────────────────────────────────────────────────
    await step(stage, "Vote again")
    for page in (ann, ben, bob, late):
        await asks(page, "Once more")
        await tap(page, "Everyone in the room")
    await counts(stage, 4)
    assert await stage.locator(".rounds").count() == 0
    await step(stage, "Close the vote")
    await expect(stage.locator(".rounds thead th")).to_have_text(["1st vote", "2nd vote"])
    assert not any("votes" in one or "truth" in one for all in told for one in all["questions"])
    assert await stage.get_by_text("Paused: 1 kept").is_visible()

    # ── the truth ───────────────────────────────────────────────────────────────────────────
    await step(stage, "Let go, and reveal")
    for page in (stage, ann, ben, bob, late):
        await expect(page.locator("tr[data-true]")).to_contain_text("so it was")
        assert await rounds(page) == {
            "everyone": [1, 4],
            "those_who_asked": [1, 0],
            "nobody": [1, 0],
        }
    assert await complaints(ann) == []
    await in_the_dark_too(stage)
    size = "row => [...row.cells].map(cell => parseFloat(getComputedStyle(cell).fontSize))"
    assert min(await stage.locator("tr[data-true]").evaluate(size)) >= 28, "from the last row"
    await ann.get_by_role("button", name="Back to my page").click()
    await expect(ann.locator("dialog#question[open]")).to_have_count(0)
    await expect(bob.locator('[data-order="late/5"]')).to_have_count(1)
    async with stage.expect_download() as downloaded:
        await stage.get_by_role("link", name="All answers as CSV").click()
    table = (await (await downloaded.value).path()).read_text("utf-8")
    assert table.count("\n") == 1 + 2 * 4
    await step(stage, "Ask another")
    await expect(stage.locator("#stage-ask-band h2")).to_have_text(
        "Ask the class what will happen."
    )

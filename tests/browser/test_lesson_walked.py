"""docs/lesson.md and lesson.toml, walked literally: one stage, the key `n`, and four phones.

What the lesson prints is pasted as a block into the console of a page. Each sentence under
"Seen" is looked for on the projector.
"""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Locator, Page, expect

from orders.classroom.lesson import BUNDLED, read
from tests.browser.conftest import OpenPage
from tests.browser.people import confirm, is_open, place, stands
from tests.conftest import Start
from tests.process import environment
from tests.rooms import Room
from tests.wire import DEADLINE, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LESSON = read(BUNDLED)
DOC = (Path(__file__).parents[2] / "docs" / "lesson.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```js\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
#: Notes each stamp that the stage shows, however short.
NOTE_STAMPS = """() => {
  window.stamps = new Set();
  new MutationObserver(() => {
    for (const one of document.querySelectorAll('.stamp')) window.stamps.add(one.textContent);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
PHONE = {"width": 390, "height": 844}
PROJECTOR = {"width": 1920, "height": 1080}


class Walk:
    """The class: the stage, and the phones of Alice (her console), Ben, Carol and Dan."""

    def __init__(self, server: Any, http: aiohttp.ClientSession, stage: Page) -> None:
        self.server, self.stage, self.room = server, stage, Room(http, server)
        self.phones: dict[str, Page] = {}
        self.console: list[str] = []

    def figure(self, name: str) -> Locator:
        return self.stage.locator(f'[data-participant="{name}"]')

    async def goes(self, mode: str, count: str) -> None:
        """Wait until so many coffees were made in a mode, as the stage counts."""
        await expect(self.stage.locator(f'[data-coffees="{mode}"]')).to_contain_text(count)

    async def paste(self, page: Page, block: str) -> None:
        """Paste a block into the console of a page, as its developer tools do."""
        devtools = await page.context.new_cdp_session(page)
        block = block.replace("localhost:8080", f"localhost:{self.server.port}")
        told = await devtools.send("Runtime.evaluate", {"expression": block, "replMode": True})
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        await devtools.detach()

    async def stamped(self, *stamps: str) -> None:
        """Wait until each of these stamps was on the stage since the scene began."""

        async def all_seen() -> bool:
            return set(stamps) <= set(await self.stage.evaluate("[...window.stamps]"))

        await until(all_seen, f"the stage shows {stamps}")

    async def printed(self, text: str) -> None:
        """Wait until Alice's console has printed this."""

        async def there() -> bool:
            return any(text in line for line in self.console)

        await until(there, f"the console printed {text}")

    async def order(self, name: str, **fields: str | int) -> str:
        """Somebody orders on the phone; the event's id, once it is stored."""
        before = {event["id"] for event in await self.room.log(source=name)}
        await place(self.phones[name], fields)

        async def stored() -> list[str]:
            log = await self.room.log(source=name, type="order_placed")
            return [event["id"] for event in log if event["id"] not in before]

        return (await until(stored, f"the order of {name} is stored"))[0]

    async def opened(self, event: str) -> Locator:
        """Open an event in the diagram: the explanation of it."""
        if await self.stage.locator('body[data-band="diagram"]').count() == 0:
            await self.stage.keyboard.press("g")
        await self.stage.locator(f'.diagram-body [data-event="{event}"]').first.click()
        return self.stage.locator(f'[data-explains="{event}"]')


@pytest.fixture
async def walk(start: Start, http: aiohttp.ClientSession, open_page: OpenPage) -> Walk:
    server = start()
    stage = await is_open(await open_page(server, "/stage?scene=1", viewport=PROJECTOR))
    await stage.evaluate(NOTE_STAMPS)
    walk = Walk(server, http, stage)
    paths = {
        "alice": "/",
        "ben": "/customer?name=ben",
        "carol": "/customer?name=carol",
        "dan": "/confirmer?name=dan",
    }
    opened = [open_page(server, path, viewport=PHONE) for path in paths.values()]
    walk.phones = dict(zip(paths, await asyncio.gather(*opened), strict=True))
    walk.phones["alice"].on("console", lambda message: walk.console.append(message.text))
    return walk


async def scene_1(walk: Walk) -> None:
    await walk.paste(walk.phones["alice"], BLOCKS[0])
    await expect(walk.figure("guest-1")).to_be_visible()
    refused = walk.stage.locator(".stage-refused")
    await expect(refused).to_contain_text("guest-1")
    await expect(refused).to_contain_text('"type"')
    await walk.paste(walk.phones["alice"], BLOCKS[1])
    await expect(walk.figure("alice")).to_have_attribute("data-role", "customer")
    await expect(walk.figure("guest-1")).to_have_count(0)
    await expect(walk.stage.locator("[data-total]")).to_have_text("1 event")
    await walk.printed("broker.accepted")


async def scene_2(walk: Walk) -> None:
    order = await walk.order("ben")
    await walk.printed(order)
    for key in ("alice/5", "ben/1"):
        await confirm(walk.phones["dan"], key)
    await stands(walk.phones["ben"], "ben/1", "confirmed")
    await walk.goes("relay", "2")


async def scene_3(walk: Walk) -> None:
    order = await walk.order("ben")
    told = await walk.opened(order)
    await expect(told.locator('[data-recipient="dan"]')).to_have_attribute("data-received", "true")
    carol = told.locator('[data-recipient="carol"]')
    await expect(carol).to_have_attribute("data-received", "false")
    await expect(told).to_contain_text("Not subscribed to order_placed.")
    await walk.stage.keyboard.press("Escape")
    await walk.stage.keyboard.press("Escape")
    await confirm(walk.phones["dan"], "ben/2")
    await walk.phones["dan"].goto(walk.server.url)  # confirmers close their page


async def scene_4(walk: Walk) -> None:
    for bob in ("bob", "bob-2"):
        await expect(walk.figure(bob)).to_have_attribute("data-online", "true")
    await walk.order("carol", id=5)
    await expect(walk.stage.get_by_text("order 5: 2 coffees made, 1 wasted")).to_be_visible()


async def scene_5(walk: Walk) -> None:
    orders = [await walk.order("carol", id=number) for number in (6, 7)]
    await walk.goes("queue", "2")
    await expect(walk.stage.locator('[data-coffees="queue"] .wasted')).to_have_count(0)
    takers = []
    for order in orders:
        told = await walk.room.get(f"/events/{order}")
        takers += [one["name"] for one in told["recipients"] if one["received"]]
    assert sorted(takers) == ["bob", "bob-2"]


async def scene_6(walk: Walk) -> None:
    for bob in ("bob", "bob-2"):
        await expect(walk.figure(bob)).to_have_attribute("data-online", "false")
    await walk.order("carol", id=8)
    await expect(walk.stage.locator('[data-waiting="1"]')).to_contain_text("1 waits")


async def scene_7(walk: Walk) -> None:
    bob = walk.figure("bob")
    await expect(bob.locator("[data-event]")).to_be_visible()
    await expect(bob.locator(".stage-lease")).to_be_visible()
    await expect(bob).to_contain_text("lease")


async def scene_8(walk: Walk) -> None:
    await expect(walk.figure("bob")).to_contain_text("offline")
    await walk.stamped("2nd try")
    await stands(walk.phones["carol"], "carol/8", "confirmed")
    await walk.goes("queue", "3")
    await expect(walk.stage.locator('[data-coffees="queue"] .wasted')).to_have_count(0)


async def scene_9(walk: Walk) -> None:
    await walk.room.lacks("bob-2")
    online = walk.stage.locator('[data-participant^="bob"][data-online="true"]')
    await expect(online).to_have_count(2)
    order = await walk.order("ben")
    await stands(walk.phones["ben"], "ben/3", "confirmed")
    told = await walk.room.get(f"/events/{order}")
    received = {one["name"] for one in told["recipients"] if one["received"]}
    assert len([name for name in received if name.startswith("bob")]) == 2
    await expect(walk.stage.locator('[data-coffees="pubsub"] .wasted')).to_have_text("1 wasted")


async def scene_10(walk: Walk) -> None:
    await walk.order("carol", id=9)
    await walk.stamped("2nd try", "3rd try", "4th try", "5th try")
    await expect(walk.stage.get_by_role("button", name="1 dead letter")).to_be_visible()


async def scene_11(walk: Walk) -> None:
    walk.console.clear()
    await walk.paste(walk.phones["alice"], BLOCKS[2])
    await expect(walk.figure("eve")).to_be_visible()
    log = await walk.room.log()
    news = [one["id"] for one in log if one["type"] == "order_confirmed"]

    async def told() -> bool:
        heard = [id for text in walk.console for id in re.findall(r'^\{"id":"([^"]+)"', text)]
        known = [id for id in heard if id in {one["id"] for one in log}]
        in_order = [one["id"] for one in log if one["id"] in known]
        return set(news) <= set(known) and known == in_order and known[0] == log[0]["id"]

    await until(told, "the console of eve printed what was relayed and published, in order")


async def scene_12(walk: Walk) -> None:
    rows = walk.stage.locator(".diagram-body .row")
    await expect(rows.first).to_be_visible()
    await walk.stage.keyboard.press("ArrowLeft")
    await expect(walk.stage.locator("body[data-past]")).to_have_count(1)
    await walk.stage.keyboard.press("l")
    await expect(walk.stage.locator("body[data-past]")).to_have_count(0)


async def scene_13(walk: Walk, tmp_path: Path, open_page: OpenPage) -> None:
    handout = await open_page(walk.server, "/handout")
    program = tmp_path / "own.py"
    program.write_text(await handout.locator("#bob").inner_text(), encoding="utf-8")
    bob = subprocess.Popen([sys.executable, str(program)], env=environment(), cwd=tmp_path)
    try:
        await expect(walk.figure("your-name-bob")).to_have_attribute("data-online", "true")
        await walk.paste(walk.phones["dan"], await handout.locator("#alice").inner_text())
        await walk.paste(walk.phones["alice"], BLOCKS[3])

        async def confirmed() -> bool:
            log = await walk.room.log(source="your-name-bob")
            return {"five", 5} <= {event["data"].get("id") for event in log}

        await until(confirmed, "it confirms good orders, and “five”")
    finally:
        bob.kill()
        await asyncio.to_thread(bob.wait, DEADLINE)


async def test_the_key_n_alone_gives_the_whole_lesson(
    walk: Walk, open_page: OpenPage, tmp_path: Path
) -> None:
    for number, scene in enumerate(LESSON.scenes, 1):
        stage = walk.stage
        await expect(stage.locator(f'body[data-scene="{number}"]')).to_have_count(1)
        await expect(stage.locator("[data-caption]")).to_have_text(scene.caption)
        await expect(stage.get_by_text(scene.question)).to_be_visible()
        await expect(stage.get_by_text(scene.answer)).to_have_count(0)
        await expect(stage.locator(f'input[name="mode"][value="{scene.mode}"]')).to_be_checked()
        more = (tmp_path, open_page) if number == 13 else ()
        await globals()[f"scene_{number}"](walk, *more)
        await stage.keyboard.press("n")
        await expect(stage.get_by_text(scene.answer)).to_be_visible()
        await stage.evaluate("window.stamps.clear()")
        await stage.keyboard.press("n")
    await expect(walk.stage.locator("#lesson")).to_be_hidden()

"""`make pictures`: the pictures in the docs, taken of the real pages in Chromium.

`docs/images/pages.json` keeps what each picture was taken of, so a test notices when a page has
changed since.
"""

import asyncio
import hashlib
import io
import json
import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import aiohttp
from PIL import Image
from playwright.async_api import Page, ViewportSize, async_playwright

from orders.clients.participant import Participant
from tests.browser.conftest import FLAGS
from tests.process import Process, running
from tests.rooms import Room
from tests.wire import until

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
TAKEN = IMAGES / "pages.json"
#: What the stage is made of, and with it what its pictures show.
STAGE = ("templates/pages/stage.html", "static/stage/**/*.js", "static/stage/**/*.css")

SIZE = ViewportSize(width=1280, height=720)
SHOWN = (768, 432)  # pixels of the moving picture
COLOURS = 48
LONGEST = 1_500_000  # bytes of the moving picture
FEWEST = 5  # frames a second of it; fewer are no motion
#: The switch in each of its positions, and how long it is watched, in seconds.
SCENES: tuple[tuple[dict[str, str | None], float], ...] = (
    ({"*": "relay"}, 6.0),
    ({"*": "pubsub"}, 6.0),
    ({"*": "pubsub", "order_placed": "queue"}, 6.0),
)


def taken_of(patterns: tuple[str, ...] = STAGE) -> str:
    """A digest of the files that a picture shows."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in ROOT.glob(pattern)):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


async def watch(page: Page, seconds: float) -> list[tuple[float, Image.Image]]:
    """What a page shows for so long: when each picture of it was taken, and the picture."""
    frames, until_ = [], time.monotonic() + seconds
    while (now := time.monotonic()) < until_:
        shot = Image.open(io.BytesIO(await page.screenshot()))
        frames.append((now, shot.convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)))
    return frames


def save(frames: list[tuple[float, Image.Image]], path: Path) -> None:
    """One moving picture; each frame stays for as long as it took until the next."""
    palette = frames[len(frames) // 2][1].quantize(COLOURS)
    pictures = [
        picture.quantize(palette=palette, dither=Image.Dither.NONE) for _, picture in frames
    ]
    pauses = [1000 * (b - a) for (a, _), (b, _) in pairwise(frames)]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=[round(pause) for pause in (*pauses, 1500.0)],
        loop=0,
        optimize=True,
    )


async def record(page: Page, room: Room, alice: Participant) -> list[tuple[float, Image.Image]]:
    """One order in each mode."""
    frames: list[tuple[float, Image.Image]] = []
    for number, (modes, seconds) in enumerate(SCENES, 5):
        await room.set_modes(modes)
        await page.wait_for_timeout(500)
        await alice.publish("order_placed", {"id": number, "item": "espresso"})
        frames += await watch(page, seconds)
    if len(frames) < FEWEST * sum(seconds for _, seconds in SCENES):
        sys.exit(f"Only {len(frames)} frames: this machine is too busy to show how things move.")
    return frames


async def take() -> None:
    """Take all of them."""
    chromium = shutil.which("chromium") or sys.exit("Pictures need Chromium.")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with aiohttp.ClientSession() as http, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            with (
                Process(home) as server,
                running("bot", server.url, "--delay", "1", cwd=home),
                running("bot", server.url, "--delay", "1", "--name", "bob-2", cwd=home),
            ):
                room = Room(http, server)
                page = await browser.new_page(viewport=SIZE)
                async with (
                    Participant(server.url, name="alice", types="order_confirmed") as alice,
                    Participant(server.url, name="carol", types="order_confirmed", listen=False),
                    Participant(server.url, name="dan", types="tea_*", listen=False),
                ):
                    await until(lambda: _are_there(room), "all are there")
                    await page.goto(f"{server.url}/stage")
                    await page.wait_for_selector('body[data-connection="open"]')
                    await page.wait_for_timeout(1000)
                    frames = await record(page, room, alice)
                    await page.screenshot(path=IMAGES / "stage.png")
            await browser.close()
    save(frames, IMAGES / "orders.png")
    size = (IMAGES / "orders.png").stat().st_size
    print(f"{len(frames)} frames, {size} bytes")
    if size > LONGEST:
        sys.exit(f"That is more than {LONGEST}: fewer colours, or a shorter film.")
    TAKEN.write_text(json.dumps({"orders.png": taken_of(), "stage.png": taken_of()}) + "\n")


async def _are_there(room: Room) -> bool:
    return {"alice", "carol", "dan", "bob", "bob-2"} <= set(await room.names())


if __name__ == "__main__":
    asyncio.run(take())

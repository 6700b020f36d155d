"""The wire on a projector: handshake, frames, one of them bit by bit; and the ways to it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_axe import complaints, in_each_look
from tests.browser.watching import open_stage
from tests.conftest import Connect, Serve

pytestmark = pytest.mark.browser


def row(page: Page, sender: str, kind: str, gist: str = "") -> Any:
    """The first frame like that in the list."""
    of = f'#frames [data-from="{sender}"]'
    return page.locator(of).filter(has_text=kind).filter(has_text=gist).first


async def test_a_class_looks_at_the_wire_from_the_handshake_to_the_close(
    server: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    wire = await open_page(server, "/wire?name=alice", viewport={"width": 1366, "height": 768})
    await expect(wire.get_by_text("alice is not connected yet")).to_be_visible()
    alice = await open_page(server, "/customer?name=alice")
    await expect(alice.get_by_role("link", name="Your wire")).to_have_attribute(
        "href", re.compile(r"/wire\?.*name=alice")
    )
    opened = wire.locator("#opened")
    await expect(opened).to_contain_text("✓ the same")
    await expect(opened).to_contain_text("session=•••")
    session = await alice.evaluate("sessionStorage.getItem('orders customer main alice')")
    assert len(session) > 16
    await wire.keyboard.press("c")  # one step of the computation, then one more
    await expect(opened.get_by_text("SHA-1 makes 20 bytes of it")).to_be_hidden()
    for _ in range(2):
        await wire.keyboard.press("c")
    await expect(opened.get_by_text("SHA-1 makes 20 bytes of it")).to_be_visible()

    await alice.get_by_role("button", name="Place order").click()
    order = row(wire, "client", "text", "order_placed")
    await order.click()
    await expect(opened.get_by_role("heading", name="alice → server text")).to_be_visible()
    await expect(wire.locator(".wire-bits").first.locator("td")).to_have_count(32)
    await expect(opened.locator('[data-field="op"]', has_text="1: text")).to_be_visible()
    await expect(opened).to_contain_text("Clients mask so that")
    letters = opened.get_by_role("row", name="as text").locator("td")
    await wire.keyboard.press("m")
    await expect(letters.first).to_have_text("")
    await expect(letters.first).to_have_text("{")
    await expect(letters.nth(3)).to_have_text("d")  # {"id

    await wire.get_by_role("button", name="Pause").click()
    await alice.get_by_role("button", name="Place order").click()
    await expect(wire.locator("#note")).to_contain_text("more came")
    paused = await wire.locator("#frames li").count()
    await wire.get_by_role("button", name="Go on").click()
    await expect(wire.locator("#frames li").nth(paused)).to_be_visible()

    async with wire.expect_download() as saving:
        await wire.keyboard.press("s")
    saved = tmp_path / "saved.json"
    await (await saving.value).save_as(saved)
    text = saved.read_text(encoding="utf-8")
    kept = json.loads(text)
    assert kept["whole"] and kept["frames"][0]["text"].find("broker.welcome") > 0
    assert (
        kept["handshake"]["accept"]["accept"]
        in dict(kept["handshake"]["response"]["headers"]).values()
    )
    assert session not in text + await wire.content()

    await wire.set_viewport_size({"width": 390, "height": 844})
    await order.click()
    await expect(wire.locator(".wire-bits").first.locator("td")).to_have_count(16)
    assert await wire.evaluate("document.documentElement.scrollWidth") <= 390
    assert await complaints(wire) == []
    await wire.set_viewport_size({"width": 1366, "height": 768})
    await wire.emulate_media(color_scheme="dark")
    assert await complaints(wire) == []
    await wire.keyboard.press("h")
    assert await complaints(wire) == []

    await alice.close()
    await row(wire, "client", "close", "1001").click()
    await expect(opened).to_contain_text("alice closes the connection: 1001, going away")
    await expect(wire.get_by_text("The connection of alice is over.")).to_be_visible()


async def test_the_ways_to_the_wire_from_the_stage_and_from_nowhere(
    server: Any, open_page: OpenPage
) -> None:
    await open_page(server, "/customer?name=alice")
    stage = await open_stage(open_page, server)
    await stage.locator('[data-participant="alice"]').click()
    await expect(stage.get_by_role("heading", name="Faults on alice")).to_be_visible()
    async with stage.expect_popup() as opening:
        await stage.keyboard.press("x")
    wire = await opening.value
    await expect(wire.get_by_role("heading", name="The wire of alice")).to_be_visible()
    await expect(wire.locator("#frames")).to_contain_text("handshake")
    await expect(row(wire, "server", "ping")).to_be_visible()  # by which it knows where to begin
    await expect(row(wire, "client", "pong")).to_be_visible()
    await wire.get_by_role("link", name="Somebody else").click()
    await expect(wire.get_by_role("link", name="alice")).to_be_visible()
    found = {look: await complaints(wire) async for look in in_each_look(wire)}
    assert set(map(tuple, found.values())) == {()}


async def test_a_student_opens_its_own_wire_and_no_others(
    serve: Serve, connect: Connect, open_page: OpenPage
) -> None:
    async with serve(lan=True) as server:
        await connect(server, name="bob", session="a-secret-of-bobs-program")
        alice = await open_page(server, "/customer?name=alice", may_lose_server=True)
        await expect(alice.locator("body")).to_have_attribute("data-connection", "open")
        async with alice.expect_popup() as opening:
            await alice.get_by_role("link", name="Your wire").click()
        wire = await opening.value
        await expect(wire.locator("#opened")).to_contain_text("✓ the same")
        await wire.goto(f"{server.url}/wire?name=bob")
        await expect(wire.locator("#state")).to_contain_text("What bob says and hears is for the")
        await expect(wire.get_by_role("button", name="Save JSON")).to_be_hidden()
        await wire.get_by_label("with which it connects").fill("a-secret-of-bobs-program")
        await wire.get_by_role("button", name="Look").click()
        await expect(wire.locator("#opened")).to_contain_text("bob asks, in plain HTTP")
        await expect(wire.locator("#state")).to_be_hidden()

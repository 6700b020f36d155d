"""The lesson of docs/lesson.md, step by step, as a class sees it, with a crash in each step.

In every step the stage, its explanation, its sequence diagram, the log and HTTP must tell the same
story, and it must be the true one: what the students' own connections got.
"""

import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.lesson import STUDENTS, Class, open_class
from tests.browser.watching import show
from tests.conftest import Connect, Start
from tests.process import environment
from tests.wire import DEADLINE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
async def room(
    start: Start, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> Class:
    return await open_class(start("--lease", "600"), connect, http, open_page)


async def test_step_1_one_websocket_is_enough(room: Class, connect: Connect) -> None:
    socket = await connect(room.server, "/")
    welcome = await socket.expect("broker.welcome")
    await expect(room.figure(welcome["data"]["name"])).to_be_visible()
    await socket.send("Hello Server!")
    await socket.expect("broker.error", code="malformed_json")
    await socket.send({"type": "hello_said", "source": "alice", "data": {}})
    await socket.expect("broker.accepted")
    await expect(room.figure("alice")).to_be_visible()
    await room.restart()
    socket = await connect(room.server, "/")
    order = {"type": "order_placed", "source": "alice", "data": {"id": 5}}
    await socket.send(order)
    accepted = await socket.expect("broker.accepted")
    event = accepted["data"]["event"]
    await expect(room.figure("alice")).to_have_attribute("data-role", "customer")
    opened = room.log.locator(f'[data-event="{event}"]')
    await expect(opened).to_contain_text("alice/5")
    await room.all_tell(event, "alice")
    whole = json.loads(await room.log.locator(f'[data-explains="{event}"] pre').inner_text())
    assert whole["id"] == event
    assert whole["created"].isdigit()
    assert (whole["source"], whole["data"]) == ("alice", {"id": 5})


async def test_step_2_relay_everyone_hears_everything(room: Class) -> None:
    await room.come(*STUDENTS)
    first = await room.place("alice", id=1)
    assert await room.heard(first) == set(STUDENTS) - {"alice"}
    await room.all_tell(first, *set(STUDENTS) - {"alice"})
    await room.restart()
    second = await room.place("carol", id=1)
    assert await room.heard(second) == set(STUDENTS) - {"carol"}
    await room.all_tell(first, *set(STUDENTS) - {"alice"})
    await room.all_tell(second, *set(STUDENTS) - {"carol"})


async def test_step_3_publish_subscribe_who_asked_hears(room: Class) -> None:
    await room.come(*STUDENTS)
    await room.switch("Publish–subscribe")
    before = await room.place("carol", id=1)
    assert await room.heard(before) == {"dan", "eve"}
    await room.all_tell(before, "dan", "eve")
    await room.restart()
    await expect(room.stage.get_by_role("radio", name="Publish–subscribe")).to_be_checked()
    placed = await room.place("alice", id=1)
    assert await room.heard(placed) == {"dan", "eve"}
    for event in (before, placed):
        await room.all_tell(event, "dan", "eve")
    not_asked = room.stage.locator('[data-recipient="fay"]')
    await expect(not_asked).to_have_attribute("data-received", "false")
    reason = room.stage.locator("[data-explains] [data-why]", has=not_asked)
    await expect(reason).to_contain_text("Not subscribed to order_placed.")


async def test_step_4_queue_each_order_is_done_by_one(room: Class) -> None:
    await room.come(*STUDENTS)
    for name in ("dan", "eve"):  # the bots are to do the work
        await room.leave(name)
    await room.switch("Queue")
    waiting = await room.place("alice", id=1)
    await expect(room.stage.locator('[data-waiting="1"]')).to_be_visible()
    await room.all_tell(waiting)
    await room.restart()
    await expect(room.stage.locator('[data-waiting="1"]')).to_be_visible()
    await room.send_bot("bob", thinks=0)
    await room.answers(waiting)
    await room.send_bot("bob-2", thinks=0)
    orders = [waiting, *[await room.place("carol", id=number) for number in range(1, 3)]]
    answers = await room.answers(*orders)
    assert len(answers) == len(orders), "each is answered once"
    assert {answer["source"] for answer in answers} == {"bob", "bob-2"}, "they take turns"
    for answer in answers:
        await room.all_tell(answer["data"]["event"], answer["source"])
        heard = await room.heard(answer["id"])
        assert heard == {"alice", "carol"}, "an answer is news for those who asked"
        await room.all_tell(answer["id"], *heard)


@pytest.mark.parametrize("crash", [False, True], ids=["of the bot", "of the server"])
async def test_step_5_a_bot_dies_holding_an_order(room: Class, crash: bool) -> None:
    await room.come("alice", "carol", "fay")
    await room.switch("Queue")
    await room.send_bot("bob", thinks=30)
    order = await room.place("alice", id=5)
    bob = room.figure("bob")
    await expect(bob.locator(f'[data-event="{order}"]')).to_be_visible()
    await expect(bob.locator(".stage-lease")).to_be_visible()
    taker = "bob" if crash else "bob-2"
    if crash:
        await room.restart()  # which bob does not survive either: his name is free again
        await room.send_bot("bob", thinks=0)
    else:
        await room.send_bot("bob-2", thinks=0)
        await show(room.stage, "tools")
        await room.stage.get_by_role("button", name="Kill one…").click()
        await room.stage.get_by_role("dialog").get_by_role("button", name="Kill bob").first.click()
        await room.stage.get_by_role("dialog").get_by_role("button", name="Close").click()
        await expect(bob).to_have_attribute("data-online", "false")
    (answer,) = await room.answers(order)
    assert answer["source"] == taker
    assert answer["type"] == "order_confirmed"
    await room.all_tell(order, "bob", taker)
    why = await room.explained(room.log, order)
    assert crash or "Took it, but its connection was lost" in why["bob"]
    assert "Took it, and is done with it" in why[taker]
    again = room.stage.locator(f'.diagram-body [data-event="{order}"][data-row="handed"]')
    await expect(again).to_have_count(2)
    await expect(again.last).to_contain_text("2nd try")
    assert await again.first.get_attribute("data-again") is None
    assert await again.last.get_attribute("data-again") is not None
    orders = (await room.room.get("/orders"))["orders"]
    assert [(o["customer"], o["id"], o["state"], o["confirmer"]) for o in orders] == [
        ("alice", 5, "confirmed", taker)
    ]
    assert await room.heard(answer["id"]) == {"alice", "carol"}
    await room.all_tell(answer["id"], "alice", "carol")


async def test_step_6_a_bob_of_ones_own(room: Class, open_page: OpenPage, tmp_path: Path) -> None:
    await room.come("alice", "carol", "fay")
    await room.switch("Queue")
    handout = await open_page(room.server, "/handout", may_lose_server=True)
    program = tmp_path / "own.py"
    program.write_text(await handout.locator("#bob").inner_text(), encoding="utf-8")
    await room.restart()
    bob = subprocess.Popen([sys.executable, str(program)], env=environment(), cwd=tmp_path)
    try:
        await expect(room.figure("your-name-bob")).to_have_attribute("data-role", "confirmer")
        good = await room.place("alice", id=5)
        answer = await room.students["alice"].expect("order_confirmed", id=5)
        assert answer["source"] == "your-name-bob"
        await room.all_tell(good, "your-name-bob")
        nonsense = await room.place("carol", id="five")
        await room.students["carol"].expect("order_confirmed", id="five")
        await room.all_tell(nonsense, "your-name-bob")
    finally:
        bob.kill()
        bob.wait(DEADLINE)
    await room.room.lacks("your-name-bob")
    await room.send_bot("bob", thinks=0)
    judged = await room.place("carol", id=0)
    (answer,) = await room.answers(judged)
    assert (answer["type"], answer["data"]["reason"]) == ("order_rejected", "invalid_id")

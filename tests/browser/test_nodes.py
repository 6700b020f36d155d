"""Alice, Bob and the stage, each on a node of its own: they see what they would see on one."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.people import confirm, is_open, order, place, stands
from tests.browser.watching import open_log, open_stage
from tests.nodes.conftest import Nodes, Rooms, same

pytestmark = pytest.mark.browser

MODES: dict[str, dict[str, str | None]] = {
    "relay": {"*": "relay"},
    "pubsub": {"*": "pubsub"},
    "queue": {"*": "pubsub", "order_placed": "queue"},
}


@pytest.mark.parametrize("mode", MODES)
async def test_an_order_placed_on_one_node_is_confirmed_on_another_and_seen_on_a_third(
    nodes: Nodes, rooms: Rooms, open_page: OpenPage, mode: str
) -> None:
    servers = one, two, three = await nodes(3)
    all_rooms = rooms(servers)
    await all_rooms[2].set_modes(MODES[mode])
    alice = await is_open(await open_page(one, "/customer?name=alice"))
    bob = await is_open(await open_page(two, "/confirmer?name=bob"))
    stage, log = await open_stage(open_page, three, "diagram"), await open_log(open_page, three)
    for name, role in (("alice", "customer"), ("bob", "confirmer")):
        figure = stage.locator(f'[data-participant="{name}"]')
        await expect(figure).to_have_attribute("data-role", role)
        await expect(figure).to_have_attribute("data-online", "true")

    await place(alice, {"id": 5, "item": "mint tea", "quantity": 2})
    await stands(bob, "alice/5", "waiting")
    await confirm(bob, "alice/5")
    await stands(alice, "alice/5", "confirmed")
    await expect(order(alice, "alice/5")).to_contain_text("confirmed by bob")
    await stands(bob, "alice/5", "confirmed")
    await stands(stage, "alice/5", "confirmed")

    orders = (await same(all_rooms, "/orders"))["orders"]
    assert [(o["customer"], o["id"], o["state"], o["confirmer"]) for o in orders] == [
        ("alice", 5, "confirmed", "bob")
    ]
    placed, confirmed = (await same(all_rooms, "/events"))["events"]
    for event in (placed, confirmed):
        row = log.locator(f'#log-grid [data-event="{event["id"]}"]').first
        await expect(row).to_contain_text("alice/5")
    told = await same(all_rooms, f"/events/{placed['id']}")
    assert "bob" in [one["name"] for one in told["recipients"] if one["received"]]

    await bob.close()
    figure = stage.locator('[data-participant="bob"]')
    await expect(figure).to_have_attribute("data-online", "false")


async def test_the_host_switches_the_mode_on_one_stage_and_the_other_shows_it(
    nodes: Nodes, rooms: Rooms, open_page: OpenPage
) -> None:
    one, two = await nodes(2)
    here, there = await open_stage(open_page, one), await open_stage(open_page, two)
    await here.get_by_role("radio", name="Queue", exact=True).check()
    radio = there.get_by_role("radio", name="Queue", exact=True)
    await expect(radio).to_be_checked()
    await there.get_by_role("radio", name="Relay", exact=True).check()
    await expect(here.get_by_role("radio", name="Relay", exact=True)).to_be_checked()
    assert (await same(rooms([one, two])))["modes"]["*"] == "relay"

"""The wire is seen on the node where the participant is connected; another says where it is not."""

import aiohttp

from tests.conftest import Come
from tests.integration.test_wire import Viewer
from tests.nodes.conftest import Nodes


async def test_the_wire_is_on_the_node_of_the_participant_and_the_other_says_so(
    nodes: Nodes, come: Come, http: aiohttp.ClientSession
) -> None:
    one, two = await nodes(2)
    bob = await come(two, name="bob")
    far = await Viewer.look(http, one, "bob")
    await far.until(state="elsewhere")
    near = await Viewer.look(http, two, "bob")
    await near.until(state="open", name="bob")
    await bob.ws.close()
    await near.until(state="closed")
    await far.until(state="waiting")
    await come(one, name="bob")
    await far.until(state="open", name="bob")

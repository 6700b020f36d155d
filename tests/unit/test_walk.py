"""The walk that docs/development.md shows."""

from tests.walk import table, walks


async def test_each_walk_leads_from_the_socket_through_the_journal_and_back() -> None:
    found = await walks()
    assert list(found) == ["relay", "queue delivery", "ack", "reset"]
    for name in ("relay", "queue delivery", "ack"):
        files = found[name].files
        assert files.index("web/socket.py") < files.index("server/inbox.py")
        assert files.index("server/inbox.py") < files.index("journal/sqlite/engine.py")
        assert files.index("journal/sqlite/engine.py") < files.index("server/delivery.py")
    assert found["relay"].files[-1] != "journal/sqlite/engine.py"
    assert all(walk.counts[0] < 35 for walk in found.values()), "\n" + table(found)

"""The walk that docs/development.md shows."""

import sys
from pathlib import Path

from tests.walk import table, walks

TRIES = 5  # on a busy machine what rides in one batch may take two, now and then
DEVELOPMENT = Path(__file__).parents[2] / "docs" / "development.md"


async def test_each_walk_leads_from_the_socket_through_the_journal_and_back() -> None:
    found = await walks()
    assert list(found) == ["relay", "queue delivery", "ack", "reset"]
    for name in ("relay", "queue delivery", "ack"):
        files = found[name].files
        assert files.index("web/socket.py") < files.index("server/inbox.py")
        assert files.index("server/inbox.py") < files.index("journal/sqlite/engine.py")
        assert files.index("journal/sqlite/engine.py") < files.index("server/delivery.py")
    assert found["relay"].files[-1] != "journal/sqlite/engine.py"
    shown = DEVELOPMENT.read_text(encoding="utf-8").partition("walk     ")[2].splitlines()[1:5]
    if sys.version_info[:2] != (3, 11):
        return  # other versions of Python count a call or two differently
    most = [int(count) for line in shown for count in line.split()[-3:]]
    for _ in range(TRIES):
        counts = [count for walk in found.values() for count in walk.counts]
        if all(now <= then for now, then in zip(counts, most, strict=True)):
            return
        found = await walks()
    raise AssertionError("longer than docs/development.md shows:\n" + table(found))

"""Imports point down only: domain ← broker ← journal ← server ← web ← classroom.

Nothing imports app or cli, and only these the classroom.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "orders"

#: What each part may import of Orders; `None` is anything. `errors` and `files`: open to all.
MAY_IMPORT: dict[str, set[str] | None] = {
    "__init__": set(),
    "errors": set(),
    "files": set(),
    "settings": set(),
    "clock": set(),
    "logs": {"clock"},
    "network": set(),
    "domain": {"domain"},
    "broker": {"broker", "domain", "settings"},
    "journal": {"journal", "clock", "broker", "domain"},
    "server": {"server", "clock", "journal", "broker", "domain", "settings"},
    "web": {"web", "network", "server", "clock", "journal", "broker", "domain", "settings"},
    "classroom": {
        *("classroom", "clients", "web", "network", "server", "clock", "journal", "broker"),
        *("domain", "settings"),
    },
    "clients": {"clients", "clock", "broker.messages", "broker.modes", "domain"},
    "doctor": {"settings", "journal", "network"},
    "app": None,
    "cli": None,
    "__main__": None,
}
OPEN_TO_ALL = {"", "errors", "files"}
#: Lines of a file, so that it is read in a minute.
LONGEST = 300

#: What is pure imports nothing that has a clock, a socket, a database or an event loop.
PURE_MAY_IMPORT = {"orders", "pydantic", "pydantic_core", *sys.stdlib_module_names}
PURE_MAY_NOT_IMPORT = {
    *("asyncio", "concurrent", "datetime", "logging", "multiprocessing", "os", "pathlib", "random"),
    *("secrets", "select", "selectors", "signal", "socket", "sqlite3", "subprocess", "threading"),
    *("time", "urllib", "http"),
}

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(file: Path) -> str:
    """The part of the house that a file belongs to: `domain`, `node`, …"""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(file: Path) -> set[str]:
    """The full name of every module that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports within Orders name the whole path"
            assert node.module is not None
            names.add(node.module)
            if node.module.startswith("orders") or node.module == "uuid":
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules_of_orders(names: set[str]) -> set[str]:
    """Those of these names that are modules of Orders, without the `orders.` before them."""
    modules = set()
    for name in names:
        path = PACKAGE.joinpath(*name.split(".")[1:])
        if name.split(".")[0] == "orders" and (path.is_dir() or path.with_suffix(".py").is_file()):
            modules.add(name.partition(".")[2])
    return modules


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_it(file: Path) -> None:
    allowed = MAY_IMPORT[part_of(file)]
    if allowed is None:
        return
    for module in modules_of_orders(imports_of(file)) - OPEN_TO_ALL:
        admitted = any(
            module == name or module.startswith(f"{name}.") or name.startswith(f"{module}.")
            for name in allowed
        )
        assert admitted, f"{part_of(file)} must not import {module}"


@pytest.mark.parametrize("part", ["domain", "broker"])
def test_what_is_pure_has_no_clock_socket_or_database(part: str) -> None:
    files = [file for file in FILES if part_of(file) == part]
    assert len(files) >= 4
    for file in files:
        roots = {name.split(".")[0] for name in imports_of(file)}
        assert roots <= PURE_MAY_IMPORT, file
        assert not roots & PURE_MAY_NOT_IMPORT, file


#: The lowest first; a file imports only files that stand before it.
WITHIN = {
    "broker": [
        "modes", "records", "rules", "queue", "room_state", "limits", "participants",
        "leases", "backoff", "messages", "room", "protocol", "explain",
    ],
    "server": [
        "context", "inbox", "handover", "queues", "single_flight", "replay_cache",
        "replay", "hints", "delivery",
        "presence", "host", "pump", "node", "__init__",
    ],
}  # fmt: skip


@pytest.mark.parametrize("part", list(WITHIN))
def test_within_a_part_each_file_knows_only_those_before_it(part: str) -> None:
    order = WITHIN[part]
    files = [file for file in FILES if part_of(file) == part]
    assert {file.stem for file in files} - {"__init__"} == set(order) - {"__init__"}
    for file in files:
        for module in modules_of_orders(imports_of(file)):
            if module.startswith(f"{part}."):
                imported = module.partition(".")[2]
                assert order.index(imported) < order.index(file.stem), f"{file.stem} → {imported}"


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {}
    for file in FILES:
        if file.stem != "__init__":  # a package names those of its files that others may use
            name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
            graph[name] = modules_of_orders(imports_of(file))

    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for following in graph.get(waiting.pop(), set()) - seen:
                seen.add(following)
                waiting.append(following)
        return seen

    assert [name for name in graph if name in reaches(name)] == []


#: Who may ask the machine for the time, or for something by chance; all others ask the clock.
#: The terminal shows the time of day, and the reloader waits in a process of its own.
READS_TIME = {"clock.py", "cli/output.py", "cli/serve.py"}


def test_time_and_randomness_come_from_the_clock_alone() -> None:
    reading = {
        str(file.relative_to(PACKAGE))
        for file in FILES
        if imports_of(file) & {"time", "random", "secrets", "uuid.uuid4", "datetime"}
    }
    assert reading == READS_TIME


#: A set of what runs, or of who is connected.
UNORDERED = re.compile(r"[sS]et\[[\w\".]*(Task|Participant|Connection|Response|Observer|Room)\b")


def test_connections_and_tasks_keep_their_order() -> None:
    """A set of them would be walked in another order each time; a dict keeps it."""
    for file in FILES:
        if part_of(file) in ("server", "web"):
            assert not UNORDERED.search(file.read_text(encoding="utf-8")), file


def test_these_tests_do_see_imports() -> None:
    seen = modules_of_orders(imports_of(PACKAGE / "broker" / "messages.py"))
    assert {"domain.envelope", "broker.modes", "errors"} <= seen


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {file.name: lines for file, lines in lengths.items() if lines > LONGEST} == {}

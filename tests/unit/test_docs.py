"""What a user can meet stands in the README or in docs/: settings, event types, and every code."""

import ast
import inspect
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from uuid import NAMESPACE_URL

import pytest
import typer

from orders import cli, errors
from orders.broker.messages import COMMANDS, LOST, NOTICE_CODES, SERVER_EVENTS
from orders.broker.modes import Mode
from orders.clients.participant import Participant
from orders.domain.confirming import REASONS, Confirmed, Rejected, answer_id, id_after
from orders.domain.envelope import Event
from orders.domain.menu import MENU
from orders.errors import CODES as CODES_ON_WIRE
from orders.errors import Close, OrdersError
from orders.server.delivery import NOTICES
from orders.settings import Settings
from orders.web.asyncapi import ORDER_EVENTS
from tests.pictures import IMAGES, TAKEN, taken_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
DOCS = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
CONTRACT = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
#: Whatever stands in `code marks`, as whole words.
MARKED = {word for code in re.findall(r"`([^`\n]+)`", DOCS) for word in re.split(r"[\s=,]+", code)}

#: The classes whose first argument is a code.
CODED = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, OrdersError)
}


#: What has errors of its own, which never cross the wire.
NOT_SERVED = ("clients", "cli", "doctor.py")


def codes_in_source(*, on_wire: bool = False) -> Iterator[str]:
    """The first argument of every error made in the source, where it is written out."""
    coded = CODED - {"CannotStart"} if on_wire else CODED
    for file in (ROOT / "orders").rglob("*.py"):
        if on_wire and file.relative_to(ROOT / "orders").parts[0] in NOT_SERVED:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and called(node) in coded:
                yield from texts(node.args[0])


def called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def texts(node: ast.expr) -> Iterator[str]:
    """What a code may be; `f"wrong_{field}"` is one for each field of the envelope."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.JoinedStr) and ast.unparse(node) == "f'wrong_{field}'":
        yield from (f"wrong_{field}" for field in Event.model_fields)
    elif isinstance(node, ast.JoinedStr) and ast.unparse(node) == "f'missing_{field}'":
        yield from ("missing_type", "missing_data")
    elif isinstance(node, ast.JoinedStr):
        raise AssertionError(f"a code that nobody can look up: {ast.unparse(node)}")


CODES = sorted(set(codes_in_source()))


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_documented_as_flag_and_in_the_environment(setting: str) -> None:
    assert f"ORDERS_{setting.upper()}" in MARKED
    assert f"--{setting.replace('_', '-')}" in MARKED


@pytest.mark.parametrize("type", sorted({**SERVER_EVENTS, **COMMANDS, **ORDER_EVENTS}))
def test_every_event_type_is_documented(type: str) -> None:
    assert type in MARKED


@pytest.mark.parametrize("code", CODES)
def test_every_error_code_is_documented(code: str) -> None:
    assert code in MARKED


def table(heading: str) -> set[str]:
    """The codes in the first column of the table under a heading of the contract."""
    part = CONTRACT.partition(f"# {heading}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}


def test_every_code_that_a_server_can_answer_is_registered_and_in_the_contract() -> None:
    assert set(codes_in_source(on_wire=True)) - set(CODES_ON_WIRE) == set()
    assert table("Error codes") == set(CODES_ON_WIRE)
    assert len(CODES_ON_WIRE) == len(set(CODES_ON_WIRE))


def test_every_registered_code_is_used() -> None:
    files = [file for file in (ROOT / "orders").rglob("*.py") if file.name != "errors.py"]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    of_fields = {f"wrong_{field}" for field in Event.model_fields} | {
        "missing_type",
        "missing_data",
    }
    assert [c for c in CODES_ON_WIRE if f'"{c}"' not in source and c not in of_fields] == []


def test_every_notice_is_registered_and_in_the_contract() -> None:
    said = set(NOTICES) | set(LOST)
    for file in (ROOT / "orders").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and called(node) == "Notice":
                said |= {t for k in node.keywords if k.arg == "code" for t in literal(k.value)}
    assert said == set(NOTICE_CODES) == table("Notices")


def literal(node: ast.expr) -> Iterator[str]:
    return texts(node) if isinstance(node, ast.Constant | ast.IfExp) else iter(())


def test_the_menu_stands_in_the_contract() -> None:
    part = CONTRACT.partition("### The menu\n")[2].partition("\n#")[0]
    assert tuple(re.findall(r"`([^`]+)`", part)) == MENU


def test_the_ids_of_answers_to_try_ones_own_on_are_those_that_our_confirmers_use() -> None:
    block = re.findall(r"```json\n(.*?)```", CONTRACT, re.DOTALL)[0]
    placed = Event.parse(block.strip())
    vector = dict(re.findall(r"^\| `(orders:[^`]+)` \| `([^`]+)` \|$", CONTRACT, re.MULTILINE))
    rejected = Rejected("unknown_item", "no")
    confirmed = answer_id("main", placed, Confirmed())
    assert vector == {
        "orders:main/alice/5/confirmed": confirmed,
        f"orders:{confirmed}/again": id_after(confirmed),
        f"orders:{placed.id}/rejected": answer_id("main", placed, rejected),
    }
    assert str(NAMESPACE_URL) in CONTRACT


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_to_reject_an_order_is_documented(reason: str) -> None:
    assert reason in MARKED


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_is_documented(mode: str) -> None:
    assert mode in MARKED


@pytest.mark.parametrize("code", list(Close), ids=lambda code: str(code.value))
def test_every_close_code_is_documented(code: Close) -> None:
    assert re.search(rf"^\| {code.value} \|", DOCS, re.MULTILINE)


def test_these_tests_do_find_the_codes() -> None:
    assert len(CODES) > 20
    assert {"malformed_json", "wrong_created", "missing_data", "name_taken"} <= set(CODES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if path.startswith(("http:", "https:")):
            continue
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as Markdown readers make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_word_is_explained_once() -> None:
    page = (ROOT / "docs" / "words.md").read_text(encoding="utf-8")
    words = re.findall(r"\*\*(.+?)\*\*", page)
    assert len(words) > 30
    assert len(words) == len(set(words)), sorted(words)


#: Which test runs the programs of a page.
RUN_BY = {
    "README.md": "integration/test_readme.py browser/test_connecting.py",
    "connecting.md": "browser/test_connecting.py",
    "contract.md": "unit/test_docs.py",
    "first-bob.md": "integration/test_readme.py",
    "lesson.md": "browser/test_lesson_walked.py",
    "participant.md": "integration/test_readme.py",
}


def test_every_program_in_the_docs_is_run_by_a_test() -> None:
    have = {page.name for page in PAGES if re.search(r"^```\w", page.read_text("utf-8"), re.M)}
    assert have == RUN_BY.keys()
    for page, tests in RUN_BY.items():
        for test in tests.split():
            assert page in (ROOT / "tests" / test).read_text(encoding="utf-8")


#: Every `orders COMMAND …`, between marks or on a line of its own.
LINES = sorted(set(re.findall(r"(?:^|`)(orders (?!COMMAND)[a-z][^`#\n]*)", DOCS, re.M)))


@pytest.mark.parametrize("line", LINES)
def test_every_command_in_the_docs_has_the_flags_it_is_shown_with(line: str) -> None:
    _, name, *given = shlex.split(line)
    command = typer.main.get_command(cli.app).commands[name]  # type: ignore[attr-defined]
    flags = {"--help"} | {flag for parameter in command.params for flag in parameter.opts}
    assert {flag for flag in given if flag.startswith("-")} <= flags


def test_the_reference_of_the_participant_has_what_it_has_with_its_defaults() -> None:
    page = (ROOT / "docs" / "participant.md").read_text(encoding="utf-8")
    named = {name for name in (*vars(Participant), *vars(Participant())) if name[0] != "_"}

    def heading(name: str) -> str:
        member = vars(Participant).get(name)
        if not inspect.isfunction(member):
            return name
        _, *given = inspect.signature(member).parameters.values()
        bare = inspect.Signature([one.replace(annotation=one.empty) for one in given])
        return f"{'async ' * inspect.iscoroutinefunction(member)}{name}{bare}"

    assert set(re.findall("^### `(.+)`$", page, re.M)) == {heading(name) for name in named}
    url, *options = inspect.signature(Participant).parameters.values()
    assert f'Participant({url.name}="{url.default}", *, …)' in page
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", page, re.M)
    assert rows == [(one.name, repr(one.default)) for one in options]


def test_no_picture_is_older_than_its_page() -> None:
    for name, taken in json.loads(TAKEN.read_text(encoding="utf-8")).items():
        assert (IMAGES / name).exists()
        assert taken == taken_of(), f"the page has changed since {name}: run `make pictures`"

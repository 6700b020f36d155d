"""A lesson without names means the same, and nothing in it leads to anybody."""

import json
import re
import subprocess
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import playwright
import pytest

from orders.broker.explain import explain
from orders.broker.records import EVENT, PRESENCE_KINDS, Kind, Record, control
from orders.classroom.takehome.inlined import bundle, inlined
from orders.classroom.takehome.mask import Mask, letter, letters
from orders.classroom.takehome.recording import recording, script_text
from orders.domain.envelope import id_text
from orders.web.observe import observed

STATIC = Path(__file__).parents[2] / "static"
NODE = Path(playwright.__file__).parent / "driver" / "node"  # Playwright brings its own


def read(path: str) -> bytes:
    return (STATIC / path).read_bytes()


class Journal:
    """Records of a room, one after the other."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._ids = count(1)

    def add(self, record: Record) -> Record:
        record.position = len(self.records) + 1
        record.at = 1_700_000_000_000 + 1234 * record.position
        self.records.append(record)
        return record

    def said(self, kind: Kind, about: Record | None = None, **data: Any) -> Record:
        record = control(
            "main", kind, 0, **data, **({"event": id_text(about.key)} if about else {})
        )
        if about is not None:
            record.key, record.about = about.key, about.position
        return self.add(record)

    def joined(self, name: str, *types: str, ack: str = "auto", was: str | None = None) -> Record:
        how: dict[str, Any] = {"types": list(types or ("*",)), "ack": ack, "echo": True}
        return self.said(Kind.JOINED, name=name, **how, after=None, marks=["secret-mark"], was=was)

    def event(self, type: str, source: str, mode: str = "relay", **data: Any) -> Record:
        key = UUID(int=next(self._ids) << 96).bytes
        body = {"id": id_text(key), "type": type, "created": "1", "source": source, "data": data}
        record = Record(
            room="main",
            kind=EVENT,
            at=0,
            body=json.dumps({**body, "trace": "trace-of-carl"}).encode(),
            key=key,
            type=type,
            source=source,
            mode=mode,
        )
        return self.add(record)

    def masked(self) -> list[dict[str, Any]]:
        mask = Mask(self.records, {"*": "relay"})
        return [observed(one) for record in self.records if (one := mask.masked(record))]


def test_letters_go_on_after_z() -> None:
    told = [letter(number) for number in (0, 25, 26, 51, 52, 701, 702)]
    assert told == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_a_letter_stays_whatever_comes_later_and_needs_no_events() -> None:
    journal = Journal()
    journal.joined("Zoë")
    journal.event("order_placed", "curl")
    journal.joined("ben")
    early = letters(journal.records)
    presence = [record for record in journal.records if record.kind in PRESENCE_KINDS]
    journal.joined("BEN")
    journal.joined("anna")
    assert letters(presence) == {"zoë": "A", "ben": "B"}
    assert early == {"zoë": "A", "ben": "B", "curl": "C"}
    assert letters(journal.records) == {"zoë": "A", "ben": "B", "anna": "C", "curl": "D"}


def test_what_is_not_known_to_be_harmless_is_left_out() -> None:
    journal = Journal()
    journal.joined("carl")
    journal.event("order_placed", "carl", id=48211, item="espresso", quantity=2, note="hi, it's me")
    journal.event(
        "order_placed", "carl", id="carl's", item="carl's tea", quantity="lots", x={"y": 1}
    )
    journal.event("carls_type", "carl", id=48211, customer="nobody I know", event="carl")
    [_, first, second, third] = journal.masked()
    assert first["event"] == {
        "id": "e1",
        "type": "order_placed",
        "source": "A",
        "data": {"id": 1, "item": "espresso", "quantity": 2},
    }
    assert second["event"]["data"] == {"id": "?2", "item": "?", "quantity": "?"}
    assert third["event"]["type"] == "other_1"
    assert third["event"]["data"] == {"id": 1, "customer": "?", "event": "?"}
    assert "carl" not in json.dumps(journal.masked()).lower()
    assert [one["at"] for one in journal.masked()] == [0, 1200, 2500, 3700]


def test_an_answer_still_answers_the_same_order() -> None:
    journal = Journal()
    journal.joined("carl")
    placed = journal.event("order_placed", "carl", id=7)
    named = {"customer": "Carl", "event": id_text(placed.key).upper()}
    journal.event("order_rejected", "bob", id=7.0, **named, reason="my own", message="carl!")
    [_, first, answer] = journal.masked()
    assert answer["event"]["data"] == {
        "id": first["event"]["data"]["id"],
        "customer": "A",
        "event": first["event"]["id"],
        "reason": "other",
    }


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("its connection was lost", "its connection was lost"),
        ("the lease of carl ran out", "the lease of B ran out"),
        ("carl gave it back", "B gave it back"),
        ("anna is in love with carl", "B gave it back"),
    ],
)
def test_why_an_event_came_back_is_told_in_the_brokers_own_words(said: str, told: str) -> None:
    journal = Journal()
    journal.joined("anna")
    journal.joined("carl", "order_placed", ack="manual")
    placed = journal.event("order_placed", "anna", "queue", id=1)
    journal.said(Kind.HANDED, placed, name="carl", attempt=1, lease=30)
    journal.said(Kind.RELEASED, placed, name="carl", reason=said)
    journal.said(Kind.DEAD, placed, attempts=5, reason=said)
    *_, released, dead = journal.masked()
    assert (released["reason"], dead["reason"]) == (told, told)


def test_the_masked_lesson_is_explained_as_the_real_one() -> None:
    """Invented patterns still want the same types; one that only listens does not work."""
    journal = Journal()
    journal.joined("anna", "chat", "order_confirmed")
    journal.joined("ben", "ch*", "order_*")
    journal.joined("carl", "o*", ack="manual")
    journal.joined("dora", "order_p*")
    journal.event("chat", "anna", "pubsub", text="hi")
    journal.event("chatter", "ben", "pubsub")
    placed = journal.event("order_placed", "anna", "queue", id=1)
    journal.said(Kind.HANDED, placed, name="carl", attempt=1, lease=30)
    journal.said(Kind.LEFT, name="ben", last=placed.position)
    mask = Mask(journal.records, {"*": "pubsub", "order_placed": "queue"})
    masked = [one for record in journal.records if (one := mask.masked(record))]
    names = {
        "anna": "A",
        "ben": "B",
        "carl": "C",
        "dora": "D",
        "chatter": "other_2",
        "chat": "other_1",
    }

    def told(records: list[Record]) -> list[list[tuple[str, bool, str]]]:
        events = [record for record in records if record.kind is EVENT]
        controls = [record for record in records if record.kind is not EVENT]
        return [[(r.name, r.received, r.why) for r in explain(e, controls)] for e in events]

    def changed(text: str) -> str:
        return re.sub("|".join(names), lambda found: names[found[0]], text)

    expected = [
        [(changed(n), r, changed(why)) for n, r, why in one] for one in told(journal.records)
    ]
    assert told(masked) == expected
    assert [sum(received for _, received, _ in one) for one in expected] == [2, 1, 1]
    assert expected[2][3][2].startswith("Only listens")


async def test_records_of_other_kinds_are_not_told() -> None:
    journal = Journal()
    journal.joined("anna")
    journal.event("order_placed", "anna", id=1)
    journal.said(Kind.MUTED, name="anna", marks=["secret-mark"], lifted=False)
    journal.add(Record(room="main", kind="answered", at=0, body=b'{"voters":["secret-voter"]}'))
    for mask in (None, Mask(journal.records, {"*": "relay"})):
        text = "".join(
            [part async for part in recording({"names": not mask}, journal.records, mask)]
        )
        assert [one["kind"] for one in json.loads(text)["records"]] == ["joined", "event"]
        assert "secret" not in text


def test_no_text_ends_the_script_that_it_stands_in() -> None:
    hostile = "</script><!--\u2028\u202e\ud800<script>&amp;"
    text = script_text({hostile: hostile})
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == {hostile: hostile}


# ── one file ────────────────────────────────────────────────────────────────────────────────────


def test_modules_become_one_script_that_does_the_same() -> None:
    files = {
        "a.js": "import { two as second, f } from './sub/b.js';\nimport * as c from './c.js';\n"
        "import './c.js';\n/** a comment: import { x } from './no.js' */\n"
        "import('./sub/late.js').then(({ late }) => console.log(f(second), c.three, late));\n",
        "sub/b.js": "import{three as t}from'../c.js';export{u as two};\n"
        "const u = t - 1;\nexport async function* g() {}\n"
        "export function f(x) { return x * 10; }\n",
        "c.js": "export const three = 3;\nexport class C {}\n",
        "sub/late.js": "// only then\nexport const late = 'late';\n",
    }
    script = bundle("a.js", lambda path: files[path].encode())
    assert "comment" not in script
    assert "only then" not in script
    ran = subprocess.run(
        [NODE, "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "20 3 late\n"


@pytest.mark.parametrize("code", ["const x = '</script>';", "const x = '<!--';"])
def test_a_module_that_would_end_its_script_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="end the script"):
        bundle("a.js", lambda _: code.encode())


def test_modules_that_import_each_other_are_refused() -> None:
    files = {"a.js": "import './b.js';", "b.js": "import './a.js';"}
    with pytest.raises(ValueError, match="imports itself"):
        bundle("a.js", lambda path: files[path].encode())


def test_the_file_names_nothing_outside_itself() -> None:
    page = (
        '<meta charset="utf-8"><link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/static/ui/tokens.css">'
        '<script type="module" src="/static/takehome/page.js"></script>'
    )
    whole = inlined(page, read)
    assert not re.findall(
        r"""(?:src|href)=["']?/|url\("?/|\bimport\s*[({"'*]|sourceMappingURL""", whole
    )
    assert whole.count("@license") >= 2, "what others made keeps its licence"
    assert "connect-src" not in whole
    assert "default-src 'none'" in whole

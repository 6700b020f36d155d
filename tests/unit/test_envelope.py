"""The envelope: what is stamped, what is kept, and every reason to refuse a text."""

import json
from typing import Any

import pytest

from orders.domain.envelope import (
    Event,
    check_name,
    folded,
    id_text,
    is_name,
    is_room,
    is_uuid,
)
from orders.domain.mistakes import MAX_DEPTH
from orders.errors import Refused

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"
WHOLE = {"id": ID, "type": "order_placed", "created": "1676554735324", "source": "alice"}


def text(**changes: object) -> str:
    """The JSON of a whole event, but for these fields."""
    return json.dumps({**WHOLE, "data": {"id": 5}, **changes})


def without(field: str) -> str:
    event = json.loads(text())
    del event[field]
    return json.dumps(event)


def saying(value: str, field: str = "data") -> str:
    """An event with this JSON text somewhere within: in its data, or in a further attribute."""
    data = f'{{"n": {value}}}' if field == "data" else "{}"
    return f'{{"type": "order_placed", "data": {data}, "more": {value}}}'


def nested(levels: int) -> str:
    """A text nested this deep, all in all."""
    lists = levels - 2  # the event and its data
    return '{"type": "a", "data": {"n": ' + "[" * lists + "]" * lists + "}}"


#: what is wrong: (text, code, a word of the sentence)
REFUSED: dict[str, tuple[str | bytes, str, str]] = {
    "no JSON": ("Hello Server!", "malformed_json", "an event is one object"),
    "nothing": ("", "malformed_json", "such as"),
    "cut off": (text()[:-1], "malformed_json", "ends too early"),
    "two events": (text() + text(), "malformed_json", "second event"),
    "a comma too many": ('{"type": "a", "data": {},}', "malformed_json", "A comma too many"),
    "a comment": ('{"type": "a", "data": {}} // hm', "malformed_json", "A comment"),
    "a byte order mark": ("\ufeff" + text(), "malformed_json", "byte order mark"),
    "a raw control character": (
        '{"type": "a", "data": {"n": "\n"}}',
        "malformed_json",
        "line break",
    ),
    "bytes that are no UTF-8": (b'{"type": "a", "data": {"n": "\xff"}}', "malformed_json", "JSON"),
    "a list": ("[]", "not_an_object", "not an object"),
    "a text": ('"order_placed"', "not_an_object", "one object"),
    "null": ("null", "not_an_object", "one object"),
    "no type": (without("type"), "missing_type", "past tense"),
    "no data": (without("data"), "missing_data", "JSON object"),
    "type null": (text(type=None), "wrong_type", "null"),
    "type a number": (text(type=5), "wrong_type", "lower-case words"),
    "type empty": (text(type=""), "wrong_type", "lower-case words"),
    "type with capitals": (text(type="OrderPlaced"), "wrong_type", "OrderPlaced"),
    "type with an empty part": (text(type="order..placed"), "wrong_type", "lower-case"),
    "type ending in a dot": (text(type="order."), "wrong_type", "lower-case"),
    "type beginning with a digit": (text(type="2nd"), "wrong_type", "lower-case"),
    "type with a newline": (text(type="order_placed\n"), "wrong_type", "lower-case"),
    "type too long": (text(type="a" * 65), "wrong_type", "64 characters"),
    "data null": (text(data=None), "wrong_data", "JSON object"),
    "data a list": (text(data=[1]), "wrong_data", "[1]"),
    "data a text": (text(data="5"), "wrong_data", "JSON object"),
    "id null": (text(id=None), "wrong_id", "be left out"),
    "id a number": (text(id=5), "wrong_id", "UUID"),
    "id empty": (text(id=""), "wrong_id", "UUID"),
    "id without hyphens": (text(id=ID.replace("-", "")), "wrong_id", "UUID"),
    "id in braces": (text(id=f"{{{ID}}}"), "wrong_id", "UUID"),
    "id with a newline": (text(id=ID + "\n"), "wrong_id", "UUID"),
    "id in other digits": (text(id=ID[:-1] + "３"), "wrong_id", "UUID"),
    "created null": (text(created=None), "wrong_created", "string of milliseconds"),
    "created a number": (text(created=1676554735324), "wrong_created", "is a number"),
    "created a fraction": (text(created=1.5), "wrong_created", "is a number"),
    "created true": (text(created=True), "wrong_created", "true"),
    "created a date": (text(created="2023-02-16"), "wrong_created", '"1676554735324"'),
    "created negative": (text(created="-1"), "wrong_created", "string of milliseconds"),
    "created in other digits": (text(created="١٢٣"), "wrong_created", "string of milliseconds"),
    "source null": (text(source=None), "wrong_source", "letters"),
    "source empty": (text(source=""), "wrong_source", "letters"),
    "source too long": (text(source="a" * 33), "wrong_source", "1–32"),
    "source with a space": (text(source="two words"), "wrong_source", "two words"),
    "source with a sign": (text(source="Zoë!"), "wrong_source", "Zoë!"),
    "source of dots": (text(source=".."), "wrong_source", "letters"),
    "source too long once composed": (text(source="\ufb2c" * 32), "wrong_source", "1–32"),
    "NaN": (saying("NaN"), "wrong_number", "not finite"),
    "Infinity": (saying("-Infinity"), "wrong_number", "not finite"),
    "beyond all floats": (saying("1e400"), "wrong_number", "not finite"),
    "beyond 2^53": (saying("9007199254740993"), "wrong_number", "2^53"),
    "below -2^53": (saying("-9007199254740993"), "wrong_number", "2^53"),
    "beyond 2^53, a float": (saying("1E16"), "wrong_number", "as a string"),
    "beyond 2^53, shifted": (saying("9.1e+15"), "wrong_number", "as a string"),
    "beyond 2^53, outside data": (saying("9007199254740993", "more"), "wrong_number", "2^53"),
    "as many digits as one reads": (saying("1" * 4300), "wrong_number", "2^53"),
    "more digits than one reads": (saying("1" * 4301), "wrong_number", "too large"),
    "too many values": (saying("[" + "0," * 996 + "0]", "more"), "too_many_values", "1,001"),
    "too many empty lists": (saying("[" + "[]," * 996 + "[]]", "more"), "too_many_values", "1,0"),
    "half a character": (saying('"\\ud800"'), "wrong_text", "surrogate"),
    "half a character, outside data": (saying('"\\udfff"', "more"), "wrong_text", "surrogate"),
    "half a character as a key": (saying('{"\\ud800": 1}'), "wrong_text", "surrogate"),
    "U+0000": (saying('"a\\u0000b"'), "wrong_text", "U+0000"),
    "U+0000 as a key": (saying('{"\\u0000": 1}'), "wrong_text", "U+0000"),
    "U+0000 outside data": (saying('"\\u0000"', "more"), "wrong_text", "U+0000"),
    "a level too deep": (nested(MAX_DEPTH + 1), "too_deep", "32 levels"),
    "a level too deep, outside data": (
        '{"type": "a", "data": {}, "more": ' + "[" * 32 + "]" * 32 + "}",
        "too_deep",
        "flatten",
    ),
    "deeper than a parser goes": (nested(900), "too_deep", "32 levels"),
    "deeper than anyone counts": (nested(30_000), "too_many_values", "far too many"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_text_is_refused_with_a_code_and_a_sentence(name: str) -> None:
    sent, code, word = REFUSED[name]
    with pytest.raises(Refused) as refused:
        Event.parse(sent)
    assert refused.value.code == code
    assert word in refused.value.message
    assert len(refused.value.message) < 300


TAKEN = {
    "five fields": text(),
    "capitals in the id": text(id=ID.upper()),
    "dots in the type": text(type="shop.order_2.placed"),
    "the longest type": text(type="a" * 64),
    "the longest name": text(source="a.B-c_9".ljust(32, "x")),
    "a name in other letters": text(source="Zoë-Jürgen_Łu.ć２"),
    "a name in another script": text(source="สมชาย"),
    "the beginning of time": text(created="0"),
    "2^53": saying("9007199254740992"),
    "-2^53": saying("-9007199254740992"),
    "many digits after the point": saying("0.12345678901234567"),
    "many digits in a text": saying('"12345678901234567890"'),
    "a text that only talks about it": saying('"NaN \\\\u0000 1e400"'),
    "a whole character in halves": saying('"\\ud83d\\ude00"'),
    "as deep as may be": nested(MAX_DEPTH),
    "many brackets side by side": saying("[" + "[]," * 40 + "[]]"),
    "as many values as may be": saying("[" + "0," * 995 + "0]", "more"),
    "many commas in a text": saying('"' + ",[" * 2000 + '"'),
    "bytes": text(),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_good_text_is_taken_and_written_again_with_the_same_values(name: str) -> None:
    sent = TAKEN[name]
    event = Event.parse(sent.encode() if name == "bytes" else sent)
    sealed = event.seal(lambda: ID, 1, "bob")
    stamps = {"id": ID, "created": "1", "source": "bob"}
    assert json.loads(event.to_json()) == {**stamps, **json.loads(sent)}
    assert sealed == (event.to_json(), event.key)


def test_what_is_missing_is_stamped_and_nothing_else_changes() -> None:
    event = Event.parse('{"type": "order_placed", "data": {"id": 5}}')
    assert (event.id, event.created, event.source) == ("", "", "")
    text, key = event.seal(lambda: ID, 17, "alice")
    assert key.hex() == ID.replace("-", "")
    assert json.loads(text) == {
        "id": ID,
        "type": "order_placed",
        "created": "17",
        "source": "alice",
        "data": {"id": 5},
    }


def test_what_was_sent_is_not_stamped_over() -> None:
    event = Event.parse(text())
    before = event.to_json()
    assert event.seal(lambda: "x", 0, "z")[0] == before


def test_an_event_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Event.parse(text()).type = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "name", ["traceparent", "key", "model_config", "__dict__", "__pydantic_extra__", "", "\u202e"]
)
def test_further_attributes_are_kept_whatever_they_are_called(name: str) -> None:
    event = Event.parse(text(**{name: {"deep": [1, None]}}))
    assert json.loads(event.to_json()) == json.loads(text(**{name: {"deep": [1, None]}}))
    assert event.key.hex() == ID.replace("-", "")


def test_an_attempt_that_a_sender_writes_is_dropped_but_not_one_within_data() -> None:
    event = json.loads(Event.parse(text(attempt=7, data={"attempt": 7})).to_json())
    assert "attempt" not in event
    assert event["data"] == {"attempt": 7}


def test_of_duplicate_keys_the_last_counts_everywhere() -> None:
    event = Event.parse(
        '{"type": "WRONG", "type": "a", "data": [], "data": {"n": 1, "n": 2}, "x": 1, "x": 2}'
    )
    written = json.loads(event.to_json())
    assert (written["type"], written["data"], written["x"]) == ("a", {"n": 2}, 2)
    with pytest.raises(Refused, match="`type` is"):
        Event.parse('{"type": "a", "type": "WRONG", "data": {}}')


def test_an_event_is_known_by_16_bytes_however_its_id_is_spelled() -> None:
    lower, upper = Event.parse(text()), Event.parse(text(id=ID.upper()))
    assert lower.key == upper.key
    assert id_text(lower.key) == ID


#: Whether an event with these changes is the whole one once more.
SAME: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"created": "1"}, True),
    ({"id": ID.upper()}, True),
    ({"traceparent": "00"}, True),
    ({"source": "bob"}, False),
    ({"type": "order_confirmed"}, False),
    ({"data": {"id": 6}}, False),
    ({"data": {"id": "5"}}, False),
    ({"data": {"id": True}}, False),
    ({"data": {"id": 5, "note": None}}, False),
]


@pytest.mark.parametrize(("changes", "same"), SAME)
def test_the_same_event_again_has_the_same_sender_type_and_data(
    changes: dict[str, Any], same: bool
) -> None:
    assert Event.parse(text(**changes)).says_the_same(Event.parse(text())) is same


def test_true_is_not_one_and_the_order_of_keys_does_not_matter() -> None:
    def saying(data: str) -> Event:
        return Event.parse(f'{{"type": "a", "data": {data}}}')

    assert not saying('{"n": 1}').says_the_same(saying('{"n": true}'))
    assert not saying('{"n": [0]}').says_the_same(saying('{"n": [false]}'))
    assert saying('{"a": 1, "b": {"c": 2, "d": 3}}').says_the_same(
        saying('{"b": {"d": 3, "c": 2}, "a": 1}')
    )


def test_names_rooms_and_ids_are_told_from_what_only_begins_like_them() -> None:
    assert is_name("a.B-c_9")
    assert not is_name("alice\n")
    assert not is_name("")
    assert not is_name("...")
    assert is_room("class-7")
    assert not is_room("Class-7")
    assert not is_room("class-7\n")
    assert is_uuid(ID)
    assert not is_uuid(ID + "\n")


NAMES = {
    "Zoë": True,
    "Łucja": True,
    "岸本": True,
    "นที": True,  # with a mark
    "२": True,
    ".hidden": True,
    "-": True,
    "a" * 32: True,
    "a" * 33: False,
    "two words": False,
    "a/b": False,
    "a\u200bb": False,
    "\ud800": False,
    "☕": False,
    "½": False,
    "Zoe\u0308": False,  # for its one spelling is Zoë
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_of_letters_marks_and_digits_of_any_language(name: str) -> None:
    assert is_name(name) is NAMES[name]


def test_a_source_has_one_spelling_however_it_was_typed() -> None:
    assert Event.parse(text(source="Zoe\u0308")).source == "Zo\u00eb"
    assert folded("ZOE\u0308") == folded("zoë")


@pytest.mark.parametrize("name", ["broker", "Broker", "host", "TEACHER"])
def test_a_reserved_name_is_the_hosts_and_brokers_nobodys(name: str) -> None:
    with pytest.raises(Refused) as refused:
        check_name(name)
    assert refused.value.code == "name_reserved"
    if folded(name) != "broker":
        check_name(name, is_host=True)
    check_name("hostess")

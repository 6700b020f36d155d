"""The AsyncAPI document: valid by the standard's own schema, and true to the models."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError, validators
from pydantic import Field, TypeAdapter

from orders.broker.messages import COMMANDS, NOTICE_CODES, SERVER_EVENTS, Accepted, Error, say
from orders.broker.records import Kind, Record, control
from orders.errors import CODES
from orders.settings import Settings
from orders.web.asyncapi import ORDER_EVENTS, document
from orders.web.asyncapi_feed import KINDS, MESSAGES
from orders.web.connect_options import ConnectOptions
from orders.web.observe import observed

SCHEMA = Path(__file__).parents[1] / "data" / "asyncapi" / "schema-3.1.0.json"
FEED = {message["title"] for message in MESSAGES.values()}
ALICE: dict[str, Any] = {
    "id": "69688550-5be2-41e4-a057-b9da2d59eb03",
    "type": "order_placed",
    "created": "1676554735324",
    "source": "alice",
    "data": {"id": 5},
}


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return document(Settings(), "localhost:8080")


def matches(_: Any, pattern: str, value: object, __: Any) -> Iterator[ValidationError]:
    """`pattern`, with classes such as \\p{L} as JSON Schema has them: Python's `re` has none."""
    if isinstance(value, str):
        text = TypeAdapter(Annotated[str, Field(pattern=pattern)]).validator
        if not text.isinstance_python(value):
            yield ValidationError(f"{value!r} does not match {pattern!r}")


Validator = validators.extend(Draft202012Validator, {"pattern": matches})  # type: ignore[no-untyped-call]


def validator_of(api: dict[str, Any], type: str) -> Any:
    """Validates what is sent as this type, as a tool that reads the document would."""
    reference = f"#/components/messages/{type}/payload"
    return Validator({"$ref": reference, "components": api["components"]})


def test_it_is_valid_asyncapi_3_1(api: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    errors = [
        e.message[:200] for e in Draft7Validator(schema).iter_errors(json.loads(json.dumps(api)))
    ]
    assert errors == []


def test_the_schema_does_refuse_what_is_not_asyncapi(api: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    operations = {"hear": {**api["operations"]["hear"], "action": "shout"}}
    assert not Draft7Validator(schema).is_valid({**api, "operations": operations})


def test_every_event_type_is_in_it(api: dict[str, Any]) -> None:
    assert set(api["components"]["messages"]) == {
        *ORDER_EVENTS,
        *SERVER_EVENTS,
        *COMMANDS,
        *MESSAGES,
    }
    used = {
        message["$ref"].rpartition("/")[2]
        for operation in api["operations"].values()
        for message in operation["messages"]
    }
    assert used == set(api["components"]["messages"])


def test_no_reference_in_it_leads_nowhere(api: dict[str, Any]) -> None:
    references = find_references(api)
    assert len(references) > 20
    for reference in references:
        place: Any = api
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_each_message_and_its_data_have_a_title_of_their_own_by_which_code_is_named(
    api: dict[str, Any],
) -> None:
    schemas = api["components"]["schemas"]
    assert {name: schema["title"] for name, schema in schemas.items()} == {
        name: name for name in schemas
    }
    titles = [message["title"] for message in api["components"]["messages"].values()]
    assert len(titles) == len(set(titles))
    assert {"OrderPlaced", "BrokerWelcome", "BrokerAck"} <= set(titles) <= {*schemas, *FEED}
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", title) for title in [*titles, *schemas])
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", name) for name in api["operations"])


def test_each_code_and_the_attempt_stand_in_it(api: dict[str, Any]) -> None:
    schemas = api["components"]["schemas"]
    assert schemas["BrokerErrorData"]["properties"]["code"]["enum"] == list(CODES)
    assert schemas["BrokerNoticeData"]["properties"]["code"]["enum"] == list(NOTICE_CODES)
    order = validator_of(api, "order_placed")
    assert order.is_valid({**ALICE, "attempt": 2})
    assert not order.is_valid({**ALICE, "attempt": 0})
    said = json.loads(say(Error(code="not_held", message="…"), now=1, id=ALICE["id"]))
    assert validator_of(api, "broker.error").is_valid(said)
    said["data"]["code"] = "unheard_of"
    assert not validator_of(api, "broker.error").is_valid(said)


def test_its_query_is_the_one_that_is_read(api: dict[str, Any]) -> None:
    query = api["channels"]["room"]["bindings"]["ws"]["query"]["properties"]
    assert set(query) == set(ConnectOptions.model_fields)
    assert query["prefetch"]["maximum"] == 100
    assert query["ack"]["enum"] == ["auto", "manual"]
    assert all(parameter["type"] for parameter in query.values())


def test_a_command_needs_only_its_type_and_data(api: dict[str, Any]) -> None:
    ack = {"type": "broker.ack", "data": {"event": ALICE["id"]}}
    assert validator_of(api, "broker.ack").is_valid(ack)
    assert not validator_of(api, "broker.ack").is_valid({**ack, "data": {}})


def test_it_admits_the_order_of_the_lesson_and_not_one_with_a_number_for_created(
    api: dict[str, Any],
) -> None:
    validator = validator_of(api, "order_placed")
    assert validator.is_valid(ALICE)
    assert not validator.is_valid({**ALICE, "created": 1676554735324})
    assert not validator.is_valid({**ALICE, "data": {"id": 0}})


def test_what_the_broker_says_is_what_it_documents(api: dict[str, Any]) -> None:
    said = json.loads(say(Accepted(event=ALICE["id"]), now=1676554735324, id=ALICE["id"]))
    assert validator_of(api, "broker.accepted").is_valid(said)
    assert not validator_of(api, "broker.error").is_valid(said)


#: A record of each kind, as the broker writes it.
DONE: dict[Kind, dict[str, Any]] = {
    Kind.JOINED: {
        "name": "bob",
        "types": ["*"],
        "ack": "auto",
        "echo": True,
        "after": 7,
        "was": None,
    },
    Kind.LEFT: {"name": None},
    Kind.SUBSCRIBED: {"name": "bob", "types": ["tea"]},
    Kind.MODES: {"modes": {"*": "queue"}},
    Kind.PAUSED: {"paused": True},
    Kind.STEPPED: {"event": ALICE["id"]},
    Kind.HANDED: {"event": ALICE["id"], "name": "bob", "attempt": 1, "lease": None},
    Kind.SETTLED: {"event": ALICE["id"], "name": "bob"},
    Kind.RELEASED: {"event": ALICE["id"], "name": "bob", "reason": "busy"},
    Kind.DEAD: {"event": ALICE["id"], "attempts": 5, "reason": "busy"},
    Kind.RETRIED: {"event": ALICE["id"]},
    Kind.DISCARDED: {"event": ALICE["id"]},
    Kind.MUTED: {"name": "bob", "marks": [], "lifted": False},
    Kind.KICKED: {"name": "bob", "marks": [], "lifted": True},
    Kind.LOCKED: {"locked": True, "admitted": []},
    Kind.LEASED: {"lease": 5.0},
    Kind.ASKED: {
        "question": ALICE["id"],
        "asks": "receivers",
        "text": "Who receives the next event?",
        "choices": [{"choice": "nobody", "text": "Nobody"}],
        "round": 1,
        "event": None,
        "order": None,
        "last": 7,
        "held": True,
        "secret": "00",
    },
    Kind.ANSWERED: {
        "question": ALICE["id"],
        "round": 1,
        "choice": "nobody",
        "voters": ["00"],
    },
    Kind.CLOSED: {"question": ALICE["id"], "round": 1},
    Kind.REVEALED: {
        "question": ALICE["id"],
        "text": "Who receives the next event?",
        "event": ALICE["id"],
        "truth": "nobody",
        "why": "Nobody received it.",
        "so_far": False,
        "votes": [{"nobody": 3}],
    },
    Kind.EXERCISE: {"name": "bob", "marks": []},
    Kind.VERDICT: {
        "stage": 1,
        "verdict": "passed",
        "seed": 7,
        "check": ALICE["id"],
        "failure": None,
        "reason": None,
        "event": None,
    },
    Kind.FAULT: {
        "id": ALICE["id"],
        "name": "bob",
        "fault": "lose_ack",
        "seconds": None,
        "step": "happened",
        "event": ALICE["id"],
        "words": "its ack was lost on the way",
    },
}


def test_what_an_observer_hears_is_what_it_documents_kind_by_kind(api: dict[str, Any]) -> None:
    assert set(Kind) <= set(KINDS)
    batch = validator_of(api, "records")
    event = Record(
        room="main", kind=Kind.EVENT, at=1000, body=json.dumps(ALICE).encode(), mode="relay"
    )
    records = [event, *(control("main", kind, 1000, **data) for kind, data in DONE.items())]
    records.append(control("main", Kind.RELEASED, 1000, **DONE[Kind.RELEASED], attempt=0))
    assert {record.kind for record in records} == set(Kind) - {Kind.RESET}
    for record in records:
        heard = {"records": [observed(record)], "skipped": 0}
        assert batch.is_valid(heard), list(batch.iter_errors(heard))
        del heard["records"][0]["kind"]  # type: ignore[index]
        assert not batch.is_valid(heard)


def find_references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for inner in value.values() for r in find_references(inner)]
    if isinstance(value, list):
        return [r for inner in value for r in find_references(inner)]
    return []

"""The AsyncAPI document: valid by the standard's own schema, and true to the models."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from orders.broker.messages import COMMANDS, SERVER_EVENTS, Accepted, say
from orders.broker.records import Kind, Record, control
from orders.settings import Settings
from orders.web.asyncapi import ORDER_EVENTS, document
from orders.web.asyncapi_feed import KINDS, MESSAGES
from orders.web.observe import told

SCHEMA = Path(__file__).parents[1] / "data" / "asyncapi" / "schema-3.0.0.json"
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


def validator_of(api: dict[str, Any], type: str) -> Draft202012Validator:
    """Validates what is sent as this type, as a tool that reads the document would."""
    reference = f"#/components/messages/{type}/payload"
    return Draft202012Validator({"$ref": reference, "components": api["components"]})


def test_it_is_valid_asyncapi_3(api: dict[str, Any]) -> None:
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
}


def test_what_an_observer_hears_is_what_it_documents_kind_by_kind(api: dict[str, Any]) -> None:
    assert set(Kind) <= set(KINDS)
    batch = validator_of(api, "records")
    event = Record("main", Kind.EVENT, 1000, json.dumps(ALICE).encode(), mode="relay")
    records = [event, *(control("main", kind, 1000, **data) for kind, data in DONE.items())]
    assert {record.kind for record in records} == set(Kind) - {Kind.RESET}
    for record in records:
        heard = {"records": [told(record)], "skipped": 0}
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

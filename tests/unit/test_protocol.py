"""One message, and the five frozen kinds of what it means; nothing but the allowance changes."""

import dataclasses
import json
from typing import Any

import pytest

from orders.broker.limits import Allowance, Limits
from orders.broker.messages import Ack, Error, Nack
from orders.broker.participants import Life, Participant
from orders.broker.protocol import Protocol, Publish, Subscription
from orders.broker.room import Room
from orders.broker.room_state import RoomState
from tests.transports import Transport

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"
NEW = "00000000-0000-7000-8000-000000000001"

MEANINGS: list[tuple[str, dict[str, Any], type, dict[str, Any]]] = [
    ("tea", {}, Publish, {"name": None}),
    ("tea", {"source": "guest-1"}, Publish, {"name": "guest-1"}),
    ("tea", {"source": "alice"}, Publish, {"name": "alice"}),
    ("broker.subscribe", {"data": {"types": ["tea"]}}, Subscription, {"types": {"tea"}}),
    ("broker.unsubscribe", {"data": {"types": ["*"]}}, Subscription, {"types": set()}),
    ("broker.ack", {"data": {"event": ID}}, Ack, {"event": ID}),
    ("broker.nack", {"data": {"event": ID, "reason": "busy"}}, Nack, {"reason": "busy"}),
    ("broker.other", {"id": ID}, Error, {"code": "unknown_command", "event": ID}),
    ("Tea", {"id": ID}, Error, {"event": ID}),
]
GIVEN = {"subscribe": {"types": ["tea"]}, "ack": {"event": ID}, "nack": {"event": ID}}
COMMANDS = [
    json.dumps({"type": f"broker.{command}", "data": data}) for command, data in GIVEN.items()
]


@pytest.fixture
def room() -> Room:
    return Room.at(RoomState("main"))


@pytest.fixture
def guest(room: Room) -> Participant:
    guest = Participant("main", "guest-1", Transport(), named=False, life=Life.LIVE)
    guest.allowance = Allowance(Limits())
    room.add(guest)
    room.listen(guest)
    return guest


def state_of(participant: Participant) -> dict[str, Any]:
    fields = {field.name for field in dataclasses.fields(participant)} - {"allowance"}
    return {name: getattr(participant, name) for name in fields}


@pytest.mark.parametrize(
    ("type", "more", "kind", "says"), MEANINGS, ids=lambda given: str(given)[:30]
)
def test_a_message_means_one_of_five_kinds_and_changes_nothing(
    room: Room, guest: Participant, type: str, more: Any, kind: type, says: Any
) -> None:
    before = state_of(guest), list(room.participants), list(room.audiences)
    text = json.dumps({"type": type, "data": {}} | more)
    received = Protocol(lambda: NEW).receive(room, guest, text, 1234, 0.0)
    assert isinstance(received, kind)
    assert {name: getattr(received, name) for name in says} == says
    assert (state_of(guest), list(room.participants), list(room.audiences)) == before


@pytest.mark.parametrize("text", [b"x", '{"type":"tea","data":{}}', *COMMANDS])
def test_what_a_message_means_is_frozen(room: Room, guest: Participant, text: str | bytes) -> None:
    received = Protocol(lambda: NEW).receive(room, guest, text, 0, 0.0)
    fields = {"types", "record", "event", "code"}
    for name in fields & set(dir(received)):
        with pytest.raises((AttributeError, ValueError)):
            setattr(received, name, "other")


def test_an_event_is_stamped_for_the_journal_under_the_mode_of_its_type(
    room: Room, guest: Participant
) -> None:
    room.state.modes = {"*": "pubsub", "tea": "queue"}
    received = Protocol(lambda: NEW).receive(room, guest, '{"type":"tea","data":{}}', 1234, 0.0)
    assert isinstance(received, Publish)
    record = received.record
    assert (record.room, record.kind, record.at, record.mode) == ("main", "event", 1234, "queue")
    assert (record.type, record.source, record.key.hex()) == (
        "tea",
        "guest-1",
        NEW.replace("-", ""),
    )
    assert json.loads(record.body) == {
        "id": NEW, "type": "tea", "source": "guest-1", "created": "1234", "data": {},
    }  # fmt: skip


def test_a_message_that_is_too_much_is_refused_unread(room: Room, guest: Participant) -> None:
    guest.allowance = Allowance(Limits(burst_bytes=10))
    received = Protocol(lambda: NEW).receive(room, guest, json.dumps({"id": ID}), 0, 0.0)
    assert received == Error(
        code="rate_limited", message=getattr(received, "message", ""), event=None
    )

"""Who was in the room at some place of its journal."""

from typing import Any

from orders.broker.records import Kind, Record, control
from orders.broker.room_state import presence, state_at


def history(*happened: tuple[Kind, dict[str, Any]]) -> list[Record]:
    """Control records at the positions 1, 2, 3, …"""
    records = [control("main", kind, 1000, **data) for kind, data in happened]
    for position, record in enumerate(records, 1):
        record.position = position
    return records


def joined(name: str, *types: str) -> tuple[Kind, dict[str, Any]]:
    wanted = list(types or "*")
    return Kind.JOINED, {
        "name": name, "types": wanted, "ack": "auto", "echo": True, "after": None, "was": None
    }  # fmt: skip


HISTORY = history(
    joined("alice"),
    joined("bob", "order_placed"),
    (Kind.SUBSCRIBED, {"name": "bob", "types": ["tea"]}),
    (Kind.PAUSED, {"paused": True}),
    (Kind.LEFT, {"name": "alice", "last": 4}),
    (Kind.LEFT, {"name": None}),
    joined("carol"),
)


def standing(records: list[Record], position: int) -> dict[str, Any]:
    return presence(state_at("main", records, position))


def names(position: int) -> list[str]:
    return [one["name"] for one in standing(HISTORY, position)["participants"]]


def test_who_was_there_follows_from_who_came_and_went_until_then() -> None:
    assert [names(position) for position in range(8)] == [
        [], ["alice"], ["alice", "bob"], ["alice", "bob"], ["alice", "bob"], ["bob"], [], ["carol"],
    ]  # fmt: skip


def test_a_subscription_counts_from_when_it_was_made() -> None:
    wanted = [standing(HISTORY, at)["participants"][1]["types"] for at in (2, 3)]
    assert wanted == [["order_placed"], ["tea"]]


def test_whether_it_was_paused_is_said() -> None:
    assert [standing(HISTORY, at)["paused"] for at in (3, 4, 7)] == [False, True, True]

"""A node that begins where a snapshot stands stands where one that folds the whole log does."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orders.broker.records import Kind, Record, control
from orders.broker.room_state import RoomState
from orders.domain.envelope import Event
from tests.nats_servers import Nats, required
from tests.transports import Nobody
from tests.wire import until

if TYPE_CHECKING:
    from orders.journal.nats import NatsEngine

EVENTS = 700  # more than make a node that leaves a room keep a snapshot


def said(type: str, number: int, mode: str = "relay") -> Record:
    event = Event(id=str(uuid.uuid4()), type=type, created="1", source="alice", data={"id": number})
    return Record(
        room="main",
        kind=Kind.EVENT,
        at=1,
        body=event.to_json(),
        key=event.key,
        type=type,
        source="alice",
        mode=mode,
        event=event,
    )


def joined(name: str) -> Record:
    said: dict[str, Any] = {"types": ["*"], "ack": "auto", "echo": True, "after": None, "was": None}
    return control("main", Kind.JOINED, 1, name=name, marks=["m"], **said)


def about(event: Record, kind: Kind, **data: Any) -> Record:
    record = control("main", kind, 1, event=event.parsed().id, **data)
    record.key, record.about = event.key, event.position
    return record


async def opened(nats: Nats) -> tuple["NatsEngine", RoomState]:
    from orders.journal.nats import NatsEngine

    engine = NatsEngine([nats.url])
    engine.callbacks = Nobody()
    (state,) = await engine.open()
    return engine, state


async def follow(engine: "NatsEngine", state: RoomState, head: int) -> None:
    """Apply what arrives, as a node does, up to a position."""

    async def has_arrived() -> bool:
        for record in engine.arrived():
            state.apply(record)
        return state.head == head

    await until(has_arrived, "all that was stored has arrived")


def everything(engine: "NatsEngine", state: RoomState) -> dict[str, Any]:
    """All that follows from a room's records, and from which position on it was folded here."""
    from orders.journal.nats.snapshots import write_snapshot

    room = engine._rooms.here["main"]
    return {**write_snapshot(state, room.orders, engine.node), "began": room.saved}


async def test_a_node_begins_at_a_snapshot_and_stands_where_the_whole_log_would_put_it(
    tmp_path: Path,
) -> None:
    required()
    with Nats(tmp_path / "nats") as nats:
        first, state = await opened(nats)
        dead, held = said("work", 1, "queue"), said("work", 2, "queue")
        batch = [
            *(joined(name) for name in ("alice", "bob", "carol")),
            control("main", Kind.LEFT, 1, name="carol", last=1),
            control("main", Kind.MODES, 1, modes={}, changes={"tick": "pubsub", "*": "queue"}),
            control("main", Kind.MUTED, 1, name="bob", marks=["m"], lifted=False),
            dead,
            held,
            *(said("order_placed", number) for number in range(1, EVENTS)),
            control("main", Kind.PAUSED, 1, paused=True),
            said("order_confirmed", 7),
        ]
        await first.append(batch)
        steps = [
            about(dead, Kind.HANDED, name="bob", attempt=5, lease=1.0),
            about(dead, Kind.DEAD, attempts=5, reason="busy"),
            about(held, Kind.HANDED, name="bob", attempt=1, lease=1.0),
        ]
        await first.append(steps)
        await follow(first, state, len(batch) + len(steps))
        await first.leave(state)
        await first.close()

        second, state = await opened(nats)
        stood = everything(second, state)
        assert stood.pop("began") >= EVENTS, "it began at the snapshot"
        await second._rooms._snapshots._store.delete("ORDERS_main_1")
        await second.close()

        third, state = await opened(nats)
        folded = everything(third, state)
        assert folded.pop("began") == 0, "it folded the whole log"
        await third.close()
        assert folded == stood
        assert stood["state"]["paused"] is True
        assert stood["state"]["events"] == EVENTS + 2
        assert stood["rules"]["muted"] == {"bob": ["m"]}
        assert len(stood["orders"]) == EVENTS - 1
        assert [one["name"] for one in stood["members"]] == ["alice", "bob"]
        assert [(entry["state"], entry["last"]) for entry in stood["queue"]] == [
            ("dead", len(batch) + 2),
            ("held", len(batch) + 3),
        ]


async def test_a_snapshot_is_taken_of_what_the_node_has_though_more_has_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    required()
    monkeypatch.setattr("orders.journal.nats.rooms.EVERY", 1)
    with Nats(tmp_path / "nats") as nats:
        first, state = await opened(nats)
        await first.append([said("order_placed", 1)])
        await follow(first, state, 1)
        await first.append([said("order_placed", 2)])

        async def has_more() -> bool:
            return first._rooms.here["main"].head == 2

        await until(has_more, "the second has arrived, and waits to be taken")
        await first.keep(state)
        await first.close()
        second, state = await opened(nats)
        assert everything(second, state)["began"] == 1
        assert [order.id for order in await second.orders("main", None, 9)] == [1, 2]
        await second.close()

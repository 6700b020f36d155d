"""A node that begins where a snapshot stands stands where one that folds the whole log does."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orders.broker.records import Kind, Record, control
from orders.domain.envelope import Event
from tests.nats_servers import Nats, required
from tests.transports import Nobody
from tests.wire import until

if TYPE_CHECKING:
    from orders.journal.nats import NatsEngine

EVENTS = 700  # more than make a node that ends keep a snapshot


def said(type: str, number: int, mode: str = "relay") -> Record:
    event = Event(id=str(uuid.uuid4()), type=type, created="1", source="alice", data={"id": number})
    return Record(
        "main", Kind.EVENT, 1, event.to_json(), event.key, type, "alice", mode, event=event
    )


def joined(name: str) -> Record:
    return control(
        "main", Kind.JOINED, 1, name=name, types=["*"], ack="auto", echo=True, after=None, was=None
    )


def about(event: Record, kind: Kind, **data: Any) -> Record:
    record = control("main", kind, 1, event=event.parsed().id, **data)
    record.key, record.about = event.key, event.position
    return record


def leave_no_snapshot(engine: "NatsEngine") -> None:
    engine._rooms.here["main"].saved = 10**9


async def opened(nats: Nats) -> "NatsEngine":
    from orders.journal.nats import NatsEngine

    engine = NatsEngine([nats.url])
    engine.callbacks = Nobody()
    await engine.open()
    return engine


async def everything(engine: "NatsEngine") -> dict[str, Any]:
    """All that a room's records come to, and from which position on it was folded here."""
    room = engine._rooms.here["main"]
    return {**room.snapshot(), "began": room.saved}


async def test_a_node_begins_at_a_snapshot_and_stands_where_the_whole_log_would_put_it(
    tmp_path: Path,
) -> None:
    required()
    with Nats(tmp_path / "nats") as nats:
        teller, first = await opened(nats), await opened(nats)
        dead, held = said("work", 1, "queue"), said("work", 2, "queue")
        batch = [
            *(joined(name) for name in ("alice", "bob", "carol")),
            control("main", Kind.LEFT, 1, name="carol", last=1),
            control("main", Kind.MODES, 1, modes={}, changes={"tick": "pubsub", "*": "queue"}),
            dead,
            held,
            *(said("order_placed", number) for number in range(1, EVENTS)),
            control("main", Kind.PAUSED, 1, paused=True),
            said("order_confirmed", 7),
        ]
        await teller.append(batch)
        fates = [
            about(dead, Kind.HANDED, name="bob", attempt=5, lease=1.0),
            about(dead, Kind.DEAD, attempts=5, reason="busy"),
            about(held, Kind.HANDED, name="bob", attempt=1, lease=1.0),
        ]
        await teller.append(fates)

        async def has_arrived() -> bool:
            return first._rooms.here["main"].state.head == len(batch) + len(fates)

        await until(has_arrived, "all that was stored has arrived")
        leave_no_snapshot(teller)
        await teller.close()
        await first.close()

        second = await opened(nats)
        stood = await everything(second)
        assert stood.pop("began") >= EVENTS, "it began at the snapshot"
        await second._rooms.snapshots._store.delete("ORDERS_main_1")
        leave_no_snapshot(second)
        await second.close()

        third = await opened(nats)
        folded = await everything(third)
        assert folded.pop("began") == 0, "it folded the whole log"
        await third.close()
        assert folded == stood
        assert stood["state"]["paused"] is True
        assert stood["state"]["events"] == EVENTS + 2
        assert len(stood["orders"]) == EVENTS - 1
        assert len(stood["present"]) == 2
        assert [entry[4] for entry in stood["queue"]] == ["dead", "held"]

"""What streams, subjects and keys are called, and how a record is written into a stream."""

from orders.broker.records import Kind, Record

WORK = "ORDERS_WORK"
DEAD = "ORDERS_DEAD"
NODES = "orders-nodes"
PRESENCE = "orders-presence"
SESSIONS = "orders-sessions"
ROOMS = "orders-rooms"
SNAPSHOTS = "orders-snapshots"

#: Holds what a record is besides its text: kind, at, mode, type, source, about, node, number.
HEADER = "Orders-Record"
#: Publish only if this is the last sequence of the subject; 0: nothing is there.
EXPECTED = "Nats-Expected-Last-Subject-Sequence"

_PRESENCE = (Kind.JOINED, Kind.LEFT, Kind.SUBSCRIBED, Kind.PAUSED, Kind.STEPPED)


def stream(room: str, epoch: int) -> str:
    """The journal of a room in one epoch."""
    return f"ORDERS_{room}_{epoch}"


def log(room: str, epoch: int) -> str:
    """What all subjects of a journal begin with."""
    return f"orders.log.{room}.{epoch}"


def event(room: str, epoch: int, key: bytes) -> str:
    """The subject of one event."""
    return f"{log(room, epoch)}.event.{key.hex()}"


def about(room: str, epoch: int, key: bytes) -> str:
    """The subject of what became of one event."""
    return f"{log(room, epoch)}.about.{key.hex()}"


def presence(room: str, epoch: int) -> str:
    """The subject of who came and went, and when the room was paused."""
    return f"{log(room, epoch)}.presence"


def work(room: str, epoch: int, type: str, key: str) -> str:
    """The subject of an event in its queue; `*` for all of a queue."""
    return f"orders.work.{room}.{epoch}.{type}.{key}"


def consumer(room: str, epoch: int, type: str) -> str:
    """The consumer of a queue, shared by all nodes; types have no dash, consumers no dot."""
    return f"{room}_{epoch}_{type.replace('.', '-')}"


def dead(room: str, epoch: int, key: bytes) -> str:
    """The subject of a dead letter."""
    return f"orders.dead.{room}.{epoch}.{key.hex()}"


def subject(record: Record, epoch: int) -> str:
    """Where a record is published."""
    if record.kind is Kind.EVENT:
        return event(record.room, epoch, record.key)
    if record.kind in _PRESENCE:
        return presence(record.room, epoch)
    if record.about:
        return about(record.room, epoch, record.key)
    return f"{log(record.room, epoch)}.control"


def header(record: Record, node: str, number: int) -> str:
    """What a record is besides its text; `number` tells the records of a node apart."""
    return (
        f"{record.kind} {record.at} {record.mode or '-'} {record.type or '-'}"
        f" {record.source or '-'} {record.key.hex() or '-'} {record.about} {node} {number}"
    )


def record(room: str, position: int, header: str, body: bytes) -> tuple[Record, int]:
    """The record that a message of a journal is, and its number."""
    kind, at, mode, type, source, key, about, node, number = header.split(" ")
    return Record(
        room,
        Kind(kind),
        int(at),
        body,
        b"" if key == "-" else bytes.fromhex(key),
        "" if type == "-" else type,
        "" if source == "-" else source,
        "" if mode == "-" else mode,
        int(about),
        position,
        node,
    ), int(number)

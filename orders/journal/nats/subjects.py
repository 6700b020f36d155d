"""What streams, subjects and keys are called, and how a record is written into a stream."""

import zlib

from orders.broker.records import PRESENCE_KINDS, Kind, Record, kind_of
from orders.errors import StorageFailed

#: Streams of format 1, which held what was in queues beside the log, and the subject of the first.
OLD_STREAMS = ("ORDERS_WORK", "ORDERS_DEAD")
OLD_WORK = "orders.work.>"
MARK = "ORDERS_FORMAT"
NODES = "orders-nodes"
PRESENCE = "orders-presence"
SESSIONS = "orders-sessions"
ROOMS = "orders-rooms"
SNAPSHOTS = "orders-snapshots"
BUCKETS = (NODES, PRESENCE, SESSIONS, ROOMS)

#: Holds what a record is besides its text: kind, at, mode, type, source, about, node, number, and
#: a checksum of all that.
HEADER = "Orders-Record"
#: Publish only if this is the last sequence of the subject; 0: nothing is there.
EXPECTED = "Nats-Expected-Last-Subject-Sequence"


def stream(room: str, epoch: int) -> str:
    """The journal of a room in one epoch."""
    return f"ORDERS_{room}_{epoch}"


def log(room: str, epoch: int) -> str:
    """What all subjects of a journal begin with."""
    return f"orders.log.{room}.{epoch}"


def all_of(room: str, epoch: int) -> str:
    """All that a journal takes."""
    return f"{log(room, epoch)}.>"


def event(room: str, epoch: int, key: bytes) -> str:
    """The subject of one event."""
    return f"{log(room, epoch)}.event.{key.hex()}"


def about(room: str, epoch: int, key: bytes) -> str:
    """The subject of what is said about one queued event."""
    return f"{log(room, epoch)}.about.{key.hex()}"


def presence(room: str, epoch: int) -> str:
    """The subject of who came and went, and when the room was paused."""
    return f"{log(room, epoch)}.presence"


def subject(record: Record, epoch: int) -> str:
    """Where a record is published."""
    if record.kind is Kind.EVENT:
        return event(record.room, epoch, record.key)
    if record.kind in PRESENCE_KINDS or record.kind is Kind.FAULT:  # a claim counts what is `about`
        return presence(record.room, epoch)
    if record.about:
        return about(record.room, epoch, record.key)
    return f"{log(record.room, epoch)}.control"


def header(record: Record, node: str, number: int) -> str:
    """What a record is besides its text; `number` tells the records of a node apart."""
    head = (
        f"{record.kind} {record.at} {record.mode or '-'} {record.type or '-'}"
        f" {record.source or '-'} {record.key.hex() or '-'} {record.about} {node} {number}"
    )
    return f"{head} {_checksum(head, record.body)}"


def _checksum(head: str, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(head.encode()))


def record(room: str, position: int, header: str, body: bytes, this_node: str) -> Record:
    """The record that a message of a journal is.

    `StorageFailed` if it is not as it was written; records of version 1 have no checksum.
    """
    head, *sums = header.split(" "), *header.split(" ")[9:]
    kind, at, mode, type, source, key, about, node, _ = head[:9]
    if sums and int(sums[0]) != _checksum(" ".join(head[:9]), body):
        raise StorageFailed(
            "journal_damaged",
            f"The record at position {position} of room {room} is damaged: restore its stream"
            " from a copy.",
        )
    return Record(
        room=room,
        kind=kind_of(kind),
        at=int(at),
        body=body,
        key=b"" if key == "-" else bytes.fromhex(key),
        type="" if type == "-" else type,
        source="" if source == "-" else source,
        mode="" if mode == "-" else mode,
        about=int(about),
        position=position,
        node="" if node == this_node else node,
    )

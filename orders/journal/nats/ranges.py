"""Parts of a stream: the newest of a subject, a range, and consumers that deliver what comes."""

import asyncio
from collections.abc import Sequence
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic_core import to_json

from orders.clock import new_id
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import NO_MESSAGE, Rejected, unavailable, unreadable

SECOND = 1_000_000_000  # nanoseconds, which JetStream counts in
TEMPORARY = 5 * SECOND
IN_PIECES_OF = 512 * 1024  # bytes that are fetched at once


async def last(connection: NatsConnection, stream: str, subject: str) -> tuple[Msg, int] | None:
    """The newest message of a subject, and its sequence."""
    try:
        message = await connection.nc.request(
            f"$JS.API.DIRECT.GET.{stream}.{subject}", b"", connection.patience
        )
    except (NatsError, TimeoutError):
        raise unavailable() from None
    headers = message.headers or {}
    return (message, int(headers["Nats-Sequence"])) if "Nats-Sequence" in headers else None


async def read(
    connection: NatsConnection, stream: str, start: int, count: int, *filters: str
) -> list[tuple[int, Msg]]:
    """At most `count` messages from a sequence on, with their sequences."""
    if count <= 0:
        return []
    try:
        name = await consume(connection, stream, start, filters)
    except Rejected as rejected:
        raise unreadable(stream, rejected) from None
    if name is None:
        return []
    found: list[tuple[int, Msg]] = []
    done = asyncio.Event()

    def heard(message: Msg) -> None:
        if message.headers and "Status" in message.headers:
            done.set()
            return
        found.append((place(message), message))
        if len(found) == count:
            done.set()

    inbox = await connection.listen(heard)
    wish = {"batch": count, "no_wait": True, "max_bytes": IN_PIECES_OF}
    try:
        async with asyncio.timeout(connection.patience):
            await connection.nc.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}", to_json(wish), inbox.subject
            )
            await done.wait()
    except (NatsError, TimeoutError):
        raise unavailable() from None
    finally:
        await connection.deafen(inbox)
        await connection.say(f"$JS.API.CONSUMER.DELETE.{stream}.{name}")
    return found


async def has_more(
    connection: NatsConnection, stream: str, known: int, start: int, end: int, *filters: str
) -> bool:
    """Whether something lies between two sequences that the server which leads the stream has, or
    may have: one that leads only since a moment ago may not have all yet that is `known`."""
    try:
        info = await connection.api(f"STREAM.INFO.{stream}")
        if info["state"]["last_seq"] < known:
            return True
        for subject in filters or (">",):
            answer = await _next(connection, stream, start, subject)
            if answer is not None and answer < end:
                return True
    except Rejected as rejected:
        raise unreadable(stream, rejected) from None
    return False


async def _next(connection: NatsConnection, stream: str, start: int, subject: str) -> int | None:
    """The sequence of the first message of a subject from another on, as its leader has it."""
    try:
        answer = await connection.api(f"STREAM.MSG.GET.{stream}", seq=start, next_by_subj=subject)
    except Rejected as rejected:
        if rejected.code == NO_MESSAGE:
            return None
        raise
    sequence: int = answer["message"]["seq"]
    return sequence


async def consume(
    connection: NatsConnection, stream: str, start: int, filters: Sequence[str] = (), **more: Any
) -> str | None:
    """A consumer of our own from a sequence on; None when nothing is there to read yet.

    With `deliver_subject` what comes is sent there, and it is made in any case.
    """
    name = new_id()
    config: dict[str, Any] = {
        "name": name,
        "ack_policy": "none",
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": max(start, 1),
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": TEMPORARY,
        **more,
    }
    if filters:
        config["filter_subjects"] = list(filters)
    made = await connection.api(
        f"CONSUMER.CREATE.{stream}.{name}", stream_name=stream, config=config
    )
    if not made["num_pending"] and "deliver_subject" not in more:
        await connection.say(f"$JS.API.CONSUMER.DELETE.{stream}.{name}")
        return None
    return name


def place(message: Msg) -> int:
    """The sequence of a message that a consumer delivered."""
    return int(_tokens(message)[-4])


def _tokens(message: Msg) -> list[str]:
    """`$JS.ACK.stream.consumer.delivered.sequence.consumer's.time.pending`; a domain adds more."""
    tokens = message.reply.split(".")
    return tokens if len(tokens) < 12 else tokens[:11]

"""Streams on disk, and the mark of the format that they are written in."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import structlog
from nats.js.errors import BadRequestError
from nats.js.kv import KeyValue

from orders.clock import monotonic
from orders.errors import CannotStart
from orders.journal.nats import subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import IN_USE, NOT_FOUND, OVERLAPS, Rejected

log = structlog.get_logger()

MOST_CONSUMERS = 100_000
#: Of journals in which claims are records. A journal of format 1 is read; its nodes must be gone.
FORMAT = "2"
LINGER = 8.0  # seconds for which a node that has ended may still count as alive
LOOK = 0.2


class Streams:
    """Makes streams, each kept by so many servers."""

    def __init__(self, connection: NatsConnection, replicas: int) -> None:
        self._connection, self._replicas = connection, replicas

    async def make(self, name: str, subject: str, **more: Any) -> Any:
        """A stream on disk, and its configuration; one that is there already must be on disk."""
        try:
            made = await self._connection.api(
                f"STREAM.CREATE.{name}",
                name=name,
                subjects=[subject],
                storage="file",
                num_replicas=self._replicas,
                allow_direct=True,
                max_consumers=MOST_CONSUMERS,
                **more,
            )
        except Rejected as rejected:
            if rejected.code != IN_USE:
                raise
            made = await self._connection.api(f"STREAM.INFO.{name}")
        config = made["config"]
        if config["num_replicas"] < self._replicas:
            raise CannotStart(
                "engine_unusable",
                f"The stream {name} is kept by {config['num_replicas']} servers, not by"
                f" {self._replicas}: change it, such as with `nats stream edit {name} --replicas`.",
            )
        if config["storage"] != "file":
            raise CannotStart(
                "engine_in_memory",
                f"The stream {name} is kept in memory, so that accepted would mean nothing: remove"
                f" it with `nats stream rm {name}`, and Orders makes one on disk.",
            )
        return config

    async def check_format(self) -> None:
        """Refuse a journal of another format, and one that nodes of another version still use.

        The mark is a stream that has the subject of the work queue of format 1: its nodes cannot
        start beside it, for they need that.
        """
        try:
            config = await self._mark()
        except Rejected as rejected:
            if rejected.code != OVERLAPS:
                raise
            await self._until_nobody()
            for stream in subjects.OLD_STREAMS:
                await self._delete(stream)
            config = await self._mark()
        if config.get("metadata", {}).get("format") != FORMAT:
            raise CannotStart(
                "engine_version",
                "This journal is used by another version of Orders, and two versions do not work"
                " on one: start that version, or stop all of its nodes and ask for its upgrade.",
            )

    async def _mark(self) -> Any:
        return await self.make(subjects.MARK, subjects.OLD_WORK, metadata={"format": FORMAT})

    async def _until_nobody(self) -> None:
        """Wait a moment for nodes of format 1 to end."""
        clock = monotonic()
        while await nodes_seen(self._connection):
            if monotonic() > clock + LINGER:
                raise CannotStart(
                    "engine_version",
                    "Nodes of an older version of Orders use this journal, and two versions do not"
                    " work on one: stop all of them, then start this one.",
                )
            await asyncio.sleep(LOOK)

    async def _delete(self, stream: str) -> None:
        with contextlib.suppress(Rejected):  # another node was faster
            await self._connection.api(f"STREAM.DELETE.{stream}")


async def bucket(
    connection: NatsConnection, name: str, replicas: int, ttl: float | None = None
) -> KeyValue:
    """A bucket on disk, kept by so many servers; one that is there already stays as it is.

    One that an older NATS made lacks what a newer one would be asked for, so it counts as another.
    """
    js = connection.nc.jetstream(timeout=connection.patience)
    try:
        return await js.create_key_value(bucket=name, ttl=ttl, replicas=replicas)
    except BadRequestError as refused:
        if refused.err_code != IN_USE:
            raise
        there = await js.key_value(name)
        config = (await there.status()).stream_info.config
        if config.storage != "file" or (config.num_replicas or 1) < replicas:
            raise
        return there


async def nodes_seen(connection: NatsConnection) -> list[str]:
    """The nodes whose last sign of life still counts."""
    try:
        info = await connection.api(f"STREAM.INFO.KV_{subjects.NODES}", subjects_filter=">")
    except Rejected:  # nobody was ever here
        return []
    return [subject.rpartition(".")[2] for subject in info["state"].get("subjects") or {}]


async def made_at(connection: NatsConnection, buckets: Iterable[str]) -> dict[str, str]:
    """When each of these buckets was made; without those that are not there."""
    made: dict[str, str] = {}
    for bucket in buckets:
        try:
            made[bucket] = (await connection.api(f"STREAM.INFO.KV_{bucket}"))["created"]
        except Rejected as rejected:
            if rejected.code != NOT_FOUND:
                raise
            log.warning("a bucket is gone, and made again", bucket=bucket)
    return made

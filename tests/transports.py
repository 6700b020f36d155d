"""Participants without sockets: what they hear is kept in a list, and they read when they like."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from orders.broker.participants import Participant
from orders.broker.records import Record
from orders.broker.room import Room
from orders.errors import Close
from orders.journal.base import Answer, Engine
from orders.journal.sqlite.engine import SqliteEngine
from orders.server import Node, Options
from tests.wire import until


def line(text: bytes) -> bytes:
    """The frame of these tests: a line a message."""
    return text + b"\n"


class Transport:
    """A connection that remembers all it was given. `reads`: whether the other side reads it."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.closed: Close | None = None
        self.heard: list[dict[str, Any]] = []
        self._waiting: list[bytes] = []

    def write(self, buffer: bytes) -> int:
        if self.closed is None:
            self._waiting.append(buffer)
            if self.reads:
                self.read()
        return self.unread()

    def unread(self) -> int:
        return sum(map(len, self._waiting))

    def abort(self) -> None:
        self.close(Close.GOING_AWAY, "lost")

    @property
    def is_lost(self) -> bool:
        return self.closed is not None

    def close(self, code: Close, message: str) -> None:
        self.closed = self.closed or code

    def read(self) -> None:
        """The other side reads what waits."""
        self.heard += [json.loads(text) for text in b"".join(self._waiting).splitlines()]
        self._waiting.clear()

    def of_type(self, type: str) -> list[dict[str, Any]]:
        return [event for event in self.heard if event["type"] == type]

    def codes(self) -> list[str]:
        """The codes of all errors and notices heard."""
        return [event["data"]["code"] for event in self.heard if "code" in event["data"]]


class Party:
    """A participant of a node, and its transport."""

    def __init__(self, node: Node, participant: Participant, transport: Transport) -> None:
        self.node = node
        self.participant = participant
        self.transport = transport
        self._numbers = itertools.count(1)

    def send(self, message: str | dict[str, Any]) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.node.receive(self.participant, text)

    def tick(self, count: int = 1) -> None:
        """Send so many events, numbered from 1 on."""
        for number in itertools.islice(self._numbers, count):
            self.send({"type": "tick", "data": {"n": number}})

    def ack(self, event: str) -> None:
        self.send({"type": "broker.ack", "data": {"event": event}})

    async def fence(self) -> None:
        """Wait until all that it sent so far was answered."""
        before = self.transport.codes().count("malformed_json")
        self.send("fence")

        async def answered() -> bool:
            return self.transport.codes().count("malformed_json") > before

        await until(answered, f"{self.participant.name} is answered")

    async def hears(self, count: int, type: str = "tick") -> list[dict[str, Any]]:
        """Wait until so many events of this type were heard; all that were."""

        async def heard() -> bool:
            return len(self.transport.of_type(type)) >= count

        await until(heard, f"{self.participant.name} hears {count} of {type}")
        return self.transport.of_type(type)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the ticks heard."""
        return [event["data"]["n"] for event in self.transport.of_type("tick")]

    def leave(self) -> None:
        self.node.leave(self.participant)


async def join(
    node: Node, name: str | None = None, *, room: str = "main", reads: bool = True, **wishes: Any
) -> Party:
    """A participant of a node; `wishes` as in the URL: `after`, and fields of `Participant`."""
    transport = Transport(reads=reads)
    after = wishes.pop("after", None)
    if "types" in wishes:
        types = frozenset(wishes.pop("types"))
        wishes |= {"types": types, "subscription": types, "chose_types": True}
    participant = Participant(room, name or "", transport, **wishes)
    await node.join(participant, name, after)
    return Party(node, participant, transport)


class InlineWriter:
    """Does in place what the writer's thread does, so that a test decides when things happen."""

    def __init__(self, between: Callable[[bool], None]) -> None:
        self._between = between

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def call(self, job: Callable[[], Any]) -> "asyncio.Future[Any]":
        done = asyncio.get_running_loop().create_future()
        done.set_result(job())
        self._between(False)
        return done


class Slow(SqliteEngine):
    """A journal that takes its time, so that other things happen meanwhile."""

    async def append(self, records: Sequence[Record]) -> list[Answer]:
        await asyncio.sleep(0)
        answers = await super().append(records)
        await asyncio.sleep(0)
        return answers

    async def read(
        self, room: str, after: int, limit: int, epoch: int | None = None
    ) -> list[Record]:
        records = await super().read(room, after, limit, epoch)
        await asyncio.sleep(0)
        return records

    async def find(self, room: str, key: bytes) -> Record | None:
        found = await super().find(room, key)
        await asyncio.sleep(0)
        return found


class Nobody:
    """A node on which nobody is, as an engine sees it."""

    def wake(self) -> None:
        pass

    def submit(self, record: Record) -> object:
        return None

    def has_name(self, room: str, name: str) -> bool:
        return False

    async def asked(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        raise AssertionError(f"nobody is here: {request}")


class Failed(AssertionError):
    """A task of the node failed, which ends the process."""


@contextlib.asynccontextmanager
async def running(engine: Engine, **options: Any) -> AsyncIterator[Node]:
    """A node on this engine; the test fails if anything in it does."""
    node = Node(engine, Options(**options), line)
    failures: list[BaseException] = []
    node.context.on_failure = failures.append  # type: ignore[method-assign, assignment]
    async with node.running():
        yield node
    if failures:
        raise Failed from failures[0]


async def settled(node: Node, room: Room) -> None:
    """Wait until all that was sent into a room so far was stored and let go."""
    party = await join(node, room=room.name, types=["nothing"])
    await party.fence()
    party.leave()

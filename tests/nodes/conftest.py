"""Several nodes on one NATS server, in this process (`nodes`) or each as one (`start_node`)."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest

from tests.conftest import Serve
from tests.nats_servers import Nats, required
from tests.process import Process
from tests.rooms import Room
from tests.wire import Wire, until


class Nodes(Protocol):
    async def __call__(self, count: int, **changes: Any) -> list[Any]: ...


class StartNode(Protocol):
    def __call__(self, *flags: str) -> Process: ...


class Rooms(Protocol):
    def __call__(self, servers: list[Any], name: str = "main") -> list[Room]: ...


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    """A NATS server of the test's own, with JetStream on disk."""
    required()
    with Nats(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def nodes(serve: Serve, nats: Nats) -> AsyncIterator[Nodes]:
    """`one, two = await nodes(2, lease=0.5)`: so many nodes in this process, until the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def begin(count: int, **changes: Any) -> list[Any]:
            return [
                await stack.enter_async_context(serve(engine=nats.url, **changes))
                for _ in range(count)
            ]

        yield begin


@pytest.fixture
def start_node(tmp_path: Path, nats: Nats) -> Iterator[StartNode]:
    """`start_node("--lease", "2")`: a node that is a process of its own, ended with the test."""
    started: list[Process] = []

    def begin(*flags: str) -> Process:
        directory = tmp_path / f"node-{len(started) + 1}"
        directory.mkdir()
        process = Process(directory, "--engine", nats.url, *flags)
        started.append(process)
        return process.start()

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
def rooms(http: aiohttp.ClientSession) -> Rooms:
    """The same room, as each of these nodes shows it."""
    return lambda servers, name="main": [Room(http, server, name) for server in servers]


_numbers = itertools.count(1)


async def say(wire: Wire, type: str = "tick", **data: Any) -> str:
    """Send an event, and wait until it is accepted; its id."""
    await wire.send({"type": type, "data": data or {"n": next(_numbers)}})
    event: str = (await wire.expect("broker.accepted"))["data"]["event"]
    return event


async def say_all(wire: Wire, count: int, type: str = "tick", window: int = 50) -> list[str]:
    """Send so many events, numbered from 0, some of them at once; their ids as accepted."""
    before = len(wire.of_type("broker.accepted"))

    async def answers(upto: int) -> None:
        while len(wire.of_type("broker.accepted")) < before + upto:
            said = await wire.next()
            assert said["type"] != "broker.error", said["data"]

    for number in range(count):
        await answers(number - window)
        await wire.send({"type": type, "data": {"n": number}})
    await answers(count)
    return [said["data"]["event"] for said in wire.of_type("broker.accepted")[before:]]


async def hears(wire: Wire, count: int, *types: str) -> list[dict[str, Any]]:
    """Read on until so many events of these types were heard; all of them."""
    wanted = types or ("tick",)

    def heard() -> list[dict[str, Any]]:
        return [event for event in wire.heard if event["type"] in wanted]

    while len(heard()) < count:
        await wire.next()
    return heard()


def ids(events: list[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


async def same(rooms: list[Room], path: str = "") -> Any:
    """Wait until every node answers the same at a path below the room; that answer.

    Left out is what a node knows of itself alone: its bots, and how much it wrote to whom.
    """
    answers: list[Any] = []

    async def is_same() -> bool:
        answers[:] = [await room.get(path) for room in rooms]
        for one in answers:
            one.pop("bots", None)
            for participant in one.get("participants", ()):
                del participant["delivered"]
        return all(one == answers[0] for one in answers)

    try:
        await until(is_same, "every node says the same")
    except AssertionError:
        assert answers[1:] == answers[:-1], f"the nodes do not agree on {path or 'the room'}"
        raise
    return answers[0]


async def become(room: Room, path: str, what: str, **wanted: Any) -> Any:
    """Wait until a node's answer has these values; that answer."""
    answers: dict[str, Any] = {}

    async def is_so() -> bool:
        answers.update(await room.get(path))
        return wanted.items() <= answers.items()

    try:
        await until(is_so, what)
    except AssertionError:
        assert {name: answers[name] for name in wanted} == wanted, what
        raise
    return answers

"""What all parts of a node share: its journal, its rooms, its options, and how things are said."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orders.broker import messages
from orders.broker.limits import Limits
from orders.broker.participants import Participant
from orders.broker.protocol import Protocol
from orders.broker.records import Record
from orders.broker.room import Room
from orders.clock import monotonic, new_id, stamp
from orders.journal.base import Engine

JOURNAL_RETRY = 0.3  # seconds until a journal that does not answer is asked again
MOST_AT_ONCE = 512  # records that are made true in one turn of the loop, so that rooms share it
SHARE = 0.002  # seconds after which a long piece of work leaves the loop to others

T = TypeVar("T")


async def in_turns(work: Iterable[T]) -> AsyncIterator[T]:
    """One after the other, with turns of the loop for others between them."""
    until = monotonic() + SHARE
    for each in work:
        yield each
        if monotonic() > until:
            await asyncio.sleep(0)
            until = monotonic() + SHARE


@dataclass(frozen=True, slots=True)
class Options:
    """What the node is given. Times are seconds, sizes bytes."""

    limits: Limits = field(default_factory=Limits)
    lease: float = 30.0
    max_attempts: int = 5
    max_unread: int = 1024 * 1024
    slow_grace: float = 2.0


@dataclass(slots=True)
class Stats:
    """Counted since the start; `slow`: cut off as too slow; `stall`: the longest, in seconds."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    delivered: int = 0
    batches: int = 0
    slow: int = 0
    stall: float = 0.0


class Context:
    """One process' share of the broker. `frame` makes of a text what goes on the wire."""

    def __init__(self, engine: Engine, options: Options, frame: Callable[[bytes], bytes]) -> None:
        self.engine = engine
        self.options = options
        self.frame = frame
        self.protocol = Protocol(new_id)
        self.stats = Stats()
        self.rooms: dict[str, Room] = {}
        #: Who else follows records of a kind: told when one is true.
        self.followers: dict[str, list[Callable[[Room, Record], None]]] = {}
        #: What another node may ask of this one, by its action.
        self.asked: dict[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]] = {}
        #: Rooms whose names begin so have a limit of their own.
        self.most_rooms: dict[str, int] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}

    def follow(self, kind: str, follower: Callable[[Room, Record], None]) -> None:
        """Have a follower told of each record of this kind."""
        self.followers.setdefault(kind, []).append(follower)

    def say(self, data: messages.Data) -> bytes:
        """A broker event as it goes on the wire."""
        return self.frame(messages.say(data, *stamp()))

    def tell(self, participant: Participant, data: messages.Data) -> None:
        """Say something to one participant; it is no part of the log."""
        if participant.hears_notices:
            participant.transport.write(self.say(data))

    def tell_all(self, room: Room, data: messages.Data) -> None:
        """Say something to all in a room; it is no part of the log."""
        text = self.say(data)
        for participant in list(room.participants.values()):
            if participant.hears_notices:
                participant.transport.write(text)

    # ── background tasks ────────────────────────────────────────────────────────────────────

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A task whose failure ends the process loudly: no failure is swallowed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            self.on_failure(error)

    def on_failure(self, error: BaseException) -> None:
        """What nobody handles; the composition root decides how the process ends."""
        asyncio.get_running_loop().call_exception_handler(
            {"message": "the broker failed", "exception": error}
        )

    async def cancel_tasks(self) -> None:
        """Cancel every background task, and wait until all have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""What waits for the next append: the one way into the journal, and the one way to wait for it.

While a batch is being committed the next one gathers here, so group commit and joined writes are
one mechanism.
"""

import asyncio
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from orders.broker.participants import Participant
from orders.broker.records import Record
from orders.journal.base import Answer

#: A batch this large reads no further from the sockets: TCP slows the senders, nothing is dropped.
MOST_GATHERED = 4096
MOST_GATHERED_BYTES = 8 * 1024 * 1024
#: How long what nobody waits for may wait for a batch to ride with, in seconds.
LINGER = 0.02


@dataclass(slots=True, eq=False)
class Submission:
    """A record on its way into the journal, or a reply that waits for its turn among them.

    `await` it for the engine's answer: of an event as soon as there is one, of a control record
    once what it says is true here. `reply` is what its sender hears then.
    """

    record: Record | None = None
    sender: Participant | None = None
    reply: bytes | None = None
    _answer: Answer | None = None
    _done: asyncio.Future[Answer] | None = None

    def __await__(self) -> Generator[Any, None, Answer]:
        if self._answer is not None:
            return self._answer
        if self._done is None:
            self._done = asyncio.get_running_loop().create_future()
        return (yield from self._done.__await__())

    def resolve(self, answer: Answer) -> None:
        """Let those who wait go on; it costs nothing where nobody does."""
        if self._answer is not None:
            return
        self._answer = answer
        if self._done is not None and not self._done.done():
            self._done.set_result(answer)


class Inbox:
    """Gathers submissions until the pump takes them."""

    def __init__(self) -> None:
        self._submissions: list[Submission] = []
        self._bytes = 0
        self._work = asyncio.Event()
        self._taken = asyncio.Event()
        self._lingering: asyncio.TimerHandle | None = None
        self._due = False  # whether somebody waits for the next batch
        self._stopping = False

    def submit(
        self,
        record: Record | None,
        sender: Participant | None = None,
        reply: bytes | None = None,
        *,
        urgent: bool = True,
    ) -> Submission:
        """Put a record into the next batch; what is not urgent waits a moment for company."""
        submission = Submission(record, sender, reply)
        self._submissions.append(submission)
        if record is not None:
            self._bytes += len(record.body)
        if urgent:
            self._depart()
        elif self._lingering is None:
            self._lingering = asyncio.get_running_loop().call_later(LINGER, self._depart)
        return submission

    def _depart(self) -> None:
        self._due = True
        self._work.set()

    def wake(self) -> None:
        """There may be something to do, though nothing was submitted."""
        self._work.set()

    @property
    def is_full(self) -> bool:
        """Whether the next batch is large enough: sockets are then read no further."""
        return len(self._submissions) >= MOST_GATHERED or self._bytes >= MOST_GATHERED_BYTES

    async def until_taken(self) -> None:
        """Wait until the next batch has room again."""
        while self.is_full:
            self._taken.clear()
            await self._taken.wait()

    async def wait(self) -> bool:
        """Wait for something to do; False once it is stopping and nothing waits any more."""
        if self._stopping and not self._submissions:
            return False
        await self._work.wait()
        self._work.clear()
        return True

    def take(self) -> Sequence[Submission]:
        """The next batch; none while it holds only what may wait a moment for company."""
        if not (self._due or self._stopping or self.is_full):
            return ()
        self._due = False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        taken, self._submissions, self._bytes = self._submissions, [], 0
        self._taken.set()
        return taken

    def rooms(self) -> set[str]:
        """The rooms into which something is on its way."""
        return {s.record.room for s in self._submissions if s.record is not None}

    def stop(self) -> None:
        """Let all that is here go, and then no more."""
        self._stopping = True
        self._work.set()

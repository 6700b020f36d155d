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

#: A batch is no larger; meanwhile sockets are read no further: TCP slows the senders, nothing is
#: dropped.
MOST_GATHERED = 4096
MOST_GATHERED_BYTES = 8 * 1024 * 1024
#: How long what nobody waits for may wait for a batch to ride with, in seconds.
LINGER = 0.02


@dataclass(slots=True, eq=False)
class Submission:
    """A record on its way into the journal, or a reply that waits for its turn among them.

    `await` it for the engine's `answer`: of an event as soon as there is one, of a control record
    once what it says is true here. `reply` is what its sender hears then.
    """

    record: Record | None = None
    sender: Participant | None = None
    reply: bytes | None = None
    answer: Answer | None = None
    waiter: asyncio.Future[Answer] | None = None

    def __await__(self) -> Generator[Any, None, Answer]:
        if self.answer is not None:
            return self.answer
        if self.waiter is None:
            self.waiter = asyncio.get_running_loop().create_future()
        return (yield from self.waiter.__await__())

    def resolve(self, answer: Answer) -> None:
        """Let those who wait go on; where nobody does, setting `answer` is all there is to do."""
        if self.answer is not None:
            return
        self.answer = answer
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(answer)


class Inbox:
    """Gathers submissions until the pump takes them. `work`: there is something for it to do.

    `is_full`: the next batch is large enough, so sockets are read no further.
    """

    def __init__(self) -> None:
        self.waiting: list[Submission] = []
        self.work = asyncio.Event()
        self.is_full = False
        self.is_stopping = False
        self._bytes = 0
        self._taken = asyncio.Event()
        self._lingering: asyncio.TimerHandle | None = None
        self._due = False  # whether somebody waits for the next batch

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
        self.waiting.append(submission)
        if record is not None:
            self._bytes += len(record.body)
        self.is_full = len(self.waiting) >= MOST_GATHERED or self._bytes >= MOST_GATHERED_BYTES
        if urgent:
            if not self._due:
                self._depart()
        elif self._lingering is None:
            self._lingering = asyncio.get_running_loop().call_later(LINGER, self._depart)
        return submission

    def _depart(self) -> None:
        self._due = True
        self.work.set()

    async def until_taken(self) -> None:
        """Wait until the next batch has room again."""
        while self.is_full:
            self._taken.clear()
            await self._taken.wait()

    def take(self) -> Sequence[Submission]:
        """The next batch; none while it holds only what may wait a moment for company."""
        self.work.clear()
        if not (self._due or self.is_stopping or self.is_full):
            return ()
        self._due = self.is_full = False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        taken, self.waiting = self.waiting[:MOST_GATHERED], self.waiting[MOST_GATHERED:]
        self._bytes -= sum(len(s.record.body) for s in taken if s.record is not None)
        self._taken.set()
        if self.waiting:  # so many left at once, say, that what they held does not fit
            self._depart()
        return taken

    def rooms(self) -> set[str]:
        """The rooms into which something is on its way."""
        return {s.record.room for s in self.waiting if s.record is not None}

    def stop(self) -> None:
        """Let all that is here go, and then no more."""
        self.is_stopping = True
        self.work.set()

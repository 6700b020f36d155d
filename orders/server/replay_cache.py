"""Passages of a log, read once for all who catch up with it together.

After a break a whole class comes back at once, and everybody reads the same. So what one of them
read is kept for the others, as the one text that goes on the wire: however many transports it
waits in, it is in memory once. All is dropped when nobody catches up any more.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orders.broker.modes import Mode, matches
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.journal.base import Engine
from orders.server.single_flight import SingleFlight

#: Passages that are kept; each is about as long as an engine reads at once (`MOST_BYTES`) at most.
MOST_KEPT = 128

#: A room in its epoch, the positions between which the passage lies, and the types wanted.
Key = tuple[Room, int, int, int, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of a log up to the position `last`, as those hear it who want certain types.

    `events` of `sources` in one `text`, framed. What waits in a queue is taken, not replayed: a
    passage holds relay and pubsub events only.
    """

    last: int
    events: int
    text: bytes
    sources: frozenset[str]


class ReplayCache:
    """Reads passages from the journal. `frame` makes of a text what goes on the wire."""

    def __init__(self, engine: Engine, frame: Callable[[bytes], bytes]) -> None:
        self._engine = engine
        self._frame = frame
        self._kept: SingleFlight[Key, Passage] = SingleFlight(MOST_KEPT)
        self.readers = 0

    @contextlib.contextmanager
    def reader(self) -> Iterator[None]:
        """Somebody catches up: as long as anybody does, what was read is kept."""
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1
            if not self.readers:
                self._kept.clear()

    async def read(
        self,
        room: Room,
        after: int,
        upto: int,
        page: int,
        types: frozenset[str],
        without: str | None = None,
    ) -> Passage:
        """What lies behind the position `after`, at most up to `upto`, and not sent by `without`.

        It ends where a page does, so that those who began at different positions soon read the
        same; and earlier where events are large. Where nothing is left of this epoch, its `last`
        is `after`. `StorageFailed` where the journal cannot be read.
        """
        end = min(upto, (after // page + 1) * page)
        key = room, room.state.epoch, after, end, types
        passage = await self._kept.get(key, lambda: self._read(*key))
        if without in passage.sources:
            return await self._read(*key, without)
        return passage

    async def _read(
        self,
        room: Room,
        epoch: int,
        after: int,
        end: int,
        types: frozenset[str],
        without: str | None = None,
    ) -> Passage:
        records = await self._engine.read(room.name, after, end - after, epoch)
        wanted = [
            record for record in records if _is_for(record, types) and record.source != without
        ]
        return Passage(
            records[-1].position if records else after,
            len(wanted),
            b"".join([self._frame(record.body) for record in wanted]),
            frozenset(record.source for record in wanted),
        )


def _is_for(record: Record, types: frozenset[str]) -> bool:
    if record.kind is not Kind.EVENT or record.mode == Mode.QUEUE:
        return False
    return record.mode == Mode.RELAY or matches(types, record.type)

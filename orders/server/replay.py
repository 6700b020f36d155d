"""What somebody missed, in order, then live, without a gap or a repeat.

A participant that comes back with `after`, and one whose output grew too long, read on from the
journal in pages. Near its end what comes live is kept while the last page is read; so the
two meet at one position, however fast events flow.
"""

import asyncio

from orders.broker import messages
from orders.broker.participants import Life, Participant
from orders.broker.room import Room
from orders.clock import monotonic
from orders.errors import Close, StorageFailed
from orders.server.context import JOURNAL_RETRY, Context
from orders.server.queues import Queues
from orders.server.replay_cache import ReplayCache

PAGE = 500
POLL = 0.02
MOST_LOOKS = 5000  # a second: a crowd looks less often, each of it, whether its output was read


class Replay:
    """Those who are behind: because they come back, or because they read too slowly."""

    def __init__(self, context: Context, queues: Queues) -> None:
        self._context, self._queues = context, queues
        self._cache = ReplayCache(context.engine, context.frame)
        self._lagging: dict[Participant, float] = {}  # whose output is too long, since when

    def start(self, room: Room, participant: Participant) -> None:
        """It came back with `after`: first what it missed."""
        participant.move("reads on")
        self._context.spawn(self._replay(room, participant, caught_up=True))

    def fall_behind(self, room: Room, participant: Participant) -> None:
        """Its unread output passed the limit: it reads on from the journal once it has read."""
        self._lagging.setdefault(participant, monotonic())
        if participant.life is Life.LIVE:
            participant.written = max(room.cursor, participant.since)
            participant.changes = [(0, participant.types)]
            self._context.spawn(self._replay(room, participant, caught_up=False))
        if participant.life in (Life.LIVE, Life.MEETING):  # a replay goes on by itself
            room.unlisten(participant)
            participant.move("lags")

    def forget(self, participant: Participant) -> None:
        """It is gone."""
        self._lagging.pop(participant, None)

    def slept(self, seconds: float) -> None:
        """This process was stopped: nobody was slow meanwhile."""
        for participant in self._lagging:
            self._lagging[participant] += seconds

    def cut_off_slow(self) -> None:
        """Close those that do not read; they may come back with `after`."""
        now, options = monotonic(), self._context.options
        for participant, since in list(self._lagging.items()):
            if participant.transport.unread() <= options.max_unread:
                del self._lagging[participant]
            elif now - since > options.slow_grace:
                del self._lagging[participant]
                self._context.stats.slow += 1
                participant.transport.close(
                    Close.TOO_SLOW, "your unread output passed the limit: come back with after"
                )

    async def _replay(self, room: Room, participant: Participant, caught_up: bool) -> None:
        """Write what lies after its `written` to a participant, until it is live.

        `caught_up`: it came back and hears how many events that were; else it was only slow.
        """
        with self._cache.reader():
            events = 0
            while not participant.gone:
                await self._until_read(participant)
                if participant.gone:
                    return  # it left while we waited: it must not listen again
                upto = room.cursor
                if upto - participant.written < PAGE:
                    participant.move("is near")
                    participant.since = max(upto, participant.written)
                    room.listen(participant)
                events += await self._read_to(room, participant, upto)
                if self._meet(room, participant, events if caught_up else None):
                    return

    async def _read_to(self, room: Room, participant: Participant, upto: int) -> int:
        """Write what lies up to a position; how many events that were."""
        events, epoch = 0, room.state.epoch
        while participant.written < upto and not participant.gone:
            types, end = participant.types_after(participant.written)
            end = upto if end is None else min(end, upto)
            without = None if participant.echo else participant.source
            try:
                passage = await self._cache.read(
                    room, participant.written, end, PAGE, types, without
                )
            except StorageFailed:  # the journal is away, and comes back
                await asyncio.sleep(JOURNAL_RETRY)
                continue
            if room.state.epoch != epoch or passage.last == participant.written:
                break  # the room began again, and so does this
            events += passage.events
            participant.delivered += passage.events
            self._context.stats.delivered += passage.events
            if passage.events and not participant.gone:
                participant.transport.write(passage.text)
            participant.written = passage.last
            await self._until_read(participant)
        return events

    def _meet(self, room: Room, participant: Participant, events: int | None) -> bool:
        """Go live, if what came live meanwhile was kept; False: read on."""
        kept, participant.kept = participant.kept, []
        if participant.life is not Life.MEETING:
            return participant.gone
        participant.move("listens")
        participant.changes = []
        if events is not None:
            participant.transport.write(self._context.say(messages.CaughtUp(events=events)))
        if kept:
            participant.transport.write(b"".join(kept))
        self._queues.touch(room)
        return True

    async def _until_read(self, participant: Participant) -> None:
        """Wait until what was written before has been read, so that memory stays bounded.

        One that reads as fast as we write lets others have their turn, too.
        """
        await asyncio.sleep(0)
        max_unread = self._context.options.max_unread
        while not participant.gone and participant.transport.unread() > max_unread // 2:
            await asyncio.sleep(max(POLL, self._cache.readers / MOST_LOOKS))

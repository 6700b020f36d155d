"""What queues hand over, on its way to the sockets: as few writes as can be, and none too many."""

from collections.abc import Iterator

from orders.broker.participants import Participant
from orders.server.context import Context

#: Events that are written to a participant at once, at most; a text of this many bytes goes alone.
MOST_AT_ONCE = 32
LARGE = 4096


class Handover:
    """Gathers what a participant is handed; one that reads too slowly takes no more."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._congested: dict[Participant, None] = {}
        self._frames: dict[Participant, list[bytes]] = {}  # to be written at once

    def add(self, participant: Participant, text: bytes) -> None:
        """It is handed an event."""
        participant.delivered += 1
        self._context.stats.delivered += 1
        frames = self._frames.setdefault(participant, [])
        frames.append(self._context.frame(text))
        if len(frames) == MOST_AT_ONCE or len(text) > LARGE:
            self.write(participant)

    def write_all(self) -> None:
        for participant in list(self._frames):
            self.write(participant)

    def write(self, participant: Participant) -> None:
        """Write what was handed to a participant."""
        frames = self._frames.pop(participant, None)
        if not frames:
            return
        waiting = participant.write(b"".join(frames))
        if waiting > self._context.options.max_unread // 4:
            participant.congested = True
            self._congested[participant] = None

    def end(self, participant: Participant) -> None:
        """It is gone; what it was handed with ack=auto is settled."""
        self.write(participant)
        self._congested.pop(participant, None)

    def uncongested(self) -> Iterator[Participant]:
        """Those that have read what was in their way."""
        for participant in list(self._congested):
            if participant.transport.unread() <= self._context.options.max_unread // 8:
                del self._congested[participant]
                participant.congested = False
                yield participant

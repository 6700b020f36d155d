"""Where a client stands in a room's log: what it has seen, and from where to go on.

Pure: it is told what comes, and says whether that is new.
"""

from collections import OrderedDict

from orders.domain.envelope import Event

REMEMBERED = 10_000  # ids of events; more than a replay and the live events after it can overlap


class ResumePoint:
    """`after` is what to connect with: the id of the last event seen, `start`, or None."""

    def __init__(self, after: str | None = None) -> None:
        self.after = after
        self.modes: dict[str, str] = {}
        self._newest: str | None = None  # in the room, when it welcomed us
        self._seen: OrderedDict[str, None] = OrderedDict()

    def is_new(self, event: Event) -> bool:
        """Whether this event is to be shown; from here on it counts as seen.

        Work that is handed over again is always new. Queued events do not move the place: they
        may be far older than the news around them, and a replay holds none of them.
        """
        if event.attempt is not None:
            return True
        if not self.sees_first(event.id):
            return False
        if self.modes.get(event.type, self.modes.get("*")) != "queue":
            self.after = event.id
        return True

    def sees_first(self, event_id: str) -> bool:
        """Whether this event was not seen before; from here on it counts as seen."""
        if event_id in self._seen:
            return False
        self._seen[event_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def hear(self, said: Event) -> None:
        """Learn from what the broker says."""
        if said.type == "broker.welcome":
            self._newest = said.data.get("last")
            self.after = self.after or self._newest or "start"
        if said.type in ("broker.welcome", "broker.modes"):
            self.modes = said.data.get("modes", {})
        if said.type == "broker.error" and said.data.get("code") == "unknown_position":
            self.after = self._newest or "start"
            self._seen.clear()  # the room has begun again, and what was sent again is new
        if said.type == "broker.notice" and said.data.get("code") == "reset":
            self.after = "start"
            self._seen.clear()

"""Which queued events may be taken on this node, and which its participants hold.

The fold of a room's records (`broker.queue`) says where every queued event stands. This is what
it does not say: in which order they are offered here, who holds one on which connection, and
until when. Deadlines are a steady clock's seconds.
"""

from bisect import insort
from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from operator import attrgetter

from orders.broker.participants import Participant
from orders.broker.queue import HELD, READY, Entry
from orders.errors import Refused

REMEMBERED = 100  # events that a participant is known to have had, the newest


_position = attrgetter("position")


@dataclass(slots=True, eq=False)
class _Ready:
    """The ready events of one type, oldest first, by who sent them: nobody takes its own.

    `heap` has each source by the position of its `front`, the oldest event that it had when last
    looked at. So the next costs the same however many wait, and however many sent them.
    """

    by_source: dict[str, deque[Entry]] = field(default_factory=dict)
    fronts: dict[str, int] = field(default_factory=dict)
    heap: list[tuple[int, str]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """One that is offered again comes before those that are younger."""
        entries = self.by_source.get(entry.source)
        if entries is None:
            entries = self.by_source[entry.source] = deque()
        if not entries or entry.position > entries[-1].position:
            entries.append(entry)
        else:
            insort(entries, entry, key=_position)
        if entries[0] is entry:
            self._show(entry.source, entry.position)

    def _show(self, source: str, front: int) -> None:
        if self.fronts.get(source) != front:
            self.fronts[source] = front
            heappush(self.heap, (front, source))

    def next(self, not_from: str, upto: int, claimed: Container[bytes]) -> Entry | None:
        """The oldest that `not_from` did not send, and that stands at `upto` at most."""
        own = found = None
        while self.heap and found is None:
            front, source = self.heap[0]
            if self.fronts.get(source) != front:
                heappop(self.heap)  # it has another by now
            elif source == not_from:
                own = heappop(self.heap)
            else:
                found = self._front(source, claimed)
        if own is not None:
            heappush(self.heap, own)
        return found if found is not None and found.position <= upto else None

    def _front(self, source: str, claimed: Container[bytes]) -> Entry | None:
        """The oldest of a source; None if those were taken that seemed to be."""
        entries, front = self.by_source[source], self.fronts[source]
        while entries and (entries[0].state is not READY or entries[0].key in claimed):
            entries.popleft()
        if not entries:
            del self.by_source[source], self.fronts[source]
            return None
        self._show(source, entries[0].position)
        return entries[0] if entries[0].position == front else None


@dataclass(slots=True, eq=False)
class Lease:
    """An event that a participant of this node holds, and until when."""

    entry: Entry
    holder: Participant
    deadline: float


@dataclass(slots=True, eq=False)
class Leases:
    """The queued events of one room on this node."""

    held: dict[bytes, Lease] = field(default_factory=dict)
    #: Asked for on a shared journal: by whom, and of which type.
    claiming: dict[bytes, tuple[Participant, str]] = field(default_factory=dict)
    _soonest: float = inf  # no deadline is earlier
    _by_holder: dict[Participant, dict[bytes, Lease]] = field(default_factory=dict)
    _ready: dict[str, _Ready] = field(default_factory=dict)  # by their types
    _others: dict[str, _Ready] = field(default_factory=dict)  # in the share of another node

    def offer(self, entry: Entry, *, of_another: bool = False) -> None:
        """A ready event may be taken here; one in the share of another node comes last."""
        types = self._others if of_another else self._ready
        ready = types.get(entry.type)
        if ready is None:
            ready = types[entry.type] = _Ready()
        ready.add(entry)

    def types(self, patterns: frozenset[str] = frozenset("*")) -> list[str]:
        """The types of which something may be ready; of exact `patterns`, those alone."""
        if any(one.endswith("*") for one in patterns):
            return [*self._ready, *self._others]
        return [one for one in patterns if one in self._ready or one in self._others]

    def next(self, type: str, not_from: str, upto: int) -> Entry | None:
        """The oldest ready event of this type that `not_from` did not send, at most at `upto`."""
        for types in (self._ready, self._others):
            if (ready := types.get(type)) is None:
                continue
            if entry := ready.next(not_from, upto, self.claiming):
                return entry
            if not ready.by_source:
                del types[type]
        return None

    def hold(self, entry: Entry, holder: Participant, deadline: float) -> None:
        """A participant of this node holds an event now."""
        lease = self.held[entry.key] = Lease(entry, holder, deadline)
        self._soonest = min(self._soonest, deadline)
        self._by_holder.setdefault(holder, {})[entry.key] = lease
        holder.in_flight += 1

    def end(self, key: bytes, how: str = "", by: Participant | None = None) -> Lease | None:
        """Nobody here holds this event any more; returns the lease, if there was one.

        `by`: only if this very participant holds it. `how`: see `remember`.
        """
        lease = self.held.get(key)
        if lease is None or lease.holder is not (by or lease.holder):
            return None
        del self.held[key]
        held = self._by_holder[lease.holder]
        del held[key]
        if not held:
            del self._by_holder[lease.holder]
        lease.holder.in_flight -= 1
        if how:
            remember(lease.holder, key, how)
        return lease

    def end_all(self) -> None:
        """The room begins again: nothing of before is held, claimed or ready."""
        for holder, held in self._by_holder.items():
            holder.in_flight -= len(held)
        for each in (self.held, self.claiming, self._by_holder, self._ready, self._others):
            each.clear()

    def has_one(self, participant: Participant, type: str) -> bool:
        """Whether it holds an event of this type, or has asked for one."""
        is_held = any(lease.entry.type == type for lease in self.held_by(participant))
        return is_held or (participant, type) in self.claiming.values()

    def held_by(self, holder: Participant) -> list[Lease]:
        return list(self._by_holder.get(holder, {}).values())

    def prolong(self, seconds: float) -> None:
        """All of them end so much later."""
        for lease in self.held.values():
            lease.deadline += seconds
        self._soonest += seconds

    def expired(self, now: float) -> list[Lease]:
        """Those that ran out. All are looked at only when one may have: many may be held."""
        if now < self._soonest:
            return []
        self._soonest = min((lease.deadline for lease in self.held.values()), default=inf)
        return [lease for lease in self.held.values() if lease.deadline <= now]


def remember(participant: Participant, key: bytes, how: str) -> None:
    """A participant does not hold an event any more: it `acked`, `lost` or `returned` it.

    `recalled`: it returned another of its type.
    """
    participant.past.pop(key, None)
    participant.past[key] = how
    if len(participant.past) > REMEMBERED:
        del participant.past[next(iter(participant.past))]


def not_held(participant: Participant, key: bytes, event: str, entry: Entry | None) -> Refused:
    """The refusal of an ack or nack; `entry` is how the event stands in its queue, if it does."""
    how = participant.past.get(key)
    if how == "acked":
        why = "you acked it already, and once is enough."
    elif how == "returned":
        why = "you gave it back already."
    elif how == "recalled":
        why = "you gave back another of its type, and with it all of them that you held."
    elif how == "lost" and entry is not None and entry.state is HELD:
        why = f"your lease ended before you acked it, and {entry.name} has it now."
    elif how == "lost":
        why = "your lease ended before you acked it. Ack each event before its lease ends."
    elif entry is not None and entry.state is HELD:
        why = f"{entry.name} holds it: it was never yours."
    elif participant.ack == "auto":
        why = "with ack=auto handing an event over settles it. To ack, connect with ack=manual."
    else:
        why = "it was never handed to you from a queue. What is relayed or published needs no ack."
    return Refused("not_held", f"You do not hold the event {event}: {why}")

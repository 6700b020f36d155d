"""Which queued events may be taken on this node, and which its participants hold.

The fold of a room's records (`broker.queue`) says where every queued event stands. This is what
it does not say: in which order they are offered here, who holds one on which connection, and
until when. Deadlines are a steady clock's seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from orders.broker.participants import Participant
from orders.broker.queue import Entry, State
from orders.errors import Refused

REMEMBERED = 100  # events that a participant is known to have had, the newest

#: Ready events by type and source, the oldest of each in front.
Ready = dict[str, dict[str, list[tuple[int, Entry]]]]


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
    claiming: dict[bytes, Entry] = field(default_factory=dict)  # asked for on a shared journal
    _by_holder: dict[Participant, dict[bytes, Lease]] = field(default_factory=dict)
    _ready: Ready = field(default_factory=dict)
    _others: Ready = field(default_factory=dict)  # in the share of another node

    def offer(self, entry: Entry, *, of_another: bool = False) -> None:
        """A ready event may be taken here; one in the share of another node comes last."""
        ready = self._others if of_another else self._ready
        heap = ready.setdefault(entry.type, {}).setdefault(entry.source, [])
        heappush(heap, (entry.position, entry))

    def types(self) -> list[str]:
        """The types of which something may be ready."""
        return list(self._ready | self._others)

    def next(self, type: str, not_from: str, upto: int) -> Entry | None:
        """The oldest ready event of this type that `not_from` did not send, at most at `upto`."""
        own = self._next(self._ready, type, not_from, upto)
        return own or self._next(self._others, type, not_from, upto)

    def _next(self, ready: Ready, type: str, not_from: str, upto: int) -> Entry | None:
        sources = ready.get(type)
        if not sources:
            return None
        oldest: Entry | None = None
        for source in list(sources):
            entry = self._first(sources, source)
            if entry is None or source == not_from or entry.position > upto:
                continue
            if oldest is None or entry.position < oldest.position:
                oldest = entry
        if not sources:
            del ready[type]
        return oldest

    def _first(self, sources: dict[str, list[tuple[int, Entry]]], source: str) -> Entry | None:
        """The oldest of one source; those that were taken meanwhile are dropped."""
        heap = sources[source]
        while heap:
            entry = heap[0][1]
            if entry.state is State.READY and entry.key not in self.claiming:
                return entry
            heappop(heap)
        del sources[source]
        return None

    def hold(self, entry: Entry, holder: Participant, deadline: float) -> None:
        """A participant of this node holds an event now."""
        lease = self.held[entry.key] = Lease(entry, holder, deadline)
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

    def held_by(self, holder: Participant) -> list[Lease]:
        return list(self._by_holder.get(holder, {}).values())

    def prolong(self, seconds: float) -> None:
        """All of them end so much later."""
        for lease in self.held.values():
            lease.deadline += seconds

    def expired(self, now: float) -> Iterator[Lease]:
        """Those that ran out."""
        yield from [lease for lease in self.held.values() if lease.deadline <= now]


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
    elif how == "lost" and entry is not None and entry.state is State.HELD:
        why = f"your lease ended before you acked it, and {entry.name} has it now."
    elif how == "lost":
        why = "your lease ended before you acked it. Ack each event before its lease ends."
    elif entry is not None and entry.state is State.HELD:
        why = f"{entry.name} holds it: it was never yours."
    elif participant.ack == "auto":
        why = "with ack=auto handing an event over settles it. To ack, connect with ack=manual."
    else:
        why = "it was never handed to you from a queue. What is relayed or published needs no ack."
    return Refused("not_held", f"You do not hold the event {event}: {why}")

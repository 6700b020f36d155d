"""Where every queued event stands. One table, used by every engine that keeps its own queue.

    state    may become   when
    ready    held         a participant with ack=manual takes it: attempt + 1, the lease begins
    ready    settled      a participant with ack=auto takes it: handing it over settles it
    held     settled      its holder acks it
    held     ready        its holder nacks it, is gone, or the lease ran out
    held     dead         the same, and it was the last attempt
    dead     ready        the host retries it: attempts begin anew
    dead     settled      the host discards it

A settled event is forgotten here; the journal still has it. Times are a steady clock's seconds.

Where nodes share a journal each has this table of a room, as the journal tells it, and another
authority says who may take what: there a ready event can be taken only once it was `offered`.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop, heappush

from orders.broker.records import Kind, Record, control
from orders.domain.envelope import id_text


class State(StrEnum):
    READY = "ready"
    HELD = "held"
    DEAD = "dead"


#: What a control record makes of a queued event; None: settled. A journal folds its records so.
AFTER: dict[Kind, State | None] = {
    Kind.HANDED: State.HELD,
    Kind.SETTLED: None,
    Kind.RELEASED: State.READY,
    Kind.DEAD: State.DEAD,
    Kind.RETRIED: State.READY,
    Kind.DISCARDED: None,
}


@dataclass(slots=True, eq=False)
class Entry:
    """One queued event; `holder`, a participant's number, has it until `deadline`."""

    room: str
    position: int
    key: bytes
    type: str
    source: str
    state: State = State.READY
    attempt: int = 0
    holder: int = 0
    name: str = ""
    deadline: float = 0.0
    reason: str = ""
    since: float = 0.0  # when another node, or the journal, told of its state
    record: Record | None = None  # while it is at hand; else read it from the journal

    def tell(self, kind: Kind, at: int, **data: object) -> Record:
        """The control record that says what became of it."""
        record = control(self.room, kind, at, event=id_text(self.key), **data)
        record.key, record.about = self.key, self.position
        return record


#: Ready events whose records stay at hand; those further back are read when their turn comes.
AT_HAND = 1000

#: Types that are remembered with nothing in their queues: names are free, so anyone can make many.
MOST_TYPES = 1000


@dataclass(eq=False)
class Leases:
    """The queues of one room."""

    room: str
    max_attempts: int = 5
    shared: bool = False
    entries: dict[bytes, Entry] = field(default_factory=dict)
    _ready: dict[str, dict[str, list[tuple[int, Entry]]]] = field(default_factory=dict)
    _held: dict[bytes, Entry] = field(default_factory=dict)
    _counts: dict[str, dict[str, int]] = field(default_factory=dict)
    _offered: dict[bytes, Entry] = field(default_factory=dict)
    _sources: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """An event was accepted in queue mode."""
        entry = Entry(self.room, record.position, record.key, record.type, record.source)
        if self.count(record.type, State.READY) < AT_HAND:
            entry.record = record
        self.restore(entry)

    def restore(self, entry: Entry) -> None:
        """Take up an entry in the state it is in; one that was held is nobody's now."""
        self.entries[entry.key] = entry
        self._count(entry, +1)
        if entry.state is State.HELD and not self.shared:
            self.release(entry, "the server was restarted")
        elif entry.state is State.READY:
            self._make_ready(entry)

    def types(self) -> list[str]:
        """The types of which something is ready."""
        return list(self._ready)

    def count(self, type: str, state: State) -> int:
        return self._counts.get(type, {}).get(state, 0)

    def depths(self) -> dict[str, dict[str, int]]:
        """Of each type: how many are ready, in flight and dead."""
        return {
            type: {"ready": n["ready"], "in_flight": n["held"], "dead": n["dead"]}
            for type, n in self._counts.items()
        }

    def take(
        self, type: str, not_from: str, upto: int, holder: int, name: str, deadline: float | None
    ) -> Entry | None:
        """The oldest ready event of this type that `not_from` did not send, at most at `upto`.

        It is held until `deadline`; None settles it at once.
        """
        sources = self._ready.get(type)
        if not sources:
            return None
        source, oldest = None, upto + 1
        for candidate, heap in sources.items():
            if candidate != not_from and heap[0][0] < oldest:
                source, oldest = candidate, heap[0][0]
        if source is None:
            return None
        entry = sources[source][0][1]
        self._take_out(entry)
        self._offered.pop(entry.key, None)
        entry.attempt += 1
        entry.holder, entry.name = holder, name
        if deadline is None:
            self._forget(entry)
        else:
            self._move(entry, State.HELD)
            entry.deadline = deadline
            self._held[entry.key] = entry
        return entry

    def settle(self, key: bytes, holder: int) -> Entry | None:
        """Its holder acked it; None when that participant does not hold it (any more)."""
        entry = self.holding(key, holder)
        if entry:
            self._forget(entry)
        return entry

    def holding(self, key: bytes, holder: int) -> Entry | None:
        entry = self._held.get(key)
        return entry if entry and entry.holder == holder else None

    def held_by(self, holder: int) -> list[Entry]:
        return [entry for entry in self._held.values() if entry.holder == holder]

    def expired(self, clock: float) -> Iterator[Entry]:
        """Those whose lease ran out."""
        for entry in list(self._held.values()):
            if entry.deadline > clock:
                return  # every lease is as long: the first that still runs is the oldest
            yield entry

    def release(self, entry: Entry, reason: str) -> State:
        """Its holder let go of it: it is ready again, or a dead letter after the last attempt."""
        self._held.pop(entry.key, None)
        entry.reason, entry.holder = reason, 0
        if entry.attempt >= self.max_attempts:
            entry.record = None
            self._move(entry, State.DEAD)
        else:
            self._move(entry, State.READY)
            self._make_ready(entry)
        return entry.state

    def dead(self) -> list[Entry]:
        """The dead letters, oldest first."""
        entries = (entry for entry in self.entries.values() if entry.state is State.DEAD)
        return sorted(entries, key=lambda entry: entry.position)

    def oldest(self, most: int) -> list[Entry]:
        """At most so many of each state, oldest first; settled ones are forgotten."""
        taken = dict.fromkeys(State, 0)
        entries: list[Entry] = []
        for entry in self.entries.values():
            if taken[entry.state] < most:
                taken[entry.state] += 1
                entries.append(entry)
        return sorted(entries, key=lambda entry: entry.position)

    def retry(self, key: bytes) -> Entry | None:
        """A dead letter is ready again, its attempts begin anew; None when it is not dead."""
        entry = self._dead_letter(key)
        if entry:
            entry.attempt = 0
            self._move(entry, State.READY)
            self._make_ready(entry)
        return entry

    def discard(self, key: bytes) -> Entry | None:
        """A dead letter is given up; None when it is not dead."""
        entry = self._dead_letter(key)
        if entry:
            self._forget(entry)
        return entry

    # ── where nodes share the journal ───────────────────────────────────────────────────────

    def offer(self, entry: Entry) -> None:
        """A ready event may be taken here."""
        if entry.key not in self._offered:
            self._offered[entry.key] = entry
            self._put_in(entry)

    def withdraw(self, entry: Entry) -> None:
        """It may not be taken here any more."""
        if self._offered.pop(entry.key, None):
            self._take_out(entry)

    def held_under_names(self) -> Counter[str]:
        """How many events are held under each name, on whichever node."""
        return Counter(e.name for e in self.entries.values() if e.state is State.HELD)

    def sources(self, type: str) -> Collection[str]:
        """Who sent the ready events of a type."""
        return self._sources.get(type, ())

    def is_waiting(self, upto: int) -> bool:
        """Whether something up to a position may still be handed to somebody."""
        return any(
            entry.state is not State.DEAD and entry.position <= upto
            for entry in self.entries.values()
        )

    @property
    def is_ahead(self) -> bool:
        """Whether something is held here that the journal may not tell of yet."""
        return bool(self._held)

    def is_here(self, entry: Entry) -> bool:
        """Whether it is ready, or held by a participant of this node; else another has it."""
        return entry.state is State.READY or entry.key in self._held

    def offered(self, type: str) -> int:
        """How many events of a type may be taken here."""
        return sum(map(len, self._ready.get(type, {}).values()))

    def told(self, record: Record, now: float) -> Entry | None:
        """Another node says what became of an event; returns one that was held here till then."""
        entry = self.entries.get(record.key)
        if entry is None:
            return None
        data, state = record.data, AFTER[record.kind]
        held = self._held.pop(entry.key, None)
        self.withdraw(entry)
        entry.since = now
        if record.kind is Kind.HANDED and data["lease"] is None:
            state = None
        if state is None:
            self._forget(entry)
        else:
            entry.attempt = 0 if record.kind is Kind.RETRIED else data.get("attempt", entry.attempt)
            entry.name = data.get("name", entry.name)
            entry.reason = data.get("reason", entry.reason)
            self._move(entry, state)
        return held

    def _dead_letter(self, key: bytes) -> Entry | None:
        entry = self.entries.get(key)
        return entry if entry and entry.state is State.DEAD else None

    def _make_ready(self, entry: Entry) -> None:
        if not self.shared:
            self._put_in(entry)

    def _put_in(self, entry: Entry) -> None:
        heap = self._ready.setdefault(entry.type, {}).setdefault(entry.source, [])
        heappush(heap, (entry.position, entry))

    def _take_out(self, entry: Entry) -> None:
        sources = self._ready[entry.type]
        heap = sources[entry.source]
        if heap[0][1] is entry:
            heappop(heap)
        else:  # rare: it was withdrawn
            heap.remove((entry.position, entry))
            heapify(heap)
        if not heap:
            del sources[entry.source]
            if not sources:
                del self._ready[entry.type]

    def _move(self, entry: Entry, state: State) -> None:
        self._count(entry, -1)
        entry.state = state
        self._count(entry, +1)

    def _forget(self, entry: Entry) -> None:
        self._held.pop(entry.key, None)
        self._offered.pop(entry.key, None)
        del self.entries[entry.key]
        self._count(entry, -1)

    def _count(self, entry: Entry, by: int) -> None:
        counts = self._counts.get(entry.type)
        if counts is None:
            counts = self._counts[entry.type] = dict.fromkeys(State, 0)
        counts[entry.state] += by
        if entry.state is State.READY and self.shared:
            self._count_source(entry, by)
        if len(self._counts) > MOST_TYPES and not any(counts.values()):
            del self._counts[entry.type]

    def _count_source(self, entry: Entry, by: int) -> None:
        sources = self._sources.setdefault(entry.type, {})
        sources[entry.source] = sources.get(entry.source, 0) + by
        if not sources[entry.source]:
            del sources[entry.source]
            if not sources:
                del self._sources[entry.type]

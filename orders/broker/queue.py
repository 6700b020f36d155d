"""Where every queued event of a room stands: part of the fold of its records.

    state    may become   by the record
    ready    held         handed to a worker with ack=manual
    ready    settled      handed to a worker with ack=auto
    held     settled      settled: its holder acked it
    held     ready        released: its holder nacked it, is gone, or the lease ran out
    held     dead         dead: the same, and it was the last attempt
    dead     ready        retried: attempts begin again
    dead     settled      discarded

A settled event is forgotten here; the journal still has it. A record about an event that is not
here changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from orders.broker.records import HANDED, Kind, Record, control
from orders.domain.envelope import id_text


class State(StrEnum):
    READY = "ready"
    HELD = "held"
    DEAD = "dead"
    SETTLED = "settled"  # of an entry that the queue has forgotten


READY, HELD, DEAD, SETTLED = State  # as `EVENT` in `records`

#: What a control record makes of a queued event: see `told`.
AFTER: dict[str, State] = {
    Kind.HANDED: HELD,
    Kind.SETTLED: SETTLED,
    Kind.RELEASED: READY,
    Kind.DEAD: DEAD,
    Kind.RETRIED: READY,
    Kind.DISCARDED: SETTLED,
}

#: Bytes of queued events that a room keeps at hand as they come; the others are read before their
#: turn comes, and as many of them kept at hand again.
AT_HAND = 1024 * 1024
#: Types that are remembered with nothing in their queues: names are free, so anyone can make many.
MOST_TYPES = 1000


def told(record: Record) -> dict[str, Any]:
    """What a record says of the queued event that it is about: its `state`, and what else is
    another now of `attempt`, `reason` and `name`."""
    data, kind = record.data, record.kind
    if kind is HANDED:
        state = SETTLED if data["lease"] is None else HELD
        return {"state": state, "attempt": data["attempt"], "name": data["name"]}
    said: dict[str, Any] = {"state": AFTER[kind]}
    if kind is Kind.RETRIED:
        said["attempt"] = 0
    return said | {key: data[key] for key in ("attempt", "reason") if key in data}


@dataclass(slots=True, eq=False)
class Entry:
    """One queued event. `last` is the position of the newest record about it, 0 if none is.

    `name` and `node` say who was handed it last, `record` is the event while it is at hand.
    """

    position: int
    key: bytes
    type: str
    source: str
    state: State = READY
    attempt: int = 0
    name: str = ""
    node: str = ""
    reason: str = ""
    last: int = 0
    record: Record | None = field(default=None, repr=False)

    def say(self, room: str, kind: Kind, at: int, **data: object) -> Record:
        """A control record about this event."""
        record = control(room, kind, at, event=id_text(self.key), **data)
        record.key, record.about, record.expected = self.key, self.position, self.last
        return record


@dataclass(slots=True, eq=False)
class Queue:
    """The queued events of one room by their ids, in the order in which they were accepted."""

    entries: dict[bytes, Entry] = field(default_factory=dict)
    held: dict[bytes, Entry] = field(default_factory=dict)  # those in this state
    at_hand: int = 0  # bytes
    _counts: dict[str, dict[State, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """With these, oldest first, in the states they are in: at start they may be many."""
        queue = cls({entry.key: entry for entry in entries})
        queue.held = {key: entry for key, entry in queue.entries.items() if entry.state is HELD}
        standing = Counter((entry.type, entry.state) for entry in queue.entries.values())
        for (type, state), count in standing.items():
            queue._count(type, state, count)
        return queue

    def add(self, record: Record) -> Entry:
        """An event was accepted in queue mode."""
        entry = Entry(record.position, record.key, record.type, record.source)
        if self.at_hand + len(record.body) <= AT_HAND:
            entry.record = record
            self.at_hand += len(record.body)
        self.entries[entry.key] = entry
        self._count(entry.type, READY, +1)
        return entry

    def keep(self, records: Iterable[Record]) -> None:
        """Events were read again: keep those at hand that are ready, if there is room."""
        for record in records:
            entry = self.entries.get(record.key)
            size = len(record.body)
            if entry is None or entry.position != record.position or entry.record is not None:
                continue
            if entry.state is READY and self.at_hand + size <= 2 * AT_HAND:
                entry.record = record
                self.at_hand += size

    def apply(self, record: Record) -> Entry | None:
        """What a record about an event changes: the entry as it is now, None if nothing did."""
        entry = self.entries.get(record.key)
        if entry is None or entry.position != record.about:
            return None  # settled long ago, or of an epoch that is over
        said = told(record)
        state = said["state"]
        if record.kind is HANDED:
            entry.name, entry.node = said["name"], record.node
        entry.attempt = said.get("attempt", entry.attempt)
        entry.reason = said.get("reason", entry.reason)
        entry.last = record.position or entry.last
        self._count(entry.type, entry.state, -1)
        self._count(entry.type, state, +1)
        entry.state = state
        self.held.pop(entry.key, None)
        if state is HELD:
            self.held[entry.key] = entry
        elif state is SETTLED:
            del self.entries[entry.key]
        if state in (SETTLED, DEAD) and entry.record is not None:
            self.at_hand -= len(entry.record.body)
            entry.record = None
        return entry

    # ── asking ──────────────────────────────────────────────────────────────────────────────

    def count(self, type: str, state: State) -> int:
        """How many events of a type are in this state."""
        counts = self._counts.get(type)
        return counts[state] if counts else 0

    def depths(self) -> dict[str, dict[str, int]]:
        """Of each type: how many are ready, in flight and dead."""
        return {
            type: {"ready": n[READY], "in_flight": n[HELD], "dead": n[DEAD]}
            for type, n in self._counts.items()
        }

    def in_state(self, state: State) -> Iterator[Entry]:
        """Those in this state, in no particular order."""
        return (entry for entry in self.entries.values() if entry.state is state)

    def dead(self, key: bytes) -> Entry | None:
        """The dead letter with this id."""
        entry = self.entries.get(key)
        return entry if entry and entry.state is DEAD else None

    def oldest(self, most: int, states: Iterable[State] = State) -> list[Entry]:
        """At most so many of each state, oldest first."""
        left = dict.fromkeys(states, most)
        entries: list[Entry] = []
        for entry in self.entries.values():
            if left.get(entry.state):
                left[entry.state] -= 1
                entries.append(entry)
        return sorted(entries, key=lambda entry: entry.position)

    def _count(self, type: str, state: State, by: int) -> None:
        if state is SETTLED:
            return
        counts = self._counts.get(type)
        if counts is None:
            counts = self._counts[type] = dict.fromkeys(State, 0)
        counts[state] += by
        if len(self._counts) > MOST_TYPES and not any(counts.values()):
            del self._counts[type]

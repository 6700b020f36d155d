"""The table of queued events: every row of it, and that there is no other; and who holds what."""

from collections.abc import Callable
from typing import Any

import pytest

from orders.broker.leases import Lease, Leases
from orders.broker.participants import Life, Participant
from orders.broker.queue import AFTER, MOST_TYPES, Entry, Queue, State
from orders.broker.records import Kind, Record
from tests.transports import Transport

TYPE = "work"
NOW, UNTIL = 1000.0, 1030.0


def worker(name: str, prefetch: int = 99) -> Participant:
    return Participant("main", name, Transport(), ack="manual", prefetch=prefetch, life=Life.LIVE)


class Work:
    """The queued events of a room, and what a node does with them, record by record."""

    def __init__(self, max_attempts: int = 5) -> None:
        self.queue, self.leases, self.max_attempts = Queue(), Leases(), max_attempts
        self.bob, self.carol = worker("bob"), worker("carol")
        self._positions = 10_000

    def queued(self, position: int, source: str = "alice", type: str = TYPE) -> bytes:
        """An event is accepted in queue mode; its key."""
        key = position.to_bytes(16, "big")
        record = Record(
            room="main",
            kind=Kind.EVENT,
            at=0,
            body=b"{}",
            key=key,
            type=type,
            source=source,
            mode="queue",
            position=position,
        )
        self.leases.offer(self.queue.add(record))
        return key

    def say(self, entry: Entry, kind: Kind, **data: object) -> None:
        """A record about an event is stored."""
        record = entry.say("main", kind, 1234, **data)
        self._positions += 1
        record.position = self._positions
        moved = self.queue.apply(record)
        if moved is not None and moved.state is State.READY:
            self.leases.offer(moved)

    def take(
        self,
        by: Participant | None = None,
        upto: int = 99,
        lease: float | None = 30.0,
        until: float = UNTIL,
        type: str = TYPE,
    ) -> Entry | None:
        """The oldest event is handed over, if there is one."""
        by = by or self.bob
        entry = self.leases.next(type, by.name, upto)
        if entry is None:
            return None
        self.say(entry, Kind.HANDED, name=by.name, attempt=entry.attempt + 1, lease=lease)
        if lease is not None:
            self.leases.hold(entry, by, until)
        return entry

    def release(self, entry: Entry, reason: str) -> None:
        """Its holder lets go of it."""
        self.leases.end(entry.key)
        if entry.attempt >= self.max_attempts:
            self.say(entry, Kind.DEAD, attempts=entry.attempt, reason=reason)
        else:
            self.say(entry, Kind.RELEASED, name=entry.name, reason=reason)

    def depths(self) -> tuple[int, int, int]:
        """How many are ready, in flight and dead."""
        there = self.queue.depths().get(TYPE, {"ready": 0, "in_flight": 0, "dead": 0})
        return there["ready"], there["in_flight"], there["dead"]


def in_state(state: State, max_attempts: int = 2) -> tuple[Work, bytes]:
    """One event in this state."""
    work = Work(max_attempts)
    key = work.queued(1)
    if state is State.HELD:
        assert work.take()
    while state is State.DEAD and work.queue.entries[key].state is not State.DEAD:
        entry = work.take()
        assert entry
        work.release(entry, "busy")
    assert work.queue.entries[key].state is state
    return work, key


def acked(work: Work, key: bytes) -> bool:
    lease = work.leases.end(key, by=work.bob)
    if lease:
        work.say(lease.entry, Kind.SETTLED, name="bob")
    return lease is not None


def nacked(work: Work, key: bytes) -> bool:
    lease = work.leases.end(key, by=work.bob)
    if lease:
        work.release(lease.entry, "busy")
    return lease is not None


def expired(work: Work, key: bytes) -> bool:
    leases = list(work.leases.expired(UNTIL + 1))
    for lease in leases:
        work.release(lease.entry, "the lease ran out")
    return bool(leases)


def taken(work: Work, key: bytes) -> bool:
    return work.take() is not None


def taken_for_good(work: Work, key: bytes) -> bool:
    return work.take(lease=None) is not None


def retried(work: Work, key: bytes) -> bool:
    entry = work.queue.dead(key)
    if entry:
        work.say(entry, Kind.RETRIED)
    return entry is not None


def discarded(work: Work, key: bytes) -> bool:
    entry = work.queue.dead(key)
    if entry:
        work.say(entry, Kind.DISCARDED)
    return entry is not None


Step = Callable[[Work, bytes], bool]
STEPS: tuple[Step, ...] = (acked, nacked, expired, taken, taken_for_good, retried, discarded)
UNSETTLED = (State.READY, State.HELD, State.DEAD)

#: (state, what happens) → the state after it; what is not here changes nothing, and says so
TABLE: dict[tuple[State, Step], State] = {
    (State.READY, taken): State.HELD,
    (State.READY, taken_for_good): State.SETTLED,
    (State.HELD, acked): State.SETTLED,
    (State.HELD, nacked): State.READY,
    (State.HELD, expired): State.READY,
    (State.DEAD, retried): State.READY,
    (State.DEAD, discarded): State.SETTLED,
}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("state", UNSETTLED)
def test_what_happens_makes_of_a_state_what_the_table_says_and_else_nothing(
    state: State, step: Step
) -> None:
    work, key = in_state(state)
    happened = step(work, key)
    assert happened is ((state, step) in TABLE)
    after = TABLE.get((state, step), state)
    entry = work.queue.entries.get(key)
    assert (entry.state if entry else State.SETTLED) is after
    assert work.depths() == tuple(int(s is after) for s in UNSETTLED)
    is_ready = work.leases.next(TYPE, "dave", 99) is not None
    assert is_ready is (after is State.READY)
    held = [key] if after is State.HELD else []
    assert [lease.entry.key for lease in work.leases.held_by(work.bob)] == held
    assert list(work.queue.held) == held
    assert work.bob.in_flight == len(held)
    dead = work.queue.oldest(9, (State.DEAD,))
    assert [e.key for e in dead] == ([key] if after is State.DEAD else [])


@pytest.mark.parametrize("step", [nacked, expired], ids=lambda step: step.__name__)
def test_after_the_last_attempt_it_is_a_dead_letter_with_the_last_reason(step: Step) -> None:
    work = Work(max_attempts=3)
    key = work.queued(1)
    attempts = []
    for _ in range(3):
        entry = work.take()
        assert entry
        attempts.append(entry.attempt)
        step(work, key)
    (dead,) = work.queue.oldest(9, (State.DEAD,))
    assert attempts == [1, 2, 3]
    assert (dead.attempt, dead.state) == (3, State.DEAD)
    assert dead.reason in ("busy", "the lease ran out")
    assert work.take() is None


def test_a_retried_dead_letter_begins_its_attempts_again() -> None:
    work, key = in_state(State.DEAD)
    assert retried(work, key)
    entry = work.take()
    assert entry
    assert entry.attempt == 1


def test_the_oldest_ready_event_goes_first_and_one_let_go_keeps_its_place() -> None:
    work = Work()
    for position, source in ((1, "alice"), (2, "carol"), (3, "alice"), (4, "dave")):
        work.queued(position, source)
    first, second = work.take(), work.take()
    assert first
    assert second
    work.release(first, "busy")
    order = [entry.position for _ in range(3) if (entry := work.take())]
    assert (second.position, order) == (2, [1, 3, 4])


def test_nobody_takes_what_it_sent_itself_but_what_lies_behind_it() -> None:
    work = Work()
    work.queued(1, "bob")
    assert work.take(work.bob) is None
    work.queued(2, "alice")
    entry = work.take(work.bob)
    assert entry
    assert entry.position == 2
    assert work.take(work.carol)


def test_nothing_is_taken_that_was_not_let_go_yet() -> None:
    work = Work()
    work.queued(5)
    assert work.take(upto=4) is None
    assert work.take(upto=5)


def test_what_is_being_claimed_is_offered_to_nobody_else() -> None:
    work = Work()
    entry = work.queue.entries[work.queued(1)]
    work.leases.claiming[entry.key] = work.bob, entry.type
    assert work.take() is None
    del work.leases.claiming[entry.key]
    work.leases.offer(entry)
    assert work.take() is entry


def test_an_event_that_was_offered_twice_is_taken_once() -> None:
    work = Work()
    work.leases.offer(work.queue.entries[work.queued(1)])
    assert work.take()
    assert work.take() is None


def test_only_its_holder_can_settle_an_event() -> None:
    work, key = in_state(State.HELD)
    assert work.leases.end(key, by=work.carol) is None
    assert acked(work, key)
    assert not acked(work, key)


def test_an_ack_that_comes_after_it_was_given_to_another_settles_nothing() -> None:
    work, key = in_state(State.HELD, max_attempts=5)
    expired(work, key)
    assert work.take(work.carol)
    assert not acked(work, key)
    assert work.leases.end(key, by=work.carol)


def test_leases_run_out_oldest_first_and_only_those_whose_time_is_over() -> None:
    work = Work()
    for position in (1, 2, 3):
        work.queued(position)
        work.take(until=NOW + position)

    def expired_at(now: float) -> list[int]:
        return [lease.entry.position for lease in work.leases.expired(now)]

    assert expired_at(NOW) == []
    assert expired_at(NOW + 2) == [1, 2]
    acked(work, work.leases.held_by(work.bob)[0].entry.key)
    assert expired_at(NOW + 9) == [2, 3]


def test_a_settled_event_is_forgotten_and_so_is_an_empty_type_when_there_are_many() -> None:
    work = Work()
    for number in range(3 * MOST_TYPES):
        work.queued(number + 1, type=f"t{number}")
        assert work.take(upto=9**9, lease=None, type=f"t{number}")
        assert work.leases.next(f"t{number}", "bob", 9**9) is None
    assert work.queue.entries == {}
    assert work.leases.types() == []
    assert len(work.queue.depths()) <= MOST_TYPES
    assert work.queue.at_hand == 0


def test_a_record_about_an_event_names_it_and_what_was_said_about_it_last() -> None:
    work, key = in_state(State.HELD)
    entry = work.queue.entries[key]
    record = entry.say("main", Kind.RELEASED, 1234, name="bob", reason="busy")
    assert (record.room, record.kind, record.at) == ("main", Kind.RELEASED, 1234)
    assert (record.key, record.about, record.expected) == (key, 1, entry.last)
    assert entry.last > 10_000
    assert record.data == {"event": f"{1:032x}"[:8] + "-0000-0000-0000-000000000001"} | {
        "name": "bob",
        "reason": "busy",
    }


def test_a_record_about_an_event_of_another_epoch_changes_nothing() -> None:
    work, key = in_state(State.HELD)
    record = work.queue.entries[key].say("main", Kind.SETTLED, 1, name="bob")
    record.about = 7
    assert work.queue.apply(record) is None
    assert work.depths() == (0, 1, 0)


def test_every_record_about_an_event_has_its_row() -> None:
    assert AFTER == {
        Kind.HANDED: State.HELD,
        Kind.SETTLED: State.SETTLED,
        Kind.RELEASED: State.READY,
        Kind.DEAD: State.DEAD,
        Kind.RETRIED: State.READY,
        Kind.DISCARDED: State.SETTLED,
    }


def test_a_lease_that_ended_gives_its_holder_its_place_back() -> None:
    work, key = in_state(State.HELD)
    lease = work.leases.end(key)
    assert isinstance(lease, Lease)
    assert work.bob.in_flight == 0
    assert work.leases.end(key) is None
    assert work.bob.in_flight == 0


def test_what_is_in_the_share_of_another_node_comes_last() -> None:
    leases, bob = Leases(), worker("bob")
    entries = [Entry(position, bytes([position]) * 16, TYPE, "alice") for position in (1, 2, 3)]
    leases.offer(entries[0], of_another=True)
    leases.offer(entries[1])
    leases.offer(entries[2])
    order = []
    while entry := leases.next(TYPE, "bob", 99):
        leases.claiming[entry.key] = bob, TYPE
        order.append(entry.position)
    assert order == [2, 3, 1]
    leases.claiming.clear()
    leases.offer(entries[0], of_another=True)
    leases.offer(entries[2])
    oldest = leases.next(TYPE, "bob", upto=1)
    assert oldest is entries[0], "what is held at the broker keeps nothing back"


def test_who_holds_much_is_not_looked_through_before_a_lease_may_have_ended() -> None:
    leases, bob, looked = Leases(), worker("bob"), list[int]()

    class Held(dict[bytes, Lease]):
        def values(self) -> Any:
            looked.append(len(self))
            return super().values()

    leases.held = Held()
    for position, until in enumerate((UNTIL, UNTIL - 5, UNTIL + 5)):
        leases.hold(Entry(position, bytes((position,)), TYPE, "alice"), bob, until)
    assert leases.expired(UNTIL - 6) == []
    assert looked == []
    assert [lease.entry.position for lease in leases.expired(UNTIL)] == [0, 1]
    leases.end(bytes((0,)))
    leases.end(bytes((1,)))
    leases.expired(UNTIL)  # now the next is known
    looked.clear()
    assert leases.expired(UNTIL + 4) == []
    assert looked == []
    leases.prolong(10)
    assert leases.expired(UNTIL + 5) == []
    assert [lease.entry.position for lease in leases.expired(UNTIL + 15)] == [2]

"""The table of queued events: every row of it, and that there is no other."""

from collections.abc import Callable

import pytest

from orders.broker.leases import AFTER, MOST_TYPES, Entry, Leases, State
from orders.broker.records import Kind, Record

TYPE = "work"
NOW, UNTIL = 1000.0, 1030.0


def queued(leases: Leases, position: int, source: str = "alice", type: str = TYPE) -> bytes:
    """An event is accepted in queue mode; its key."""
    key = position.to_bytes(16, "big")
    leases.add(Record("main", Kind.EVENT, 0, b"{}", key, type, source, "queue", position=position))
    return key


def take(leases: Leases, name: str = "bob", holder: int = 1, upto: int = 99) -> Entry | None:
    return leases.take(TYPE, name, upto, holder, name, UNTIL)


def depths(leases: Leases) -> tuple[int, int, int]:
    """How many are ready, in flight and dead."""
    there = leases.depths().get(TYPE, {"ready": 0, "in_flight": 0, "dead": 0})
    return there["ready"], there["in_flight"], there["dead"]


def in_state(state: State, max_attempts: int = 2) -> tuple[Leases, bytes]:
    """One event in this state."""
    leases = Leases("main", max_attempts)
    key = queued(leases, 1)
    if state is State.HELD:
        assert take(leases)
    while state is State.DEAD and leases.entries[key].state is not State.DEAD:
        entry = take(leases)
        assert entry
        leases.release(entry, "busy")
    assert leases.entries[key].state is state
    return leases, key


def acked(leases: Leases, key: bytes) -> bool:
    return leases.settle(key, 1) is not None


def nacked(leases: Leases, key: bytes) -> bool:
    entry = leases.holding(key, 1)
    if entry:
        leases.release(entry, "busy")
    return entry is not None


def expired(leases: Leases, key: bytes) -> bool:
    entries = list(leases.expired(UNTIL + 1))
    for entry in entries:
        leases.release(entry, "the lease ran out")
    return bool(entries)


def taken(leases: Leases, key: bytes) -> bool:
    return take(leases) is not None


def taken_for_good(leases: Leases, key: bytes) -> bool:
    return leases.take(TYPE, "bob", 99, 1, "bob", None) is not None


def retried(leases: Leases, key: bytes) -> bool:
    return leases.retry(key) is not None


def discarded(leases: Leases, key: bytes) -> bool:
    return leases.discard(key) is not None


Step = Callable[[Leases, bytes], bool]
SETTLED = None
STEPS: tuple[Step, ...] = (acked, nacked, expired, taken, taken_for_good, retried, discarded)

#: (state, what happens) → the state after it; what is not here changes nothing, and says so
TABLE: dict[tuple[State, Step], State | None] = {
    (State.READY, taken): State.HELD,
    (State.READY, taken_for_good): SETTLED,
    (State.HELD, acked): SETTLED,
    (State.HELD, nacked): State.READY,
    (State.HELD, expired): State.READY,
    (State.DEAD, retried): State.READY,
    (State.DEAD, discarded): SETTLED,
}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("state", list(State))
def test_what_happens_makes_of_a_state_what_the_table_says_and_else_nothing(
    state: State, step: Step
) -> None:
    leases, key = in_state(state)
    happened = step(leases, key)
    assert happened is ((state, step) in TABLE)
    after = TABLE.get((state, step), state)
    entry = leases.entries.get(key)
    assert (entry.state if entry else SETTLED) is after
    counts = {s: int(s is after) for s in State}
    assert depths(leases) == (counts[State.READY], counts[State.HELD], counts[State.DEAD])
    assert leases.types() == ([TYPE] if after is State.READY else [])
    assert [e.key for e in leases.held_by(1)] == ([key] if after is State.HELD else [])
    assert [e.key for e in leases.dead()] == ([key] if after is State.DEAD else [])


@pytest.mark.parametrize("step", [nacked, expired], ids=lambda step: step.__name__)
def test_after_the_last_attempt_it_is_a_dead_letter_with_the_last_reason(step: Step) -> None:
    leases = Leases("main", max_attempts=3)
    key = queued(leases, 1)
    attempts = []
    for _ in range(3):
        entry = take(leases)
        assert entry
        attempts.append(entry.attempt)
        step(leases, key)
    (dead,) = leases.dead()
    assert attempts == [1, 2, 3]
    assert (dead.attempt, dead.state) == (3, State.DEAD)
    assert dead.reason in ("busy", "the lease ran out")
    assert take(leases) is None


def test_a_retried_dead_letter_begins_its_attempts_anew() -> None:
    leases, key = in_state(State.DEAD)
    leases.retry(key)
    entry = take(leases)
    assert entry
    assert entry.attempt == 1


def test_the_oldest_ready_event_goes_first_and_one_let_go_keeps_its_place() -> None:
    leases = Leases("main")
    for position, source in ((1, "alice"), (2, "carol"), (3, "alice"), (4, "dave")):
        queued(leases, position, source)
    first, second = take(leases, holder=1), take(leases, holder=2)
    assert first
    assert second
    leases.release(first, "busy")
    order = [entry.position for _ in range(3) if (entry := take(leases, holder=3))]
    assert (second.position, order) == (2, [1, 3, 4])


def test_nobody_takes_what_it_sent_itself_but_what_lies_behind_it() -> None:
    leases = Leases("main")
    queued(leases, 1, "bob")
    assert take(leases, "bob") is None
    queued(leases, 2, "alice")
    entry = take(leases, "bob")
    assert entry
    assert entry.position == 2
    assert take(leases, "carol", holder=2)


def test_nothing_is_taken_that_was_not_let_go_yet() -> None:
    leases = Leases("main")
    queued(leases, 5)
    assert take(leases, upto=4) is None
    assert take(leases, upto=5)


def test_only_its_holder_can_settle_an_event() -> None:
    leases, key = in_state(State.HELD)
    assert leases.settle(key, 2) is None
    assert leases.holding(key, 2) is None
    assert leases.settle(key, 1)
    assert leases.settle(key, 1) is None


def test_an_ack_that_comes_after_it_was_given_to_another_settles_nothing() -> None:
    leases, key = in_state(State.HELD, max_attempts=5)
    expired(leases, key)
    assert take(leases, "carol", holder=2)
    assert leases.settle(key, 1) is None
    assert leases.settle(key, 2)


def test_leases_run_out_oldest_first_and_only_those_whose_time_is_over() -> None:
    leases = Leases("main")
    for position in (1, 2, 3):
        queued(leases, position)
        leases.take(TYPE, "bob", 99, 1, "bob", NOW + position)
    assert [entry.position for entry in leases.expired(NOW)] == []
    assert [entry.position for entry in leases.expired(NOW + 2)] == [1, 2]
    leases.settle(leases.held_by(1)[0].key, 1)
    assert [entry.position for entry in leases.expired(NOW + 9)] == [2, 3]


def test_restored_what_was_held_is_nobodys_and_the_rest_is_as_it_was() -> None:
    leases = Leases("main", max_attempts=3)
    for position, state, attempt in (
        (1, State.HELD, 2),
        (2, State.READY, 1),
        (3, State.DEAD, 3),
        (4, State.HELD, 3),
    ):
        key = position.to_bytes(16, "big")
        leases.restore(Entry("main", position, key, TYPE, "alice", state, attempt, reason="busy"))
    assert depths(leases) == (2, 0, 2)
    first, second = take(leases), take(leases, holder=2)
    assert first
    assert second
    assert [(e.position, e.attempt) for e in (first, second)] == [(1, 3), (2, 2)]
    assert [(e.position, e.reason) for e in leases.dead()] == [
        (3, "busy"),
        (4, "the server was restarted"),
    ]


def test_a_settled_event_is_forgotten_and_so_is_an_empty_type_when_there_are_many() -> None:
    leases = Leases("main")
    for number in range(3 * MOST_TYPES):
        queued(leases, number + 1, type=f"t{number}")
        assert leases.take(f"t{number}", "bob", 9**9, 1, "bob", None)
    assert leases.entries == {}
    assert leases.types() == []
    assert len(leases.depths()) <= MOST_TYPES


def test_what_became_of_it_is_told_by_a_control_record_about_it() -> None:
    leases, key = in_state(State.HELD)
    record = leases.entries[key].tell(Kind.RELEASED, 1234, name="bob", reason="busy")
    assert (record.room, record.kind, record.at) == ("main", Kind.RELEASED, 1234)
    assert (record.key, record.about) == (key, 1)
    assert record.data == {"event": f"{1:032x}"[:8] + "-0000-0000-0000-000000000001"} | {
        "name": "bob",
        "reason": "busy",
    }


def test_a_journal_folds_control_records_to_the_same_states() -> None:
    assert AFTER == {
        Kind.HANDED: State.HELD,
        Kind.SETTLED: None,
        Kind.RELEASED: State.READY,
        Kind.DEAD: State.DEAD,
        Kind.RETRIED: State.READY,
        Kind.DISCARDED: None,
    }

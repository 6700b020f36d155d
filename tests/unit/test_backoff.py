"""Who nacked waits, and takes one at a time: how long, for which type, and how it ends."""

import pytest

from orders.broker.backoff import Backoff
from orders.broker.leases import Leases
from orders.broker.participants import Life, Participant
from orders.broker.queue import Entry
from orders.broker.room_state import Member, RoomState
from tests.transports import Transport


def worker(name: str, session: str | None = None) -> Participant:
    bob = Participant("main", name, Transport(), ack="manual", prefetch=100, life=Life.LIVE)
    bob.session = session
    return bob


def room(*names: str, listeners: tuple[str, ...] = ()) -> RoomState:
    """A room in which these work on everything, and those only listen."""
    state = RoomState("main")
    for name in names + listeners:
        ack = "auto" if name in listeners else "manual"
        state.members[name] = Member(name, "", frozenset("*"), ack, True, None, 0, 0)
    return state


def pauses(state: RoomState, count: int) -> list[float]:
    """How long bob waits after each of so many nacks."""
    bob, backoff, leases, now, found = worker("bob"), Backoff(), Leases(), 1000.0, []
    for _ in range(count):
        backoff.nacked(bob, "work", now)
        waited = 0.0
        while not backoff.allows(bob, "work", leases):
            waited += 0.5
            assert waited < 60
            list(backoff.over(state, now + waited))
        found.append(waited)
        now += waited
    return found


def test_each_nack_doubles_the_pause_up_to_half_a_minute() -> None:
    assert pauses(room("bob", "carol"), 8) == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("listeners", [(), ("carol", "dave")])
def test_where_nobody_else_works_it_is_always_a_second(listeners: tuple[str, ...]) -> None:
    assert pauses(room("bob", listeners=listeners), 4) == [1, 1, 1, 1]


def test_an_ack_ends_it_and_another_type_has_its_own() -> None:
    bob, backoff, leases, state = worker("bob"), Backoff(), Leases(), room("bob", "carol")
    backoff.nacked(bob, "work", 1000)
    assert backoff.allows(bob, "other", leases) and not backoff.allows(bob, "work", leases)
    assert list(backoff.over(state, 1000.9)) == []
    assert list(backoff.over(state, 1001)) == ["work"]
    assert list(backoff.over(state, 1002)) == [], "it is said once"
    entry = Entry(1, b"1" * 16, "work", "alice")
    leases.hold(entry, bob, 2000)
    assert not backoff.allows(bob, "work", leases), "one at a time"
    leases.end(entry.key)
    assert backoff.allows(bob, "work", leases)
    leases.claiming[entry.key] = bob, "work"
    assert not backoff.allows(bob, "work", leases), "nor while it asks for one"
    leases.claiming.clear()
    backoff.nacked(bob, "work", 1002)
    backoff.acked(bob, "work")
    assert backoff.allows(bob, "work", leases)
    assert list(backoff.over(state, 9999)) == []


def test_it_follows_the_session_else_the_name_in_whatever_case() -> None:
    backoff, leases = Backoff(), Leases()
    backoff.nacked(worker("bob"), "work", 1000)
    backoff.nacked(worker("eve", "a-session-of-eve"), "work", 1000)
    assert not backoff.allows(worker("BOB"), "work", leases)
    assert not backoff.allows(worker("mallory", "a-session-of-eve"), "work", leases)
    assert backoff.allows(worker("carol"), "work", leases)


def test_one_who_left_is_not_alone_while_another_works() -> None:
    backoff = Backoff()
    bob = worker("bob")
    for _ in range(3):
        backoff.nacked(bob, "work", 1000)
    assert list(backoff.over(room("carol"), 1003.9)) == []
    assert list(backoff.over(room("carol"), 1004)) == ["work"]

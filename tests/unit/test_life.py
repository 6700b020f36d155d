"""The life of a participant: every row of its table, and that there is no other; and its end."""

import pytest

from orders.broker.participants import LIFE, Life, Participant, joined
from orders.broker.room import Room
from orders.broker.room_state import RoomState
from tests.transports import Transport

WHAT = ("is stored", "listens", "reads on", "is near", "lags")

TABLE = {
    (Life.ARRIVING, "is stored"): Life.WELCOMED,
    (Life.WELCOMED, "listens"): Life.LIVE,
    (Life.WELCOMED, "reads on"): Life.REPLAYING,
    (Life.REPLAYING, "is near"): Life.MEETING,
    (Life.MEETING, "listens"): Life.LIVE,
    (Life.MEETING, "lags"): Life.REPLAYING,
    (Life.LIVE, "lags"): Life.REPLAYING,
}


def in_life(life: Life) -> Participant:
    return Participant("main", "bob", Transport(), life=life)


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("life", Life)
def test_what_happens_makes_of_a_life_what_the_table_says_and_else_fails(
    life: Life, what: str
) -> None:
    participant = in_life(life)
    after = TABLE.get((life, what))
    if after is None:
        with pytest.raises(KeyError):
            participant.move(what)
    else:
        participant.move(what)
    assert participant.life is (after or life)


def test_the_table_has_no_other_rows() -> None:
    assert LIFE == TABLE


@pytest.mark.parametrize("life", Life)
def test_notices_are_heard_from_the_welcome_to_the_end_and_queued_events_taken_live(
    life: Life,
) -> None:
    participant = in_life(life)
    assert participant.hears_notices is (life not in (Life.ARRIVING, Life.GONE))
    assert (participant.credit > 0) is (life is Life.LIVE)
    assert participant.gone is (life is Life.GONE)


def test_what_comes_while_the_last_page_is_read_is_kept_and_counts_as_unread() -> None:
    participant = in_life(Life.MEETING)
    assert [participant.write(b"four"), participant.write(b"more")] == [4, 8]
    assert participant.kept == [b"four", b"more"]
    assert participant.transport.unread() == 0


@pytest.mark.parametrize("life", [life for life in Life if life is not Life.GONE])
def test_one_that_leaves_was_written_all_if_it_was_live_and_else_what_it_had_read(
    life: Life,
) -> None:
    room = Room.at(RoomState("main", cursor=9, head=9))
    participant = in_life(life)
    participant.written = 4
    room.add(participant)
    assert room.remove(participant) == (9 if life is Life.LIVE else 4)
    assert participant.gone
    assert (room.participants, room.names) == ({}, {})


def test_types_hold_from_where_they_were_asked_for() -> None:
    tea, cake, both = frozenset({"tea"}), frozenset({"cake"}), frozenset({"tea", "cake"})
    participant = in_life(Life.REPLAYING)
    participant.types = both
    participant.changes = [(0, tea), (5, cake), (8, both)]
    wanted = [participant.types_after(position) for position in (0, 4, 5, 7, 8, 99)]
    assert wanted == [(tea, 5), (tea, 5), (cake, 8), (cake, 8), (both, None), (both, None)]
    participant.changes = []
    assert participant.types_after(3) == (both, None)


def test_a_joining_says_what_was_asked_for_and_where_it_reads_on() -> None:
    participant = in_life(Life.LIVE)
    participant.subscription, participant.after = frozenset({"tea"}), 7
    first, again = joined(participant, 1).data, joined(participant, 1, was="bob").data
    assert (first["types"], first["after"], first["was"]) == (["tea"], 7, None)
    assert (again["types"], again["after"], again["was"]) == (["tea"], 0, "bob")

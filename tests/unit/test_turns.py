"""Whose turn of the loop it is: see `orders.web.turns`."""

import asyncio

import pytest
from aiohttp import WSMessage

from orders.web import turns
from orders.web.turns import AT_ONCE, BACK, LONGEST, PIECE, REST, TEXT, Turn


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the steady clock shows; a sleep lets it go on, and is noted behind that."""
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        now.append(seconds)

    monkeypatch.setattr(turns, "monotonic", lambda: now[0])
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return now


def of(size: int) -> WSMessage:
    return WSMessage(TEXT, "x" * size, None)


def test_one_that_sends_little_at_a_time_never_waits_for_its_turn(clock: list[float]) -> None:
    turn = Turn(asyncio.Lock(), rests=True)
    for _ in range(10 * AT_ONCE):
        clock[0] += 1 / BACK
        assert not turn.is_over(of(60)), "however much it sent in all"


def test_one_that_sends_much_at_once_waits_after_so_many_or_so_large_ones(
    clock: list[float],
) -> None:
    turn = Turn(asyncio.Lock(), rests=True)
    assert [turn.is_over(of(60)) for _ in range(AT_ONCE)].index(True) == AT_ONCE - 1
    assert Turn(asyncio.Lock(), rests=True).is_over(of(AT_ONCE * PIECE))


@pytest.mark.parametrize(
    ("rests", "work", "rest"), [(True, 0.002, 0.002 * REST), (True, 1.0, LONGEST), (False, 1.0, 0)]
)
async def test_all_that_send_much_rest_after_a_turn_for_some_times_as_long_as_it_took(
    clock: list[float], rests: bool, work: float, rest: float
) -> None:
    lock = asyncio.Lock()
    turn = Turn(lock, rests=rests)
    assert turn.is_over(of(AT_ONCE * PIECE))
    clock[0] += work
    turn.worked()
    await turn.next()
    assert clock[1:] == [pytest.approx(rest)]
    await turn.next()
    assert clock[2:] == [0], "what it did before is paid for"

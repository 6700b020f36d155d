"""Whose turn of the loop it is: see `orders.web.turns`."""

import asyncio

import pytest
from aiohttp import WSMessage, web
from aiohttp.test_utils import make_mocked_request

from orders.web import turns
from orders.web.turns import (
    AT_ONCE,
    AT_WORK,
    AT_WORK_SHARED,
    BACK,
    LONGEST,
    LONGEST_PIECE,
    PIECE,
    REST,
    TEXT,
    Admission,
    Line,
    Turn,
)

real_sleep = asyncio.sleep


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


def asking(*, gone: bool = False) -> web.Request:
    """A request on a connection of its own, whose client may have gone."""
    request = make_mocked_request("GET", "/")
    if gone:
        request.protocol.transport = None
    return request


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
    turn.work += work
    await turn.next()
    assert clock[1:] == [pytest.approx(rest)]
    await turn.next()
    assert clock[2:] == [0], "what it did before is paid for"


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────


async def at_rest() -> None:
    for _ in range(10):
        await real_sleep(0)


async def test_of_all_who_read_the_journal_few_are_at_work_at_once() -> None:
    line, reads = Line(shared=False), asyncio.Event()
    at_work = most = 0

    async def read() -> None:
        nonlocal at_work, most
        async with line.piece(asking()):
            at_work += 1
            most = max(most, at_work)
            await reads.wait()
            at_work -= 1

    all_of_them = asyncio.gather(*(read() for _ in range(50)))
    await at_rest()
    assert at_work == AT_WORK
    reads.set()
    await all_of_them
    assert most == AT_WORK


@pytest.mark.parametrize(
    ("shared", "took", "pause"),
    [
        (False, 0.01, 0.01 / AT_WORK),
        (True, 0.01, 0.01 / AT_WORK_SHARED),
        (True, 5.0, LONGEST_PIECE / AT_WORK_SHARED),  # a journal that is away
    ],
)
async def test_after_a_piece_the_next_waits_for_as_long_as_it_took_shared_among_those_at_work(
    clock: list[float], shared: bool, took: float, pause: float
) -> None:
    line = Line(shared=shared)
    async with line.piece(asking()):
        clock[0] += took
    assert clock[1:] == [], "nobody waits before it"
    async with line.piece(asking()):
        pass
    assert clock[1:] == [pytest.approx(pause)]


async def test_a_reader_that_went_away_while_it_waited_is_given_nothing() -> None:
    line = Line(shared=False)
    with pytest.raises(ConnectionResetError):
        async with line.piece(asking(gone=True)):
            pytest.fail("nobody is there to read it")
    async with line.piece(asking()):
        pass


async def test_requests_begin_by_turns_by_age_and_first_of_those_who_asked_least() -> None:
    admission, begun = Admission(), list[str]()
    of = {name: asking() for name in ("busy", "quiet")}

    async def ask(name: str) -> None:
        await admission.turn(of[name])
        begun.append(name)

    for _ in range(5):
        await ask("busy")
    begun.clear()
    await asyncio.gather(*(ask("busy") for _ in range(4)), ask("quiet"))
    assert begun == ["busy", "busy", "quiet", "busy", "busy"], "the first found nobody there"


async def test_one_that_asked_much_waits_for_no_more_than_those_before_it() -> None:
    admission, greedy = Admission(), asking()
    for _ in range(100):
        await admission.turn(greedy)
    begun = asyncio.create_task(admission.turn(greedy))
    others = [asyncio.create_task(admission.turn(asking())) for _ in range(2)]
    count = 0
    while not begun.done():
        assert count < 10
        await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        others = [one for one in others if not one.done()]
        others.append(asyncio.create_task(admission.turn(asking())))
        count += 1
    await asyncio.gather(*others)


async def test_a_request_that_ended_while_it_waited_holds_up_nobody() -> None:
    admission, request = Admission(), asking()
    await admission.turn(request)
    gone, waits = (asyncio.create_task(admission.turn(request)) for _ in range(2))
    await real_sleep(0)
    gone.cancel()
    await waits
    await at_rest()
    await asyncio.wait_for(admission.turn(request), 10)

"""A short run of `tests.torture`: server and bot killed in each gap once. `make torture` goes on."""

from pathlib import Path

from tests.torture.gate import Gap
from tests.torture.kills import TARGETS, Plan, Torture
from tests.torture.ledger import Ledger, judge

SOME = tuple((who, gap) for who, gap in TARGETS if who != "both" or gap is Gap.CONFIRMED)


async def test_nothing_accepted_is_lost_and_nothing_confirmed_twice_wherever_kill_9_strikes(
    tmp_path: Path,
) -> None:
    plan = Plan(seed=20, kills=len(SOME), pace=200, rest=(0.0, 0.1), targets=SOME)
    torture = Torture(tmp_path, plan, lambda _: None)
    verdict = await torture.run()
    ledger = torture.ledger
    assert ledger.kills.keys() == set(SOME), "not every target was killed"
    assert ledger.redelivered > 0, "nothing was redelivered: this proved nothing"
    assert verdict.confirmed > 0 and verdict.rejected > 0
    assert verdict.is_clean, verdict.wrongs


def event(key: str, type: str, source: str = "alice", **data: object) -> dict[str, object]:
    return {"id": key, "type": type, "source": source, "data": data}


def test_the_ledger_sees_what_is_lost_doubled_or_answered_twice() -> None:
    """What all of this stands on: a judge that can say no."""
    ledger = Ledger(sent={"a", "b", "lost"}, accepted={"a", "lost"}, heard=["c1"])
    placed = [event("a", "order_placed", id=1), event("b", "order_placed", id=2)]
    answer = {"id": 1, "customer": "alice", "event": "a"}
    answers = [event(id, "order_confirmed", "bob", **answer) for id in ("c1", "c2", "c2")]
    verdict = judge(ledger, [*placed, *answers, event("x", "tick")])
    assert verdict.wrongs == {
        "lost": 1,
        "stored twice": 1,
        "stored, never sent": 1,
        "confirmed twice": 1,
        "answered twice": 1,
        "never answered": 1,
        "heard otherwise than logged": 3,
    }
    assert not verdict.is_clean

"""A short run of `tests.torture`: server and bot killed in each gap. `make torture` goes on."""

from pathlib import Path

import aiohttp

from tests.conftest import Connect, Start
from tests.rooms import Room
from tests.torture.gate import Gap, Gate
from tests.torture.kills import MODES, TARGETS, TO_BOTS, Bob, Plan, Torture
from tests.torture.ledger import Ledger, judge
from tests.wire import until

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


async def test_nothing_accepted_is_lost_and_nothing_confirmed_twice_whatever_messages_suffer(
    tmp_path: Path,
) -> None:
    plan = Plan(seed=21, kills=0, pace=200, rest=(0.0, 0.1), faults=60)
    torture = Torture(tmp_path, plan, lambda _: None)
    verdict = await torture.run()
    ledger = torture.ledger
    assert ledger.faults.keys() == set(TO_BOTS), "not every fault was set"
    assert ledger.redelivered > 0, "nothing was redelivered: this proved nothing"
    assert verdict.confirmed > 0 and verdict.rejected > 0
    assert verdict.is_clean, verdict.wrongs


async def test_bob_acks_an_order_when_his_answer_is_stored_and_not_before(
    start: Start, connect: Connect, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server = start()
    await Room(http, server).set_modes({**MODES})
    alice = await connect(server, name="alice")
    async with Gate(http, server.url, Ledger()).open() as gate:
        bob = Bob(tmp_path, gate, "bob")
        bob.start()
        try:
            await alice.send({"type": "order_placed", "data": {"id": 1}})
            await alice.expect("order_confirmed")

            async def acked() -> bool:
                return "broker.ack" in gate.seen

            await until(acked, "Bob acks")
        finally:
            bob.kill()
    passed = [type for type in gate.seen if type != "broker.welcome"]
    assert passed == ["order_placed", "order_confirmed", "broker.accepted", "broker.ack"]


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

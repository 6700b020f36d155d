"""Short runs of `tests.torture.nodes`. `make torture-nats` goes on."""

from pathlib import Path

import pytest

from tests.nats_servers import required
from tests.torture.ledger import Verdict
from tests.torture.nodes import Fault, Plan, Torture

pytestmark = pytest.mark.slow


async def hurt(directory: Path, plan: Plan) -> tuple[Torture, Verdict]:
    required()
    torture = Torture(directory, plan, lambda _: None)
    verdict = await torture.run()
    assert torture.faults == dict.fromkeys(plan.kinds, 1)
    assert verdict.confirmed > 0 and verdict.rejected > 0
    return torture, verdict


async def test_nothing_accepted_is_lost_and_nothing_confirmed_twice_when_a_node_or_nats_is_killed(
    tmp_path: Path,
) -> None:
    plan = Plan(
        seed=6, faults=2, kinds=(Fault.NODE, Fault.KILLED), rest=(0.3, 0.6), away=(0.5, 0.5)
    )
    torture, verdict = await hurt(tmp_path, plan)
    assert verdict.is_clean, verdict.wrongs
    assert torture.ledger.redelivered > 0, "nothing was held when the node died"


async def test_while_nats_is_frozen_nothing_is_falsely_accepted_and_nobody_is_cut_off(
    tmp_path: Path,
) -> None:
    plan = Plan(
        seed=6, faults=1, kinds=(Fault.FROZEN,), rest=(0.3, 0.3), away=(3.0, 3.0), patience=1.0
    )
    torture, verdict = await hurt(tmp_path, plan)
    assert verdict.is_clean, verdict.wrongs
    assert torture.ledger.refused > 0, "nobody was told `engine_unavailable`"
    assert torture.ledger.welcomed == 4, "a sender lost its connection"


async def test_clocks_that_are_set_and_upgrades_of_nats_and_of_nodes_lose_nothing(
    tmp_path: Path,
) -> None:
    """Here to the same version: `make torture-nats` goes through several of NATS."""
    kinds = (Fault.CLOCK, Fault.NATS_UPGRADED, Fault.NODE_UPGRADED)
    _, verdict = await hurt(tmp_path, Plan(seed=6, faults=3, kinds=kinds, rest=(0.3, 0.3)))
    assert verdict.is_clean, verdict.wrongs


async def test_a_node_that_is_cut_off_and_an_admin_who_purges_lose_nothing(tmp_path: Path) -> None:
    plan = Plan(
        seed=6,
        faults=2,
        kinds=(Fault.CUT_OFF, Fault.PURGED),
        rest=(0.3, 0.3),
        away=(3.0, 3.0),
        patience=1.0,
    )
    torture, verdict = await hurt(tmp_path, plan)
    assert verdict.is_clean, verdict.wrongs
    assert torture.ledger.refused > 0, "nobody was told `engine_unavailable`"


async def test_a_cluster_that_loses_its_leader_loses_nothing_and_cuts_nobody_off(
    tmp_path: Path,
) -> None:
    plan = Plan(
        seed=6,
        servers=3,
        faults=1,
        kinds=(Fault.KILLED,),
        rest=(0.5, 0.5),
        away=(1.0, 1.0),
        rereads=False,
    )
    torture, verdict = await hurt(tmp_path, plan)
    assert verdict.is_clean, verdict.wrongs
    assert torture.ledger.welcomed == 4, "a sender lost its connection"

"""That the benchmarks' works still understand our own server: their figures are not judged."""

import os
import sys

import pytest

from benchmarks import clients, fanout, felt, latency, servers, workflow
from benchmarks.peers import ORDERS, QUEUES, RELAYS, Peer

CORE = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
SECONDS = 0.2
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux")


@pytest.mark.parametrize("peer", [ORDERS, RELAYS[-1]], ids=lambda peer: peer.name)
def test_a_fan_out_is_heard_by_every_subscriber(peer: Peer) -> None:
    with peer.start(CORE, None) as server:
        result = fanout.measure(peer, server, subscribers=5, window=8, seconds=SECONDS)
    assert result.figures["deliveries_per_second"] > result.figures["events_per_second"] > 0


@pytest.mark.parametrize("peer", [ORDERS, RELAYS[-1]], ids=lambda peer: peer.name)
def test_every_event_of_a_fixed_rate_arrives_after_it_was_to_be_sent(peer: Peer) -> None:
    with peer.start(CORE, None) as server:
        result = latency.measure(peer, server, subscribers=5, rate=50, seconds=SECONDS)
    assert result.figures["missing"] == 0
    assert 0 < result.figures["p50_ms"] <= result.figures["p99_ms"] <= result.figures["max_ms"]


@pytest.mark.parametrize("peer", QUEUES, ids=lambda peer: peer.name)
def test_orders_are_placed_worked_on_and_heard_of(peer: Peer) -> None:
    if reason := peer.missing():
        pytest.skip(reason)
    with peer.start(CORE, None) as server:
        result = workflow.measure(peer, server, window=3, seconds=SECONDS)
    assert result.figures["orders_per_second"] > 0


@pytest.mark.parametrize("kind", clients.DATA)
def test_every_event_of_a_real_client_is_accepted(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "SECONDS", SECONDS)
    monkeypatch.setattr(clients, "SENDERS", 11)
    with servers.orders(CORE) as server:
        assert clients.measure(kind, server).keys() == {"event_us"}


def test_what_waits_in_queues_is_taken_and_acked() -> None:
    with servers.orders(CORE, rate=0) as server:
        found = felt.queues(types=3, count=30, prefetch=2, server=server)
    assert found.keys() == {"queue_us", "take_and_ack_us", "longest_stall_ms"}

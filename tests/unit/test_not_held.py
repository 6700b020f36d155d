"""Why an ack is refused: one true sentence a case."""

import pytest

from orders.broker.leases import REMEMBERED, not_held, remember
from orders.broker.participants import Participant
from orders.broker.queue import Entry, State
from tests.transports import Transport

KEY, ID = b"k" * 16, "69688550-5be2-41e4-a057-b9da2d59eb03"


def entry(state: State) -> Entry:
    return Entry(1, KEY, "work", "alice", state, name="bob-2")


@pytest.mark.parametrize(
    ("how", "ack", "there", "sentence"),
    [
        ("acked", "manual", None, "you acked it already"),
        ("returned", "manual", State.READY, "you gave it back already"),
        ("lost", "manual", State.HELD, "your lease ended before you acked it, and bob-2 has it"),
        ("lost", "manual", State.READY, "Ack each event before its lease ends"),
        (None, "manual", State.HELD, "bob-2 holds it: it was never yours"),
        (None, "auto", None, "with ack=auto handing an event over settles it"),
        (None, "manual", None, "What is relayed or published needs no ack"),
    ],
)
def test_the_sentence_says_what_happened(
    how: str | None, ack: str, there: State | None, sentence: str
) -> None:
    bob = Participant("main", "bob", Transport(), ack=ack)
    if how is not None:
        remember(bob, KEY, how)
    refused = not_held(bob, KEY, ID, entry(there) if there else None)
    assert refused.code == "not_held"
    assert sentence in refused.message
    assert ID in refused.message


def test_only_so_much_is_remembered() -> None:
    bob = Participant("main", "bob", Transport())
    for number in range(3 * REMEMBERED):
        remember(bob, number.to_bytes(16, "big"), "acked")
    assert len(bob.past) == REMEMBERED

"""Why somebody did, or did not, get an event: told from the journal's records alone."""

import itertools
from typing import Any

import pytest

from orders.broker.explain import Recipient, explain
from orders.broker.records import Kind, Record, control

EVENT = 100  # its position


class Story:
    """A journal around one event at position 100: what is told before `event()` lies before it."""

    def __init__(self, mode: str = "relay", source: str = "alice") -> None:
        self.records: list[Record] = []
        self.event = Record("main", Kind.EVENT, 5_000, b"", b"k", "order_placed", source, mode)
        self.event.position = EVENT
        self._before = itertools.count(1)
        self._after = itertools.count(EVENT + 1)

    def before(self, kind: Kind, **data: Any) -> "Story":
        return self._tell(kind, next(self._before), 1_000, data)

    def after(self, kind: Kind, **data: Any) -> "Story":
        return self._tell(kind, next(self._after), 9_000, data)

    def _tell(self, kind: Kind, position: int, at: int, data: dict[str, Any]) -> "Story":
        record = control("main", kind, at, **data)
        record.position = position
        self.records.append(record)
        return self

    def joined(self, name: str, *types: str, echo: bool = True) -> "Story":
        return self.before(Kind.JOINED, **self._joining(name, types, echo, None))

    def came(self, name: str, *types: str, after: int | None = None) -> "Story":
        return self.after(Kind.JOINED, **self._joining(name, types, True, after))

    def _joining(
        self, name: str, types: tuple[str, ...], echo: bool, after: int | None
    ) -> dict[str, Any]:
        chosen = list(types or "*")
        return {
            "name": name, "types": chosen, "ack": "manual", "echo": echo, "after": after,
            "was": None,
        }  # fmt: skip

    def handed(self, name: str, attempt: int = 1, lease: float | None = 30.0) -> "Story":
        return self.after(Kind.HANDED, event="", name=name, attempt=attempt, lease=lease)

    def released(self, name: str, reason: str) -> "Story":
        return self.after(Kind.RELEASED, event="", name=name, reason=reason)

    def told(self) -> dict[str, Recipient]:
        return {recipient.name: recipient for recipient in explain(self.event, self.records)}


def said(story: Story, name: str) -> tuple[bool, str]:
    recipient = story.told()[name]
    return recipient.received, recipient.why


@pytest.mark.parametrize("types", [("order_placed",), ("order_*",), ("*",), ("other",)])
def test_in_relay_everyone_present_received_it(types: tuple[str, ...]) -> None:
    assert said(Story().joined("bob", *types), "bob") == (
        True,
        "Relay: everyone in the room gets it.",
    )


@pytest.mark.parametrize(
    ("types", "received"), [(("order_placed",), True), (("order_*",), True), (("other",), False)]
)
def test_in_pubsub_those_who_subscribed_did(types: tuple[str, ...], received: bool) -> None:
    got, why = said(Story("pubsub").joined("bob", *types), "bob")
    assert got is received
    assert why == ("Subscribed to order_placed." if received else "Not subscribed to order_placed.")


def test_the_subscription_counts_that_held_when_it_was_accepted() -> None:
    story = Story("pubsub").joined("bob", "other").joined("carol", "order_placed")
    story.before(Kind.SUBSCRIBED, name="bob", types=["order_placed"])
    story.after(Kind.SUBSCRIBED, name="carol", types=["other"])
    assert said(story, "bob")[0]
    assert said(story, "carol")[0]


def test_who_wants_no_echo_does_not_hear_itself_and_others_do() -> None:
    story = Story().joined("alice", echo=False).joined("bob", echo=False)
    assert said(story, "alice") == (False, "Sent it, and asked not to hear its own events.")
    assert said(story, "bob")[0]


def test_who_had_left_or_came_later_did_not() -> None:
    story = Story().joined("bob").before(Kind.LEFT, name="bob", last=50).came("carol")
    assert said(story, "bob") == (False, "Had left before.")
    assert said(story, "carol") == (False, "Joined later.")


def test_who_left_before_it_was_written_to_it_did_not_though_it_left_later() -> None:
    story = Story().joined("bob").after(Kind.LEFT, name="bob", last=EVENT - 1)
    story.joined("carol").after(Kind.LEFT, name="carol", last=EVENT)
    assert said(story, "bob") == (False, "Had left before.")
    assert said(story, "carol")[0]


def test_who_came_back_with_after_caught_up() -> None:
    story = Story().came("bob", after=EVENT - 1).came("carol", after=EVENT)
    assert said(story, "bob") == (True, "Was offline, and caught up 4 s later.")
    assert said(story, "carol") == (False, "Joined later.")


def test_of_two_stays_under_one_name_the_one_that_received_it_is_told() -> None:
    story = Story().joined("bob").before(Kind.LEFT, name="bob", last=50)
    story.came("bob", after=50)
    assert said(story, "bob")[0]
    assert list(story.told()) == ["bob"]


def test_all_had_left_when_the_server_ended() -> None:
    story = Story().joined("bob").before(Kind.LEFT, name=None, last=None)
    assert said(story, "bob") == (False, "Had left before.")


# ── queues ──────────────────────────────────────────────────────────────────────────────────────


def queue() -> Story:
    return Story("queue").joined("alice").joined("bob", "order_*").joined("carol").joined("x", "x")


def test_in_a_queue_one_took_it_and_each_other_is_told_why_not() -> None:
    story = queue().handed("bob")
    assert said(story, "bob") == (True, "Took it, and holds it: it was its turn.")
    assert said(story, "alice") == (False, "Sent it: a queue never hands an event to its sender.")
    assert said(story, "carol") == (False, "It was the turn of bob: in a queue one takes it.")
    assert said(story, "x") == (False, "Not subscribed to order_placed.")
    story.after(Kind.SETTLED, event="", name="bob")
    assert said(story, "bob") == (True, "Took it, and is done with it: it was its turn.")


def test_with_ack_auto_taking_it_is_being_done_with_it() -> None:
    assert "done" in said(queue().handed("bob", lease=None), "bob")[1]


def test_what_nobody_took_yet_waits() -> None:
    assert said(queue(), "bob") == (False, "Nobody has taken it yet: it waits.")


def test_who_let_it_go_is_told_with_the_reason_and_so_is_who_took_it_then() -> None:
    story = queue().handed("bob").released("bob", "its connection was lost").handed("carol", 2)
    assert said(story, "bob") == (True, "Took it, but its connection was lost.")
    assert said(story, "carol") == (True, "Took it, and holds it: it was its turn.")
    assert story.told()["bob"].attempts == 1


def test_each_handing_over_is_counted() -> None:
    story = queue().handed("bob").released("bob", "busy").handed("bob", 2)
    assert story.told()["bob"].attempts == 2


def test_nobody_holds_a_dead_letter_and_nobody_gets_it_any_more() -> None:
    story = queue().handed("carol").released("carol", "late").handed("bob", 2)
    story.after(Kind.DEAD, event="", attempts=2, reason="the lease of bob ran out")
    assert said(story, "bob") == (True, "Took it, but the lease of bob ran out.")
    assert said(story, "carol") == (True, "Took it, but late.")
    story.came("dave")
    assert said(story, "dave") == (False, "Nobody gets it any more: it is a dead letter.")


def test_a_retried_dead_letter_waits_again() -> None:
    story = queue().handed("bob")
    story.after(Kind.DEAD, event="", attempts=1, reason="busy").after(Kind.RETRIED, event="")
    assert said(story, "carol") == (False, "Nobody has taken it yet: it waits.")
    assert said(story.handed("carol"), "carol")[0]


def test_no_more_are_named_than_fit_a_page() -> None:
    story = Story()
    for number in range(600):
        story.joined(f"p{number}")
    assert len(story.told()) == 500

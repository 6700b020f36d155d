"""Why somebody did, or did not, get an event: told from the journal's records alone."""

import itertools
from typing import Any

import pytest

from orders.broker.explain import Recipient, explain
from orders.broker.records import QUEUE_KINDS, Kind, Record, control

EVENT = 100  # its position


class Story:
    """A journal around one event at position 100: what is told before `event()` lies before it."""

    def __init__(self, mode: str = "relay", source: str = "alice") -> None:
        self.records: list[Record] = []
        self.event = Record(
            room="main",
            kind=Kind.EVENT,
            at=5_000,
            body=b"",
            key=b"k" * 16,
            type="order_placed",
            source=source,
            mode=mode,
            position=EVENT,
        )
        self._before = itertools.count(1)
        self._after = itertools.count(EVENT + 1)

    def before(self, kind: Kind, **data: Any) -> "Story":
        return self._tell(kind, next(self._before), 1_000, data)

    def after(self, kind: Kind, **data: Any) -> "Story":
        return self._tell(kind, next(self._after), 9_000, data)

    def _tell(self, kind: Kind, position: int, at: int, data: dict[str, Any]) -> "Story":
        record = control("main", kind, at, **data)
        record.position = position
        if kind in QUEUE_KINDS:
            record.key, record.about = self.event.key, EVENT
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

    def settled(self, name: str) -> "Story":
        return self.after(Kind.SETTLED, event="", name=name)

    def stepped(self, about: int = EVENT) -> "Story":
        self.after(Kind.STEPPED, event="").records[-1].about = about
        return self

    def renamed(self, was: str, name: str, *, later: bool = False) -> "Story":
        tell = self.after if later else self.before
        tell(Kind.LEFT, name=was, last=EVENT + 50 if later else 1, to=name)
        return tell(Kind.JOINED, **{**self._joining(name, (), True, None), "was": was})

    def released(self, name: str, reason: str) -> "Story":
        return self.after(Kind.RELEASED, event="", name=name, reason=reason)

    def told(self) -> dict[str, Recipient]:
        return {
            recipient.name: recipient
            for recipient in explain(
                self.event, sorted(self.records, key=lambda record: record.position)
            )
        }


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


def test_who_came_after_it_was_taken_joined_later() -> None:
    story = queue().handed("bob").came("dave")
    assert said(story, "dave") == (False, "Joined later: bob had taken it.")


def test_who_left_while_it_waited_is_told_so() -> None:
    story = queue().after(Kind.LEFT, name="carol", last=EVENT + 1)
    story.after(Kind.MODES, modes={}, changes={}).handed("bob")
    assert said(story, "carol") == (False, "Left before its turn came.")


def test_who_asks_for_the_type_while_it_waits_may_take_it() -> None:
    story = queue().after(Kind.SUBSCRIBED, name="x", types=["order_placed"])
    assert said(story, "x") == (False, "Nobody has taken it yet: it waits.")
    story.handed("bob").after(Kind.SUBSCRIBED, name="carol", types=["tea"])
    assert said(story, "carol") == (False, "It was the turn of bob: in a queue one takes it.")


def test_a_discarded_dead_letter_is_told_as_such() -> None:
    story = queue().handed("bob").after(Kind.DEAD, event="", attempts=1, reason="busy")
    story.after(Kind.DISCARDED, event="")
    assert said(story, "carol") == (False, "Nobody gets it any more: the host discarded it.")
    assert said(story, "bob") == (True, "Took it, but busy.")


def test_who_took_it_died_and_came_back_for_it_had_two_attempts() -> None:
    story = queue().handed("bob").released("bob", "its connection was lost")
    story.after(Kind.LEFT, name="bob", last=EVENT + 2).came("bob").handed("bob", 2)
    told = story.told()["bob"]
    assert (told.received, told.attempts) == (True, 2)
    assert told.why == "Took it, and holds it: it was its turn."


def test_who_came_back_after_taking_it_still_took_it() -> None:
    story = queue().handed("bob").settled("bob")
    story.after(Kind.LEFT, name="bob", last=EVENT + 2).came("bob")
    assert said(story, "bob") == (True, "Took it, and is done with it: it was its turn.")
    assert story.told()["bob"].attempts == 1


# ── names, pauses, and those who were away ──────────────────────────────────────────────────────

HELD = "Not yet: the room is paused, and the broker holds it."


@pytest.mark.parametrize("mode", ["relay", "pubsub", "queue"])
def test_while_the_room_is_paused_nobody_has_it_yet(mode: str) -> None:
    story = Story(mode).joined("bob").before(Kind.PAUSED, paused=True)
    assert said(story, "bob") == (False, HELD)
    story.stepped(about=EVENT - 1)
    assert said(story, "bob") == (False, HELD)


def test_a_step_or_the_end_of_the_pause_lets_it_go() -> None:
    for end in (Story.stepped, lambda story: story.after(Kind.PAUSED, paused=False)):
        story = Story().joined("bob").before(Kind.PAUSED, paused=True)
        end(story)
        assert said(story, "bob")[0]


def test_a_pause_that_came_after_it_does_not_hold_it() -> None:
    assert said(Story().joined("bob").after(Kind.PAUSED, paused=True), "bob")[0]


def test_who_left_before_it_was_let_go_did_not_receive_it() -> None:
    story = Story().joined("bob").before(Kind.PAUSED, paused=True)
    story.after(Kind.LEFT, name="bob", last=EVENT - 1).stepped()
    assert said(story, "bob") == (False, "Had left before.")


def test_a_guest_that_took_a_name_is_told_under_it_whenever_that_was() -> None:
    before = Story().joined("guest-1").renamed("guest-1", "alice")
    assert list(before.told()) == ["alice"]
    assert said(before, "alice")[0]
    later = Story("queue").joined("guest-1").handed("guest-1").renamed("guest-1", "bob", later=True)
    assert list(later.told()) == ["bob"]
    assert said(later.settled("bob"), "bob") == (
        True,
        "Took it, and is done with it: it was its turn.",
    )


def test_who_came_back_and_left_before_catching_up_did_not_receive_it() -> None:
    story = Story().came("bob", after=5).after(Kind.LEFT, name="bob", last=EVENT - 1)
    assert said(story, "bob") == (False, "Came back, and left before it had caught up.")


def test_the_end_of_the_server_does_not_make_up_who_had_left_before() -> None:
    story = Story().joined("bob").before(Kind.LEFT, name="bob", last=1)
    story.after(Kind.LEFT, name=None, last=None)
    assert said(story, "bob") == (False, "Had left before.")


def test_no_more_are_named_than_fit_a_page_and_those_who_received_it_first() -> None:
    story = Story("pubsub")
    for number in range(50):
        story.joined(f"p{number}", "tea")
    story.joined("bob", "order_placed")
    for number in range(550):
        story.came(f"q{number}")
    told = story.told()
    assert len(told) == 500
    assert next(iter(told)) == "bob"

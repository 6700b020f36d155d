"""Why somebody did, or did not, get an event: it follows from the journal's records alone."""

import itertools
from typing import Any

import pytest

from orders.broker.explain import Recipient, explain
from orders.broker.records import QUEUE_KINDS, Kind, Record, control

EVENT = 100  # its position


class History:
    """A journal around one event at position 100: what is added before `event()` lies before it."""

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

    def before(self, kind: Kind, **data: Any) -> "History":
        return self._add(kind, next(self._before), 1_000, data)

    def after(self, kind: Kind, **data: Any) -> "History":
        return self._add(kind, next(self._after), 9_000, data)

    def _add(self, kind: Kind, position: int, at: int, data: dict[str, Any]) -> "History":
        record = control("main", kind, at, **data)
        record.position = position
        if kind in QUEUE_KINDS:
            record.key, record.about = self.event.key, EVENT
        self.records.append(record)
        return self

    def joined(self, name: str, *types: str, echo: bool = True) -> "History":
        return self.before(Kind.JOINED, **self._joining(name, types, echo, None))

    def came(self, name: str, *types: str, after: int | None = None) -> "History":
        return self.after(Kind.JOINED, **self._joining(name, types, True, after))

    def _joining(
        self, name: str, types: tuple[str, ...], echo: bool, after: int | None
    ) -> dict[str, Any]:
        chosen = list(types or "*")
        return {
            "name": name, "types": chosen, "ack": "manual", "echo": echo, "after": after,
            "was": None,
        }  # fmt: skip

    def handed(self, name: str, attempt: int = 1, lease: float | None = 30.0) -> "History":
        return self.after(Kind.HANDED, event="", name=name, attempt=attempt, lease=lease)

    def settled(self, name: str) -> "History":
        return self.after(Kind.SETTLED, event="", name=name)

    def stepped(self, about: int = EVENT) -> "History":
        self.after(Kind.STEPPED, event="").records[-1].about = about
        return self

    def renamed(self, was: str, name: str, *, later: bool = False) -> "History":
        add = self.after if later else self.before
        add(Kind.LEFT, name=was, last=EVENT + 50 if later else 1, to=name)
        return add(Kind.JOINED, **{**self._joining(name, (), True, None), "was": was})

    def released(self, name: str, reason: str) -> "History":
        return self.after(Kind.RELEASED, event="", name=name, reason=reason)

    def explained(self) -> dict[str, Recipient]:
        return {
            recipient.name: recipient
            for recipient in explain(
                self.event, sorted(self.records, key=lambda record: record.position)
            )
        }


def said(history: History, name: str) -> tuple[bool, str]:
    recipient = history.explained()[name]
    return recipient.received, recipient.why


@pytest.mark.parametrize("types", [("order_placed",), ("order_*",), ("*",), ("other",)])
def test_in_relay_everyone_present_received_it(types: tuple[str, ...]) -> None:
    assert said(History().joined("bob", *types), "bob") == (
        True,
        "Relay: everyone in the room gets it.",
    )


@pytest.mark.parametrize(
    ("types", "received"), [(("order_placed",), True), (("order_*",), True), (("other",), False)]
)
def test_in_pubsub_those_who_subscribed_did(types: tuple[str, ...], received: bool) -> None:
    got, why = said(History("pubsub").joined("bob", *types), "bob")
    assert got is received
    assert why == ("Subscribed to order_placed." if received else "Not subscribed to order_placed.")


def test_the_subscription_counts_that_held_when_it_was_released() -> None:
    history = History("pubsub").joined("bob", "other").joined("carol", "order_placed")
    history.before(Kind.SUBSCRIBED, name="bob", types=["order_placed"])
    history.after(Kind.SUBSCRIBED, name="carol", types=["other"])
    assert said(history, "bob")[0]
    assert said(history, "carol")[0]


def test_who_wants_no_echo_does_not_hear_itself_and_others_do() -> None:
    history = History().joined("alice", echo=False).joined("bob", echo=False)
    assert said(history, "alice") == (False, "Sent it, and asked not to hear its own events.")
    assert said(history, "bob")[0]


def test_who_had_left_or_came_later_did_not() -> None:
    history = History().joined("bob").before(Kind.LEFT, name="bob", last=50).came("carol")
    assert said(history, "bob") == (False, "Had left before.")
    assert said(history, "carol") == (False, "Joined later.")


def test_who_left_before_it_was_written_to_it_did_not_though_it_left_later() -> None:
    history = History().joined("bob").after(Kind.LEFT, name="bob", last=EVENT - 1)
    history.joined("carol").after(Kind.LEFT, name="carol", last=EVENT)
    assert said(history, "bob") == (False, "Had left before.")
    assert said(history, "carol")[0]


def test_who_came_back_with_after_caught_up() -> None:
    history = History().came("bob", after=EVENT - 1).came("carol", after=EVENT)
    assert said(history, "bob") == (True, "Was offline, and caught up 4 s later.")
    assert said(history, "carol") == (False, "Joined later.")


def test_of_two_stays_under_one_name_the_one_that_received_it_is_named() -> None:
    history = History().joined("bob").before(Kind.LEFT, name="bob", last=50)
    history.came("bob", after=50)
    assert said(history, "bob")[0]
    assert list(history.explained()) == ["bob"]


def test_all_had_left_when_the_server_ended() -> None:
    history = History().joined("bob").before(Kind.LEFT, name=None, last=None)
    assert said(history, "bob") == (False, "Had left before.")


# ── queues ──────────────────────────────────────────────────────────────────────────────────────


def queue() -> History:
    return (
        History("queue").joined("alice").joined("bob", "order_*").joined("carol").joined("x", "x")
    )


def test_in_a_queue_one_took_it_and_each_other_hears_why_not() -> None:
    history = queue().handed("bob")
    assert said(history, "bob") == (True, "Took it, and holds it: it was its turn.")
    assert said(history, "alice") == (False, "Sent it: a queue never hands an event to its sender.")
    assert said(history, "carol") == (False, "It was the turn of bob: in a queue one takes it.")
    assert said(history, "x") == (False, "Not subscribed to order_placed.")
    history.after(Kind.SETTLED, event="", name="bob")
    assert said(history, "bob") == (True, "Took it, and is done with it: it was its turn.")


def test_with_ack_auto_taking_it_is_being_done_with_it() -> None:
    assert "done" in said(queue().handed("bob", lease=None), "bob")[1]


def test_what_nobody_took_yet_waits() -> None:
    assert said(queue(), "bob") == (False, "Nobody has taken it yet: it waits.")


def test_who_let_it_go_is_named_with_the_reason_and_so_is_who_took_it_then() -> None:
    history = queue().handed("bob").released("bob", "its connection was lost").handed("carol", 2)
    assert said(history, "bob") == (True, "Took it, but its connection was lost.")
    assert said(history, "carol") == (True, "Took it, and holds it: it was its turn.")
    assert history.explained()["bob"].attempts == 1


def test_each_handing_over_is_counted() -> None:
    history = queue().handed("bob").released("bob", "busy").handed("bob", 2)
    assert history.explained()["bob"].attempts == 2


def test_nobody_holds_a_dead_letter_and_nobody_gets_it_any_more() -> None:
    history = queue().handed("carol").released("carol", "late").handed("bob", 2)
    history.after(Kind.DEAD, event="", attempts=2, reason="the lease of bob ran out")
    assert said(history, "bob") == (True, "Took it, but the lease of bob ran out.")
    assert said(history, "carol") == (True, "Took it, but late.")
    history.came("dave")
    assert said(history, "dave") == (False, "Nobody gets it any more: it is a dead letter.")


def test_a_retried_dead_letter_waits_again() -> None:
    history = queue().handed("bob")
    history.after(Kind.DEAD, event="", attempts=1, reason="busy").after(Kind.RETRIED, event="")
    assert said(history, "carol") == (False, "Nobody has taken it yet: it waits.")
    assert said(history.handed("carol"), "carol")[0]


def test_who_came_after_it_was_taken_joined_later() -> None:
    history = queue().handed("bob").came("dave")
    assert said(history, "dave") == (False, "Joined later: bob had taken it.")


def test_who_left_while_it_waited_hears_so() -> None:
    history = queue().after(Kind.LEFT, name="carol", last=EVENT + 1)
    history.after(Kind.MODES, modes={}, changes={}).handed("bob")
    assert said(history, "carol") == (False, "Left before its turn came.")


def test_who_asks_for_the_type_while_it_waits_may_take_it() -> None:
    history = queue().after(Kind.SUBSCRIBED, name="x", types=["order_placed"])
    assert said(history, "x") == (False, "Nobody has taken it yet: it waits.")
    history.handed("bob").after(Kind.SUBSCRIBED, name="carol", types=["tea"])
    assert said(history, "carol") == (False, "It was the turn of bob: in a queue one takes it.")


def test_a_discarded_dead_letter_is_named_as_such() -> None:
    history = queue().handed("bob").after(Kind.DEAD, event="", attempts=1, reason="busy")
    history.after(Kind.DISCARDED, event="")
    assert said(history, "carol") == (False, "Nobody gets it any more: the host discarded it.")
    assert said(history, "bob") == (True, "Took it, but busy.")


def test_who_took_it_died_and_came_back_for_it_had_two_attempts() -> None:
    history = queue().handed("bob").released("bob", "its connection was lost")
    history.after(Kind.LEFT, name="bob", last=EVENT + 2).came("bob").handed("bob", 2)
    named = history.explained()["bob"]
    assert (named.received, named.attempts) == (True, 2)
    assert named.why == "Took it, and holds it: it was its turn."


def test_who_came_back_after_taking_it_still_took_it() -> None:
    history = queue().handed("bob").settled("bob")
    history.after(Kind.LEFT, name="bob", last=EVENT + 2).came("bob")
    assert said(history, "bob") == (True, "Took it, and is done with it: it was its turn.")
    assert history.explained()["bob"].attempts == 1


# ── names, pauses, and those who were away ──────────────────────────────────────────────────────

HELD = "Not yet: the room is paused, and the broker holds it."


@pytest.mark.parametrize("mode", ["relay", "pubsub", "queue"])
def test_while_the_room_is_paused_nobody_has_it_yet(mode: str) -> None:
    history = History(mode).joined("bob").before(Kind.PAUSED, paused=True)
    assert said(history, "bob") == (False, HELD)
    history.stepped(about=EVENT - 1)
    assert said(history, "bob") == (False, HELD)


def test_a_step_or_the_end_of_the_pause_lets_it_go() -> None:
    for end in (History.stepped, lambda history: history.after(Kind.PAUSED, paused=False)):
        history = History().joined("bob").before(Kind.PAUSED, paused=True)
        end(history)
        assert said(history, "bob")[0]


def test_a_pause_that_came_after_it_does_not_hold_it() -> None:
    assert said(History().joined("bob").after(Kind.PAUSED, paused=True), "bob")[0]


def test_who_left_before_it_was_let_go_did_not_receive_it() -> None:
    history = History().joined("bob").before(Kind.PAUSED, paused=True)
    history.after(Kind.LEFT, name="bob", last=EVENT - 1).stepped()
    assert said(history, "bob") == (False, "Had left before.")


def test_a_guest_that_took_a_name_is_named_by_it_whenever_that_was() -> None:
    before = History().joined("guest-1").renamed("guest-1", "alice")
    assert list(before.explained()) == ["alice"]
    assert said(before, "alice")[0]
    later = (
        History("queue").joined("guest-1").handed("guest-1").renamed("guest-1", "bob", later=True)
    )
    assert list(later.explained()) == ["bob"]
    assert said(later.settled("bob"), "bob") == (
        True,
        "Took it, and is done with it: it was its turn.",
    )


def test_who_came_back_and_left_before_catching_up_did_not_receive_it() -> None:
    history = History().came("bob", after=5).after(Kind.LEFT, name="bob", last=EVENT - 1)
    assert said(history, "bob") == (False, "Came back, and left before it had caught up.")


def test_the_end_of_the_server_does_not_make_up_who_had_left_before() -> None:
    history = History().joined("bob").before(Kind.LEFT, name="bob", last=1)
    history.after(Kind.LEFT, name=None, last=None)
    assert said(history, "bob") == (False, "Had left before.")


def test_no_more_are_named_than_fit_a_page_and_those_who_received_it_first() -> None:
    history = History("pubsub")
    for number in range(50):
        history.joined(f"p{number}", "tea")
    history.joined("bob", "order_placed")
    for number in range(550):
        history.came(f"q{number}")
    named = history.explained()
    assert len(named) == 500
    assert next(iter(named)) == "bob"


def test_a_fault_is_named_to_the_one_whose_messages_it_was_and_to_nobody_else() -> None:
    history = queue().handed("bob")
    history.after(Kind.FAULT, name="bob", step="happened", words="its ack was lost on the way")
    history.records[-1].about = EVENT
    _, why = said(history, "bob")
    assert why == "Took it, and holds it: it was its turn. A fault: its ack was lost on the way."
    assert all("fault" not in one.why for one in history.explained().values() if one.name != "bob")


def test_what_was_said_of_an_event_of_before_a_reset_is_not_about_the_one_at_its_place() -> None:
    history = History("queue").joined("bob", "order_placed")
    history.before(Kind.HANDED, name="bob", attempt=1, lease=None)
    history.records[-1].key = b"o" * 16
    (bob,) = explain(history.event, history.records)
    assert (bob.received, bob.attempts) == (False, 0)

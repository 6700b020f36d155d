"""Who is who, who may say what, and who hears it: the pure broker, without a node around it."""

import itertools
import json
from typing import Any

import pytest

from orders.broker import messages
from orders.broker.limits import (
    COMMAND_RATE,
    REFUSED,
    SUBSCRIBING,
    VALUE,
    Allowance,
    Limits,
    weight,
)
from orders.broker.modes import changed
from orders.broker.participants import Life, Participant, joined
from orders.broker.protocol import Protocol, Publish, Received, Subscription
from orders.broker.records import Kind, Record, control
from orders.broker.room import Room
from orders.broker.room_state import RoomState
from orders.domain.envelope import Event
from tests.transports import Transport

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"


class Counter:
    """The journal, as far as the broker needs one: positions in order, and all is accepted."""

    def __init__(self, limits: Limits | None = None) -> None:
        ids = itertools.count(1)
        self.limits = limits or Limits()
        self.protocol = Protocol(lambda: f"00000000-0000-7000-8000-{next(ids):012}")
        self.room = Room.at(RoomState("main"))
        self.records: list[Record] = []

    def join(self, name: str | None = None, **options: Any) -> Participant:
        """Somebody is in the room, and hears what is live."""
        room = self.room
        participant = Participant("main", "", Transport(), named=name is not None, **options)
        participant.name = room.free_name(name) if name else room.guest_name()
        participant.allowance = Allowance(self.limits)
        room.add(participant)
        self.take(joined(participant, 0))
        participant.life, participant.source = Life.LIVE, participant.name
        room.listen(participant)
        return participant

    def leave(self, participant: Participant) -> None:
        last = self.room.remove(participant)
        self.take(control("main", Kind.LEFT, 0, name=participant.name, last=last))

    def receive(
        self, participant: Participant, text: str | bytes, clock: float = 0.0, now: int = 0
    ) -> Received:
        return self.protocol.receive(self.room, participant, text, now, clock)

    def say(self, participant: Participant, clock: float = 0.0, **event: Any) -> Received:
        """Send an event with these fields; what that means, which is true from then on."""
        text = json.dumps({"type": "order_placed", "data": {}} | event)
        received = self.receive(participant, text, clock)
        if isinstance(received, Publish):
            if received.name not in (None, participant.name):
                self.room.rename(participant, str(received.name))
            participant.named = participant.named or received.name is not None
            self.take(received.record)
        elif isinstance(received, Subscription):
            self.subscribe(participant, received.types)
        return received

    def subscribe(self, participant: Participant, types: frozenset[str]) -> None:
        participant.chose_types, participant.subscription = True, types
        participant.types = types
        self.room.listen(participant)

    def set_modes(self, changes: dict[str, str | None]) -> None:
        modes = changed(self.room.state.modes, changes)
        self.take(control("main", Kind.MODES, 0, modes=modes, changes=changes))

    def take(self, record: Record) -> Record:
        record.position = self.room.state.head + 1
        self.records.append(record)
        self.room.state.apply(record)
        self.room.cursor = self.room.state.cursor
        return record


def event(received: Received) -> Record:
    """The event that was accepted."""
    assert isinstance(received, Publish), received
    return received.record


def error(received: Received) -> messages.Error:
    assert isinstance(received, messages.Error), received
    return received


def code(received: Received) -> str:
    return error(received).code


# ── names ───────────────────────────────────────────────────────────────────────────────────────


def test_a_name_in_use_gets_a_number_and_comes_free_when_its_owner_leaves() -> None:
    journal = Counter()
    bobs = [journal.join("bob") for _ in range(3)]
    assert [bob.name for bob in bobs] == ["bob", "bob-2", "bob-3"]
    journal.leave(bobs[1])
    assert journal.join("bob").name == "bob-2"


def test_names_that_differ_in_case_alone_are_one_and_the_first_spelling_counts() -> None:
    journal = Counter()
    first = journal.join("Ömer")
    assert journal.join("ömer").name == "Ömer-2"
    journal.leave(first)
    assert journal.join("ÖMER").name == "Ömer"


def test_a_long_name_stays_within_32_characters_however_many_have_it() -> None:
    journal = Counter()
    names = [journal.join("b" * 32).name for _ in range(120)]
    assert len(set(names)) == 120
    assert max(map(len, names)) == 32
    assert names[1] == "b" * 30 + "-2"
    assert names[-1] == "b" * 28 + "-120"


def test_one_who_gives_no_name_is_a_guest_with_a_number_of_its_own() -> None:
    journal = Counter()
    journal.join("guest-2")
    assert [journal.join().name for _ in range(3)] == ["guest-1", "guest-3", "guest-4"]


def test_the_first_source_names_one_who_has_no_name() -> None:
    journal = Counter()
    guest = journal.join()
    received = journal.say(guest, source="alice")
    assert guest.name == "alice"
    assert list(journal.room.participants) == ["alice"]
    assert isinstance(received, Publish)
    assert (received.name, received.record.source) == ("alice", "alice")


def test_a_guest_that_leaves_source_out_stays_a_guest_and_may_take_a_name_later() -> None:
    journal = Counter()
    guest = journal.join()
    assert event(journal.say(guest)).source == "guest-1"
    journal.say(guest, source="alice")
    assert guest.name == "alice"


def test_a_first_source_that_is_in_use_is_refused_and_the_guest_stays_one() -> None:
    journal = Counter()
    journal.join("alice")
    guest = journal.join()
    said = error(journal.say(guest, source="alice", id=ID))
    assert said.code == "name_taken"
    assert "alice is in use in this room" in said.message
    assert said.event == ID
    assert guest.name == "guest-1"
    journal.say(guest, source="carol")
    assert guest.name == "carol"


def test_a_participant_speaks_only_for_itself() -> None:
    journal = Counter()
    alice = journal.join("alice")
    assert code(journal.say(alice, source="bob")) == "wrong_source"
    assert event(journal.say(alice, source="alice")).source == "alice"
    guest = journal.join()
    journal.say(guest, source="carol")
    assert code(journal.say(guest, source="dave")) == "wrong_source"


def test_nobody_speaks_as_the_broker() -> None:
    journal = Counter()
    assert code(journal.say(journal.join(), source="broker")) in ("wrong_source", "name_reserved")


# ── sessions ────────────────────────────────────────────────────────────────────────────────────


def test_a_session_is_known_while_its_participant_is_in_the_room() -> None:
    journal = Counter()
    alice = journal.join("alice", session="s" * 16)
    assert journal.room.sessions == {"s" * 16: alice}
    journal.leave(alice)
    assert journal.room.sessions == {}
    assert alice.gone


# ── subscriptions ───────────────────────────────────────────────────────────────────────────────


def subscribe(journal: Counter, participant: Participant, *types: str, un: str = "") -> list[str]:
    received = journal.say(participant, type=f"broker.{un}subscribe", data={"types": types})
    assert isinstance(received, Subscription), received
    return sorted(received.types)


def test_the_first_subscribe_of_one_who_chose_no_types_replaces_its_star() -> None:
    journal = Counter()
    alice = journal.join("alice")
    assert subscribe(journal, alice, "a") == ["a"]
    assert subscribe(journal, alice, "b_*", "c") == ["a", "b_*", "c"]
    assert subscribe(journal, alice, "a", un="un") == ["b_*", "c"]
    assert subscribe(journal, alice, "b_x", un="un") == ["b_*", "c"]


def test_the_first_subscribe_of_one_who_chose_types_adds_to_them() -> None:
    journal = Counter()
    types = frozenset({"a"})
    alice = journal.join("alice", types=types, subscription=types, chose_types=True)
    assert subscribe(journal, alice, "b") == ["a", "b"]


def test_after_an_unsubscribe_the_star_is_gone_only_if_it_was_named() -> None:
    journal = Counter()
    alice, bob = journal.join("alice"), journal.join("bob")
    assert subscribe(journal, alice, "a", un="un") == ["*"]
    assert subscribe(journal, bob, "*", un="un") == []


def test_a_subscription_cannot_grow_without_end() -> None:
    journal = Counter(Limits(rate=0))
    alice = journal.join("alice")
    for start in range(0, 64, 16):
        subscribe(journal, alice, *(f"t{n}" for n in range(start, start + 16)))
    received = journal.say(alice, type="broker.subscribe", data={"types": ["one_more"]})
    assert code(received) == "wrong_types"
    assert len(alice.subscription) == 64
    assert subscribe(journal, alice, "t0", un="un").count("t0") == 0
    assert "one_more" in subscribe(journal, alice, "one_more")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"types": []},
        {"types": "a"},
        {"types": [1]},
        {"types": ["*a"]},
        {"types": ["A"]},
        {"types": ["a\n"]},
        {"types": ["a"] * 65},
        {"types": {"a": 1}},
    ],
)
def test_a_subscribe_that_makes_no_sense_is_explained(data: dict[str, Any]) -> None:
    journal = Counter()
    said = error(journal.say(journal.join(), type="broker.subscribe", data=data))
    assert said.code in ("wrong_command", "wrong_types")
    assert "order_" in said.message or "prefix" in said.message


def test_the_longest_type_can_be_subscribed_to() -> None:
    journal = Counter()
    assert subscribe(journal, journal.join(), "a" * 64) == ["a" * 64]


def hearing(journal: Counter, received: Received) -> set[str]:
    """Who receives this event."""
    return {
        participant.name
        for recipients, records in journal.room.recipients([event(received)])
        if records
        for participant in recipients
    }


def test_relay_reaches_all_and_pubsub_those_who_match_and_echo_is_heeded_in_both() -> None:
    journal = Counter()
    alice = journal.join("alice", echo=False)
    everything = journal.join("all")
    journal.join("exact", types=frozenset({"order_placed"}))
    journal.join("prefix", types=frozenset({"order_*"}))
    journal.join("other", types=frozenset({"order", "order_placed_late"}))
    journal.join("nothing", types=frozenset())
    others = {"all", "exact", "prefix", "other", "nothing"}
    assert hearing(journal, journal.say(alice)) == others
    journal.set_modes({"*": "pubsub"})
    assert hearing(journal, journal.say(alice)) == {"all", "exact", "prefix"}
    assert hearing(journal, journal.say(everything)) == {"alice", "all", "exact", "prefix"}
    journal.set_modes({"order_placed": "queue"})
    assert hearing(journal, journal.say(alice)) == set()


# ── modes ───────────────────────────────────────────────────────────────────────────────────────


def test_modes_are_set_by_type_null_removes_one_and_the_star_is_always_there() -> None:
    journal = Counter()
    room = journal.room
    journal.set_modes({"order_placed": "queue"})
    assert room.state.modes == {"*": "relay", "order_placed": "queue"}
    journal.set_modes({"*": "pubsub"})
    accepted = [Event(type=type, data={}) for type in ("order_placed", "other")]
    records = [journal.protocol.record(room, event, "alice", 0) for event in accepted]
    assert [record.mode for record in records] == ["queue", "pubsub"]
    journal.set_modes({"order_placed": None, "never_set": None})
    assert room.state.modes == {"*": "pubsub"}
    journal.set_modes({"*": None})
    assert room.state.modes == {"*": "relay"}


@pytest.mark.parametrize(
    "modes",
    [
        {"*": "broadcast"},
        {"*": 5},
        {"*": []},
        {"*": True},
        {"*": ""},
        *({type: "relay"} for type in ("a*", "", "A", "a\n")),
        {"ok": "relay", "a" * 65: None},
    ],
)
def test_wrong_modes_change_nothing(modes: dict[str, Any]) -> None:
    journal = Counter()
    with pytest.raises(Exception, match="is no") as refused:
        journal.set_modes(modes)
    assert getattr(refused.value, "code", "") == "wrong_modes"
    assert journal.room.state.modes == {"*": "relay"}


def test_an_event_keeps_the_mode_under_which_it_was_sent() -> None:
    journal = Counter()
    alice = journal.join("alice")
    before = event(journal.say(alice))
    journal.set_modes({"order_placed": "queue"})
    after = event(journal.say(alice))
    assert (before.mode, after.mode) == ("relay", "queue")


# ── what one message means ──────────────────────────────────────────────────────────────────────


def test_what_is_missing_is_stamped_with_the_brokers_clock_and_the_senders_name() -> None:
    journal = Counter()
    record = event(journal.receive(journal.join("alice"), '{"type":"a","data":{}}', now=1234))
    stamped = json.loads(record.body)
    assert (stamped["created"], stamped["source"]) == ("1234", "alice")
    assert (stamped["id"].replace("-", ""), record.at) == (record.key.hex(), 1234)


def test_a_binary_frame_is_explained() -> None:
    journal = Counter()
    assert code(journal.receive(journal.join(), b"x")) == "binary_frame"


def test_the_types_of_the_broker_are_its_own() -> None:
    journal = Counter()
    said = error(journal.say(journal.join(), type="broker.welcome"))
    assert said.code == "unknown_command"
    assert "`broker.subscribe`" in said.message


@pytest.mark.parametrize("id", [None, 5, "", ID + "\n", ID.replace("-", ""), [ID], {"id": ID}])
@pytest.mark.parametrize("type", ["broker.ack", "broker.nack"])
def test_an_ack_of_what_is_no_id_is_explained(type: str, id: Any) -> None:
    journal = Counter()
    assert code(journal.say(journal.join(), type=type, data={"event": id})) == "wrong_command"


def test_an_ack_and_a_nack_name_the_event() -> None:
    journal = Counter()
    bob = journal.join("bob")
    assert journal.say(bob, type="broker.ack", data={"event": ID}) == messages.Ack(event=ID)
    nack = journal.say(bob, type="broker.nack", data={"event": ID, "reason": "busy"})
    assert nack == messages.Nack(event=ID, reason="busy")


def test_a_muted_participant_is_refused_but_may_still_ack() -> None:
    journal = Counter()
    alice = journal.join("Alice", marks=["m"])
    journal.take(control("main", Kind.MUTED, 0, name="alice", marks=["m"], lifted=False))
    assert code(journal.say(alice)) == "muted"
    assert isinstance(journal.say(alice, type="broker.ack", data={"event": ID}), messages.Ack)
    another = journal.join("somebody", marks=["m"])
    assert code(journal.say(another)) == "muted", "it is the same person"
    assert event(journal.say(journal.join("bob", marks=["n"])))
    journal.take(control("main", Kind.MUTED, 0, name="ALICE", marks=[], lifted=True))
    assert event(journal.say(alice))


# ── rates, with a clock of our own ──────────────────────────────────────────────────────────────

RATE = Limits(rate=10, burst=20, abusive_grace=5)


def is_taken(received: Received) -> bool:
    return not isinstance(received, messages.Error)


def test_a_burst_is_taken_then_as_many_as_the_rate_allows() -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    taken = [is_taken(journal.say(alice, clock=100.0)) for _ in range(25)]
    assert taken == [True] * 20 + [False] * 5
    taken = [is_taken(journal.say(alice, clock=100.5)) for _ in range(7)]
    assert taken == [True] * 5 + [False] * 2


def test_over_the_rate_the_refusal_names_the_event() -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    for _ in range(20):
        journal.say(alice, clock=1.0)
    said = error(journal.say(alice, clock=1.0, id=ID))
    assert said.code == "rate_limited"
    assert said.event == ID


def test_nonsense_costs_as_much_as_sense() -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    codes = [code(journal.receive(alice, "nonsense", 1.0)) for _ in range(21)]
    assert codes == ["malformed_json"] * 20 + ["rate_limited"]


def test_bytes_are_charged_before_anything_is_read() -> None:
    journal = Counter(Limits(rate=1000, burst=1000, bytes=100, burst_bytes=1000))
    alice = journal.join("alice")
    text = "x" * 400
    codes = [code(journal.receive(alice, text, 1.0)) for _ in range(3)]
    assert codes == ["malformed_json", "malformed_json", "rate_limited"]
    said = error(journal.receive(alice, json.dumps({"id": ID, "pad": text}), 1.0))
    assert (said.code, said.event) == ("rate_limited", None), "it was not read"
    assert code(journal.receive(alice, text, 6.0)) == "malformed_json"


def test_what_a_message_weighs_is_its_bytes_on_the_wire_and_more_for_its_values() -> None:
    assert [weight(text) for text in ("abc", b"abc", "åbc", "1,2,3")] == [3, 3, 4, 5 + 2 * VALUE]


@pytest.mark.parametrize("patterns", [1, 30])
def test_a_change_of_a_subscription_costs_more_than_an_event_and_more_for_each_pattern(
    patterns: int,
) -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    types = {"types": [f"tea_{number}" for number in range(patterns)]}
    changes = [
        is_taken(journal.say(alice, clock=1.0, type="broker.subscribe", data=types))
        for _ in range(11)
    ]
    taken = RATE.burst * COMMAND_RATE // (SUBSCRIBING + patterns)
    assert changes == [True] * taken + [False] * (11 - taken)


def test_what_is_refused_as_too_much_leaves_its_sender_unread_for_a_while() -> None:
    journal = Counter(Limits(rate=10, burst=5, bytes=1000, burst_bytes=1000))
    alice = journal.join("alice")
    for _ in range(5):
        journal.say(alice, clock=1.0)
    assert alice.allowance.pause == 0
    journal.say(alice, clock=1.0)
    assert alice.allowance.pause == pytest.approx(1 / 20), "read at twice its rate"
    journal.receive(alice, "x" * 4000, 1.0)
    assert alice.allowance.pause == pytest.approx(1 / 20 + REFUSED[1]), "at most"
    bob = journal.join("bob")
    bob.allowance = Allowance(Limits(rate=1e6, burst=0))
    journal.say(bob, clock=1.0)
    assert bob.allowance.pause == REFUSED[0], "at least"


def test_commands_have_a_bucket_of_their_own_ten_times_as_large() -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    for _ in range(21):
        journal.say(alice, clock=1.0)
    acks = [
        is_taken(journal.say(alice, clock=1.0, type="broker.ack", data={"event": ID}))
        for _ in range(201)
    ]
    assert acks == [True] * 200 + [False]


@pytest.mark.parametrize("type", ["order_placed", "broker.ack"])
def test_too_much_without_a_pause_is_abuse_and_a_pause_forgives(type: str) -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")

    def flood(start: float, seconds: float) -> float:
        """A message a millisecond."""
        for step in range(round(seconds * 1000)):
            journal.say(alice, clock=start + step / 1000, type=type, data={"event": ID})
        return start + seconds

    clock = flood(0.0, 4.9)
    assert not alice.allowance.is_abused(clock)
    clock = flood(clock + 3, 4.9)
    assert not alice.allowance.is_abused(clock)
    clock = flood(clock, 1.0)
    assert alice.allowance.is_abused(clock)


def test_without_a_rate_nothing_is_too_much() -> None:
    journal = Counter(Limits(rate=0))
    alice = journal.join("alice")
    assert all(is_taken(journal.say(alice, clock=1.0)) for _ in range(1000))
    assert not alice.allowance.is_abused(1e9)


# ── rooms ───────────────────────────────────────────────────────────────────────────────────────


def test_a_room_is_forgettable_while_it_is_empty_and_has_neither_events_nor_rules() -> None:
    journal = Counter()
    room = journal.room
    assert room.is_forgettable
    alice = journal.join("alice")
    assert not room.is_forgettable
    journal.leave(alice)
    assert room.is_forgettable
    journal.take(control("main", Kind.LOCKED, 0, locked=True, admitted=[]))
    assert not room.is_forgettable
    journal.take(control("main", Kind.LOCKED, 0, locked=False, admitted=[]))
    journal.take(control("main", Kind.PAUSED, 0, paused=True))
    assert not room.is_forgettable
    journal.take(control("main", Kind.PAUSED, 0, paused=False))
    assert room.is_forgettable
    bob = journal.join("bob")
    journal.say(bob)
    journal.leave(bob)
    assert not room.is_forgettable


def test_an_audience_ends_with_its_last_member() -> None:
    journal = Counter(Limits(rate=0))
    alice = journal.join("alice")
    for n in range(50):
        subscribe(journal, alice, f"t{n}")
        subscribe(journal, alice, f"t{n}", un="un")
    assert len(journal.room.audiences) == 1
    journal.leave(alice)
    assert journal.room.audiences == {}


def test_turns_go_round_and_skip_those_who_cannot_take() -> None:
    journal = Counter()
    names = "abcd"
    for name in names:
        journal.join(name, ack="manual")
    room = journal.room
    turns = []
    for _ in range(8):
        taker = room.takers("order_placed")[0]
        room.turn = taker.number
        turns.append(taker.name)
    assert turns == list(names * 2)
    room.participants["a"].in_flight = 1
    room.participants["b"].congested = True
    room.participants["c"].life = Life.MEETING
    assert [p.name for p in room.takers("order_placed")] == ["d"]

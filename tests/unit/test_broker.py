"""The pure broker: who is who, who may say what, and what it is told."""

import itertools
import json
from typing import Any

import pytest

from orders.broker.broker import Broker, Item
from orders.broker.limits import Limits, is_abusive
from orders.broker.records import Kind, RoomState
from orders.broker.room import Participant, Room
from orders.errors import Full
from tests.transports import Transport

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"


class Counter:
    """The journal, as far as the broker needs one: positions in order, and all is accepted."""

    def __init__(self, limits: Limits | None = None) -> None:
        ids = itertools.count(1)
        self.broker = Broker(lambda: f"00000000-0000-7000-8000-{next(ids):012}", limits or Limits())
        self.broker.restore([])
        self.room = self.broker.rooms["main"]
        self.items: list[Item] = []

    def join(self, name: str | None = None, **wishes: Any) -> Participant:
        participant = Participant(self.room, name or "", Transport(), **wishes)
        self.take(self.broker.join(participant, name, 0))
        return participant

    def say(self, participant: Participant, clock: float = 0.0, **event: Any) -> list[Item]:
        """Receive an event with these fields; what it comes to, which is true from then on."""
        text = json.dumps({"type": "order_placed", "data": {}} | event)
        items = self.broker.receive(participant, text, 0, clock)
        self.take(items)
        return items

    def take(self, items: list[Item]) -> None:
        for item in items:
            self.items.append(item)
            if item.record:
                self.room.head += 1
                item.record.position = self.room.head
                self.broker.apply(item, item.record, 0)

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """The control records so far."""
        return [
            (item.record.kind, item.record.data)
            for item in self.items
            if item.record and item.record.kind is not Kind.EVENT
        ]


def reply(items: list[Item]) -> dict[str, Any]:
    """The one thing said to the sender."""
    (item,) = items
    assert item.reply is not None
    said: dict[str, Any] = json.loads(item.reply)
    return said


def code(items: list[Item]) -> str:
    return str(reply(items)["data"]["code"])


# ── names ───────────────────────────────────────────────────────────────────────────────────────


def test_a_name_in_use_gets_a_number_and_comes_free_when_its_owner_leaves() -> None:
    journal = Counter()
    bobs = [journal.join("bob") for _ in range(3)]
    assert [bob.name for bob in bobs] == ["bob", "bob-2", "bob-3"]
    journal.take(journal.broker.leave(bobs[1], 0))
    assert journal.join("bob").name == "bob-2"


def test_a_long_name_stays_within_32_characters_however_many_bear_it() -> None:
    journal = Counter()
    names = [journal.join("b" * 32).name for _ in range(120)]
    assert len(set(names)) == 120
    assert max(map(len, names)) == 32
    assert names[1] == "b" * 30 + "-2"
    assert names[-1] == "b" * 28 + "-120"


def test_who_gives_no_name_is_a_guest_with_a_number_of_its_own() -> None:
    journal = Counter()
    journal.join("guest-2")
    assert [journal.join().name for _ in range(3)] == ["guest-1", "guest-3", "guest-4"]


def test_the_first_source_names_who_has_no_name_and_the_room_hears_of_it() -> None:
    journal = Counter()
    guest = journal.join()
    items = journal.say(guest, source="alice")
    assert guest.name == "alice"
    assert list(journal.room.participants) == ["alice"]
    assert [item.record.kind for item in items if item.record] == ["left", "joined", "event"]
    assert items[-1].record is not None
    assert items[-1].record.source == "alice"
    assert journal.told()[-1][1]["was"] == "guest-1"


def test_a_guest_that_leaves_source_out_stays_a_guest_and_may_take_a_name_later() -> None:
    journal = Counter()
    guest = journal.join()
    (item,) = journal.say(guest)
    assert item.record is not None
    assert item.record.source == "guest-1"
    journal.say(guest, source="alice")
    assert guest.name == "alice"


def test_a_first_source_that_is_in_use_is_refused_and_the_guest_stays_one() -> None:
    journal = Counter()
    journal.join("alice")
    guest = journal.join()
    said = reply(journal.say(guest, source="alice", id=ID))
    assert said["data"]["code"] == "name_taken"
    assert "alice is in use in this room" in said["data"]["message"]
    assert said["data"]["event"] == ID
    assert guest.name == "guest-1"
    journal.say(guest, source="carol")
    assert guest.name == "carol"


def test_a_participant_speaks_only_for_itself() -> None:
    journal = Counter()
    alice = journal.join("alice")
    assert code(journal.say(alice, source="bob")) == "wrong_source"
    (item,) = journal.say(alice, source="alice")
    assert item.record is not None
    guest = journal.join()
    journal.say(guest, source="carol")
    assert code(journal.say(guest, source="dave")) == "wrong_source"


def test_nobody_speaks_as_the_broker() -> None:
    journal = Counter()
    assert code(journal.say(journal.join(), source="broker")) == "wrong_source"


def test_the_same_name_in_two_rooms_is_two_participants() -> None:
    journal = Counter()
    journal.join("alice")
    other = Participant(journal.broker.open_room("other"), "alice", Transport())
    journal.broker.join(other, "alice", 0)
    assert other.name == "alice"


# ── sessions ────────────────────────────────────────────────────────────────────────────────────


def test_the_same_session_takes_the_name_over_and_the_old_one_is_gone() -> None:
    journal = Counter()
    old = journal.join("alice", session="s" * 16)
    new = journal.join("somebody", session="s" * 16)
    assert (old.gone, new.name) == (True, "alice")
    assert journal.room.participants == {"alice": new}
    assert [kind for kind, _ in journal.told()] == ["joined", "left", "joined"]
    assert journal.broker.leave(old, 0) == []
    assert journal.room.participants == {"alice": new}
    assert journal.room.sessions == {"s" * 16: new}


def test_a_session_without_a_name_takes_over_the_one_that_its_source_gave() -> None:
    journal = Counter()
    old = journal.join(session="s" * 16)
    journal.say(old, source="alice")
    new = journal.join(session="s" * 16)
    assert new.name == "alice"
    assert code(journal.say(new, source="bob")) == "wrong_source"


def test_a_session_that_ended_is_forgotten() -> None:
    journal = Counter()
    journal.take(journal.broker.leave(journal.join("alice", session="s" * 16), 0))
    assert journal.room.sessions == {}
    assert journal.join("bob", session="s" * 16).name == "bob"


def test_the_leaving_of_who_was_never_let_in_is_no_news() -> None:
    journal = Counter(Limits(max_participants=1))
    alice = journal.join("alice")
    refused = Participant(journal.room, "alice", Transport())
    with pytest.raises(Full):
        journal.broker.join(refused, "alice", 0)
    assert journal.broker.leave(refused, 0) == []
    assert journal.room.participants == {"alice": alice}


# ── subscriptions ───────────────────────────────────────────────────────────────────────────────


def subscribe(journal: Counter, participant: Participant, *types: str, un: str = "") -> list[str]:
    items = journal.say(participant, type=f"broker.{un}subscribe", data={"types": types})
    said = reply(items)
    assert said["type"] == "broker.subscribed", said
    assert participant.types == set(said["data"]["types"])
    return list(said["data"]["types"])


def test_the_first_subscribe_of_who_chose_no_types_replaces_its_star() -> None:
    journal = Counter()
    alice = journal.join("alice")
    assert subscribe(journal, alice, "a") == ["a"]
    assert subscribe(journal, alice, "b_*", "c") == ["a", "b_*", "c"]
    assert subscribe(journal, alice, "a", un="un") == ["b_*", "c"]
    assert subscribe(journal, alice, "b_x", un="un") == ["b_*", "c"]


def test_the_first_subscribe_of_who_chose_types_adds_to_them() -> None:
    journal = Counter()
    alice = journal.join("alice", types=frozenset({"a"}), wanted=frozenset({"a"}), chose_types=True)
    assert subscribe(journal, alice, "b") == ["a", "b"]


def test_after_an_unsubscribe_the_star_is_gone_only_if_it_was_named() -> None:
    journal = Counter()
    alice, bob = journal.join("alice"), journal.join("bob")
    assert subscribe(journal, alice, "a", un="un") == ["*"]
    assert subscribe(journal, bob, "*", un="un") == []


def test_a_subscription_holds_from_its_place_in_the_journal_on() -> None:
    journal = Counter()
    alice = journal.join("alice")
    text = '{"type": "broker.subscribe", "data": {"types": ["a"]}}'
    first = journal.broker.receive(alice, text, 0, 0)
    second = journal.broker.receive(alice, text.replace('"a"', '"b"'), 0, 0)
    assert alice.types == {"*"}
    journal.take(first)
    assert alice.types == {"a"}
    journal.take(second)
    assert alice.types == {"a", "b"}


def test_a_subscription_cannot_grow_without_end() -> None:
    journal = Counter(Limits(rate=0))
    alice = journal.join("alice")
    for start in range(0, 64, 16):
        subscribe(journal, alice, *(f"t{n}" for n in range(start, start + 16)))
    items = journal.say(alice, type="broker.subscribe", data={"types": ["one_more"]})
    assert code(items) == "wrong_types"
    assert len(alice.wanted) == 64
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
    said = reply(journal.say(journal.join(), type="broker.subscribe", data=data))
    assert said["data"]["code"] == "wrong_command"
    assert '"types": ["order_*"]' in said["data"]["message"]


def test_the_longest_type_can_be_subscribed_to() -> None:
    journal = Counter()
    assert subscribe(journal, journal.join(), "a" * 64) == ["a" * 64]


def hearing(room: Room, journal: Counter, item: Item) -> set[str]:
    """Who receives the event of this item."""
    assert item.record is not None
    return {
        participant.name
        for recipients, records in room.recipients([item.record])
        if records
        for participant in recipients
    }


def test_relay_reaches_all_and_pubsub_those_who_match_and_echo_is_heeded_in_both() -> None:
    journal = Counter()
    alice = journal.join("alice", echo=False)
    journal.join("all")
    journal.join("exact", types=frozenset({"order_placed"}))
    journal.join("prefix", types=frozenset({"order_*"}))
    journal.join("other", types=frozenset({"order", "order_placed_late"}))
    journal.join("nothing", types=frozenset())
    (item,) = journal.say(alice)
    assert hearing(journal.room, journal, item) == {"all", "exact", "prefix", "other", "nothing"}
    journal.take([journal.broker.set_modes(journal.room, {"*": "pubsub"}, 0)])
    (item,) = journal.say(alice)
    assert hearing(journal.room, journal, item) == {"all", "exact", "prefix"}
    (item,) = journal.say(journal.room.participants["all"])
    assert hearing(journal.room, journal, item) == {"alice", "all", "exact", "prefix"}
    journal.take([journal.broker.set_modes(journal.room, {"order_placed": "queue"}, 0)])
    (item,) = journal.say(alice)
    assert hearing(journal.room, journal, item) == set()


def test_nobody_hears_what_was_accepted_before_it_joined() -> None:
    journal = Counter()
    alice = journal.join("alice")
    (before,) = journal.say(alice)
    journal.join("bob", echo=False)
    (after,) = journal.say(alice)
    assert hearing(journal.room, journal, before) == {"alice"}
    assert hearing(journal.room, journal, after) == {"alice", "bob"}


# ── modes ───────────────────────────────────────────────────────────────────────────────────────


def test_modes_are_set_by_type_null_removes_one_and_the_star_is_always_there() -> None:
    journal = Counter()
    room = journal.room

    def set_modes(room: Room, changes: dict[str, str | None], now: int) -> None:
        journal.take([journal.broker.set_modes(room, changes, now)])

    set_modes(room, {"order_placed": "queue"}, 0)
    assert room.modes == {"*": "relay", "order_placed": "queue"}
    set_modes(room, {"*": "pubsub"}, 0)
    assert (room.mode_of("order_placed"), room.mode_of("other")) == ("queue", "pubsub")
    set_modes(room, {"order_placed": None, "never_set": None}, 0)
    assert room.modes == {"*": "pubsub"}
    set_modes(room, {"*": None}, 0)
    assert room.modes == {"*": "relay"}


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
        journal.broker.set_modes(journal.room, modes, 0)
    assert getattr(refused.value, "code", "") == "wrong_modes"
    assert journal.room.modes == {"*": "relay"}


def test_an_event_keeps_the_mode_under_which_it_was_sent() -> None:
    journal = Counter()
    alice = journal.join("alice")
    (before,) = journal.say(alice)
    journal.take([journal.broker.set_modes(journal.room, {"order_placed": "queue"}, 0)])
    (after,) = journal.say(alice)
    assert before.record is not None
    assert after.record is not None
    assert (before.record.mode, after.record.mode) == ("relay", "queue")


# ── what it is told, and what it says ───────────────────────────────────────────────────────────


def test_what_is_missing_is_stamped_with_the_brokers_clock_and_the_senders_name() -> None:
    journal = Counter()
    (item,) = journal.broker.receive(journal.join("alice"), '{"type":"a","data":{}}', 1234, 0)
    assert item.record is not None
    stamped = json.loads(item.record.body)
    assert (stamped["created"], stamped["source"]) == ("1234", "alice")
    assert (stamped["id"], item.record.at) == (item.event_id, 1234)


def test_a_binary_frame_is_explained() -> None:
    journal = Counter()
    assert code(journal.broker.receive(journal.join(), None, 0, 0)) == "binary_frame"


def test_the_types_of_the_broker_are_its_own() -> None:
    journal = Counter()
    said = reply(journal.say(journal.join(), type="broker.welcome"))
    assert said["data"]["code"] == "unknown_command"
    assert "`broker.subscribe`" in said["data"]["message"]


@pytest.mark.parametrize("event", [None, 5, "", ID + "\n", ID.replace("-", ""), [ID], {"id": ID}])
@pytest.mark.parametrize("type", ["broker.ack", "broker.nack"])
def test_an_ack_of_what_is_no_id_is_explained(type: str, event: Any) -> None:
    journal = Counter()
    assert code(journal.say(journal.join(), type=type, data={"event": event})) == "wrong_command"


def test_the_welcome_says_who_one_is_and_how_the_room_stands() -> None:
    journal = Counter()
    journal.join("bob")
    bob = journal.join("bob", types=frozenset({"b", "a"}), ack="manual")
    journal.take([journal.broker.set_modes(journal.room, {"*": "pubsub"}, 0)])
    journal.room.last = ID
    said = json.loads(journal.broker.welcome(bob, 1234))
    assert said["data"] == {
        "room": "main",
        "name": "bob-2",
        "modes": {"*": "pubsub"},
        "types": ["a", "b"],
        "ack": "manual",
        "participants": 2,
        "last": ID,
        "durable": True,
    }
    assert (said["type"], said["source"], said["created"]) == ("broker.welcome", "broker", "1234")


def test_a_muted_participant_is_refused_but_may_still_ack() -> None:
    journal = Counter()
    alice = journal.join("alice")
    alice.muted = True
    assert code(journal.say(alice)) == "muted"
    (item,) = journal.say(alice, type="broker.ack", data={"event": ID})
    assert item.command is not None


# ── rates, with a clock of our own ──────────────────────────────────────────────────────────────

RATE = Limits(rate=10, burst=20, abusive_grace=5)


def test_a_burst_is_taken_then_as_many_as_the_rate_allows() -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    taken = [bool(journal.say(alice, clock=100.0)[-1].record) for _ in range(25)]
    assert taken == [True] * 20 + [False] * 5
    taken = [bool(journal.say(alice, clock=100.5)[-1].record) for _ in range(7)]
    assert taken == [True] * 5 + [False] * 2


def test_over_the_rate_the_refusal_names_the_event() -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    for _ in range(20):
        journal.say(alice, clock=1.0)
    said = reply(journal.say(alice, clock=1.0, id=ID))
    assert said["data"]["code"] == "rate_limited"
    assert said["data"]["event"] == ID


def test_nonsense_costs_as_much_as_sense() -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    codes = [code(journal.broker.receive(alice, "nonsense", 0, 1.0)) for _ in range(21)]
    assert codes == ["malformed_json"] * 20 + ["rate_limited"]


def test_commands_have_a_bucket_of_their_own_ten_times_as_large() -> None:
    journal = Counter(RATE)
    alice = journal.join("alice")
    for _ in range(21):
        journal.say(alice, clock=1.0)
    acks = [
        journal.say(alice, clock=1.0, type="broker.ack", data={"event": ID})[0].command
        for _ in range(201)
    ]
    assert [ack is not None for ack in acks] == [True] * 200 + [False]


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
    assert not is_abusive(alice, journal.broker.limits, clock)
    clock = flood(clock + 3, 4.9)
    assert not is_abusive(alice, journal.broker.limits, clock)
    clock = flood(clock, 1.0)
    assert is_abusive(alice, journal.broker.limits, clock)


def test_without_a_rate_nothing_is_too_much() -> None:
    journal = Counter(Limits(rate=0))
    alice = journal.join("alice")
    assert all(journal.say(alice, clock=1.0)[0].record for _ in range(1000))
    assert not is_abusive(alice, journal.broker.limits, 1e9)


# ── rooms ───────────────────────────────────────────────────────────────────────────────────────


def test_a_full_room_and_a_full_server_refuse_and_nothing_is_left_of_it() -> None:
    journal = Counter(Limits(max_participants=2, max_rooms=2))
    journal.join("a")
    journal.join("b")
    with pytest.raises(Full, match="has 2 participants"):
        journal.join("c")
    assert list(journal.room.participants) == ["a", "b"]
    journal.broker.open_room("second")
    with pytest.raises(Full, match="All 2 rooms"):
        journal.broker.open_room("third")
    assert journal.broker.open_room("second") is journal.broker.rooms["second"]


def test_a_full_room_still_lets_a_session_take_over() -> None:
    journal = Counter(Limits(max_participants=1))
    journal.join("alice", session="s" * 16)
    assert journal.join("alice", session="s" * 16).name == "alice"


def test_an_empty_room_without_events_is_forgotten_but_not_main() -> None:
    journal = Counter()
    room = journal.broker.open_room("other")
    participant = Participant(room, "alice", Transport())
    journal.broker.join(participant, "alice", 0)
    assert not journal.broker.forget(room)
    journal.broker.leave(participant, 0)
    room.events = 1
    assert not journal.broker.forget(room)
    room.events = 0
    assert journal.broker.forget(room)
    assert not journal.broker.forget(journal.room)
    assert list(journal.broker.rooms) == ["main"]


def test_rooms_are_as_the_journal_remembers_them_and_main_is_always_there() -> None:
    journal = Counter()
    state = RoomState("other", {"order_placed": "queue"}, True, 3, 7, 2, ID)
    journal.broker.restore([state])
    assert list(journal.broker.rooms) == ["other", "main"]
    room = journal.broker.rooms["other"]
    assert room.modes == {"*": "relay", "order_placed": "queue"}
    assert (room.paused, room.cursor, room.head) == (True, 3, 7)
    assert (room.events, room.last) == (2, ID)


def test_an_audience_ends_with_its_last_member() -> None:
    journal = Counter(Limits(rate=0))
    alice = journal.join("alice")
    for n in range(50):
        subscribe(journal, alice, f"t{n}")
        subscribe(journal, alice, f"t{n}", un="un")
    assert len(journal.room.audiences) == 1
    journal.take(journal.broker.leave(alice, 0))
    assert journal.room.audiences == {}


def test_whose_turn_it_is_goes_round_and_skips_who_cannot_take() -> None:
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
    room.participants["c"].held = []
    assert [p.name for p in room.takers("order_placed")] == ["d"]

"""Questions to a class: what counts, who may see it, and what was right."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.broker.modes import Mode, matches, works_on
from orders.broker.records import Kind, Record, control
from orders.classroom.questions import (
    ROUNDS,
    TRANSITIONS,
    Question,
    Questions,
    as_csv,
    listed,
)
from orders.classroom.questions_truth import (
    OF_QUEUE,
    OUR_CODES,
    OUTCOMES,
    RECEIVERS,
    offered,
    outcome,
    receivers,
    words,
)
from orders.domain.envelope import Event

SECRET = "00" * 16


class Journal:
    """The records of a room, as they are stored, and its questions."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.questions = Questions()

    def add(self, kind: Kind, **data: Any) -> Record:
        return self._store(control("main", kind, 1000, **data))

    def _store(self, record: Record) -> Record:
        record.position = len(self.records) + 1
        self.records.append(record)
        return record

    def event(self, type: str, source: str, mode: str = "relay", **data: Any) -> Record:
        """An event; its id counts them."""
        number = len(self.records) + 1
        event = Event(id=str(UUID(int=number)), type=type, created="1000", source=source, data=data)
        return self._store(
            Record(
                room="main",
                kind=Kind.EVENT,
                at=1000,
                body=event.model_dump_json().encode(),
                key=UUID(int=number).bytes,
                type=type,
                source=source,
                mode=mode,
                event=event,
            )
        )

    def joined(self, name: str, *types: str, ack: str = "auto", echo: bool = True) -> None:
        more = {"types": list(types or "*"), "ack": ack, "echo": echo, "after": None, "was": None}
        self.add(Kind.JOINED, name=name, **more)

    def about(self, event: Record, kind: Kind, **data: Any) -> None:
        record = self.add(kind, event=str(UUID(bytes=event.key)), **data)
        record.key, record.about = event.key, event.position

    def controls(self) -> list[Record]:
        return [record for record in self.records if record.kind is not Kind.EVENT]

    # ── a question ──────────────────────────────────────────────────────────────────────────

    def ask(self, id: str = "q", number: int = 1, choices: dict[str, str] = RECEIVERS) -> Question:
        data: dict[str, Any] = {"asks": "receivers", "text": "Who?", "choices": listed(choices)}
        data |= {"event": None, "order": None, "last": 0, "held": True, "secret": SECRET}
        self.say(Kind.ASKED, id, round=number, **data)
        return self.questions.by_id[id]

    def say(self, kind: Kind, id: str = "q", **data: Any) -> None:
        self.questions.apply(self.add(kind, question=id, **data))

    def answer(self, choice: str, *voters: str, number: int = 1) -> None:
        self.say(Kind.ANSWERED, choice=choice, voters=list(voters), round=number)

    def reveal(self, truth: str | None = "everyone") -> None:
        self.say(Kind.REVEALED, event=None, truth=truth, why="", so_far=False, votes=[])


@pytest.fixture
def journal() -> Journal:
    return Journal()


# ── what counts ─────────────────────────────────────────────────────────────────────────────────


def test_each_voter_counts_once_a_round_and_the_first_answer_is_the_one(journal: Journal) -> None:
    question = journal.ask()
    journal.answer("everyone", "ann")
    journal.answer("nobody", "ann")
    journal.answer("nobody", "ann's other tab", "ann")
    journal.answer("nobody", "ben")
    assert question.votes == [{"everyone": 1, "those_who_asked": 0, "exactly_one": 0, "nobody": 1}]
    assert question.answered(["ann"]) == 2
    assert question.answered(["carol"]) is None


def test_closed_is_closed_and_the_second_round_begins_empty(journal: Journal) -> None:
    question = journal.ask()
    journal.answer("everyone", "ann")
    journal.say(Kind.CLOSED, round=1)
    journal.answer("everyone", "too late")
    journal.ask(number=2)
    journal.answer("everyone", "too late, too", number=1)
    journal.answer("a choice there is not", "dora", number=2)
    journal.answer("nobody", question.voter("ann"), number=2)
    journal.say(Kind.CLOSED, round=2)
    assert [sum(votes.values()) for votes in question.votes] == [1, 1]
    assert question.round == ROUNDS


def test_a_voter_is_another_in_each_round_and_question(journal: Journal) -> None:
    question = journal.ask()
    first = question.voter("s" * 16)
    journal.say(Kind.CLOSED, round=1)
    journal.ask(number=2)
    other = journal.questions.by_id["q"]
    assert first != other.voter("s" * 16) != other.voter("t" * 16)


def test_only_what_stands_in_the_table_changes_where_a_question_stands(journal: Journal) -> None:
    question = journal.ask()

    def close() -> None:
        journal.say(Kind.CLOSED, round=1)

    steps: list[Callable[[], object]] = [
        journal.reveal,
        lambda: journal.ask(number=2),
        close,
        close,
    ]
    steps += [lambda: journal.ask(number=2), close, lambda: journal.ask(number=3)]
    steps += [journal.reveal, close, journal.reveal]
    stood = []
    for step in steps:
        step()
        stood.append(f"{question.state} {question.round}")
    assert stood[:4] == ["open 1", "open 1", "closed 1", "closed 1"]
    assert stood[4:] == ["open 2", "closed 2", "closed 2", *["revealed 2"] * 3]
    assert {state for state, _ in TRANSITIONS} == {"open", "closed", "revealed"}


def test_one_question_at_a_time(journal: Journal) -> None:
    journal.ask("one")
    with pytest.raises(KeyError):
        journal.ask("two")
    journal.say(Kind.CLOSED, "one", round=1)
    with pytest.raises(KeyError):
        journal.ask("two")
    journal.say(Kind.REVEALED, "one", event=None, truth=None, why="", so_far=False, votes=[])
    assert journal.questions.current is None
    assert journal.ask("two") is journal.questions.current


def test_the_second_round_of_a_question_that_a_reset_took_is_passed_over(journal: Journal) -> None:
    journal.say(Kind.ASKED, "gone", round=2)
    journal.say(Kind.CLOSED, "gone", round=2)
    assert journal.questions.by_id == {}


@settings(max_examples=40)
@given(st.data())
def test_reading_a_journal_again_in_any_pieces_counts_nothing_twice(data: Any) -> None:
    journal = Journal()
    question = journal.ask()
    for voter in data.draw(st.lists(st.sampled_from("abcdef"), max_size=12)):
        journal.answer(data.draw(st.sampled_from(list(RECEIVERS))), voter)
    again = Questions()
    for _ in range(data.draw(st.integers(1, 3))):
        for record in journal.records[: data.draw(st.integers(0, len(journal.records)))]:
            again.apply(record)
    for record in journal.records:
        again.apply(record)
    assert again.by_id["q"].votes == question.votes


def test_nobody_sees_the_votes_before_it_is_closed_and_others_not_before_the_truth(
    journal: Journal,
) -> None:
    question = journal.ask()
    journal.answer("everyone", "ann")

    def seen() -> tuple[bool, bool, bool]:
        host, others = question.shape(is_host=True), question.shape(is_host=False)
        assert host["answers"] == others["answers"]
        return "votes" in host, "votes" in others, "truth" in host or "truth" in others

    assert seen() == (False, False, False)
    assert "everyone" not in as_csv([question])
    journal.say(Kind.CLOSED, round=1)
    assert seen() == (True, False, False)
    assert "everyone" in as_csv([question])
    journal.ask(number=2)
    assert seen() == (False, False, False)
    assert "everyone" not in as_csv([question])
    journal.say(Kind.CLOSED, round=2)
    journal.reveal()
    assert seen() == (True, True, True)
    assert question.shape(is_host=False)["votes"] == question.votes


def test_no_cell_of_the_table_is_a_formula(journal: Journal) -> None:
    journal.ask(choices={"-1+cmd": "=1+1", "nobody": "Nobody"})
    journal.answer("-1+cmd", "ann")
    journal.say(Kind.CLOSED, round=1)
    journal.reveal("-1+cmd")
    lines = as_csv(journal.questions.by_id.values()).splitlines()
    assert lines[1:] == [
        "q,receivers,Who?,,1,'-1+cmd,'=1+1,1,yes",
        "q,receivers,Who?,,1,nobody,Nobody,0,no",
    ]


# ── what is offered ─────────────────────────────────────────────────────────────────────────────


def test_in_a_queue_the_workers_are_offered_by_name_and_there_is_always_a_right_choice() -> None:
    assert offered("receivers", Mode.RELAY, ["bob"]) == RECEIVERS
    assert offered("receivers", Mode.PUBSUB, ["bob"]) == RECEIVERS
    assert list(offered("receivers", Mode.QUEUE, ["bob", "bob-2"])) == ["bob", "bob-2", *OF_QUEUE]
    assert list(offered("receivers", Mode.QUEUE, ["nobody", "other"])) == [*OF_QUEUE]
    many = offered("receivers", Mode.QUEUE, [f"bob-{number}" for number in range(300)])
    assert 4 < len(many) < 12
    assert offered("outcome", Mode.QUEUE, ["bob"]) == OUTCOMES


def test_a_question_is_asked_in_words(journal: Journal) -> None:
    placed = journal.event("order_placed", "carol", id=5)
    other = journal.event("tea.made", "dan")
    assert words("receivers", placed, None) == "Who receives carol’s order 5?"
    assert words("receivers", other, None) == "Who receives the tea.made of dan?"
    assert words("receivers", None, None) == "Who receives the next event?"
    assert words("outcome", placed, None) == "What becomes of carol’s order 5?"
    assert words("outcome", None, "ben/7") == "What becomes of ben’s order 7?"
    assert words("outcome", None, None) == "What becomes of the next order?"


# ── who received it ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "people", "truth"),
    [
        ("relay", {"ann": "order_placed", "ben": "tea"}, "everyone"),
        ("relay", {}, "nobody"),
        ("pubsub", {"ann": "order_placed", "ben": "tea"}, "those_who_asked"),
        ("pubsub", {"ann": "order_*", "ben": "order_placed"}, "those_who_asked"),
        ("pubsub", {"ben": "tea"}, "nobody"),
    ],
)
def test_relay_and_pubsub_in_words_of_the_mode(
    journal: Journal, mode: str, people: dict[str, str], truth: str
) -> None:
    for name, types in people.items():
        journal.joined(name, types)
    event = journal.event("order_placed", "carol", mode, id=5)
    assert receivers(event, journal.controls(), RECEIVERS).choice == truth


def test_of_a_queue_the_first_taker_is_right_no_matter_who_gets_it_later(journal: Journal) -> None:
    choices = offered("receivers", Mode.QUEUE, ["bob", "bob-2"])
    for name in ("bob", "bob-2", "zoe"):
        journal.joined(name, "order_placed", ack="manual")
    event = journal.event("order_placed", "carol", "queue", id=5)
    truth = receivers(event, journal.controls(), choices)
    assert (truth.choice, truth.so_far) == ("nobody", True)
    journal.about(event, Kind.HANDED, name="bob-2", attempt=1, lease=30)
    journal.about(event, Kind.RELEASED, name="bob-2", reason="gone")
    journal.about(event, Kind.HANDED, name="bob", attempt=2, lease=30)
    truth = receivers(event, journal.controls(), choices)
    assert (truth.choice, truth.so_far) == ("bob-2", False)
    assert receivers(event, journal.controls(), RECEIVERS).choice == "exactly_one"
    without = offered("receivers", Mode.QUEUE, ["bob"])
    assert receivers(event, journal.controls(), without).choice == "other"


@given(
    st.sampled_from([*Mode]),
    st.dictionaries(
        st.sampled_from(["ann", "ben", "carol", "nobody", "other", "everyone"]),
        st.tuples(
            st.sampled_from(["order_placed", "order_*", "*", "tea"]),
            st.sampled_from(["auto", "manual"]),
            st.booleans(),
        ),
    ),
    st.booleans(),
)
def test_the_truth_is_one_of_the_choices_and_what_a_room_of_ours_would_do(
    mode: Mode, people: dict[str, tuple[str, str, bool]], asked_of_a_queue: bool
) -> None:
    journal = Journal()
    for name, (types, ack, echo) in people.items():
        journal.joined(name, types, ack=ack, echo=echo)
    event = journal.event("order_placed", "carol", mode, id=5)
    able = [
        name
        for name, (types, ack, _) in people.items()
        if works_on(frozenset([types]), ack, "order_placed") and name != "carol"
    ]
    if mode == "queue" and able:
        journal.about(event, Kind.HANDED, name=able[0], attempt=1, lease=None)
    choices = offered("receivers", Mode.QUEUE if asked_of_a_queue else Mode.RELAY, able)
    truth = receivers(event, journal.controls(), choices).choice
    assert truth in choices

    hearing = [name for name, (*_, echo) in people.items() if echo or name != "carol"]
    got = {
        "relay": hearing,
        "pubsub": [n for n in hearing if matches(frozenset([people[n][0]]), "order_placed")],
        "queue": able[:1],
    }[mode]
    if not got:
        assert truth == "nobody"
    elif asked_of_a_queue:
        name = got[0] if len(got) == 1 and got[0] in able and got[0] not in OUR_CODES else "other"
        assert truth == name
    else:
        by_mode = {"relay": "everyone", "pubsub": "those_who_asked", "queue": "exactly_one"}
        assert truth == by_mode[mode]


# ── what happened to an order ─────────────────────────────────────────────────────────────────────


def after(journal: Journal, placed: Record) -> str:
    later = [r for r in journal.records if r.kind is Kind.EVENT and r.position > placed.position]
    truth = outcome(placed, later, journal.controls())
    assert truth.so_far
    return truth.choice


def naming(placed: Record) -> dict[str, Any]:
    return {"id": 5, "customer": placed.source, "event": placed.parsed().id}


def test_each_confirmation_is_a_coffee_made_also_of_one_confirmer(journal: Journal) -> None:
    placed = journal.event("order_placed", "carol", id=5)
    assert after(journal, placed) == "waits"
    journal.event("order_confirmed", "bob", **naming(placed))
    assert after(journal, placed) == "confirmed_once"
    journal.event("order_rejected", "bob-2", **naming(placed))
    assert after(journal, placed) == "confirmed_once"
    journal.event("order_confirmed", "bob", **naming(placed))
    assert after(journal, placed) == "more_than_once"


def test_an_answer_that_says_less_is_for_the_oldest_pending_order_with_that_number(
    journal: Journal,
) -> None:
    placed = journal.event("order_placed", "carol", id=5)
    other = journal.event("order_placed", "dora", id=5)
    journal.event("order_confirmed", "bob", id=5)
    assert (after(journal, placed), after(journal, other)) == ("confirmed_once", "confirmed_once")
    journal.event("order_confirmed", "bob", id=5, customer="dora")
    assert after(journal, placed) == "confirmed_once"


def test_the_rejection_of_a_second_placing_is_none_of_the_order(journal: Journal) -> None:
    placed = journal.event("order_placed", "carol", id=5)
    again = journal.event("order_placed", "carol", id=5.0)
    journal.event("order_rejected", "bob", **naming(again))
    assert after(journal, placed) == "waits"
    journal.event("order_rejected", "bob", **naming(placed))
    assert after(journal, placed) == "rejected"
    journal.event("order_confirmed", "bob", **naming(again))
    assert after(journal, placed) == "confirmed_once"


def test_a_dead_letter_is_one_until_it_is_retried_or_answered(journal: Journal) -> None:
    placed = journal.event("order_placed", "carol", "queue", id=5)
    journal.about(placed, Kind.DEAD, attempts=5, reason="")
    assert after(journal, placed) == "dead_letter"
    journal.about(placed, Kind.RETRIED)
    assert after(journal, placed) == "waits"
    journal.about(placed, Kind.DEAD, attempts=5, reason="")
    journal.about(placed, Kind.DISCARDED)
    assert after(journal, placed) == "dead_letter"
    journal.event("order_confirmed", "bob", **naming(placed))
    assert after(journal, placed) == "confirmed_once"


VALUES = st.one_of(
    st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2)
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["order_placed", "order_confirmed", "order_rejected"]),
            st.sampled_from(["carol", "bob"]),
            st.dictionaries(st.sampled_from(["id", "customer", "event"]), VALUES),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_whatever_is_sent_as_an_answer_there_is_one_truth(
    events: list[tuple[str, str, dict[str, Any], bool]],
) -> None:
    journal = Journal()
    placed = journal.event("order_placed", "carol", id=5)
    made = 0
    for type, source, data, names_it in events:
        journal.event(type, source, **(naming(placed) if names_it else data))
        made += type == "order_confirmed" and names_it
    found = after(journal, placed)
    assert found in OUTCOMES
    if made > 1:
        assert found == "more_than_once"
    elif made:
        assert found in ("confirmed_once", "more_than_once")

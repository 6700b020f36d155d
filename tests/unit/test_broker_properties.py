"""Whatever happens in whatever order: what must always hold, tried by Hypothesis.

The real pump, broker and leases, an engine in memory, participants without sockets and a clock of
our own. Hypothesis decides who does what, and when a batch is taken.
"""

import itertools
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from orders.broker.modes import matches
from orders.broker.queue import Entry, State
from orders.broker.records import Kind, Record
from orders.broker.room_state import RoomState
from orders.domain.envelope import id_text
from tests import histories
from tests.histories import MAX_ATTEMPTS, SETTINGS, TURNS, Histories
from tests.transports import join

MOST = 7  # participants at once
TYPES = ["news", "work", "work_more", "order_placed"]
PATTERNS = st.lists(st.sampled_from([*TYPES, "work*", "*"]), max_size=3)

#: What the control records about one queued event may say, in order: Handed, Released, Settled,
#: Dead, reTried, discarded (X), and A: handed with ack=auto, which settles it.
#: B: given Back with another of its type, so that the attempt does not count.
FATE = re.compile(r"((H[RB])*HDT)*(H[RB])*(A|H|HS|HD|HDX)?")
LETTERS: dict[str, str] = {
    Kind.HANDED: "H",
    Kind.RELEASED: "R",
    Kind.SETTLED: "S",
    Kind.DEAD: "D",
    Kind.RETRIED: "T",
    Kind.DISCARDED: "X",
}


@dataclass(eq=False)
class Known(histories.Known):
    """`start`: the position after which it hears events."""

    steady: bool = False  # never slow, so that its subscription may change
    start: int | None = None
    sent: list[str] = field(default_factory=list)  # the answers that it expects, in order


class Machine(Histories):
    """Everyone keeps its name; each answer, attempt and delivery is counted."""

    people = Bundle("people")

    @initialize(target=people)
    def begin(self) -> Any:
        self.start()
        self.ids: list[str] = []
        for type, mode in (("*", "pubsub"), ("work", "queue"), ("work_more", "queue")):
            self.set_mode(type, mode)
        usual: dict[str, Any] = {"types": None, "prefetch": 2, "echo": True, "after": None}
        return multiple(
            self._join(**usual, manual=True, steady=True),
            self._join(**usual, manual=True, steady=False),
            self._join(**usual, manual=False, steady=False),
        )

    def held_by(self, known: Known) -> list[Entry]:
        return [lease.entry for lease in self.room.leases.held_by(known.party.participant)]

    # ── what may happen ─────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.here() < MOST)
    @rule(
        target=people,
        types=st.none() | st.none() | PATTERNS,
        manual=st.sampled_from([True, True, False]),
        prefetch=st.integers(1, 3),
        echo=st.booleans(),
        steady=st.booleans(),
        after=st.sampled_from([None, "start", "last", "earlier"]),
    )
    def join(self, **wishes: Any) -> Known:
        return self._join(**wishes)

    def _join(
        self, types: list[str] | None, manual: bool, after: str | None, steady: bool, **wishes: Any
    ) -> Known:
        after, start = self.seen(after)
        if after is not None:
            steady = False  # a replay goes by the subscription as it is then
        wishes |= {} if types is None else {"types": types}
        wishes["ack"] = "manual" if manual else "auto"
        name = f"p{len(self.everyone)}"  # names that come again are tested elsewhere
        party = self.run(join(self.node, name, after=after, **wishes))
        known = Known(party, steady=steady, start=start)
        self.everyone.append(known)
        return known

    @rule(known=consumes(people))
    def leave(self, known: Known) -> None:
        known.left = True
        self.run(self.do(known.party.leave))

    @rule(
        known=people,
        type=st.sampled_from([*TYPES, "work"]),
        again=st.sampled_from([None, None, None, "same", "other"]),
        count=st.integers(1, 8),
        turns=TURNS,
    )
    def send(self, known: Known, type: str, again: str | None, count: int, turns: int) -> None:
        for _ in range(count):
            id, number = str(uuid.UUID(int=next(self.numbers))), next(self.numbers)
            if again and self.ids:
                id, number = self.ids[-1], 0 if again == "other" else number
            self.ids.append(id)
            self._say(known, {"type": type, "id": id, "data": {"n": number}}, id)
        self.go_on(turns)

    @rule(known=people, text=st.sampled_from(["nonsense", "[]", '{"type":"broker.x","data":{}}']))
    def speak_nonsense(self, known: Known, text: str) -> None:
        self._say(known, text, "error")

    @rule(known=people, types=PATTERNS.filter(bool), un=st.sampled_from(["", "un"]))
    def subscribe(self, known: Known, types: list[str], un: str) -> None:
        if known.steady:
            message = {"type": f"broker.{un}subscribe", "data": {"types": types}}
            self._say(known, message, "subscribed")

    @rule(known=people, nack=st.booleans(), old=st.booleans(), turns=TURNS)
    def answer(self, known: Known, nack: bool, old: bool, turns: int) -> None:
        """It acks or nacks all that it holds, or what it was given first of all, long ago."""
        self.go_on(50)
        given = [event["id"] for event in known.transport.heard if "attempt" in event]
        held = [id_text(entry.key) for entry in self.held_by(known)]
        for id in given[:1] if old else held:
            message = {"type": "broker.nack" if nack else "broker.ack", "data": {"event": id}}
            self._say(known, message, None)
        self.go_on(turns)

    @rule(
        act=st.sampled_from(["modes", "pause", "resume", "step", "retry", "discard"]),
        type=st.sampled_from(["*", *TYPES]),
        mode=st.sampled_from(["relay", "pubsub", "queue", None]),
    )
    def the_host_acts(self, act: str, type: str, mode: str | None) -> None:
        if act == "modes":
            self.set_mode(type, mode)
        else:
            self.host(act)

    @rule(known=people, reads=st.booleans())
    def stop_reading_or_read_on(self, known: Known, reads: bool) -> None:
        known.transport.reads = reads or known.steady
        if reads:
            known.transport.read()

    def _say(self, known: Known, message: Any, expected: str | None) -> None:
        if expected:
            known.sent.append(expected)
        self.say(known, message)

    # ── what must hold ──────────────────────────────────────────────────────────────────────

    @invariant()
    def nobody_holds_more_than_it_may_or_once_it_left(self) -> None:
        for known in self.everyone:
            participant = known.party.participant
            held = self.held_by(known)
            assert not (known.left and held)
            assert known.left or len(held) <= participant.prefetch
            assert all(entry.attempt <= MAX_ATTEMPTS for entry in held)

    @rule()
    def all_is_quiet(self) -> None:
        """Whatever happened, all is as it must be."""
        records = self.be_quiet()
        self._check_answers()
        self._check_credit()
        self._check_fates(records)
        self.fold_of(records)
        if not self.room.state.paused:
            self._check_what_was_heard(records)
            self._check_that_nothing_waits_for_nothing()

    def _check_answers(self) -> None:
        """Each message got one answer, in the order sent; quiet acks got none."""
        for known in self.everyone:
            answers = []
            for event in known.transport.heard:
                kind, data = event["type"], event["data"]
                if kind == "broker.accepted":
                    answers.append(data["event"])
                elif kind == "broker.subscribed":
                    answers.append("subscribed")
                elif kind == "broker.error" and data["code"] != "not_held":
                    answers.append(data.get("event", "error"))
            expected = known.sent[: len(answers)] if known.left else known.sent
            assert answers == expected

    def _check_credit(self) -> None:
        for known in self.everyone:
            if not known.left:
                participant = known.party.participant
                assert participant.in_flight == len(self.held_by(known))

    def _check_fates(self, records: list[Record]) -> None:
        """Every queued event is settled, or waits, or is held by one, or is dead: none is lost."""
        entries = self.room.state.queue.entries
        fates: dict[int, str] = {}
        handed: dict[int, list[int]] = {}
        for record in records:
            if record.kind in LETTERS:
                data = record.data
                is_auto = record.kind is Kind.HANDED and data["lease"] is None
                letter = "A" if is_auto else LETTERS[record.kind]
                letter = "B" if letter == "R" and "attempt" in data else letter
                fates[record.about] = fates.get(record.about, "") + letter
                if record.kind is Kind.HANDED:
                    handed.setdefault(record.about, []).append(data["attempt"])
                    self._check_delivery(record, data)
        for record in records:
            if record.kind is not Kind.EVENT:
                continue
            fate = fates.get(record.position, "")
            if record.mode != "queue":
                assert fate == ""
                continue
            assert FATE.fullmatch(fate), fate
            ended = {"": "", "R": "", "B": "", "T": "", "H": "held", "D": "dead"}.get(
                fate[-1:], "gone"
            )
            entry = entries.get(record.key)
            state = {State.READY: "", State.HELD: "held", State.DEAD: "dead"}
            assert ended == (state[entry.state] if entry else "gone"), fate
            attempts = handed.get(record.position, [])
            assert all(attempt <= MAX_ATTEMPTS for attempt in attempts)
            again = [a for a, b in itertools.pairwise(attempts) if b <= a]
            assert len(again) <= fate.count("T") + fate.count("B"), (
                "each attempt is one participant's"
            )

    def _check_delivery(self, record: Record, data: dict[str, Any]) -> None:
        """What the journal says was handed to somebody still here was written to it."""
        for known in self.everyone:
            if known.left or known.name != data["name"]:
                continue
            got = [e for e in known.transport.heard if e["id"] == data["event"]]
            assert got, (known.name, data)

    def _check_what_was_heard(self, records: list[Record]) -> None:
        """In relay and pubsub everyone heard what is for it, in the order of the log, once."""
        position = {r.parsed().id: r.position for r in records if r.kind is Kind.EVENT}
        modes = {r.position: r.mode for r in records}
        for known in self.everyone:
            heard = [
                position[event["id"]] for event in known.transport.heard if event["id"] in position
            ]
            news = [place for place in heard if modes[place] != "queue"]
            expected = self._expected(known, records)
            if known.left:
                assert news == expected[: len(news)], known.name
            else:
                assert news == expected, known.name

    def _expected(self, known: Known, records: list[Record]) -> list[int]:
        """The positions of all relay and pubsub events that are for it, from the journal alone.

        Who hears an event is decided when it is released.
        """
        participant = known.party.participant
        here, start, types = False, known.start, participant.types
        expected: list[int] = []
        held: list[Record] = []
        state = RoomState("main")

        def release(upto: int) -> None:
            while held and held[0].position <= upto:
                event = held.pop(0)
                is_own = not participant.echo and event.source == known.name
                is_wanted = event.mode == "relay" or matches(types, event.type)
                if is_wanted and not is_own and (here or known.start is not None):
                    expected.append(event.position)

        for record in records:
            state.apply(record)
            is_mine = record.kind is not Kind.EVENT and record.data.get("name") == known.name
            if record.kind is Kind.JOINED and is_mine:
                here, types = True, frozenset(record.data["types"])
                start = min(record.position, state.cursor) if start is None else start
            elif record.kind is Kind.SUBSCRIBED and is_mine:
                types = frozenset(record.data["types"])
            elif record.kind is Kind.EVENT and record.mode != "queue":
                held.append(record)
            release(state.cursor)
        if not here or start is None:
            return []
        return [position for position in expected if position > start]

    def _check_that_nothing_waits_for_nothing(self) -> None:
        """What is ready waits only while nobody who may take it has room for it."""
        for entry in self.room.state.queue.entries.values():
            if entry.state is State.READY:
                able = [p.name for p in self.room.takers(entry.type) if p.name != entry.source]
                assert able == []

    def teardown(self) -> None:
        if hasattr(self, "everyone"):
            self.host("resume")
            self.all_is_quiet()
            for known in self.everyone:
                if not known.left:
                    self.leave(known)
            self.run(self._quiet())
            assert (self.room.participants, self.room.audiences) == ({}, {})
            self.stop()


Machine.TestCase.settings = settings(SETTINGS, max_examples=100, stateful_step_count=60)
TestWhateverHappens = Machine.TestCase

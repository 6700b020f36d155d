"""The journal is the oracle: a room is the fold of its records, and *why* is what happened.

Hypothesis makes up a history of a real node: people come, go, come back, change their names and
subscriptions and stop reading, the host pauses, steps, resumes and resets. Whenever all is quiet
the fold of the records must be the room on the node, and the explanation of every event must be
what was written to the transports; the API must say the same. At the end the journal's file must
restore the same room.
"""

import tempfile
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, precondition, rule

from orders.broker.explain import explain
from orders.broker.records import Kind, Record
from orders.broker.room_state import RoomState
from orders.domain.envelope import id_text
from orders.journal.sqlite.engine import SqliteEngine
from orders.web.api import snapshot
from orders.web.bots import BOTS, Bots
from orders.web.keys import NODE
from tests.histories import SETTINGS, TURNS, Histories, Known, as_compared
from tests.transports import join

MOST = 6  # participants at once
TYPES = ["news", "work", "tea"]
PATTERNS = st.lists(st.sampled_from([*TYPES, "*", "wor*"]), max_size=3)


class Machine(Histories):
    """People come, go, and come back; whatever was, the journal explains it."""

    people = Bundle("people")

    @initialize(target=people)
    def begin(self) -> Any:
        self.directory = tempfile.TemporaryDirectory()
        self.file = Path(self.directory.name) / "oracle.db"
        self.start(self.file, **{"orders.server.inbox.LINGER": 0})
        self.set_mode("*", "pubsub")
        self.set_mode("work", "queue")
        usual: dict[str, Any] = {"types": None, "echo": True, "after": None, "named": True}
        return multiple(
            self._join(**usual, manual=True), self._join(**usual, manual=False),
            self._join(**usual | {"named": False, "types": ["tea"]}, manual=True),
        )  # fmt: skip

    # ── what may happen ─────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.here() < MOST)
    @rule(
        target=people,
        types=st.none() | PATTERNS,
        manual=st.booleans(),
        echo=st.booleans(),
        after=st.sampled_from([None, "start", "last", "earlier"]),
        named=st.booleans(),
    )
    def join(self, **wishes: Any) -> Known:
        return self._join(**wishes)

    def _join(
        self, types: list[str] | None, manual: bool, after: str | None, named: bool, **wishes: Any
    ) -> Known:
        wishes |= {} if types is None else {"types": types}
        wishes |= {"ack": "manual" if manual else "auto", "named": named}
        name = f"p{next(self.numbers)}" if named else None
        wishes["session"] = f"session-{next(self.numbers):010}"
        return self._came(name, after=self.seen(after)[0], **wishes)

    def _came(self, name: str | None, **wishes: Any) -> Known:
        known = Known(self.run(join(self.node, name, prefetch=2, **wishes)))
        self.everyone.append(known)
        return known

    @precondition(lambda self: self.here() < MOST)
    @rule(target=people, known=people, after=st.sampled_from([None, "start"]), echo=st.booleans())
    def come_back(self, known: Known, after: str | None, echo: bool) -> Known:
        """Under the same name and session, whether the old connection is still there or not."""
        known.left = True
        was = known.party.participant
        return self._came(
            was.name if was.named else None, after=after, session=was.session, echo=echo
        )

    @rule(known=people)
    def leave(self, known: Known) -> None:
        known.left = True
        self.run(self.do(known.party.leave))

    @rule(known=people, type=st.sampled_from(TYPES), count=st.integers(1, 6), turns=TURNS)
    def send(self, known: Known, type: str, count: int, turns: int) -> None:
        for _ in range(count):
            self._send(known, type)
        self.go_on(turns)

    def _send(self, known: Known, type: str, **source: str) -> None:
        id = str(uuid.UUID(int=next(self.numbers)))
        self.say(known, {"type": type, "id": id, "data": {}} | source)

    @rule(known=people, type=st.sampled_from(TYPES), turns=TURNS)
    def take_a_name(self, known: Known, type: str, turns: int) -> None:
        """An unnamed one speaks under a name for the first time."""
        if not known.party.participant.named:
            self._send(known, type, source=f"p{next(self.numbers)}")
            self.go_on(turns)

    @rule(known=people, types=PATTERNS.filter(bool), un=st.sampled_from(["", "un"]), turns=TURNS)
    def subscribe(self, known: Known, types: list[str], un: str, turns: int) -> None:
        self.say(known, {"type": f"broker.{un}subscribe", "data": {"types": types}})
        self.go_on(turns)

    @rule(known=people, nack=st.booleans(), turns=TURNS)
    def answer(self, known: Known, nack: bool, turns: int) -> None:
        self.go_on(50)
        for lease in self.room.leases.held_by(known.party.participant):
            data = {"event": id_text(lease.entry.key)}
            self.say(known, {"type": "broker.nack" if nack else "broker.ack", "data": data})
        self.go_on(turns)

    @rule(type=st.sampled_from(["*", *TYPES]), mode=st.sampled_from(["relay", "pubsub", "queue"]))
    def set_modes(self, type: str, mode: str | None) -> None:
        self.set_mode(type, mode)

    @rule(act=st.sampled_from(["pause", "pause", "resume", "step", "step", "retry", "discard"]))
    def the_host_acts(self, act: str) -> None:
        self.host(act)

    @rule(quiet=st.booleans(), rare=st.integers(0, 2))
    def reset(self, quiet: bool, rare: int) -> None:
        """The host resets the room, perhaps while events flow."""
        if rare == 0:
            if quiet:
                self.all_is_quiet()
            self.host("reset")

    @rule(known=people, reads=st.booleans())
    def stop_reading_or_read_on(self, known: Known, reads: bool) -> None:
        known.party.transport.reads = reads
        if reads:
            known.party.transport.read()

    # ── what must hold ──────────────────────────────────────────────────────────────────────

    @rule()
    def all_is_quiet(self) -> None:
        """The records say how the room is, what the API answers, and what was written to whom."""
        records = self.be_quiet()
        self._check_api(self.fold_of(records))
        self._check_explanations([record for record in records if record.kind is Kind.EVENT])

    def _check_api(self, state: RoomState) -> None:
        """What the API says of the room is the fold."""
        app = {NODE: self.node, BOTS: Bots()}
        said = snapshot(cast("web.Application", app), self.room)
        names = sorted(one["name"] for one in said["participants"])
        assert names == sorted(state.members) == sorted(self.room.participants)
        of_fold = [state.modes, state.paused, state.events, state.last, state.queue.depths()]
        assert [said[key] for key in ("modes", "paused", "events", "last", "queues")] == of_fold

    def _check_explanations(self, events: list[Record]) -> None:
        """The explanation of an event names those to whom it was written, and nobody else."""
        written = [(known.name, known.written()) for known in self.everyone]
        for event in events:
            id = id_text(event.key)
            got: Counter[str] = Counter()
            for name, counts in written:
                got[name] += counts[id]
                assert event.mode == "queue" or counts[id] <= 1, (name, id)
            controls = self.run(self.engine.controls("main", event.position))
            said = explain(event, controls)
            assert all(one.received == (one.attempts > 0) for one in said)
            attempts = {one.name: one.attempts for one in said if one.received}
            if event.mode != "queue":
                got = Counter(dict.fromkeys(+got, 1))
            history = [(record.position, str(record.kind), record.data) for record in controls]
            assert attempts == dict(+got), (event.position, event.source, said, history)

    def teardown(self) -> None:
        if not hasattr(self, "everyone"):
            return
        self.host("resume")
        self.all_is_quiet()
        assert self.room.cursor == self.room.state.cursor == self.room.state.head
        state = as_compared(self.room.state)
        self.run(self.engine.close())
        self.run(self._check_restored(state))
        self.stop()
        self.directory.cleanup()

    async def _check_restored(self, state: dict[str, Any]) -> None:
        """The journal's file restores the room that the node had."""
        engine = SqliteEngine(self.file)
        (restored,) = await engine.open()
        await engine.close()
        assert as_compared(restored) == state


Machine.TestCase.settings = SETTINGS
TestTheJournalIsTheOracle = Machine.TestCase

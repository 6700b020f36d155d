"""The journal is the oracle: a room is the fold of its records, and *why* is what happened.

Hypothesis makes up a history of a real node: people come, go, come back, change their names and
subscriptions and stop reading, the host pauses, steps, resumes and resets. Whenever all is quiet
the fold of the records must be the room on the node, and the explanation of every event must be
what was written to the transports. At the end the journal's file must restore the same room.
"""

import asyncio
import itertools
import json
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from orders.broker.explain import explain
from orders.broker.limits import Limits
from orders.broker.queue import State
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.broker.room_state import Member, RoomState, Summary
from orders.domain.envelope import id_text
from orders.journal.sqlite.engine import SqliteEngine
from orders.server import Node, Options
from tests.transports import InlineWriter, Party, Slow, join, line

T = TypeVar("T")

LEASE = 30.0
MOST = 6  # participants at once
TYPES = ["news", "work", "tea"]
PATTERNS = st.lists(st.sampled_from([*TYPES, "*", "wor*"]), max_size=3)
#: How far a batch goes on before the next thing happens: not at all, a little, to its end.
TURNS = st.sampled_from([0, 1, 3, 10, 50])
SMALL = 1_500  # bytes of unread output after which a participant is slow


@dataclass(eq=False)
class Known:
    """What the test knows of a connection."""

    party: Party
    left: bool = False

    @property
    def name(self) -> str:
        return self.party.participant.name

    def written(self) -> Counter[str]:
        """How often each event was written to it."""
        self.party.transport.read()
        heard = self.party.transport.heard
        return Counter(event["id"] for event in heard if not event["type"].startswith("broker."))


#: What a room keeps of its members through a reset, though its records do not.
OF_BEFORE = ("at", "role")


def as_compared(state: RoomState) -> dict[str, Any]:
    """All that a room is, but for what only earlier epochs knew.

    On a journal of one node nobody asks for the `last` of an entry.
    """
    entries = state.queue.entries.values()
    of_members = [n for n in Member.__slots__ if state.epoch == 1 or n not in OF_BEFORE]
    return {
        "row": [getattr(state, name) for name in Summary.__slots__],
        "members": [[getattr(m, name) for name in of_members] for m in state.members.values()],
        "queue": [(e.position, e.state, e.attempt, e.name, e.reason) for e in entries],
        "depths": {type: n for type, n in state.queue.depths().items() if any(n.values())},
        "held": sorted(state.queue.held),
        "spellings": state.epoch == 1 and state.spellings,
    }


class Machine(RuleBasedStateMachine):
    """Anything may happen; what must hold is checked whenever all is quiet."""

    people = Bundle("people")

    @initialize(target=people)
    def begin(self) -> Any:
        self.loop = asyncio.new_event_loop()
        self.clock = 1000.0
        self.patches: list[Any] = [
            patch("orders.server.queues.monotonic", lambda: self.clock),
            patch("orders.server.inbox.LINGER", 0),
            patch("orders.server.replay.POLL", 0),
            patch("orders.server.replay.PAGE", 4),
            patch("orders.broker.queue.AT_HAND", 300),
        ]
        for patched in self.patches:
            patched.start()
        self.directory = tempfile.TemporaryDirectory()
        self.file = Path(self.directory.name) / "oracle.db"
        self.engine = Slow(self.file, make_writer=InlineWriter)
        self.node = Node(self.engine, Options(Limits(rate=0), LEASE, 3, max_unread=SMALL), line)
        self.failures: list[BaseException] = []
        self.node.context.on_failure = self.failures.append  # type: ignore[method-assign, assignment]
        self.run(self.engine.open())
        self.node.rooms["main"] = Room.at(RoomState("main"))
        self.room = self.node.room("main")
        self.everyone: list[Known] = []
        self.batch: asyncio.Task[None] | None = None
        self.numbers = itertools.count(1)
        for type, mode in (("*", "pubsub"), ("work", "queue")):
            self._host(self.node.host.set_modes(self.room, {type: mode}))
        usual: dict[str, Any] = {"types": None, "echo": True, "after": None, "named": True}
        return multiple(
            self._join(**usual, manual=True), self._join(**usual, manual=False),
            self._join(**usual | {"named": False, "types": ["tea"]}, manual=True),
        )  # fmt: skip

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def here(self) -> int:
        return sum(not known.left for known in self.everyone)

    def records(self) -> list[Record]:
        """All that the journal has of this epoch."""
        records: list[Record] = []
        while page := self.run(SqliteEngine.read(self.engine, "main", len(records), 1000)):
            records += page
        return records

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
        if after in ("last", "earlier"):
            events = [record for record in self.records() if record.kind is Kind.EVENT]
            seen = events[-1 if after == "last" else len(events) // 2] if events else None
            after = id_text(seen.key) if seen else None
        wishes |= {} if types is None else {"types": types}
        wishes |= {"ack": "manual" if manual else "auto", "named": named}
        name = f"p{next(self.numbers)}" if named else None
        wishes["session"] = f"session-{next(self.numbers):010}"
        return self._came(name, after=after, **wishes)

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
        self.run(self._do(known.party.leave))

    @rule(known=people, type=st.sampled_from(TYPES), count=st.integers(1, 6), turns=TURNS)
    def send(self, known: Known, type: str, count: int, turns: int) -> None:
        for _ in range(count):
            self._send(known, type)
        self._go_on(turns)

    def _send(self, known: Known, type: str, **source: str) -> None:
        id = str(uuid.UUID(int=next(self.numbers)))
        self._say(known, {"type": type, "id": id, "data": {}} | source)

    @rule(known=people, type=st.sampled_from(TYPES), turns=TURNS)
    def take_a_name(self, known: Known, type: str, turns: int) -> None:
        """An unnamed one speaks under a name for the first time."""
        if not known.party.participant.named:
            self._send(known, type, source=f"p{next(self.numbers)}")
            self._go_on(turns)

    @rule(known=people, types=PATTERNS.filter(bool), un=st.sampled_from(["", "un"]), turns=TURNS)
    def subscribe(self, known: Known, types: list[str], un: str, turns: int) -> None:
        self._say(known, {"type": f"broker.{un}subscribe", "data": {"types": types}})
        self._go_on(turns)

    @rule(known=people, nack=st.booleans(), turns=TURNS)
    def answer(self, known: Known, nack: bool, turns: int) -> None:
        self._go_on(50)
        for lease in self.room.leases.held_by(known.party.participant):
            data = {"event": id_text(lease.entry.key)}
            self._say(known, {"type": "broker.nack" if nack else "broker.ack", "data": data})
        self._go_on(turns)

    @rule(type=st.sampled_from(["*", *TYPES]), mode=st.sampled_from(["relay", "pubsub", "queue"]))
    def set_modes(self, type: str, mode: str | None) -> None:
        self._host(self.node.host.set_modes(self.room, {type: mode}))

    @rule(act=st.sampled_from(["pause", "pause", "resume", "step", "step", "retry", "discard"]))
    def the_host_acts(self, act: str) -> None:
        if act in ("retry", "discard"):
            for entry in self.room.state.queue.oldest(1, (State.DEAD,)):
                self._host(getattr(self.node.queues, act)(self.room, entry.key))
        else:
            self._host(getattr(self.node.host, act)(self.room))

    @rule(quiet=st.booleans(), rare=st.integers(0, 2))
    def reset(self, quiet: bool, rare: int) -> None:
        """The host resets the room, perhaps while events flow."""
        if rare == 0:
            if quiet:
                self.all_is_quiet()
            self._host(self.node.host.reset(self.room))

    def _host(self, act: Coroutine[Any, Any, Any]) -> None:
        """Let the host act, who waits for the journal."""

        async def host() -> None:
            doing = asyncio.ensure_future(act)
            while not doing.done():
                self._begin_batch()
                await asyncio.sleep(0)
            doing.result()

        self.run(host())

    @rule(seconds=st.sampled_from([1.0, LEASE / 2, LEASE + 1]), turns=TURNS)
    def time_passes(self, seconds: float, turns: int) -> None:
        self.clock += seconds
        self.run(self._do(self.node.queues.tick))
        self._go_on(turns)

    @rule(known=people, reads=st.booleans())
    def stop_reading_or_read_on(self, known: Known, reads: bool) -> None:
        known.party.transport.reads = reads
        if reads:
            known.party.transport.read()

    def _say(self, known: Known, message: dict[str, Any]) -> None:
        self.run(self._do(lambda: known.party.send(json.dumps(message))))

    def _go_on(self, turns: int) -> None:
        """A batch is begun, if none is under way; and it goes on a little."""
        if turns:
            self.run(self._do(self._begin_batch, turns))

    def _begin_batch(self) -> None:
        if self.batch is None or self.batch.done():
            if self.batch is not None:
                self.batch.result()
            self.batch = asyncio.get_running_loop().create_task(self.node._pump.once())

    async def _do(self, work: Callable[[], object], turns: int = 1) -> None:
        work()
        for _ in range(turns):
            await asyncio.sleep(0)

    # ── what must hold ──────────────────────────────────────────────────────────────────────

    @invariant()
    def nothing_failed(self) -> None:
        assert self.failures == []

    @rule()
    def all_is_quiet(self) -> None:
        """Everyone reads, all batches are taken; what is held by a pause stays held."""
        for known in self.everyone:
            if not known.left:
                known.party.transport.reads = True
                known.party.transport.read()
        self.run(self._quiet())
        records = self.records()
        self._check_fold(records)
        self._check_explanations([record for record in records if record.kind is Kind.EVENT])

    async def _quiet(self) -> None:
        node = self.node
        while (
            (self.batch is not None and not self.batch.done())
            or node.inbox.waiting
            or node.context._tasks
            or node.queues.touched
        ):
            node.queues.tick()
            self._begin_batch()
            await asyncio.sleep(0)
        if self.batch is not None:
            self.batch.result()

    def _check_fold(self, records: list[Record]) -> None:
        """The room on the node is the fold of the records of its epoch, upon what went on."""
        room = self.room.state
        state = RoomState("main", room.epoch)
        if room.epoch > 1:
            state.modes, state.rules = room.modes, room.rules
        for record in records:
            state.apply(record)
        assert as_compared(state) == as_compared(room)

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
        self._host(self.node.host.resume(self.room))
        self.all_is_quiet()
        assert self.room.cursor == self.room.state.cursor == self.room.state.head
        state = as_compared(self.room.state)
        self.run(self.engine.close())
        self.run(self._check_restored(state))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        for patched in self.patches:
            patched.stop()
        self.directory.cleanup()

    async def _check_restored(self, state: dict[str, Any]) -> None:
        """The journal's file restores the room that the node had."""
        engine = SqliteEngine(self.file)
        (restored,) = await engine.open()
        await engine.close()
        assert as_compared(restored) == state


Machine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
TestTheJournalIsTheOracle = Machine.TestCase

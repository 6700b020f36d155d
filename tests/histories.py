"""Histories of a real node that Hypothesis makes up: what its machines have in common.

The real pump, broker, leases and journal; participants without sockets, a clock of our own, and a
writer that works in place. Hypothesis decides who does what, and how far a batch goes on.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from orders.broker.limits import Limits
from orders.broker.queue import State
from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.broker.room_state import Member, RoomState, Summary
from orders.domain.envelope import id_text
from orders.journal.sqlite.engine import SqliteEngine
from orders.server import Node, Options
from tests.transports import InlineWriter, Party, Slow, Transport, line

T = TypeVar("T")

MAX_ATTEMPTS = 3
LEASE = 30.0
SMALL = 1_500  # bytes of unread output after which a participant is slow
#: How far a batch goes on before the next thing happens: not at all, a little, to its end.
TURNS = st.sampled_from([0, 1, 3, 10, 50])
PATCHED = {"orders.server.replay.POLL": 0, "orders.server.replay.PAGE": 4}
PATCHED |= {"orders.broker.queue.AT_HAND": 300}
SETTINGS = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@dataclass(eq=False)
class Known:
    """What the test knows of a connection."""

    party: Party
    left: bool = False

    @property
    def name(self) -> str:
        return self.party.participant.name

    @property
    def transport(self) -> Transport:
        return self.party.transport

    def written(self) -> Counter[str]:
        """How often each event was written to it."""
        self.transport.read()
        heard = self.transport.heard
        return Counter(event["id"] for event in heard if not event["type"].startswith("broker."))


#: What a room keeps of its members through a reset, though its records do not.
OF_BEFORE = ("at", "role")


def as_compared(state: RoomState, apart_from: tuple[str, ...] = ()) -> dict[str, Any]:
    """All that a room is, but for what only earlier epochs knew, and some fields of its members.

    On a journal of one node nobody asks for the `last` of an entry.
    """
    entries = state.queue.entries.values()
    unknown = apart_from if state.epoch == 1 else OF_BEFORE + apart_from
    of_members = [name for name in Member.__slots__ if name not in unknown]
    return {
        "row": [getattr(state, name) for name in Summary.__slots__],
        "members": [[getattr(m, name) for name in of_members] for m in state.members.values()],
        "queue": [(e.position, e.state, e.attempt, e.name, e.reason) for e in entries],
        "depths": {type: n for type, n in state.queue.depths().items() if any(n.values())},
        "held": sorted(state.queue.held),
        "spellings": state.epoch == 1 and state.spellings,
    }


class Histories(RuleBasedStateMachine):
    """Anything may happen; what must hold is checked whenever all is quiet."""

    people = Bundle("people")

    def start(self, path: Path | None = None, **patched: object) -> None:
        """A node with the room `main`, on a journal in memory unless it has a `path`."""
        self.loop = asyncio.new_event_loop()
        self.clock = 1000.0
        self.patches: list[Any] = [
            patch("orders.server.queues.monotonic", lambda: self.clock),
            *(patch(name, value) for name, value in {**PATCHED, **patched}.items()),
        ]
        for one in self.patches:
            one.start()
        self.engine = Slow(path, make_writer=InlineWriter)
        options = Options(Limits(rate=0), LEASE, MAX_ATTEMPTS, max_unread=SMALL)
        self.node = Node(self.engine, options, line)
        self.failures: list[BaseException] = []
        self.node.context.on_failure = self.failures.append  # type: ignore[method-assign, assignment]
        self.run(self.engine.open())
        self.room = self.node.rooms["main"] = Room.at(RoomState("main"))
        self.everyone: list[Any] = []
        self.batch: asyncio.Task[None] | None = None
        self.numbers = itertools.count(1)

    def stop(self) -> None:
        """Nothing of it is left open."""
        self.run(self.engine.close())
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        for patched in self.patches:
            patched.stop()

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

    def seen(self, after: str | None) -> tuple[str | None, int | None]:
        """The `after` with which one comes back, and its position: `start`, the `last` event, an
        `earlier` one, or none."""
        if after not in ("last", "earlier"):
            return after, None if after is None else 0
        events = [record for record in self.records() if record.kind is Kind.EVENT]
        if not events:
            return None, None
        event = events[-1 if after == "last" else len(events) // 2]
        return id_text(event.key), event.position

    # ── what happens ────────────────────────────────────────────────────────────────────────

    def say(self, known: Any, message: Any) -> None:
        """Somebody sends a message."""
        self.run(self.do(lambda: known.party.send(message)))

    def host(self, act: str) -> None:
        """The host acts, and waits for the journal."""
        if act in ("retry", "discard"):
            kind = Kind.RETRIED if act == "retry" else Kind.DISCARDED
            for entry in self.room.state.queue.oldest(1, (State.DEAD,)):
                self.wait_for(self.node.queues.decide(self.room, entry.key, kind))
        else:
            self.wait_for(getattr(self.node.host, act)(self.room))

    def set_mode(self, type: str, mode: str | None) -> None:
        self.wait_for(self.node.host.set_modes(self.room, {type: mode}))

    def wait_for(self, act: Coroutine[Any, Any, Any]) -> None:
        """Batches go on until this is done."""

        async def done() -> None:
            doing = asyncio.ensure_future(act)
            while not doing.done():
                self._begin_batch()
                await asyncio.sleep(0)
            doing.result()

        self.run(done())

    @rule(seconds=st.sampled_from([1.0, LEASE / 2, LEASE + 1, LEASE + 1]), turns=TURNS)
    def time_passes(self, seconds: float, turns: int) -> None:
        self.clock += seconds
        self.run(self.node.queues.tick())
        self.go_on(turns)

    def go_on(self, turns: int) -> None:
        """A batch is begun, if none is under way; and it goes on a little."""
        if turns:
            self.run(self.do(self._begin_batch, turns))

    def _begin_batch(self) -> None:
        if self.batch is None or self.batch.done():
            if self.batch is not None:
                self.batch.result()
            self.batch = asyncio.get_running_loop().create_task(self.node._pump.once())

    async def do(self, work: Callable[[], object], turns: int = 1) -> None:
        work()
        for _ in range(turns):
            await asyncio.sleep(0)

    # ── what must hold ──────────────────────────────────────────────────────────────────────

    @invariant()
    def nothing_failed(self) -> None:
        assert self.failures == []

    def be_quiet(self) -> list[Record]:
        """Everyone reads, all batches are taken; what a pause holds stays held. The records."""
        for known in self.everyone:
            if not known.left:
                known.transport.reads = True
                known.transport.read()
        self.run(self._quiet())
        return self.records()

    async def _quiet(self) -> None:
        node = self.node
        while (
            (self.batch is not None and not self.batch.done())
            or node.inbox.waiting
            or node.context._tasks
            or node.queues.touched
        ):
            await node.queues.tick()
            self._begin_batch()
            await asyncio.sleep(0)
        if self.batch is not None:
            self.batch.result()

    def fold_of(self, records: list[Record]) -> RoomState:
        """The fold of an epoch's records, applied to what went on; it is the room on the node."""
        room = self.room.state
        state = RoomState("main", room.epoch)
        if room.epoch > 1:
            state.modes, state.rules = room.modes, room.rules
        for record in records:
            state.apply(record)
        assert as_compared(state) == as_compared(room)
        return state

"""Virtual time, chance from a seed, and a network in memory: all that knows simloop.

Import this before anything of Orders or aiohttp: from then on this process has no clock but the
simulation's, and no chance but its seed's.
"""

import asyncio
import os
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from simloop import SimLoop

T = TypeVar("T")

BEGINS = 1_700_000_000.0  # the epoch seconds at which every simulation begins
SERVER = "server"
#: The machine whose clock jumps is the server's alone: what it reads of the time of day is so
#: many seconds off.
_off = 0.0
_loop: "Loop | None" = None
_chance = random.Random()

real_clock = time.perf_counter


def _now() -> float:
    return _loop.now if _loop is not None else 0.0


time.monotonic = lambda: 1000.0 + _now()
time.time = lambda: BEGINS + _off + _now()
time.time_ns = lambda: int((BEGINS + _off + _now()) * 1e9)
os.urandom = _chance.randbytes
random._urandom = _chance.randbytes  # type: ignore[attr-defined] # what `secrets` and `uuid` use


def jump(seconds: float) -> None:
    """The time of day is another from now on; what measures durations goes on."""
    global _off
    _off += seconds


class _InOrder:
    """Callbacks run in the order in which asyncio would run them."""

    diverged_at = None

    def choose(self, ready: Sequence[object]) -> int:
        return 0


class _NoTrace:
    """simloop keeps each step, which costs half of the time; a history says enough."""

    def record(self, *step: object) -> None:
        pass


class Loop(SimLoop):  # type: ignore[misc] # installed for the simulation alone
    """The event loop of one simulation. Half of the seeds run callbacks in asyncio's order, which
    finds what really happens, the others in any order, which finds what may."""

    def __init__(self, seed: int) -> None:
        global _loop, _off
        super().__init__(seed)
        self.is_ordered = seed % 2 == 0
        if self.is_ordered:
            self._policy = _InOrder()
        self._recorder = _NoTrace()
        self._chance = random.Random(f"{seed}:threads")
        self.slowness = 1.0  # of the disk
        self._forgotten: set[int] = set()  # connections of which one side never hears again
        self._dispatch = self.net._dispatch_ready
        self.net._dispatch_ready = self._arrive
        _loop, _off = self, 0.0
        _chance.seed(seed)
        random.seed(seed)

    @property
    def now(self) -> float:
        """Seconds since the beginning, for everybody."""
        return float(self._now)

    def takes(self) -> float:
        """Seconds that a piece of work in a thread takes: a sync to disk, say."""
        long = self._chance.random() < 0.02
        return self._chance.uniform(0.0002, 0.15 if long else 0.004) * self.slowness

    def run_in_executor(self, executor: Any, job: Callable[..., T], *args: Any) -> Any:
        """A thread's work: it happens at one moment, and is known of a little later."""
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if getattr(executor, "_shutdown", False):  # a real one ends what was begun before
                future.cancel()
            elif not future.cancelled():
                self.call_later(self.takes() * 3, settle, future, *outcome(lambda: job(*args)))

        self.call_later(self.takes() * 3, work)
        return future

    # ── the network ─────────────────────────────────────────────────────────────────────────

    def machine(self, name: str, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run something on the machine of this name."""
        task: asyncio.Task[Any] = self.net.host(name).create_task(work)
        return task

    def ends(self, *machines: str) -> list[Any]:
        """The ends of connections that are on these machines, oldest first."""
        return [end for key, end in self.net._streams.items() if key[1] in machines]

    def cut(self, machines: Sequence[str], others: Sequence[str]) -> None:
        """Nothing passes between these and others until `heal`; then all that was sent does."""
        self.net.partition(machines, others)

    def heal(self) -> None:
        self.net.heal()

    def slow(self, machine: str, other: str, latency: tuple[float, float]) -> None:
        """How long what passes between two machines is on its way, in seconds."""
        self.net.set_link(machine, other, latency=latency)
        self.net.set_link(other, machine, latency=latency)

    def reset(self, *machines: str) -> None:
        """Lose the connections of these machines: both sides see it."""
        for end in self.ends(*machines):
            end.abort()

    def forget(self, *machines: str) -> None:
        """The connections of these machines end there, and the other sides never hear of it."""
        for end in self.ends(*machines):
            self._forgotten.add(end._conn)
            end._finish(ConnectionResetError("the machine lost it"))

    def _arrive(self, packet: Any) -> None:
        """A system resets what it has no connection for, where nothing on the way swallows that."""
        ends = self.net._streams
        is_for_nobody = (packet.conn, packet.dst, packet.dst_port) not in ends
        if packet.kind == "data" and is_for_nobody and packet.conn not in self._forgotten:
            sender = ends.get((packet.conn, packet.src, packet.src_port))
            if sender is not None:
                self.call_later(0.001, sender._reset_arrived)
            return
        self._dispatch(packet)

    def end_process(self, machine: str, *, has_power: bool) -> None:
        """Everything that runs on a machine ends at once. With power its system resets its
        connections; without, nobody hears anything of it, until `power`."""
        if not has_power:
            self.net.crash(machine)
            return
        for end in self.ends(machine):
            end._send("rst")
            end._finish(None)
        for key in [key for key in self.net._listeners if key[0] == machine]:
            self.net._listeners[key].server.close()
        for task in list(self.net._tasks[machine]):
            task.cancel()

    def power(self, machine: str) -> None:
        if not self.net._alive.get(machine, True):
            self.net.restart(machine)

    def finish(self) -> None:
        """Nothing of it runs any more."""
        self.close()


def outcome(job: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    """What a job returns or raises."""
    try:
        return job(), None
    except BaseException as error:  # it is raised where the job was asked for
        return None, error


def settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class Writer:
    """The journal's writer, as `SqliteEngine` has one made: jobs in order, each with a duration.

    The real one finds time to tidy up twenty times a second; this one after each pause, as often
    as there can be anything to do.
    """

    IDLE, MOST_IDLE = 0.05, 12

    def __init__(self, between: Callable[[bool], None]) -> None:
        self._between = between
        self._jobs: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._next: asyncio.TimerHandle | None = None
        self._idle = 0
        self._answered = 0.0

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        self._loop, self._takes = loop, loop.takes

    def call(self, job: Callable[[], T]) -> Awaitable[T]:
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.append((job, future))
        if len(self._jobs) == 1:
            self._plan(self._takes(), self._work)
        return future

    def stop(self) -> None:
        while self._jobs:
            self._do()
        if self._next is not None:
            self._next.cancel()

    def _plan(self, delay: float, what: Callable[[], None]) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = self._loop.call_later(delay, what)

    def _do(self) -> None:
        job, future = self._jobs.popleft()
        result, error = outcome(job)
        # answers come in the order of the jobs
        self._answered = max(self._answered + 1e-6, self._loop.now + self._takes() / 4)
        delay = self._answered - self._loop.now
        self._loop.call_later(delay, settle, future, result, error)
        self._between(False)

    def _work(self) -> None:
        self._do()
        self._idle = 0
        if self._jobs:
            self._plan(self._takes(), self._work)
        else:
            self._plan(self.IDLE, self._rest)

    def _rest(self) -> None:
        self._between(True)
        self._idle += 1
        if self._idle < self.MOST_IDLE:
            self._plan(self.IDLE, self._rest)

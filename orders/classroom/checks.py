"""Exercise rooms, who is examined in them, and the verdicts, which are records of theirs."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web

from orders.broker.records import Kind, Record
from orders.broker.room import Room
from orders.classroom import exercises
from orders.clock import now_ms
from orders.domain.envelope import Event
from orders.errors import Forbidden, Full, NotFound, OrdersError, StorageFailed
from orders.journal.base import Filter, pages
from orders.web.bots import own_url
from orders.web.export import table
from orders.web.keys import NODE, SERVER

log = structlog.get_logger()

PREFIX = "ex-"
MOST_ROOMS = 600
AT_ONCE = 8  # examiners that run; the others wait
PATIENCE = 240.0  # seconds until an examiner is ended
KEPT = 24 * 3600 * 1000  # milliseconds that a room in which nothing is said any more is kept
LOOK = 600.0  # seconds between two looks for those
STAGES = len(exercises.STAGES)


@dataclass(slots=True, eq=False)
class Exercise:
    """One student's room. `verdicts` has the last of each stage, as its record says it; `at` is
    when the newest was stored, in epoch milliseconds."""

    room: str
    name: str
    marks: list[str]
    at: int
    verdicts: dict[int, dict[str, Any]] = field(default_factory=dict)
    check: dict[str, Any] | None = None  # that runs or waits

    def apply(self, record: Record) -> None:
        """A verdict was stored."""
        self.verdicts[record.data["stage"]], self.at = record.data, record.at

    def shape(self) -> dict[str, Any]:
        """As the API has it."""
        kept = ("stage", "verdict", "seed", "check", "failure", "reason", "event")
        stages = [
            {key: self.verdicts[stage][key] for key in kept if self.verdicts[stage].get(key)}
            for stage in sorted(self.verdicts)
        ]
        for one in stages:
            if one["verdict"] == "failed":
                where = f"band=diagram&check={one['check']}&event={one.get('event', '')}"
                one["link"] = f"/stage?room={self.room}&{where}"
        return {"room": self.room, "name": self.name, "stages": stages, "running": self.check}


class Checks:
    """All exercises that this node knows, and the examiners that run."""

    def __init__(self, app: web.Application) -> None:
        self._app, self.node = app, app[NODE]
        self.exercises: dict[str, Exercise] = {}
        self._waiting: list[Exercise] = []
        self._running = 0
        self.node.context.most_rooms[PREFIX] = MOST_ROOMS
        self._read: dict[str, Callable[[Room, Record], None]] = {
            Kind.EXERCISE: self._begun,
            Kind.VERDICT: self._judged,
        }
        for kind, follow in self._read.items():
            self.node.context.follow(kind, follow)

    def _begun(self, room: Room, record: Record) -> None:
        data = record.data
        self.exercises[room.name] = Exercise(room.name, data["name"], data["marks"], record.at)

    def _judged(self, room: Room, record: Record) -> None:
        if room.name in self.exercises:
            self.exercises[room.name].apply(record)

    async def begin(self, room_name: str, name: str, marks: list[str]) -> None:
        """A student has a room of its own; its first event keeps it, though nobody is there yet."""
        try:
            room = await self.node.enter(room_name, begin=True)
        except Full:
            raise Full(
                "server_full",
                f"All {MOST_ROOMS} exercise rooms are in use: each ends a day after the last word"
                " in it, and the host can end one before (DELETE /api/rooms/ex-…).",
            ) from None
        await self.node.publish(room, Event(type="exercise_begun", data={"stages": STAGES}), "host")
        await self.node.host.note(room.name, Kind.EXERCISE, name=name, marks=marks)

    async def get(self, name: str) -> Exercise:
        """The exercise of a room, read from the journal if need be; `NotFound` if it is none."""
        if name not in self.node.rooms:
            self.exercises.pop(name, None)  # it was ended, or goes on elsewhere
            if name.startswith(PREFIX):
                with contextlib.suppress(NotFound, Forbidden):  # it may just be ending
                    await self.node.enter(name)
        room = self.node.rooms.get(name) if name.startswith(PREFIX) else None
        if name not in self.exercises and room is not None:
            async for page in pages(self.node.engine, name, 0, room.state.head):
                for record in page:
                    if follow := self._read.get(record.kind):
                        follow(room, record)
        if name not in self.exercises:
            raise NotFound(
                "unknown_room", f"{name[:40]} is no exercise: begin one (POST /api/exercises)."
            )
        return self.exercises[name]

    async def all(self) -> list[Exercise]:
        """Every exercise that this node knows, by name."""
        found = []
        for room in {*self.exercises, *self.node.rooms}:
            with contextlib.suppress(NotFound):
                found.append(await self.get(room))
        return sorted(found, key=lambda one: (one.name, one.room))

    # ── examiners ───────────────────────────────────────────────────────────────────────────

    def ask(self, exercise: Exercise, check: str, stage: int, seed: int) -> None:
        """Examine as soon as there is an examiner; nothing where one is at it already."""
        if exercise.check is None:
            exercise.check = {"check": check, "stage": stage, "seed": seed, "ahead": 0}
            self._waiting.append(exercise)
            self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._running < AT_ONCE:
            self._running += 1
            self.node.context.spawn(self._examine(self._waiting.pop(0)))
        for ahead, exercise in enumerate(self._waiting, 1):
            if exercise.check:
                exercise.check["ahead"] = ahead

    async def _examine(self, exercise: Exercise) -> None:
        check = exercise.check or {}
        check["ahead"] = 0
        try:
            async with asyncio.timeout(PATIENCE):
                await self._run(exercise, check)
        except TimeoutError:
            await self._judge(exercise, check, "The examiner took too long: check again.")
        except StorageFailed as error:
            log.warning("a verdict could not be stored", room=exercise.room, error=error.message)
        finally:
            exercise.check = None
            self._running -= 1
            self._go_on()

    async def _run(self, exercise: Exercise, check: dict[str, Any]) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orders.classroom.examiner"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("an examiner has both pipes")
        try:
            stages = list(range(1, check["stage"] + 1))
            order = {"stages": stages, "seed": check["seed"], "room": exercise.room}
            order |= {"url": own_url(self._app), "token": self._app[SERVER].token}
            stdin.write(json.dumps(order).encode() + b"\n")
            async for line in stdout:
                said = json.loads(line)
                data = {"failure": None, "reason": None, "event": None, **said}
                await self._say(exercise, check, data)
            if await process.wait():
                await self._judge(
                    exercise, check, "The examiner failed: the server's log says why."
                )
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _judge(self, exercise: Exercise, check: dict[str, Any], reason: str) -> None:
        """Nobody can tell."""
        data = {"stage": check["stage"], "verdict": "unknown", "failure": None, "event": None}
        await self._say(exercise, check, {**data, "seed": check["seed"], "reason": reason})

    async def _say(self, exercise: Exercise, check: dict[str, Any], data: dict[str, Any]) -> None:
        await self.node.host.note(exercise.room, Kind.VERDICT, check=check["check"], **data)

    # ── the end ─────────────────────────────────────────────────────────────────────────────

    async def end_old(self) -> None:
        """Erase the rooms in which nothing was said for a day, by the journal: this server may have
        been off for most of it."""
        old: dict[Room, int] = {}
        for exercise in await self.all():
            room = self.node.rooms.get(exercise.room)
            if room is None or room.participants or room.remote():
                continue
            now = now_ms()  # before the journal is read: what is said meanwhile is not too late
            newest = await self.node.engine.page(room.name, Filter(), 1, before=room.state.head + 1)
            last = max([exercise.at, *(event.at for event in newest.events)])
            if now > last + KEPT:
                old[room] = room.state.head
        unused = [room for room in old if old[room] == room.state.head and not room.participants]
        for room in unused:
            self.exercises.pop(room.name, None)
        if unused:
            await self.node.presence.end(*unused)


def as_csv(exercises: list[Exercise]) -> str:
    """The class as a table: a row a student, a column a stage."""
    head = ["name", "room", *(f"stage {number}" for number in range(1, STAGES + 1))]
    rows: list[list[str]] = []
    for one in exercises:
        stages = [one.verdicts.get(stage, {}) for stage in range(1, STAGES + 1)]
        rows.append([one.name, one.room, *(said.get("verdict", "") for said in stages)])
    return table(head, *rows)


CHECKS = web.AppKey("checks", Checks)


async def ending_old(app: web.Application) -> AsyncIterator[None]:
    """Look for exercises that are over from time to time, as long as the server runs."""

    async def look() -> None:
        while True:
            try:
                await app[CHECKS].end_old()
            except OrdersError as error:
                log.warning("old exercises could not be looked for", error=error.message)
            await asyncio.sleep(LOOK)

    task = asyncio.create_task(look())
    yield
    task.cancel()

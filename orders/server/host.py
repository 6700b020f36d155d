"""What only the host may do to a room."""

from collections.abc import Mapping
from typing import Any

from orders.broker.modes import changed
from orders.broker.participants import joined
from orders.broker.records import Kind, Record, control
from orders.broker.room import Room
from orders.clock import now_ms
from orders.domain.envelope import folded, id_text
from orders.errors import NotFound, StorageFailed
from orders.server.context import Context
from orders.server.inbox import Inbox

PAGE = 500


class Host:
    """Modes, pause, step, resume, reset; mute, kick and lock."""

    def __init__(self, context: Context, inbox: Inbox) -> None:
        self._context, self._inbox = context, inbox

    async def set_modes(self, room: Room, changes: Mapping[str, str | None]) -> None:
        """Change how types are dispatched, for events that come once this is stored."""
        modes = changed(room.state.modes, changes)
        await self.note(room.name, Kind.MODES, modes=modes, changes=changes)

    async def pause(self, room: Room) -> None:
        """Events are accepted and stored from here on, but held at the broker."""
        await self.note(room.name, Kind.PAUSED, paused=True)

    async def resume(self, room: Room) -> None:
        """All that was held goes on its way, in order."""
        await self.note(room.name, Kind.PAUSED, paused=False)

    async def step(self, room: Room) -> str | None:
        """Exactly the next held event goes on its way; returns its id, None when none is held."""
        event = await self._next_held(room)
        if event is None:
            return None
        id = id_text(event.key)
        stepped = control(room.name, Kind.STEPPED, now_ms(), event=id)
        stepped.key, stepped.about = event.key, event.position
        try:
            await self._store(stepped)
        except StorageFailed:
            room.stepped = 0
            raise
        return id

    async def _next_held(self, room: Room) -> Record | None:
        """The next held event, for this step alone: several may be asked for at once."""
        state, position = room.state, 0
        while state is room.state and state.paused:
            position = max(position, state.cursor, room.stepped)
            page = await self._context.engine.read(room.name, position, PAGE)
            if not page:
                break
            for record in page:
                is_next = record.position > max(state.cursor, room.stepped)
                if record.kind is Kind.EVENT and is_next:
                    room.stepped = record.position
                    return record
            position = page[-1].position
        return None

    async def reset(self, room: Room) -> None:
        """A new beginning: log, queues, orders and ids are gone for participants.

        Those who are here are said to be, right behind it: the next epoch begins with them.
        """
        now = now_ms()
        submission = self._inbox.submit(control(room.name, Kind.RESET, now))
        for participant in room.participants.values():
            self._inbox.submit(joined(participant, now, was=participant.name))
        answer = await submission
        if isinstance(answer, StorageFailed):
            raise answer

    async def note(self, room: str, kind: str, **data: Any) -> Record:
        """Put a control record into the journal, and wait until it is true; the record.

        Kinds that the fold passes over are kept like the others.
        """
        record = control(room, kind, now_ms(), **data)
        await self._store(record)
        return record

    async def _store(self, record: Record) -> None:
        answer = await self._inbox.submit(record)
        if isinstance(answer, StorageFailed):
            raise answer

    # ── one participant ─────────────────────────────────────────────────────────────────────

    async def mute(self, room: Room, name: str) -> None:
        """Refuse somebody's events, until that is lifted; it hears everything."""
        await self._bar(room, Kind.MUTED, name)

    async def kick(self, room: Room, name: str) -> None:
        """Remove somebody, who does not come back until that is lifted."""
        await self._bar(room, Kind.KICKED, name)

    async def unmute(self, room: Room, name: str) -> None:
        """Take somebody's events again; `NotFound` if nobody muted it."""
        await self._lift(room, Kind.MUTED, name, room.state.rules.muted)

    async def readmit(self, room: Room, name: str) -> None:
        """Let somebody in again who was removed; `NotFound` if nobody was."""
        await self._lift(room, Kind.KICKED, name, room.state.rules.kicked)

    async def lock(self, room: Room, locked: bool) -> None:
        """Let nobody new in, or everyone again; those who are in may come back by their session."""
        admitted = sorted({mark for one in room.state.members.values() for mark in one.marks})
        data = {"locked": locked, "admitted": admitted if locked else []}
        await self.note(room.name, Kind.LOCKED, **data)

    async def set_lease(self, room: Room, seconds: float | None) -> None:
        """How long an event may be held here from now on; None: as the server says."""
        if seconds != room.state.rules.lease:
            await self.note(room.name, Kind.LEASED, lease=seconds)

    async def _bar(self, room: Room, kind: Kind, name: str) -> None:
        """Mute or kick one who is in the room, or was, or posts into it."""
        spellings, posters = room.state.spellings, room.posters
        name = spellings.get(folded(name), name)
        if not (room.has_name(name) or folded(name) in spellings or folded(name) in posters):
            raise NotFound("unknown_participant", f"Nobody called {name} is in room {room.name}.")
        data = {"name": name, "marks": await self._marks_of(room, name), "lifted": False}
        await self.note(room.name, kind, **data)

    async def _marks_of(self, room: Room, name: str) -> list[str]:
        """By what somebody is known again who is here, was the last of that name, or posted."""
        member, posted = room.state.members.get(name), room.posters.get(folded(name))
        if member is not None or posted:
            return member.marks if member is not None else posted or []
        for record in reversed(await self._context.engine.controls(room.name, room.state.head)):
            if record.kind is Kind.JOINED and record.data["name"] == name:
                marks: list[str] = record.data.get("marks", [])
                return marks
        return []

    async def _lift(self, room: Room, kind: Kind, name: str, among: Mapping[str, object]) -> None:
        if folded(name) not in among:
            raise NotFound("unknown_participant", f"{name} is not {kind} in room {room.name}.")
        data = {"name": name, "marks": [], "lifted": True}
        await self.note(room.name, kind, **data)

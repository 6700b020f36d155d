"""What only the host may do to a room."""

from collections.abc import Mapping

from orders.broker import messages
from orders.broker.modes import changed
from orders.broker.participants import Participant, joined
from orders.broker.records import Kind, Record, control
from orders.broker.room import Room
from orders.clock import now_ms
from orders.domain.envelope import id_text
from orders.errors import Close, NotFound, StorageFailed
from orders.server.context import Context
from orders.server.inbox import Inbox

PAGE = 500


class Host:
    """Modes, pause, step, resume, reset; kick and mute."""

    def __init__(self, context: Context, inbox: Inbox) -> None:
        self._context, self._inbox = context, inbox

    async def set_modes(self, room: Room, changes: Mapping[str, str | None]) -> None:
        """Change how types are dispatched, for events that come once this is stored."""
        modes = changed(room.state.modes, changes)
        await self._store(control(room.name, Kind.MODES, now_ms(), modes=modes, changes=changes))

    async def pause(self, room: Room) -> None:
        """Events are accepted and stored from here on, but held at the broker."""
        await self._store(control(room.name, Kind.PAUSED, now_ms(), paused=True))

    async def resume(self, room: Room) -> None:
        """All that was held goes on its way, in order."""
        await self._store(control(room.name, Kind.PAUSED, now_ms(), paused=False))

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
        submission = self._inbox.submit(control(room.name, Kind.RESET, now_ms()))
        for participant in room.participants.values():
            self._inbox.submit(joined(participant, now_ms(), was=participant.name))
        answer = await submission
        if isinstance(answer, StorageFailed):
            raise answer

    async def _store(self, record: Record) -> None:
        """Put it into the journal, and wait until it is true."""
        answer = await self._inbox.submit(record)
        if isinstance(answer, StorageFailed):
            raise answer

    # ── one participant ─────────────────────────────────────────────────────────────────────

    async def act_on(self, room: Room, name: str, action: str) -> None:
        """Kick, mute or unmute a participant, on whichever node it is connected."""
        member = room.state.members.get(name)
        if name not in room.participants and member is not None and member.node:
            await self._context.engine.ask(member.node, action=action, room=room.name, name=name)
        else:
            self.act_here(room, name, action)

    def act_here(self, room: Room, name: str, action: str) -> None:
        """The same, to one that is connected here."""
        participant = self._participant(room, name)
        if action == "kick":
            participant.transport.close(Close.REMOVED, "the host removed you")
            return
        participant.muted = action == "mute"
        code = "muted" if participant.muted else "unmuted"
        done = "muted you" if participant.muted else "lets you speak again"
        self._context.tell(participant, messages.Notice(code=code, message=f"The host {done}."))

    def _participant(self, room: Room, name: str) -> Participant:
        participant = room.participants.get(name)
        if participant is None:
            raise NotFound("unknown_participant", f"Nobody called {name} is in room {room.name}.")
        return participant

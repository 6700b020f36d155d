"""What only the host may do to a room."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orders.broker.broker import Item
from orders.broker.records import Kind, Record, control
from orders.broker.room import Participant, Room
from orders.clock import now_ms
from orders.errors import Close, NotFound, StorageFailed

if TYPE_CHECKING:
    from orders.server.node import Node

PAGE = 500
AWAY = 0.3  # seconds until a journal that is away is asked again


class Host:
    """Pause, step, resume, reset; kick and mute."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._waiting: dict[Record, asyncio.Future[None]] = {}

    async def pause(self, room: Room) -> None:
        """Events are accepted and stored from here on, but held at the broker."""
        await self._do(room, Kind.PAUSED, paused=True)

    async def resume(self, room: Room) -> None:
        """All that was held goes on its way, in order."""
        await self._do(room, Kind.PAUSED, paused=False)

    async def step(self, room: Room) -> str | None:
        """Exactly the next held event goes on its way; returns its id, None when none is held."""
        while room.paused and room.cursor < room.head:
            stands = room.cursor, room.epoch
            records = await self._node.engine.read(room.name, room.cursor, PAGE)
            if (room.cursor, room.epoch) != stands:
                continue  # somebody else stepped meanwhile
            if not records:
                break
            for record in records:
                if record.kind is Kind.EVENT:
                    return self._step(room, record)
                room.cursor = record.position
        return None

    async def step_along(self, room: Room, stepped: Record) -> None:
        """Another node let the next event go: so do we."""
        epoch = room.epoch
        while room.paused and room.cursor < stepped.about and room.epoch == epoch:
            stands = room.cursor
            try:
                records = await self._node.engine.read(room.name, stands, PAGE)
            except StorageFailed:  # the journal is away, and comes back
                await asyncio.sleep(AWAY)
                continue
            for record in records:
                if room.cursor < record.position <= stepped.about:
                    if record.kind is Kind.EVENT:
                        self._node.pump.deliver(room, [record])
                    room.cursor = record.position
            if room.cursor == stands:
                return

    def _step(self, room: Room, record: Record) -> str:
        self._node.pump.deliver(room, [record])
        id = record.parsed().id
        stepped = control(room.name, Kind.STEPPED, now_ms(), event=id)
        stepped.key, stepped.about = record.key, record.position
        self._node.pump.gather(Item(room, None, stepped))
        return id

    async def reset(self, room: Room) -> None:
        """A new beginning: log, queues, orders and ids are gone for participants."""
        await self._do(room, Kind.RESET)

    async def act_on(self, room: Room, name: str, action: str) -> None:
        """Kick, mute or unmute a participant, on whichever node it is connected."""
        one = room.elsewhere.get(name)
        if one is None:
            self.act_here(room, name, action)
        else:
            await self._node.engine.ask(one.node, action=action, room=room.name, name=name)

    def act_here(self, room: Room, name: str, action: str) -> None:
        """The same, to one that is connected here."""
        if action == "kick":
            self.kick(room, name)
        else:
            self.mute(room, name, action == "mute")

    def kick(self, room: Room, name: str) -> None:
        """Remove a participant; it does not come back by itself."""
        self.participant(room, name).transport.close(Close.REMOVED, "the host removed you")

    def mute(self, room: Room, name: str, muted: bool) -> None:
        """A muted participant hears everything, but its events are refused."""
        participant = self.participant(room, name)
        participant.muted = muted
        code, said = ("muted", "muted you") if muted else ("unmuted", "lets you speak again")
        self._node.tell(participant, self._node.broker.notice(code, f"The host {said}.", now_ms()))

    def participant(self, room: Room, name: str) -> Participant:
        participant = room.participants.get(name)
        if participant is None:
            raise NotFound("unknown_participant", f"Nobody called {name} is in room {room.name}.")
        return participant

    async def set_modes(self, room: Room, changes: Mapping[str, str | None]) -> None:
        """Change how types are dispatched; all in the room hear of it."""
        await self._stored(self._node.broker.set_modes(room, changes, now_ms()))

    async def _do(self, room: Room, kind: Kind, **data: object) -> None:
        await self._stored(Item(room, None, control(room.name, kind, now_ms(), **data)))

    async def _stored(self, item: Item) -> None:
        """Put it into the journal, and wait until it is true."""
        if item.record is None:
            return
        self._waiting[item.record] = done = asyncio.get_running_loop().create_future()
        self._node.pump.gather(item)
        await done

    async def apply(self, room: Room, record: Record) -> None:
        """The journal has it: make it true. Runs within the pump, so nothing else moves."""
        if record.kind is Kind.MODES:
            room.wanted_modes = None
            self._done(record)
            return
        if record.kind is Kind.RESET:
            self._begin_anew(room)
            code, said = "reset", "The host cleared the room: a new beginning."
        elif record.data["paused"]:
            if not room.paused:  # else it goes on holding what it holds
                room.paused, room.cursor = True, room.head
            code, said = "paused", "The host paused the room: events are stored and held."
        else:
            await self._resume(room)
            code, said = "resumed", "The host resumed the room: events go on their way."
        self._node.tell_all(room, self._node.broker.notice(code, said, now_ms()))
        self._done(record)

    def _done(self, record: Record) -> None:
        waiting = self._waiting.pop(record, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def _resume(self, room: Room) -> None:
        try:
            await self._let_all_go(room)
        except StorageFailed:  # the journal is away: the room is held until it is back
            self._node.spawn(self._resume_later(room, room.epoch))

    async def _resume_later(self, room: Room, epoch: int) -> None:
        await asyncio.sleep(AWAY)
        if room.paused and room.epoch == epoch:
            await self._resume(room)

    async def _let_all_go(self, room: Room) -> None:
        """The pump is waiting for this: the head of the room stands still meanwhile.

        What lies behind the head came in the same batch, and goes its way after this. A step
        may run beside it.
        """
        while room.cursor < room.head:
            page = await self._node.engine.read(room.name, room.cursor, PAGE)
            if not page:
                break
            held = [record for record in page if room.cursor < record.position <= room.head]
            events = [record for record in held if record.kind is Kind.EVENT]
            if events:
                self._node.pump.deliver(room, events)
            room.cursor = max(room.cursor, page[-1].position)
        room.paused, room.cursor = False, room.head

    def refuse(self, record: Record, error: StorageFailed) -> None:
        """The journal could not take it: nothing of it is true, and who asked for it hears why."""
        if record.kind is Kind.MODES and (room := self._node.broker.rooms.get(record.room)):
            room.wanted_modes = None
        waiting = self._waiting.pop(record, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def _begin_anew(self, room: Room) -> None:
        room.epoch += 1
        room.head = room.cursor = room.events = 0
        room.last = None
        room.paused = False
        now = now_ms()
        for participant in room.participants.values():
            participant.since = participant.written = participant.in_flight = 0
            participant.delivered = 0
            if participant.after is not None:
                participant.after = 0
            self._node.pump.gather(self._node.broker.present(participant, now, participant.name))
        for audience in room.audiences.values():
            audience.newest = 0

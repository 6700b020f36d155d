"""Who comes and who goes: names, sessions, and the records that say so."""

from orders.broker.limits import Allowance
from orders.broker.participants import Life, Participant, joined
from orders.broker.protocol import check_admitted, name_taken, refusal
from orders.broker.records import Kind, Record, control
from orders.broker.room import Room
from orders.broker.room_state import Member, RoomState
from orders.clock import monotonic, now_ms
from orders.domain.envelope import folded, id_text, is_room, key_of
from orders.errors import Close, Forbidden, Full, NotFound, Refused, StorageFailed, counted
from orders.server.context import Context
from orders.server.inbox import Inbox, Submission
from orders.server.queues import Queues
from orders.server.replay import Replay

#: Seconds that a shared room stays where nobody is in it and nobody looks at it.
ROOM_IDLE_TIMEOUT = 60.0
#: Places of a room that are kept for the host and its bots.
KEPT = 10


class Presence:
    """The rooms of this node, and the doors to them."""

    def __init__(self, context: Context, inbox: Inbox, queues: Queues, replay: Replay) -> None:
        self._context, self._inbox = context, inbox
        self._queues, self._replay = queues, replay
        self._ending: set[str] = set()
        self._reported: dict[Member, None] = {}  # of nodes that are gone: that they left

    # ── rooms ───────────────────────────────────────────────────────────────────────────────

    def room(self, name: str) -> Room:
        """The room, or `NotFound`."""
        if room := self._context.rooms.get(name):
            return room
        if is_room(name):
            said = f"There is no room `{name}` yet: it begins when somebody joins it, such as"
            raise NotFound("unknown_room", f"{said} /ws?room={name}.")
        said = f"{name[:40]!r} is no room: its name is 1–32 of a–z, 0–9 and `-`, such as main."
        raise NotFound("unknown_room", said)

    async def enter(self, name: str, *, begin: bool = False) -> Room:
        """The room, on whichever node it began: `NotFound`, or made if it is to `begin`.

        `Full` when the server has no more rooms to give.
        """
        rooms, engine = self._context.rooms, self._context.engine
        if name in self._ending:
            raise Forbidden("room_ended", f"The host is ending the room `{name}`: come back later.")
        if name not in rooms and engine.shared and is_room(name):
            self._check_rooms(name)
            state = await engine.enter(name, begin)
            if state is not None and name not in rooms:
                room = rooms[name] = Room.at(state)
                self._queues.take_up(room)
        if name not in rooms and begin:
            self._check_rooms(name)
            rooms[name] = Room.at(RoomState(name))
        room = self.room(name)
        room.used = monotonic()
        return room

    def _check_rooms(self, name: str) -> None:
        def kind_of(room: str) -> str:
            return next(kind for kind in kinds if room.startswith(kind))

        kinds = self._context.most_rooms | {"": self._context.options.limits.max_rooms}
        most = kinds[kind_of(name)]
        if sum(kind_of(room) == kind_of(name) for room in self._context.rooms) >= most:
            said = f"This server takes {counted(most, 'room')}"
            raise Full("server_full", f"{said}: join one that exists, such as `main`.")

    async def forget_empty(self, left: dict[Room, None]) -> None:
        """Drop rooms that were left empty, but for those into which something is on its way."""
        expected = self._inbox.rooms()
        for room in [room for room in left if room.name not in expected]:
            del left[room]
            is_there = self._context.rooms.get(room.name) is room
            if room.name != "main" and room.is_forgettable and is_there:
                del self._context.rooms[room.name]
                await self._context.engine.forget(room.name)

    async def end(self, *rooms: Room) -> None:
        """Put everyone out, and erase all that is kept of the rooms; `main` begins again, empty."""
        ended = {room.name: room for room in rooms}
        self._ending |= ended.keys()
        try:
            for room in rooms:
                for participant in list(room.participants.values()):
                    self.leave(participant, "the room ended")
                    participant.transport.close(Close.REMOVED, "room_ended")
            await self._inbox.submit(None)  # what was on its way into them is stored by now
            for name in ended:
                self._context.rooms.pop(name, None)
            left = await self._context.engine.erase(list(ended))
            for room in rooms:
                room.ended = room.name != "main"  # which begins again
        except StorageFailed:
            self._context.rooms.update(ended)  # nothing was erased
            raise
        finally:
            self._ending -= ended.keys()
        if "main" in ended:
            await self.enter("main", begin=True)
        if left:
            raise left

    async def leave_unused(self) -> None:
        """Leave shared rooms in which nobody here is any more: other nodes may have them."""
        for name, room in list(self._context.rooms.items()):
            idle = monotonic() > room.used + ROOM_IDLE_TIMEOUT
            if name != "main" and not room.participants and idle:
                del self._context.rooms[name]
                await self._context.engine.leave(room.state)

    # ── joining ─────────────────────────────────────────────────────────────────────────────

    async def join(self, participant: Participant, wanted: str | None, after: str | None) -> None:
        """Let a participant in; it hears of it when the journal has it. `Full` when it may not.

        Its name is `wanted`, or the next free one like it, or that of its session; `after` is an
        event's id, or `start`.
        """
        room = await self.enter(participant.room, begin=True)
        room.coming[participant] = ""
        try:
            await self._let_in(room, participant, wanted, after)
        finally:
            del room.coming[participant]

    async def _let_in(
        self, room: Room, participant: Participant, wanted: str | None, after: str | None
    ) -> None:
        epoch, unknown = room.state.epoch, await self._read_on_from(room, participant, after)
        kept = None  # the name that its session had on another node
        if session := participant.session:
            mark, members = participant.marks[:1], room.remote()
            kept = await self._context.engine.take_over(room.name, session, mark, members)
            wanted = kept or wanted
        check_admitted(room, wanted or "", participant.marks, known=participant.is_host)
        is_free = kept is not None and not room.has_here(kept)
        name = kept if kept and is_free else await self._take_name(room, participant, wanted)
        if await self.enter(participant.room, begin=True) is not room:  # it was forgotten, or ended
            await self.join(participant, wanted, after)
            return
        if participant.gone:
            return  # its session went to another node meanwhile
        if participant.after and room.state.epoch != epoch:
            unknown = self._unknown(participant, after)  # of an epoch that is over
        old = room.sessions.get(participant.session or "")
        if old is not None:
            wanted = old.name if old.named else None
            self.put_out(old)
        most = self._context.options.limits.max_participants
        if room.size >= (most if participant.is_host else most - min(KEPT, most // 10)):
            raise Full(
                "room_full",
                f"The room `{room.name}` has {counted(room.size, 'participant')},"
                " which is all it takes: try again later, or join another room.",
            )
        participant.name, participant.named = name, wanted is not None
        participant.joined_at = now_ms()
        participant.allowance = Allowance(self._context.options.limits)
        room.add(participant)
        room.note_poster(name, participant.marks)
        self._inbox.submit(joined(participant, participant.joined_at), participant)
        if unknown:
            self._inbox.submit(None, participant, self._context.say(refusal(unknown)))

    async def _read_on_from(
        self, room: Room, participant: Participant, after: str | None
    ) -> Refused | None:
        """Find the place from which it reads on; what to say where there is none."""
        epoch = room.state.epoch
        if after == "start":
            participant.after = 0
        elif after is not None:
            found = await self._context.engine.find(room.name, key_of(after))
            if found is None or room.state.epoch != epoch:
                return self._unknown(participant, after)
            participant.after = found.position
        if participant.after is not None:
            participant.written = participant.after
            participant.changes = [(0, participant.types)]
        return None

    @staticmethod
    def _unknown(participant: Participant, after: str | None) -> Refused:
        participant.after, participant.written, participant.changes = None, 0, []
        return Refused(
            "unknown_position",
            f"`after` names {after}, which is not in this room (any more): you hear what"
            " comes from now on. Use after=start for all there is.",
        )

    async def _take_name(self, room: Room, participant: Participant, wanted: str | None) -> str:
        """A name that nobody else has, on this node or another, and that is kept for it."""
        taken: dict[str, None] = {}
        while True:
            old = room.with_session(participant)
            if old is not None and old.name not in taken:
                name = old.name
            else:
                name = room.free_name(wanted, taken) if wanted else room.guest_name(taken)
            participant.name, room.coming[participant] = name, folded(name)
            if await self._context.engine.take_name(room.name, name, participant.session):
                return name
            taken[name], room.coming[participant] = None, ""

    # ── leaving, and changing names ─────────────────────────────────────────────────────────

    def leave(
        self, participant: Participant, reason: str = "its connection was lost"
    ) -> Submission | None:
        """Its connection ended; None where it was not in a room any more."""
        self._replay.forget(participant)
        room = self._context.rooms.get(participant.room)
        if participant.gone or not participant.number or room is None:
            participant.life = Life.GONE
            return None
        self._queues.release_held(room, participant, reason)
        last = room.remove(participant)
        record = control(room.name, Kind.LEFT, now_ms(), name=participant.name, last=last)
        return self._inbox.submit(record, urgent=False)

    def put_out(self, old: Participant) -> Submission | None:
        """Another connection has its session now."""
        submission = self.leave(old, "its session was taken over")
        old.transport.close(Close.TAKEN_OVER, "another connection took over your session")
        return submission

    async def take_over(self, name: str, session: str, was: str | None) -> str | None:
        """Put a participant out for another node: its name, or what it `was` if it has left, or
        has not come yet; None where somebody else here has that name."""
        room = self._context.rooms.get(name)
        if room is None:
            return was
        old = room.sessions.get(session)
        for one in [one for one in room.coming if one.session == session and one is not old]:
            self.put_out(one)
            room.coming[one] = ""
        if old is None:
            return None if was and room.has_here(was) else was
        if submission := self.put_out(old):
            await submission  # its leaving must not come behind the other's joining
        return old.name if old.named else None

    async def take_first_name(
        self, room: Room, participant: Participant, record: Record, name: str
    ) -> None:
        """Ask the other nodes for a name before an unnamed participant speaks under it."""
        room.coming[participant] = folded(name)
        try:
            taken = await self._context.engine.take_name(room.name, name, participant.session)
        finally:
            del room.coming[participant]
        if participant.gone:
            return
        if taken and not room.has_name(name):
            self.rename(room, participant, name)
            self._inbox.submit(record, participant)
        else:
            error = refusal(name_taken(name), id_text(record.key))
            self._inbox.submit(None, participant, self._context.say(error))

    def rename(self, room: Room, participant: Participant, name: str) -> None:
        """An unnamed participant takes the name of the first source that it sends."""
        was = participant.name
        left = control(room.name, Kind.LEFT, now_ms(), name=was, last=room.cursor, to=name)
        room.rename(participant, name)
        participant.named = True
        self._inbox.submit(left)
        self._inbox.submit(joined(participant, now_ms(), was=was))

    async def reap(self) -> None:
        """Participants of nodes that have ended without a word have left."""
        reported: dict[Member, None] = {}
        for room in list(self._context.rooms.values()):
            remote = room.remote()
            held = room.state.queue.held.values()
            nodes = ({one.node for one in remote} | {entry.node for entry in held}) - {""}
            if not (gone := self._context.engine.gone(nodes)):
                continue
            for one in remote:
                if one.node in gone:
                    reported[one] = None
                    if one not in self._reported:
                        data = {"name": one.name, "last": None, "of": one.node}
                        self._inbox.submit(control(room.name, Kind.LEFT, now_ms(), **data))
            await self._queues.recover(room, "its server is gone", frozenset(gone))
        self._reported = reported

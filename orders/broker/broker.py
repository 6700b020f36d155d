"""Who may say what, and who is in which room.

Pure: no clock, no sockets, no database. `receive`, `join` and `leave` turn what happens into
items for the next batch; `apply` makes a control record true once the journal has it. So all
that participants see changes in the order of the journal.

`now` is epoch milliseconds, `clock` a steady clock's seconds, ids come from `new_id`.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from orders.broker import messages
from orders.broker.limits import COMMAND_RATE, Limits, spend
from orders.broker.messages import Data, Subscribe, Unsubscribe, read_command, say
from orders.broker.modes import bounded, changed
from orders.broker.records import Kind, Record, RoomState, control
from orders.broker.room import Participant, RemoteParticipant, Room
from orders.domain.envelope import Event, is_uuid
from orders.errors import Full, OrdersError, Refused


@dataclass(slots=True, eq=False)
class Item:
    """One entry of the next batch: what to append, and what to say to whom once that is done.

    An item without a record is a reply that waits its turn, so that a sender hears of its
    events in the order in which it sent them.
    """

    room: Room
    participant: Participant | None = None
    record: Record | None = None
    reply: bytes | None = None
    command: Data | None = None
    types: frozenset[str] | None = None
    answered: Callable[[Any], None] | None = None  # told the engine's answer (HTTP)

    @property
    def event_id(self) -> str:
        """The id of its event; empty when it has none."""
        return self.record.parsed().id if self.record and self.record.key else ""


@dataclass(eq=False)
class Broker:
    """All rooms of this node. `durable` is what the welcome says of the engine."""

    new_id: Callable[[], str]
    limits: Limits = field(default_factory=Limits)
    durable: bool = True
    rooms: dict[str, Room] = field(default_factory=dict)

    def restore(self, states: list[RoomState]) -> None:
        """Go on where the journal stands; `main` always exists."""
        self.rooms = {state.name: Room.restored(state) for state in states}
        self.rooms.setdefault("main", Room("main"))

    def open_room(self, name: str) -> Room:
        """The room, begun if there is none; `Full` when the server has no more to give."""
        room = self.rooms.get(name)
        if room is None:
            self.check_rooms()
            room = self.rooms[name] = Room(name)
        return room

    def check_rooms(self) -> None:
        """`Full` when there may not be one more."""
        if len(self.rooms) >= self.limits.max_rooms:
            raise Full(
                "server_full",
                f"All {self.limits.max_rooms} rooms are taken: join one that exists,"
                " such as `main`.",
            )

    def forget(self, room: Room) -> bool:
        """Drop a room that is empty and has no events; `main` stays."""
        if room.name == "main" or not room.is_forgettable:
            return False
        return self.rooms.pop(room.name, None) is not None

    # ── coming and going ────────────────────────────────────────────────────────────────────

    def name_for(
        self, participant: Participant, wanted: str | None, taken: Container[str] = ()
    ) -> str:
        """The name to join under: its session's, else `wanted` or the next free one like it."""
        room = participant.room
        old = room.sessions.get(participant.session or "")
        if old is not None:
            return old.name
        return room.free_name(wanted, taken) if wanted else room.guest_name(taken)

    def join(
        self,
        participant: Participant,
        wanted: str | None,
        now: int,
        taken: Container[str] = (),
    ) -> list[Item]:
        """Let a participant in, see `name_for`.

        A live connection with the same session is put out of the room: it is `gone`, and its
        leaving comes first in the items.
        """
        room = participant.room
        items: list[Item] = []
        participant.name = self.name_for(participant, wanted, taken)
        participant.named = wanted is not None
        old = room.sessions.get(participant.session or "")
        if old is not None:
            participant.named = old.named
            items += self.leave(old, now)
        if room.size >= self.limits.max_participants:
            self.forget(room)
            raise Full(
                "room_full",
                f"The room `{room.name}` has {self.limits.max_participants} participants,"
                " which is all it takes: try again later, or join another room.",
            )
        room.numbers += 1
        participant.number = room.numbers
        participant.joined_at = now
        participant.tokens = float(self.limits.burst)
        participant.command_tokens = float(self.limits.burst * COMMAND_RATE)
        room.participants[participant.name] = participant
        if participant.session:
            room.sessions[participant.session] = participant
        return [*items, self.present(participant, now)]

    def present(self, participant: Participant, now: int, was: str | None = None) -> Item:
        """The record that somebody is in the room; `was`: its name if it was here before."""
        record = control(
            participant.room.name,
            Kind.JOINED,
            now,
            name=participant.name,
            types=sorted(participant.types),
            ack=participant.ack,
            echo=participant.echo,
            after=participant.after,
            was=was,
        )
        return Item(participant.room, participant, record)

    def leave(self, participant: Participant, now: int) -> list[Item]:
        """The connection of a participant that was let in ended; nothing more is written to it."""
        if participant.gone or not participant.number:
            return []
        room = participant.room
        participant.gone = True
        is_behind = not participant.live or participant.held is not None
        last = participant.written if is_behind else room.cursor
        room.unlisten(participant)
        if room.participants.get(participant.name) is participant:
            del room.participants[participant.name]
        if participant.session and room.sessions.get(participant.session) is participant:
            del room.sessions[participant.session]
        record = control(room.name, Kind.LEFT, now, name=participant.name, last=last)
        return [Item(room, participant, record)]

    def welcome(self, participant: Participant, now: int) -> bytes:
        """What a participant hears first."""
        room = participant.room
        return say(
            messages.Welcome(
                room=room.name,
                name=participant.name,
                modes=room.modes,
                types=sorted(participant.types),
                ack="manual" if participant.ack == "manual" else "auto",
                participants=room.size,
                last=room.last,
                durable=self.durable,
            ),
            now,
            self.new_id(),
        )

    # ── what participants send ──────────────────────────────────────────────────────────────

    def receive(
        self, participant: Participant, text: str | None, now: int, clock: float
    ) -> list[Item]:
        """What one message comes to: an event to append, a command, or an explained refusal.

        `text` is None for a binary frame.
        """
        room = participant.room
        event = None
        try:
            try:
                event = _read(text)
            finally:  # nonsense costs as much as sense
                is_command = event is not None and event.type.startswith(messages.PREFIX)
                spend(participant, self.limits, is_command, clock)
            if event.type.startswith(messages.PREFIX):
                return [self._command(participant, event, now)]
            items = self._speak_as(participant, event, now)
            items.append(self.publish(room, event, participant.name, now, participant))
            return items
        except Refused as refused:
            event_id = event.id if event else _id_in(text)
            return [self.refusal(room, participant, refused, event_id, now)]

    def publish(
        self, room: Room, event: Event, name: str, now: int, sender: Participant | None = None
    ) -> Item:
        """An event for the next batch, stamped, under the mode that its type has now."""
        if not event.is_stamped:
            event = event.stamped(id=self.new_id(), created=str(now), source=name)
        record = Record(
            room.name,
            Kind.EVENT,
            now,
            event.to_json(),
            event.key,
            event.type,
            event.source,
            room.mode_of(event.type),
            event=event,
        )
        if sender is not None and sender.role == "other":
            sender.role = ROLES.get(event.type, "other")
        return Item(room, sender, record)

    def refusal(
        self,
        room: Room,
        participant: Participant | None,
        refused: OrdersError,
        event_id: str,
        now: int,
    ) -> Item:
        """A `broker.error` that waits its turn behind what was sent before it."""
        error = messages.Error(code=refused.code, message=refused.message, event=event_id or None)
        return Item(room, participant, reply=say(error, now, self.new_id()))

    def _speak_as(self, participant: Participant, event: Event, now: int) -> list[Item]:
        """A participant speaks only for itself; its first source names one that has no name."""
        if participant.muted:
            raise Refused(
                "muted", "The host muted you: your events are not taken until you are unmuted."
            )
        if not event.source or event.source == participant.name:
            participant.named = participant.named or bool(event.source)
            return []
        if participant.named:
            raise Refused(
                "wrong_source",
                f"`source` is {event.source!r}, but you are {participant.name!r}: a participant"
                " speaks only for itself. Leave `source` out, or connect with that name.",
            )
        return self._rename(participant, event.source, now)

    def _rename(self, participant: Participant, name: str, now: int) -> list[Item]:
        room, was = participant.room, participant.name
        check_name(name)
        if room.has_name(name):
            raise Refused(
                "name_taken",
                f"{name} is in use in this room: use another `source`, or leave it out.",
            )
        left = control(room.name, Kind.LEFT, now, name=was, last=room.cursor)
        del room.participants[was]
        room.participants[name] = participant
        participant.name, participant.named = name, True
        return [Item(room, None, left), self.present(participant, now, was)]

    def _command(self, participant: Participant, event: Event, now: int) -> Item:
        """A command as an item; acks and nacks are left to who keeps the leases."""
        room, command = participant.room, read_command(event)
        if not isinstance(command, Subscribe | Unsubscribe):
            return Item(room, participant, command=command)
        types = participant.wanted
        if isinstance(command, Unsubscribe):
            types -= frozenset(command.types)
        elif participant.chose_types:
            types = bounded(types | frozenset(command.types))
        else:
            types = frozenset(command.types)
        participant.chose_types = True
        participant.wanted = types
        record = control(
            room.name, Kind.SUBSCRIBED, now, name=participant.name, types=sorted(types)
        )
        reply = say(messages.Subscribed(types=sorted(types)), now, self.new_id())
        return Item(room, participant, record, reply, types=types)

    # ── what the journal made true ──────────────────────────────────────────────────────────

    def apply(self, item: Item, record: Record, now: int) -> bytes | None:
        """Make a control record true; returns what everyone in the room is to hear of it."""
        room, participant = item.room, item.participant
        if record.node or (record.kind is Kind.LEFT and participant is None):
            self._follow(room, record)
        match record.kind:
            case Kind.JOINED if participant and not participant.gone:
                if record.data["was"] is not None:
                    return None  # it was here before, and goes on hearing
                participant.since = record.position or room.head  # it could not be stored yet
                if participant.after is None:
                    room.listen(participant)
            case Kind.SUBSCRIBED if participant and item.types is not None:
                participant.types = item.types
                if participant.live:
                    room.listen(participant)
            case Kind.MODES:
                room.modes = changed(room.modes, record.data["changes"])
                return say(messages.Modes(modes=room.modes), now, self.new_id())
        return None

    def _follow(self, room: Room, record: Record) -> None:
        """What the control record of another node, or one about it, changes of who is where."""
        match record.kind:
            case Kind.JOINED:
                one = RemoteParticipant.told(record)
                was = room.elsewhere.pop(record.data["was"] or one.name, None)
                one.role = was.role if was else one.role
                room.elsewhere[one.name] = one
            case Kind.LEFT:
                one_left = room.elsewhere.get(record.data["name"])
                if one_left is not None and one_left.node == record.data.get("of", record.node):
                    del room.elsewhere[one_left.name]
            case Kind.SUBSCRIBED if record.data["name"] in room.elsewhere:
                room.elsewhere[record.data["name"]].types = frozenset(record.data["types"])

    def heard(self, room: Room, record: Record) -> None:
        """An event was stored."""
        room.head = record.position
        room.events += 1
        room.last = record.parsed().id
        if not record.node:
            return
        sender = room.elsewhere.get(record.source)
        if sender is not None and sender.role == "other":
            sender.role = ROLES.get(record.type, "other")

    def set_modes(self, room: Room, changes: Mapping[str, str | None], now: int) -> Item:
        """Change modes; they hold for events that come once this is stored."""
        room.wanted_modes = changed(room.wanted_modes or room.modes, changes)
        modes = room.wanted_modes
        return Item(room, None, control(room.name, Kind.MODES, now, modes=modes, changes=changes))

    def caught_up(self, events: int, now: int) -> bytes:
        return say(messages.CaughtUp(events=events), now, self.new_id())

    def notice(self, code: str, message: str, now: int) -> bytes:
        return say(messages.Notice(code=code, message=message), now, self.new_id())


#: The part that a participant is seen to play, by what it sends.
ROLES = {
    "order_placed": "customer",
    "order_confirmed": "confirmer",
    "order_rejected": "confirmer",
}


def _id_in(text: str | None) -> str:
    """The id that a refused message bears, so that its sender knows which one it was."""
    try:
        sent = from_json(text or "")
    except ValueError:
        return ""
    id = sent.get("id") if isinstance(sent, dict) else None
    return id if isinstance(id, str) and is_uuid(id) else ""


def _read(text: str | None) -> Event:
    if text is None:
        raise Refused(
            "binary_frame", "This is a binary frame: send the JSON of one event as a text frame."
        )
    return Event.parse(text)


def check_name(name: str) -> None:
    """`broker` is the broker's own name: nobody else may speak under it."""
    if name == messages.BROKER:
        raise Refused(
            "wrong_source", "`broker` is the broker's own name: choose another, such as `bob`."
        )

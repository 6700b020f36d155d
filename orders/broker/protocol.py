"""What one message of a participant means. It decides; all that it changes is the allowance.

`receive` returns one of five frozen kinds:

    Publish        an event for the journal
    Subscription   what the participant wants to hear from now on
    Ack, Nack      what it did with an event from a queue
    Error          an explained refusal, for the sender alone

`now` is epoch milliseconds, `clock` a steady clock's seconds, ids come from `new_id`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from pydantic_core import from_json

from orders.broker import limits, messages
from orders.broker.messages import Ack, Error, Nack, read_command
from orders.broker.modes import bounded
from orders.broker.participants import Participant
from orders.broker.records import EVENT, Record
from orders.broker.room import Room
from orders.domain.envelope import Event, check_name, folded, is_uuid
from orders.domain.mistakes import MAX_VALUES
from orders.errors import Forbidden, Full, OrdersError, Refused


class Publish(NamedTuple):
    """An event for the journal. `name` is the one that its sender gave, None if it gave none."""

    record: Record
    name: str | None = None


class Subscription(NamedTuple):
    """All that the participant wants to hear from now on."""

    types: frozenset[str]


Received = Publish | Subscription | Ack | Nack | Error


@dataclass(frozen=True, slots=True)
class Protocol:
    """The rules of the conversation, the same for all participants."""

    new_id: Callable[[], str]

    def receive(
        self, room: Room, participant: Participant, text: str | bytes, now: int, clock: float
    ) -> Received:
        """What a message means; bytes are a binary one."""
        event = None
        try:
            participant.allowance.spend_bytes(text, clock)
        except Refused as refused:
            return refusal(refused)  # unread
        try:
            try:
                event = _read(text)
            except Refused:  # nonsense costs as much as sense
                participant.allowance.spend_event(clock)
                raise
            if event.type.startswith(messages.PREFIX):
                participant.allowance.spend_command(clock, _cost(event))
                return _command(participant, event)
            participant.allowance.spend_event(clock)
            if event.type in messages.BARE:
                messages.check_prefix(event)
            name = _speaks_as(room, participant, event)
            return Publish(self.record(room, event, name or participant.name, now), name)
        except Refused as refused:
            return refusal(refused, event.id if event else _id_in(text))

    def record(self, room: Room, event: Event, name: str, now: int) -> Record:
        """The record of an event, stamped, under the mode that its type has now."""
        body, key = event.seal(self.new_id, now, name)
        modes = room.state.modes
        return Record(
            room=room.name,
            kind=EVENT,
            at=now,
            body=body,
            key=key,
            type=event.type,
            source=event.source,
            mode=modes.get(event.type) or modes["*"],
            event=event,
        )


def refusal(error: OrdersError, event: str = "") -> Error:
    """A refusal as its sender hears it; `event` is the id of the event that it is about."""
    return Error(code=error.code, message=error.message, event=event or None)


def _read(text: str | bytes) -> Event:
    if isinstance(text, bytes):
        raise Refused(
            "binary_frame", "This is a binary frame: send the JSON of one event as a text frame."
        )
    return Event.parse(text)


def _cost(command: Event) -> int:
    """What a command costs: a change of a subscription more, and the more the longer it is."""
    if command.type in ("broker.ack", "broker.nack"):
        return 1
    types = command.data.get("types")
    return limits.SUBSCRIBING + (len(types) if isinstance(types, list) else 0)


def _id_in(text: str | bytes) -> str:
    """The id in a refused message, so that its sender knows which one it was."""
    if isinstance(text, bytes) or text.count(",") > MAX_VALUES:
        return ""  # too much to read for an id alone
    try:
        sent = from_json(text)
    except ValueError:
        return ""
    id = sent.get("id") if isinstance(sent, dict) else None
    return id if isinstance(id, str) and is_uuid(id) else ""


def _command(participant: Participant, event: Event) -> Subscription | Ack | Nack:
    command = read_command(event)
    if isinstance(command, Ack | Nack):
        return command
    types = participant.subscription
    if isinstance(command, messages.Unsubscribe):
        return Subscription(types - frozenset(command.types))
    if not isinstance(command, messages.Subscribe):
        raise TypeError(f"{type(command).__name__} is a command that nothing here handles")
    asked = frozenset(command.types)
    return Subscription(bounded(types | asked) if participant.chose_types else asked)


def _speaks_as(room: Room, participant: Participant, event: Event) -> str | None:
    """The name under which it speaks: its own, or its first `source` if it had none yet."""
    name = event.source
    if room.state.rules.muted:
        check_unmuted(room, name or participant.name, participant.marks)
    if not name or name == participant.name:
        return name or None
    if participant.named and folded(name) == folded(participant.name):
        raise Refused(
            "wrong_source",
            f"`source` is {name!r}, but here you are {participant.name!r}: spell it so, such as"
            f' "source": "{participant.name}", or leave it out.',
        )
    if participant.named:
        raise Refused(
            "wrong_source",
            f"`source` is {name!r}, but you are {participant.name!r}; a participant speaks only for"
            " itself: leave `source` out, or connect under that name, such as"
            f" ws://…/ws?name={name}.",
        )
    check_name(name, is_host=participant.is_host)
    if room.has_name(name):
        raise name_taken(name)
    return name


def name_taken(name: str) -> Refused:
    """Another live connection has this name."""
    return Refused(
        "name_taken",
        f"{name} is in use in this room: use another `source`, or leave it out.",
        status=409,
    )


def poster(room: Room, wanted: str | None, marks: list[str], is_host: bool) -> str:
    """The name of one who publishes without joining; `Refused` where it may not have it.

    The host has any name. Others have the one under which their session joined, or that it
    was the first to post under, or one that only such posts have used.
    """
    if is_host:
        return wanted or "host"
    members = room.state.members.values()
    own = next((one for one in members if set(one.marks) & set(marks)), None)
    if own is not None and folded(own.name) == folded(wanted or own.name):
        name = own.name
    else:
        own, guests = None, (f"guest-{number}" for number in count(1))
        name = wanted or next(one for one in guests if room.may_post(one, marks))
        if not room.may_post(name, marks):
            raise name_taken(name)
    known = own is not None or folded(name) in room.posters
    check_admitted(room, name, marks, known=known)
    check_unmuted(room, name, marks)
    if own is None:
        room.note_poster(name, marks)
    return name


def check_admitted(room: Room, name: str, marks: list[str], *, known: bool) -> None:
    """Refuse one whom the host removed, or who is not `known` in a locked room."""
    rules = room.state.rules
    if rules.keeps_out(name, marks):
        raise Forbidden(
            "kicked", f"The host removed you from the room `{room.name}`: ask to be let in again."
        )
    if not known and not rules.admits(marks):
        raise Full(
            "room_locked",
            f"The host locked the room `{room.name}`: those who were in may come back with their"
            " `session`, and nobody new.",
        )


def check_unmuted(room: Room, name: str, marks: list[str]) -> None:
    """Refuse the events of somebody whom the host muted."""
    if room.state.rules.mutes(name, marks):
        raise Forbidden(
            "muted", "The host muted you: your events are not taken until you are unmuted."
        )

"""Why a participant did, or did not, get an event: from the fold of the room's records alone.

Who receives a relay or pubsub event is decided when it is released: by who is in the room at that
moment, and what they want. Nothing is stored per recipient, so nothing here can contradict the
log. "Received" means written to the socket.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from orders.broker.modes import Mode, matches, works_on
from orders.broker.records import Kind, Record
from orders.broker.room_state import Member, RoomState

MOST_NAMED = 500
HELD_BACK = "Not yet: the room is paused, and the broker holds it."


@dataclass(slots=True)
class Recipient:
    """What an event meant for one name. `attempts`: how often it was handed to it."""

    name: str
    received: bool
    attempts: int
    why: str


@dataclass(slots=True, eq=False)
class _Stay:
    """One member's time in the room. `types`: what it wanted when that mattered."""

    member: Member
    types: frozenset[str]
    attempts: int = 0
    lost: str = ""  # why it no longer holds what it was handed
    faults: list[str] = field(default_factory=list)  # what else happened to it on the way

    @property
    def left_before(self) -> int:
        """The first position that was not written to it any more."""
        return 1 << 62 if self.member.last is None else self.member.last + 1


@dataclass(slots=True)
class _Course:
    """How an event went its way. `released` is the position at which it was, 0 if it was not."""

    stays: dict[Member, _Stay] = field(default_factory=dict)
    released: int = 0
    present: set[Member] = field(default_factory=set)  # when it was released
    sender: Member | None = None  # the one among them that had the name of its source
    taker: _Stay | None = None
    taken: int = 0  # the position of the last handing-over
    is_settled: bool = False
    end: str = ""  # why nobody gets it any more


def explain(event: Record, controls: Iterable[Record]) -> list[Recipient]:
    """Who received an event, who did not, and why: a sentence each, in the order of joining.

    `controls` are the control records of its epoch about it and about presence, oldest first.
    Where there are too many to name, those who received it are named first.
    """
    course = _follow(event, controls)
    say = _queue if event.mode == Mode.QUEUE else _log
    recipients: dict[str, Recipient] = {}
    for stay in course.stays.values():
        said = say(event, stay, course)
        said.why += "".join(f" A fault: {words}." for words in stay.faults)
        known = recipients.get(stay.member.name)
        if known is None:
            recipients[said.name] = said
            continue
        attempts = max(said.attempts, known.attempts)
        if event.mode == Mode.QUEUE:
            attempts = said.attempts + known.attempts
        if said.received >= known.received:
            recipients[said.name] = said
        recipients[said.name].attempts = attempts
    everyone = list(recipients.values())
    if len(everyone) > MOST_NAMED:
        everyone.sort(key=lambda recipient: not recipient.received)
    return everyone[:MOST_NAMED]


def _follow(event: Record, controls: Iterable[Record]) -> _Course:
    """Fold the room, and note how it stood when it mattered to the event."""
    state, course = RoomState(event.room), _Course()
    is_accepted = False
    for record in controls:
        if not is_accepted and record.position > event.position:
            is_accepted = True
            _accept(event, state, course)
        state.apply(record)
        if record.kind is Kind.JOINED:
            member = state.members[record.data["name"]]
            course.stays.setdefault(member, _Stay(member, member.types))
        may_be_taken = event.mode == Mode.QUEUE and not course.taker and not course.end
        if record.kind is Kind.SUBSCRIBED and (may_be_taken or not course.released):
            _update_types(state, course)
        if is_accepted and not course.released and state.cursor >= event.position:
            _release(event, record.position, state, course)
        is_same = (record.key or event.key) == event.key  # not one of before a reset, at its place
        if record.about == event.position and is_same:
            _move(course, record, state)
    if not is_accepted:
        _accept(event, state, course)
    return course


def _accept(event: Record, state: RoomState, course: _Course) -> None:
    held_back = state.paused
    state.apply(event)
    if not held_back:
        _release(event, event.position, state, course)


def _release(event: Record, position: int, state: RoomState, course: _Course) -> None:
    course.released, course.present = position, set(state.members.values())
    course.sender = state.members.get(event.source)
    _update_types(state, course)


def _update_types(state: RoomState, course: _Course) -> None:
    for member in state.members.values():
        course.stays[member].types = member.types


def _move(course: _Course, record: Record, state: RoomState) -> None:
    """What a record about the event itself changes."""
    data = record.data
    match record.kind:
        case Kind.HANDED:
            member = state.members.get(data["name"])
            course.taker = course.stays.get(member) if member else None
            course.taken = record.position
            course.is_settled = data["lease"] is None
            if course.taker:
                course.taker.attempts += 1
        case Kind.SETTLED:
            course.is_settled = True
        case Kind.RELEASED | Kind.DEAD:
            if course.taker:
                course.taker.lost = data["reason"]
            course.taker = None
            if record.kind is Kind.DEAD:
                course.end = "it is a dead letter"
        case Kind.DISCARDED:
            course.end = "the host discarded it"
        case Kind.RETRIED:
            course.end = ""
        case Kind.FAULT:
            stays = [one for one in course.stays.values() if one.member.name == data["name"]]
            if stays:
                stays[-1].faults.append(data["words"])


def _log(event: Record, stay: _Stay, course: _Course) -> Recipient:
    """Relay and pubsub: it follows from who was there and what they wanted."""
    member, position = stay.member, event.position

    def said(received: bool, why: str) -> Recipient:
        return Recipient(member.name, received, int(received), why)

    # Since the beginning of the epoch: its record may lie behind the event.
    was_there = member in course.present or (member.since == 0 and stay.left_before > position)
    came_back = not was_there and 0 < course.released < member.since
    if came_back and (member.after is None or member.after >= position):
        return said(False, "Joined later.")
    if not came_back and stay.left_before <= position:
        return said(False, "Had left before.")
    if member.after is not None and member.after >= position:
        return said(False, "Came back, and read on from a later event.")
    if event.mode == Mode.PUBSUB and not matches(stay.types, event.type):
        return said(False, f"Not subscribed to {event.type}.")
    was_present = member in course.present  # it may have taken another name since
    is_own = member is course.sender if was_present else member.name == event.source
    if is_own and not member.echo:
        return said(False, "Sent it, and asked not to hear its own events.")
    if stay.left_before <= position:
        return said(False, "Came back, and left before it had caught up.")
    if came_back:
        late = max(0, member.at - event.at) / 1000
        return said(True, f"Was offline, and caught up {late:.0f} s later.")
    if not course.released and member.last is None:
        return said(False, HELD_BACK)
    if not was_there:
        return said(False, "Left while the broker held it.")
    if event.mode == Mode.RELAY:
        return said(True, "Relay: everyone in the room gets it.")
    return said(True, f"Subscribed to {event.type}.")


def _queue(event: Record, stay: _Stay, course: _Course) -> Recipient:
    """Queue: exactly one, in turn; the journal says who."""
    member = stay.member

    def said(why: str) -> Recipient:
        return Recipient(member.name, stay.attempts > 0, stay.attempts, why)

    if stay is course.taker:
        done = "and is done with it" if course.is_settled else "and holds it"
        return said(f"Took it, {done}: it was its turn.")
    if stay.attempts:
        return said(f"Took it, but {stay.lost or 'let it go'}.")
    if stay.left_before <= (course.taken or event.position):
        before = member.since < event.position and stay.left_before <= event.position
        return said("Had left before." if before else "Left before its turn came.")
    if member.name == event.source:
        return said("Sent it: a queue never hands an event to its sender.")
    if not matches(stay.types, event.type):
        return said(f"Not subscribed to {event.type}.")
    if not works_on(stay.types, member.ack, event.type):
        return said(f"Only listens: a worker names {event.type} itself, or has ack=manual.")
    if not course.released and not course.taker:
        return said(HELD_BACK)
    if course.end:
        return said(f"Nobody gets it any more: {course.end}.")
    if course.taker and member.since > course.taken:
        return said(f"Joined later: {course.taker.member.name} had taken it.")
    if course.taker:
        return said(f"It was the turn of {course.taker.member.name}: in a queue one takes it.")
    return said("Nobody has taken it yet: it waits.")

"""Notices to one whose program does nothing wrong, and yet gets nowhere.

None of it holds up an event: order events are looked at after their delivery, at the next tick.
Where the answer is not at hand the journal is asked, one question at a time; under load the oldest
questions are dropped.
"""

from collections import deque
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from orders.broker.messages import Notice
from orders.broker.participants import Participant
from orders.broker.records import EVENT, Record
from orders.broker.room import Room
from orders.broker.room_state import RoomState
from orders.domain.envelope import id_text, is_uuid, key_of
from orders.domain.orders import ORDER_TYPES, number_of, order_number
from orders.errors import StorageFailed
from orders.journal.base import Filter
from orders.server.context import Context, in_turns

MOST_WAITING = 1000  # questions
MOST_RECENT = 10_000  # orders that are at hand
MOST_LOOKS = 5  # for the types of one participant: each may read a long log
NEWEST = 100  # events, whose types are "here they send"
MOST_NAMED = 3  # types of these
MOST_ORDERS = 1000  # that are looked through for a number without a customer

Order = tuple[str, str]  # customer, and number


class Hints:
    """Who subscribed to a type that nobody sends, and who answered an order that is not there."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._questions: deque[tuple[Room, Participant, Record]] = deque(maxlen=MOST_WAITING)
        self._is_asking = False
        self._recent: dict[tuple[str, int, bytes], Order] = {}  # by room, epoch and event
        #: Order events that are true, and who sent them; looked at after their delivery.
        self.orders: deque[tuple[Room, RoomState, Record, Participant | None]] = deque(
            maxlen=MOST_RECENT
        )

    async def tick(self) -> None:
        """Look at the order events that have come since."""
        async for room, state, record, sender in in_turns(self._take_orders()):
            if state is room.state:  # else the room was cleared meanwhile
                self._stored(room, record, sender)

    def _take_orders(self) -> Iterator[tuple[Room, RoomState, Record, Participant | None]]:
        while self.orders:
            yield self.orders.popleft()

    def _stored(self, room: Room, record: Record, sender: Participant | None) -> None:
        if record.type == "order_placed":
            if record.event is not None:
                self._recent[room.name, room.state.epoch, record.key] = _order_of(record)
                if len(self._recent) > MOST_RECENT:
                    del self._recent[next(iter(self._recent))]
        elif sender is not None:
            data = record.parsed().data
            order = self._recent.get((room.name, room.state.epoch, _key(data.get("event"))))
            if order is None or not _answers(data, order):
                self._ask(room, sender, record)

    def subscribed(self, room: Room, participant: Participant, record: Record) -> None:
        """A participant hears other types from now on."""
        if participant.looks < MOST_LOOKS and room.state.events and _own_types(participant):
            participant.looks += 1
            self._ask(room, participant, record)

    def _ask(self, room: Room, participant: Participant, record: Record) -> None:
        self._questions.append((room, participant, record))
        if not self._is_asking:
            self._is_asking = True
            self._context.spawn(self._answer_all())

    async def _answer_all(self) -> None:
        while self._questions:
            room, participant, record = self._questions.popleft()
            state = room.state
            try:
                if record.kind is EVENT:
                    notice = await self._unmatched(room, record)
                else:
                    notice = await self._unknown_type(room, participant)
            except StorageFailed:
                continue
            if notice is not None and state is room.state:  # else the room was cleared meanwhile
                self._context.tell(participant, notice)
        self._is_asking = False

    async def _unknown_type(self, room: Room, participant: Participant) -> Notice | None:
        """What to say to one who waits for a type that nobody has sent."""
        engine = self._context.engine
        newest = await engine.page(room.name, Filter(), NEWEST, before=room.state.head + 1)
        sent = list({record.type: None for record in reversed(newest.events)})
        for type in sorted(_own_types(participant) - set(sent)):
            found = await engine.page(room.name, Filter(type=type), 1)
            if found.events or found.more or not sent:
                continue  # it was sent, or the log is too long to tell
            participant.looks = MOST_LOOKS
            likely = get_close_matches(type, sent, MOST_NAMED) or sent[:MOST_NAMED]
            here = ", ".join(f"`{one}`" for one in likely)
            message = f"Nobody has sent `{type}` yet; here they send {here}."
            return Notice(code="unknown_type", message=message)
        return None

    async def _unmatched(self, room: Room, record: Record) -> Notice | None:
        """What to say to one whose answer is for no order."""
        engine, data = self._context.engine, record.parsed().data
        customer, placed = data.get("customer"), data.get("event")
        number = order_number(data.get("id"), "")
        if placed:
            found = await engine.find(room.name, _key(placed)) if _key(placed) else None
            is_order = found is not None and found.type == "order_placed"
            is_there = found is not None and is_order and _answers(data, _order_of(found))
        elif isinstance(customer, str):
            is_there = await engine.order(room.name, customer, number) is not None
        else:
            orders = await engine.orders(room.name, None, MOST_ORDERS)
            is_there = len(orders) == MOST_ORDERS or any(one.number == number for one in orders)
        if is_there:
            return None
        message = (
            f"Your `{record.type}` is for no order that was placed here. Copy the order's `id` from"
            " its data, its `source` as `customer` and the id of its event as `event`, such as"
            ' {"id": 5, "customer": "alice", "event": "69688550-5be2-41e4-a057-b9da2d59eb03"}.'
        )
        return Notice(code="unmatched_answer", message=message, event=id_text(record.key))


def _own_types(participant: Participant) -> frozenset[str]:
    """The types that it names, but for those of the workflow."""
    return frozenset(one for one in participant.types if not one.endswith("*")) - ORDER_TYPES


def _key(event: Any) -> bytes:
    return key_of(event) if isinstance(event, str) and is_uuid(event) else b""


def _order_of(placed: Record) -> Order:
    event = placed.parsed()
    return event.source, number_of(event)


def _answers(data: dict[str, Any], order: Order) -> bool:
    """Whether an answer that names the event of this order is for it, as the fold has it."""
    is_customers = data.get("customer") in (None, "", order[0])
    return is_customers and order_number(data.get("id"), data["event"]) == order[1]

"""One room on this node: what it has followed of its journal, and where its orders stand."""

from collections import deque
from collections.abc import Callable

import structlog
from nats.aio.msg import Msg

from orders.broker.records import Kind, Record
from orders.broker.room_state import RoomState, Summary
from orders.domain.order_book import MemoryOrderBook
from orders.domain.orders import ORDER_TYPES
from orders.errors import StorageFailed
from orders.journal.nats import subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.follower import Follower

log = structlog.get_logger()

RECENT = 2000  # records at hand, for those who read what has just come

#: Gives back the record that this node published with this header and text.
Mine = Callable[[str, bytes], Record | None]


class FollowedRoom:
    """One epoch of a room. Until it was `entered` records are applied to `state`; after that they
    go to `arrived`, and applying them is up to the node, which has those up to `taken`."""

    def __init__(self, state: RoomState, orders: MemoryOrderBook | None = None) -> None:
        self.name, self.epoch = state.name, state.epoch
        self.state = state
        self.summary = Summary(state.name, state.epoch, state.modes, rules=state.rules)
        self.summary.head = state.head
        self.summary.events = state.events
        self.entered = False
        self.taken = state.head
        self.orders = orders or MemoryOrderBook()
        self.recent: deque[Record] = deque(maxlen=RECENT)
        self.resetting: list[Record] = []  # what is to end this epoch
        self.saved = state.head  # the position of its newest snapshot
        self._follower: Follower | None = None

    @property
    def stream(self) -> str:
        return subjects.stream(self.name, self.epoch)

    @property
    def subject(self) -> str:
        """All that its stream takes."""
        return subjects.all_of(self.name, self.epoch)

    @property
    def head(self) -> int:
        """The newest position that was followed."""
        return self.summary.head

    @property
    def position(self) -> int:
        """How far the stream was followed; it may hold messages that are no records."""
        return self._follower.position if self._follower else self.head

    @property
    def lost(self) -> StorageFailed | None:
        """Why what is written now would not be part of this journal."""
        return self._follower.lost if self._follower and not self.resetting else None

    @property
    def known(self) -> int:
        """The position up to which its stream has everything, unless it lost its end."""
        return 0 if self.lost and self.lost.code == "journal_lost" else self.position

    def follow(
        self,
        connection: NatsConnection,
        node: str,
        mine: Mine,
        arrived: Callable[["FollowedRoom", Record], None],
    ) -> None:
        """Have what is stored from here on arrive; `node` is this one."""

        def on_message(position: int, message: Msg) -> None:
            header = (message.headers or {}).get(subjects.HEADER)
            if header is None:
                return  # somebody else wrote it there: it is no record
            try:
                record = mine(header, message.data) or subjects.record(
                    self.name, position, header, message.data, node
                )
            except StorageFailed as failed:  # passed over, like a kind that nobody knows
                log.error(failed.message)
                return
            record.position = position
            self._fold(record)
            if self.entered or record.kind is Kind.RESET:
                arrived(self, record)

        self._follower = Follower(connection, self.stream, self.subject, self.head, on_message)

    def _fold(self, record: Record) -> None:
        """What follows here from a record that was stored."""
        self.summary.advance(record, record.position)
        self.recent.append(record)
        if not self.entered:
            self.state.apply(record)
            self.take(record)

    def take(self, record: Record) -> None:
        """The node has this now: orders stand where its room does."""
        self.taken = record.position
        if record.type in ORDER_TYPES:
            self.orders.apply(record.parsed(), record.at)

    async def stop(self) -> None:
        if self._follower is not None:
            await self._follower.stop()

"""What was published, and not yet answered by `broker.accepted` or `broker.error`."""

import asyncio

from orders.domain.envelope import Event
from orders.errors import OrdersError, Refused, StorageFailed


class PendingPublishes:
    """Texts in the order sent, each with someone who waits for its answer."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[str, asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def texts(self) -> list[str]:
        """What is to be sent again over a new connection."""
        return [text for text, _ in self._waiting.values()]

    def add(self, event_id: str, text: str) -> asyncio.Future[None]:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[event_id] = text, answered
        return answered

    def drop(self, event_id: str) -> None:
        """Nobody waits for this one any more."""
        self._waiting.pop(event_id, None)

    def accept(self, event_id: str) -> None:
        answered = self._pop(event_id)
        if answered:
            answered.set_result(None)

    def refuse(self, event_id: str, error: Exception) -> None:
        answered = self._pop(event_id)
        if answered:
            answered.set_exception(error)

    def refuse_by(self, said: Event, *, is_welcome: bool) -> OrdersError:
        """Take a `broker.error`: anyone who published the event it is about is told.

        Before the welcome it is about coming in, and what was published earlier waits on.
        """
        code, message = str(said.data.get("code")), str(said.data.get("message"))
        error = (StorageFailed if code.startswith("storage_") else Refused)(code, message)
        event_id = said.data.get("event")
        if event_id is None and is_welcome and code != "unknown_position":
            event_id = next(iter(self._waiting), None)  # answers come in the order sent
        self.refuse(str(event_id), error)
        return error

    def refuse_largest(self) -> None:
        """The connection was closed over a message too large: that one is not sent again."""
        largest = max(
            self._waiting, key=lambda event_id: len(self._waiting[event_id][0]), default=""
        )
        self.refuse(largest, Refused("too_large", "The event is too large: shorten its `data`."))

    def refuse_all(self, error: Exception) -> None:
        for event_id in list(self._waiting):
            self.refuse(event_id, error)

    def _pop(self, event_id: str) -> asyncio.Future[None] | None:
        _, answered = self._waiting.pop(event_id, ("", None))
        return None if answered is None or answered.done() else answered

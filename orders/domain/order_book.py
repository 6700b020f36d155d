"""Where the orders of one room stand, in memory."""

from dataclasses import dataclass, field
from itertools import islice

from orders.domain.envelope import Event
from orders.domain.orders import Order, fold


@dataclass(eq=False)
class MemoryOrderBook:
    """The orders of one room, the one placed first in front: an `OrderBook`."""

    orders: dict[tuple[str, str], Order] = field(default_factory=dict)

    def apply(self, event: Event, at: int) -> None:
        """An event of an order was stored, at that time in epoch milliseconds."""
        order = fold(event, at, self)
        if order is not None:
            if order.event == event.id:  # placed again: it is the newest now
                self.orders.pop((order.customer, order.number), None)
            self.orders[order.customer, order.number] = order

    def get(self, customer: str, number: str) -> Order | None:
        """The order, or None."""
        return self.orders.get((customer, number))

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        """The `placed` order with this number that was placed first; None: of any customer."""
        if customer is not None:
            order = self.get(customer, number)
            return order if order and order.state == "placed" else None
        for order in self.orders.values():
            if order.number == number and order.state == "placed":
                return order
        return None

    def newest(self, customer: str | None, limit: int, state: str | None) -> list[Order]:
        """Where the newest orders stand, oldest first; of one customer, or in one state."""
        wanted = (
            order
            for order in reversed(self.orders.values())
            if customer in (None, order.customer) and state in (None, order.state)
        )
        return list(islice(wanted, limit))[::-1]

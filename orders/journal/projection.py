"""What follows from a room's events, where it is kept in memory: its queues, and its orders."""

from dataclasses import dataclass, field

from orders.broker.records import Record
from orders.domain.orders import ORDER_TYPES, Order, fold


@dataclass(eq=False)
class Projection:
    """One epoch of a room; it is the order book of the fold, too."""

    orders: dict[tuple[str, str], Order] = field(default_factory=dict)

    def event(self, record: Record) -> None:
        """An event was stored."""
        if record.type not in ORDER_TYPES:
            return
        event = record.parsed()
        order = fold(event, record.at, self)
        if order:
            if order.event == event.id:  # the oldest pending stands first
                self.orders.pop((order.customer, order.number), None)
            self.orders[order.customer, order.number] = order

    def get(self, customer: str, number: str) -> Order | None:
        return self.orders.get((customer, number))

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        if customer is not None:
            order = self.get(customer, number)
            return order if order and order.state == "placed" else None
        for order in self.orders.values():
            if order.number == number and order.state == "placed":
                return order
        return None

    def newest(self, customer: str | None, limit: int, state: str | None) -> list[Order]:
        """Where the newest orders stand, oldest first; of one customer, or in one state."""
        orders = [
            order
            for order in self.orders.values()
            if customer in (None, order.customer) and state in (None, order.state)
        ]
        return orders[-limit:]

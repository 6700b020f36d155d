"""The orders that a client remembers: an order book that does not grow without end."""

from collections import OrderedDict

from orders.domain.envelope import Event
from orders.domain.orders import Order, fold

REMEMBERED = 10_000  # orders


class Memory:
    """An `OrderBook` of what was heard lately. What it forgot the journal still knows."""

    def __init__(self) -> None:
        self._orders: OrderedDict[tuple[str, str], Order] = OrderedDict()
        self._heard = 0

    def get(self, customer: str, number: str) -> Order | None:
        return self._orders.get((customer, number))

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        pending = (
            order
            for order in self._orders.values()
            if order.state == "placed"
            and order.number == number
            and customer in (None, order.customer)
        )
        return min(pending, key=lambda order: order.at, default=None)

    def learn(self, event: Event) -> None:
        """Fold one event, heard now."""
        self._heard += 1
        order = fold(event, self._heard, self)
        if order:
            self.keep(order)

    def keep(self, order: Order) -> None:
        """Take over an order as somebody else knows it."""
        key = order.customer, order.number
        self._orders[key] = order
        self._orders.move_to_end(key)
        if len(self._orders) > REMEMBERED:
            self._orders.popitem(last=False)

    def forget_all(self) -> None:
        self._orders.clear()

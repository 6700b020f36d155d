"""The book of the pages says of any history of orders what the server's fold says."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

from orders.domain.envelope import Event
from orders.domain.orders import Order, fold
from tests.js.test_javascript import NODE
from tests.wire import DEADLINE

BOOK = Path(__file__).parents[2] / "static" / "orders" / "book.js"
HISTORIES = 500
PROGRAM = """
const { Book } = await import(process.argv[1]);
let text = '';
for await (const part of process.stdin) text += part;
const told = JSON.parse(text).map((events) => {
  const book = new Book();
  events.forEach((event, at) => book.apply(event, at));
  return book.orders();
});
process.stdout.write(JSON.stringify(told));
"""


class Orders(dict[tuple[str, str], Order]):
    """The server's orders in memory, as its fold asks for them."""

    def get(self, customer: str, number: str) -> Order | None:  # type: ignore[override]
        return super().get((customer, number))

    def oldest_pending(self, number: str, customer: str | None) -> Order | None:
        pending = (
            one
            for one in self.values()
            if one.state == "placed" and one.number == number and customer in (None, one.customer)
        )
        return min(pending, key=lambda one: one.at, default=None)


def history(chance: random.Random) -> list[dict[str, Any]]:
    """Orders of two customers, and answers of two confirmers that leave out or mix up fields."""
    events: list[dict[str, Any]] = []
    placed: list[dict[str, Any]] = []
    for count in range(chance.randint(2, 14)):
        event: dict[str, Any] = {"id": f"00000000-0000-4000-8000-{count:012d}", "created": "1"}
        if not placed or chance.random() < 0.45:
            data: dict[str, Any] = {} if chance.random() < 0.1 else {"id": chance.choice([5, 6])}
            source = chance.choice(["alice", "ann"])
            event |= {"type": "order_placed", "source": source, "data": data}
            placed.append(event)
        else:
            about = chance.choice(placed)
            said = {"id": about["data"].get("id", 5), "customer": about["source"]}
            data = {key: said[key] for key in said if chance.random() < 0.8}
            data |= {"event": about["id"]} if chance.random() < 0.8 else {}
            data |= {"customer": "ann"} if chance.random() < 0.1 else {}
            answer = chance.choice(["order_confirmed", "order_rejected"])
            event |= {"type": answer, "source": chance.choice(["bob", "carl"]), "data": data}
        events.append(event)
    return events


def folded(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    orders = Orders()
    for at, event in enumerate(events):
        order = fold(Event.model_validate(event), at, orders)
        if order is not None:
            orders[order.customer, order.number] = order
    return [json.loads(order.to_json()) for order in orders.values()]


def test_the_pages_fold_a_log_as_the_server_does() -> None:
    chance = random.Random(7)
    histories = [history(chance) for _ in range(HISTORIES)]
    run = subprocess.run(
        [NODE, "--input-type=module", "--eval", PROGRAM, BOOK.as_uri()],
        input=json.dumps(histories),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert json.loads(run.stdout) == [folded(events) for events in histories]

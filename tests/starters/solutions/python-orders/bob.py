"""A right Bob, with the client of Orders: python3 bob.py ADDRESS [NAME]"""

import asyncio
import random
import sys
from contextlib import suppress

from orders.clients.participant import Participant
from orders.errors import Refused

MENU = ["espresso", "cappuccino", "hot chocolate", "mint tea", "lemonade"]
MENU += ["croissant", "cheese sandwich", "tomato soup", "apple pie", "blueberry muffin"]
confirmed, seen = set(), set()


def reason(event):
    data = event.data
    number, quantity, note = data.get("id"), data.get("quantity", 1), data.get("note") or ""
    if type(number) is not int or number < 1:
        return "invalid_id"
    if type(quantity) is not int or not 1 <= quantity <= 100:
        return "invalid_quantity"
    if data.get("item") is not None and data["item"] not in MENU:
        return "unknown_item"
    if not isinstance(note, str) or len(note) > 200:
        return "invalid_note"
    return "duplicate_order" if (event.source, number) in confirmed else None


async def main(address, name="bob"):
    async with Participant(address, name=name, types="order_placed", ack="manual") as bob:
        await bob.publish("hello_said", {})
        await bob.publish("order_placed", {"id": random.randint(1, 10**6), "item": "espresso"})
        async for event in bob:
            if event.type == "order_placed" and event.id not in seen:
                seen.add(event.id)
                about = {"id": event.data.get("id"), "customer": event.source, "event": event.id}
                if wrong := reason(event):
                    about |= {"reason": wrong, "message": f"I cannot make that: {wrong}."}
                    await bob.publish("order_rejected", about)
                else:
                    confirmed.add((event.source, event.data["id"]))
                    await bob.publish("order_confirmed", about)
            if event.attempt is not None:
                with suppress(Refused):  # it came twice, and is acked already
                    await bob.ack(event)


asyncio.run(main(*sys.argv[1:]))

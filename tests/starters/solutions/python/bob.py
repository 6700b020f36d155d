"""A right Bob, with websockets: python3 bob.py ADDRESS [NAME]"""

import json
import random
import sys
import time

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

MENU = ["espresso", "cappuccino", "hot chocolate", "mint tea", "lemonade"]
MENU += ["croissant", "cheese sandwich", "tomato soup", "apple pie", "blueberry muffin"]


def is_whole(value, least, most=2**53):
    return type(value) is int and least <= value <= most


class Bob:
    def __init__(self, address, name="bob"):
        self.address = f"{address}&name={name}&types=order_placed&ack=manual"
        self.seen, self.confirmed = set(), set()
        self.last = None

    def run(self):
        while True:
            try:
                after = f"&after={self.last}" if self.last else ""
                with connect(self.address + after) as self.socket:
                    self.talk()
            except (OSError, WebSocketException):
                pass
            time.sleep(0.2)

    def send(self, type, data, order=None):
        self.sent.append(order)
        self.socket.send(json.dumps({"type": type, "data": data}))

    def ack(self, event):
        self.socket.send(json.dumps({"type": "broker.ack", "data": {"event": event}}))

    def talk(self):
        self.sent = []  # what waits for broker.accepted: the order to ack, or None
        if not self.last:
            self.send("hello_said", {})
            self.send("order_placed", {"id": random.randint(1, 10**6), "item": "espresso"})
        for message in self.socket:
            event = json.loads(message)
            if event["type"] == "broker.accepted" and (order := self.sent.pop(0)):
                self.ack(order)
            if not event["type"].startswith("broker."):
                self.hear(event)
                self.last = event["id"]

    def hear(self, event):
        if event["type"] == "order_placed" and event["id"] not in self.seen:
            self.seen.add(event["id"])
            self.answer(event)
        elif event.get("attempt", 0) > 1:
            self.ack(event["id"])

    def answer(self, event):
        about = {"id": event["data"].get("id"), "customer": event["source"], "event": event["id"]}
        if reason := self.reason(event):
            about |= {"reason": reason, "message": f"I cannot make that: {reason}."}
            self.send("order_rejected", about, event["id"])
        else:
            self.confirmed.add((event["source"], event["data"]["id"]))
            self.send("order_confirmed", about, event["id"])

    def reason(self, event):
        data = event["data"]
        if not is_whole(data.get("id"), 1):
            return "invalid_id"
        if not is_whole(data.get("quantity", 1), 1, 100):
            return "invalid_quantity"
        if data.get("item") is not None and data["item"] not in MENU:
            return "unknown_item"
        note = data.get("note") or ""
        if not isinstance(note, str) or len(note) > 200:
            return "invalid_note"
        return "duplicate_order" if (event["source"], data["id"]) in self.confirmed else None


Bob(*sys.argv[1:]).run()

"""What was sent, accepted, handed over, stored and heard, and what that proves."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

ANSWERS = ("order_confirmed", "order_rejected")


@dataclass
class Ledger:
    """Kept by those who load the server; nothing in it comes from the journal.

    `accepted` also holds the bots' answers, as far as their acceptance was seen to pass the gate.
    """

    sent: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    placed: int = 0  # orders sent
    answered: set[str] = field(default_factory=set)  # orders whose answer was heard
    heard: list[str] = field(default_factory=list)  # by the listener, in order
    handed: Counter[str] = field(default_factory=Counter)  # deliveries of orders past the gate
    refused: int = 0  # times an event was refused because there was no engine, and sent again
    welcomed: int = 0  # connections of senders that were let in
    faults: Counter[str] = field(default_factory=Counter)  # set on messages
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)  # (victim, gap)

    @property
    def waiting(self) -> int:
        """Orders that have no answer yet."""
        return self.placed - len(self.answered)

    def hear(self, event: dict[str, Any]) -> None:
        """An event reached the listener."""
        self.heard.append(event["id"])
        if event["type"] in ANSWERS:
            self.answered.add(event["data"]["event"])

    def hand(self, event: dict[str, Any]) -> None:
        """An order was handed to a bot."""
        self.handed[event["id"]] += 1

    @property
    def redelivered(self) -> int:
        """How many deliveries were not the first of their order."""
        return self.handed.total() - len(self.handed)

    @property
    def struck(self) -> int:
        return sum(self.kills.values())


@dataclass
class Verdict:
    """The ledger beside the log. All of `wrongs` must be 0."""

    sent: int
    accepted: int
    stored: int
    confirmed: int
    rejected: int
    wrongs: dict[str, int]

    @property
    def is_clean(self) -> bool:
        return not any(self.wrongs.values())


def judge(ledger: Ledger, log: Iterable[dict[str, Any]]) -> Verdict:
    """Compare what was promised with the log, read from its beginning to its end."""
    stored: Counter[str] = Counter()
    orders: dict[str, tuple[str, str]] = {}  # event id → the order it places
    confirmations: Counter[tuple[str, str]] = Counter()  # of an order
    answers: Counter[str] = Counter()  # to an event
    strangers = 0
    to_listener = []
    for event in log:
        id, type, data = event["id"], event["type"], event["data"]
        stored[id] += 1
        if type == "order_placed":
            orders[id] = event["source"], str(data["id"])
        else:
            to_listener.append(id)
        if type in ANSWERS:
            answers[data["event"]] += 1
            if type == "order_confirmed":
                confirmations[data["customer"], str(data["id"])] += 1
        elif id not in ledger.sent:
            strangers += 1
    return Verdict(
        sent=len(ledger.sent),
        accepted=len(ledger.accepted),
        stored=stored.total(),
        confirmed=confirmations.total(),
        rejected=answers.total() - confirmations.total(),
        wrongs={
            "lost": len(ledger.accepted - stored.keys()),
            "stored twice": stored.total() - len(stored),
            "stored, never sent": strangers,
            "confirmed twice": sum(count > 1 for count in confirmations.values()),
            "answered twice": sum(count > 1 for count in answers.values()),
            "never answered": sum(id not in answers for id in orders),
            "heard otherwise than logged": _differences(ledger.heard, to_listener),
        },
    )


def _differences(heard: list[str], logged: list[str]) -> int:
    """How many places of the two differ: gaps, repeats and wrong order alike."""
    unlike = sum(one != other for one, other in zip(heard, logged, strict=False))
    return unlike + abs(len(heard) - len(logged))

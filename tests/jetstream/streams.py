"""Streams: what is stored in them, on what condition, and what is given out. Without I/O."""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NANOSECONDS = 1_000_000_000
VERSION = b"NATS/1.0"
EXPECTED = "nats-expected-last-subject-sequence"


class Refused(Exception):
    """What JetStream answers to what it does not do."""

    def __init__(self, code: int, err_code: int, description: str) -> None:
        super().__init__(description)
        self.error = {"code": code, "err_code": err_code, "description": description}


def no_message() -> Refused:
    return Refused(404, 10037, "no message found")


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject is one that a pattern with `*` and `>` means."""
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(tokens) <= len(wanted):
            return False
        tokens = tokens[: len(wanted)]
    return len(wanted) == len(tokens) and all(
        one in ("*", other) for one, other in zip(wanted, tokens, strict=True)
    )


def overlap(one: str, other: str) -> bool:
    """Whether there is a subject that both patterns mean."""
    for a, b in zip(one.split("."), other.split("."), strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(one.split(".")) == len(other.split("."))


def header_of(head: bytes) -> dict[str, str]:
    """The headers of a message by their names in lower case."""
    lines = head.decode().split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


@dataclass(frozen=True)
class Message:
    """`head` is the headers as they were sent, empty without; `at` epoch seconds."""

    sequence: int
    subject: str
    head: bytes
    body: bytes
    at: float

    def told(self) -> dict[str, Any]:
        told = {
            "subject": self.subject,
            "seq": self.sequence,
            "data": base64.b64encode(self.body).decode(),
            "time": stamp(self.at),
        }
        return told | ({"hdrs": base64.b64encode(self.head).decode()} if self.head else {})


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Stream:
    """One stream; `messages` by their sequences, which go on though messages are gone."""

    config: dict[str, Any]
    made: float = field(default_factory=time.time)
    messages: dict[int, Message] = field(default_factory=dict)
    last: int = 0
    _newest: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.config["name"])

    def takes(self, subject: str) -> bool:
        return any(matches(pattern, subject) for pattern in self.config["subjects"])

    def expire(self) -> None:
        """What is too old is gone."""
        most = self.config.get("max_age", 0) / NANOSECONDS
        now = time.time()
        for sequence, message in list(self.messages.items()) if most else ():
            if message.at + most > now:
                break
            self._drop(sequence)

    def _drop(self, sequence: int) -> None:
        gone = self.messages.pop(sequence)
        if self._newest[gone.subject] == sequence:
            del self._newest[gone.subject]

    def publish(self, subject: str, head: bytes, body: bytes) -> int:
        """Store a message: its sequence, or `Refused`."""
        self.expire()
        if self.config.get("sealed"):
            raise Refused(400, 10109, "invalid operation on sealed stream")
        header = header_of(head) if head else {}
        newest = self._newest.get(subject, 0)
        if EXPECTED in header and int(header[EXPECTED]) != newest:
            raise Refused(400, 10071, f"wrong last sequence: {newest}")
        if header.get("nats-rollup") == "sub":
            self.purge(subject)
        elif newest and self.config.get("max_msgs_per_subject", -1) == 1:
            self._drop(newest)
        self.last += 1
        self.messages[self.last] = Message(self.last, subject, head, body, time.time())
        self._newest[subject] = self.last
        return self.last

    def purge(self, pattern: str = ">") -> int:
        """Forget the messages of these subjects: how many there were."""
        gone = [number for number, one in self.messages.items() if matches(pattern, one.subject)]
        for number in gone:
            self._drop(number)
        return len(gone)

    def newest(self, subject: str) -> Message:
        """The last message of a subject."""
        self.expire()
        if subject not in self._newest:
            raise no_message()
        return self.messages[self._newest[subject]]

    def after(self, sequence: int, patterns: list[str]) -> Iterator[Message]:
        """The messages of these subjects from a sequence on."""
        self.expire()
        for number in range(max(sequence, self.first), self.last + 1):
            message = self.messages.get(number)
            if message and any(matches(pattern, message.subject) for pattern in patterns):
                yield message

    @property
    def first(self) -> int:
        return next(iter(self.messages), self.last + 1 if self.last else 0)

    def told(self, subjects: str = "") -> dict[str, Any]:
        """What is said about it; with a filter, of its subjects too."""
        self.expire()
        state: dict[str, Any] = {
            "messages": len(self.messages),
            "bytes": sum(len(one.body) for one in self.messages.values()),
            "first_seq": self.first,
            "last_seq": self.last,
            "consumer_count": 0,
        }
        if subjects:
            state["subjects"] = {name: 1 for name in self._newest if matches(subjects, name)}
        return {"config": self.config, "created": stamp(self.made), "state": state}

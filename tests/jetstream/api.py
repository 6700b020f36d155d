"""What is asked of JetStream, and consumers: who is given what of a stream."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.jetstream.streams import (
    NANOSECONDS,
    VERSION,
    Message,
    Refused,
    Stream,
    no_message,
    overlap,
)

DEFAULTS: dict[str, Any] = {
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "num_replicas": 1,
    "retention": "limits",
}
#: Subject, reply, headers, body, and the subject that says who hears it.
Deliver = Callable[[str, str, bytes, bytes, str], bool]


@dataclass
class Consumer:
    """Where somebody stands in a stream. With `to` it is delivered there what comes."""

    name: str
    stream: Stream
    patterns: list[str]
    next: int
    to: str
    heartbeat: float
    threshold: float
    delivered: int = 0
    active: float = 0.0
    said: float = 0.0

    def pending(self) -> list[Message]:
        return list(self.stream.after(self.next, self.patterns))

    def hand(self, message: Message, left: int, to: str, deliver: Deliver) -> bool:
        """Deliver a message: whether anyone heard it."""
        number = self.delivered + 1
        place = f"{message.sequence}.{number}.{int(message.at * NANOSECONDS)}.{left}"
        reply = f"$JS.ACK.{self.stream.name}.{self.name}.1.{place}"
        if not deliver(message.subject, reply, message.head, message.body, to):
            return False
        self.delivered, self.next = number, message.sequence + 1
        self.said = self.active = time.monotonic()
        return True


class JetStream:
    """All streams of a server, and the consumers of those that are connected."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}
        self.consumers: dict[tuple[str, str], Consumer] = {}

    def taking(self, subject: str) -> Stream | None:
        """The stream that takes what is published under a subject."""
        return next((one for one in self.streams.values() if one.takes(subject)), None)

    def ask(self, subject: str, body: bytes, reply: str, deliver: Deliver) -> None:
        """Answer what was asked under `$JS.API.`."""
        verbs, asked = subject.split(".")[2:], json.loads(body) if body.strip() else {}
        if verbs[:2] == ["DIRECT", "GET"]:
            self._direct(verbs[2], ".".join(verbs[3:]), asked, reply, deliver)
            return
        if verbs[:3] == ["CONSUMER", "MSG", "NEXT"]:
            self._next(self.consumers.get((verbs[3], verbs[4])), asked, reply, deliver)
            return
        name = "_".join(verb for verb in verbs[:3] if verb.isupper() and verb.isalpha()).lower()
        rest = verbs[len(name.split("_")) :]
        try:
            answer = getattr(self, f"_{name}")(*rest[:2], **asked)
        except Refused as refused:
            answer = {"error": refused.error}
        deliver(reply, "", b"", json.dumps(answer).encode(), reply)

    def _stream(self, name: str) -> Stream:
        if name not in self.streams:
            raise Refused(404, 10059, "stream not found")
        return self.streams[name]

    # ── what is asked ───────────────────────────────────────────────────────────────────────

    def _info(self) -> dict[str, Any]:
        return {"memory": 0, "storage": 0, "streams": len(self.streams), "consumers": 0}

    def _stream_create(self, name: str, /, **config: Any) -> dict[str, Any]:
        config = DEFAULTS | {key: value for key, value in config.items() if value is not None}
        there = self.streams.get(name)
        if there is not None:
            if there.config != config:
                raise Refused(400, 10058, "stream name already in use with a different config")
            return there.told()
        for other in self.streams.values():
            for mine in config["subjects"]:
                if any(overlap(mine, its) for its in other.config["subjects"]):
                    raise Refused(400, 10065, "subjects overlap with an existing stream")
        self.streams[name] = Stream(config)
        return self.streams[name].told()

    def _stream_info(self, name: str, /, subjects_filter: str = "") -> dict[str, Any]:
        return self._stream(name).told(subjects_filter)

    def _stream_names(self, subject: str = ">") -> dict[str, Any]:
        taking = [n for n, one in self.streams.items() if one.takes(subject) or subject == ">"]
        return {"total": len(taking), "streams": taking}

    def _stream_update(self, name: str, /, **config: Any) -> dict[str, Any]:
        self._stream(name).config |= config
        return self._stream(name).told()

    def _stream_delete(self, name: str, /) -> dict[str, Any]:
        del self.streams[self._stream(name).name]
        self.consumers = {key: one for key, one in self.consumers.items() if key[0] != name}
        return {"success": True}

    def _stream_purge(self, name: str, /, **asked: Any) -> dict[str, Any]:
        if self._stream(name).config.get("deny_purge"):
            raise Refused(500, 10110, "stream purge not permitted")
        return {"success": True, "purged": self._stream(name).purge(asked.get("filter", ">"))}

    def _stream_msg_get(self, name: str, /, **asked: Any) -> dict[str, Any]:
        return {"message": self._found(self._stream(name), **asked).told()}

    def _found(
        self, stream: Stream, seq: int = 0, last_by_subj: str = "", next_by_subj: str = ""
    ) -> Message:
        if last_by_subj:
            return stream.newest(last_by_subj)
        found = next(stream.after(seq, [next_by_subj or ">"]), None)
        if found is None or not (next_by_subj or found.sequence == seq):
            raise no_message()
        return found

    def _direct(
        self, name: str, subject: str, asked: dict[str, Any], reply: str, deliver: Deliver
    ) -> None:
        asked = asked | ({"last_by_subj": subject} if subject else {})
        try:
            found = self._found(self._stream(name), **asked)
        except Refused:
            deliver(reply, "", status("404 Message Not Found"), b"", reply)
            return
        where = f"\r\nNats-Stream: {name}\r\nNats-Subject: {found.subject}"
        where += f"\r\nNats-Sequence: {found.sequence}"
        head = (found.head or VERSION + b"\r\n\r\n").removeprefix(VERSION)
        deliver(reply, "", VERSION + where.encode() + head, found.body, reply)

    # ── consumers ───────────────────────────────────────────────────────────────────────────

    def _consumer_create(
        self, stream: str, name: str = "", /, *, config: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        name = name or config.get("name") or f"unnamed{len(self.consumers)}"
        there = self._stream(stream)
        one = config.get("filter_subject")
        self.consumers[stream, name] = consumer = Consumer(
            name,
            there,
            config.get("filter_subjects") or [one or ">"],
            config.get("opt_start_seq") or 1,
            config.get("deliver_subject") or "",
            config.get("idle_heartbeat", 0) / NANOSECONDS,
            config.get("inactive_threshold", 5 * NANOSECONDS) / NANOSECONDS,
            active=time.monotonic(),
            said=time.monotonic(),
        )
        waiting = len(consumer.pending())
        return {"stream_name": stream, "name": name, "config": config, "num_pending": waiting}

    def _consumer_delete(self, stream: str, name: str, /) -> dict[str, Any]:
        if self.consumers.pop((stream, name), None) is None:
            raise Refused(404, 10014, "consumer not found")
        return {"success": True}

    def _next(
        self, consumer: Consumer | None, asked: dict[str, Any], reply: str, deliver: Deliver
    ) -> None:
        """Some messages at once, and a status unless it is the whole batch."""
        if consumer is None:
            deliver(reply, "", status("503"), b"", reply)
            return
        waiting, size, given = consumer.pending(), 0, 0
        for message in waiting[: asked["batch"]]:
            size += len(message.body) + len(message.head) + len(message.subject)
            if size > asked.get("max_bytes", size):
                break
            given += 1
            consumer.hand(message, len(waiting) - given, reply, deliver)
        if given < asked["batch"]:
            said = (
                "409 Message Size Exceeds MaxBytes" if given < len(waiting) else "404 No Messages"
            )
            deliver(reply, "", status(said), b"", reply)

    def push(self, deliver: Deliver, stream: Stream | None = None) -> None:
        """Deliver what has come to those who follow its stream; of none, show that all is well."""
        for key, one in list(self.consumers.items()):
            if one.to and (stream is None or one.stream is stream):
                waiting = one.pending()
                for number, message in enumerate(waiting, 1):
                    if not one.hand(message, len(waiting) - number, one.to, deliver):
                        break
            now = time.monotonic()
            if stream is None and one.heartbeat and now >= one.said + one.heartbeat:
                last = f"Nats-Last-Consumer: {one.delivered}\r\nNats-Last-Stream: {one.next - 1}"
                head = status("100 Idle Heartbeat", last)
                one.said = now
                if deliver(one.to, "", head, b"", one.to):
                    one.active = now
            if now > one.active + one.threshold:
                del self.consumers[key]


def status(said: str, more: str = "") -> bytes:
    return f"{VERSION.decode()} {said}\r\n{more}{chr(13) + chr(10) if more else ''}\r\n".encode()

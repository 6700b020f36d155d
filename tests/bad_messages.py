"""Bad messages and requests, by seed: a corpus, the same when it is hurt, and inventions."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from tests.integration.test_refusals import BAD_MESSAGES

ID = "69688550-5be2-41e4-a057-b9da2d59eb03"
CORPUS = [
    *(text for text, _ in BAD_MESSAGES.values() if len(text) < 10_000),
    f'{{"id": "{ID}", "type": "order_placed", "created": "1676554735324", "source": "alice",'
    ' "data": {"id": 5}}',
    '{"type": "order_confirmed", "data": {"id": 5, "customer": "alice", "event": "' + ID + '"}}',
    '{"type": "order_rejected", "data": {"id": 5, "reason": "unknown_item", "message": "no"}}',
    '{"type": "broker.subscribe", "data": {"types": ["order_*", "tick"]}}',
    '{"type": "broker.unsubscribe", "data": {"types": ["*"]}}',
]
SCRAPS = [
    *('"', "\\", "{", "}", "[", "]", ":", ",", "null", "true", "NaN", "-Infinity", "1e400", "-0"),
    *("9007199254740993", "\\u0000", "\\ud800", "\\udc00\\ud800", "\x00", "\x1b[2J", "\u202e"),
    *(
        "\u2028",
        "\ufeff",
        "\uffff",
        "é",
        "👩‍👩‍👧",
        "<script>",
        "' OR 1=1 --",
        "{{7*7}}",
        "../..",
        "%00",
    ),
    *("broker.", "attempt", "__proto__", "id", "type", "created", "source", "data", "[" * 40),
]
TYPES = ["order_placed", "order_confirmed", "order_rejected", "tick", "a.b", "broker.ack"]
QUERY = ["after", "before", "type", "text", "limit", "format", "name", "room", "customer"]
TYPES += ["broker.nack", "broker.subscribe", "broker.unsubscribe", "broker.accepted", "constructor"]


class Messages:
    """Texts to send, one after the other, by seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._kinds: list[Callable[[], str]] = [self._mended, self._made, self._made, self._scraps]

    def __iter__(self) -> Iterator[str]:
        while True:
            text = self.random.choice(self._kinds)()
            yield text.encode(errors="replace").decode()[:20_000]  # what a text frame can carry

    def _mended(self) -> str:
        """One of the corpus, as it is or hurt in a few places."""
        text = self.random.choice(CORPUS)
        for _ in range(self.random.choice((0, 1, 1, 2, 5))):
            text = self._hurt(text)
        return text

    def _hurt(self, text: str) -> str:
        at = self.random.randint(0, len(text))
        upto = self.random.randint(at, min(len(text), at + self.random.choice((1, 4, 30))))
        match self.random.randrange(5):
            case 0:
                return text[:at] + text[upto:]
            case 1:
                return text[:at] + self.random.choice(SCRAPS) + text[upto:]
            case 2:
                return text[:upto] + text[at:]
            case 3:
                return (
                    text[:at]
                    + chr(self.random.choice((0, 10, 34, 127, 0x202E, 0x1F600)))
                    + text[at:]
                )
            case _:
                return text[:at]

    def _made(self) -> str:
        """An envelope whose fields hold what comes to mind."""
        event = {"type": self.random.choice(TYPES), "data": self._value(0)}
        if self.random.random() < 0.7:
            event["data"] = {self._key(): self._value(1) for _ in range(self.random.randrange(4))}
        for name in ("id", "created", "source", self._key()):
            if self.random.random() < 0.2:
                event[name] = self._value(1)
        if self.random.random() < 0.2:
            del event[self.random.choice(list(event))]
        return json.dumps(event, ensure_ascii=self.random.random() < 0.5)

    def _scraps(self) -> str:
        return "".join(self.random.choices(SCRAPS, k=self.random.randrange(12)))

    def _key(self) -> str:
        return self.random.choice(
            ("id", "item", "quantity", "note", "event", "customer", "types", "x")
        )

    def _value(self, depth: int) -> Any:
        match self.random.randrange(11 if depth < 4 else 8):
            case 0:
                return self.random.choice((None, True, False, "", {}, []))
            case 1:
                return self.random.choice((0, -1, 5, 5.0, 2**53, -(2**53) - 1, 10**30, 1e308, 0.1))
            case 2:
                return self.random.choice((ID, ID.upper(), ID.replace("-", ""), "start"))
            case 3:
                return self.random.choice(TYPES)
            case 4 | 5:
                return self.random.choice(SCRAPS)
            case 6:
                return self.random.choice(("1676554735324", "alice", "broker", "coffee", "*"))
            case 7:
                return self.random.choice(SCRAPS) * self.random.choice((1, 3, 300))
            case 8 | 9:
                return {
                    self._key(): self._value(depth + 1) for _ in range(self.random.randrange(4))
                }
            case _:
                return [self._value(depth + 1) for _ in range(self.random.randrange(4))]

    def request(self) -> bytes:
        """An HTTP request for what is not only the host's."""
        of_room = self.random.choice(("", "/events", "/orders", "/dead-letters", f"/events/{ID}"))
        room = f"/api/rooms/main{of_room}"
        path = self.random.choice((room, room, "/log", "/", "/customer", "/healthz"))
        query = "&".join(
            f"{self.random.choice(QUERY)}={quote(self._scraps()[:40], errors='replace')}"
            for _ in range(self.random.randrange(4))
        )
        is_post = self.random.random() < 0.5
        body = next(iter(self)).encode() if is_post else b""
        lines = [
            f"{'POST /api/rooms/main/events' if is_post else f'GET {path}'}?{query} HTTP/1.1",
            *("Host: localhost", "Connection: close", f"Content-Length: {len(body)}"),
        ]
        if self.random.random() < 0.3:
            lines.append(f"{self.random.choice(('Origin', 'Cookie', 'Accept'))}: {self._scraps()}")
        return "\r\n".join(lines).encode(errors="replace") + b"\r\n\r\n" + body

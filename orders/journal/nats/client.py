"""The library's client, with a shorter way for what comes with every event.

The library puts each message into a queue, from which a task takes it, and looks at the headers
letter by letter: half of what it costs to hear an answer. Both are parts that it keeps to itself;
in a version that has others, messages come its own way again.
"""

from collections.abc import Callable

from nats.aio.client import Client
from nats.aio.msg import Msg

OnMessage = Callable[[Msg], None]


class DirectClient(Client):
    """`direct`: who hears the messages of a subscription at once, by its number."""

    def __init__(self) -> None:
        super().__init__()
        self.direct: dict[int, OnMessage] = {}

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> None:
        if (hear := self.direct.get(sid)) is None:
            await super()._process_msg(sid, subject, reply, data, headers)  # type: ignore[arg-type]
            return
        fields = await self._process_headers(headers) if headers else None
        hear(Msg(self, subject.decode(), reply.decode(), data, fields))

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        fields = (line.partition(b":") for line in raw.split(b"\r\n"))
        return {
            name.decode(errors="replace"): value.strip().decode(errors="replace")
            for name, colon, value in fields
            if colon
        }

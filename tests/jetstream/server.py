"""Connections of a NATS server in memory: who publishes, who subscribes, and who hears what."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from tests.jetstream.api import JetStream, status
from tests.jetstream.streams import Refused, matches

TICK = 0.5  # seconds between two looks at who has heard nothing for long
INFO = {
    "server_id": "memory",
    "server_name": "memory",
    "version": "2.14.0",
    "proto": 1,
    "headers": True,
    "max_payload": 1 << 20,
    "jetstream": True,
}


class _Connection:
    """One client; `subjects` are what it subscribed to by its numbers."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.subjects: dict[str, str] = {}
        self._writer = writer

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def tell(self, number: str, subject: str, reply: str, head: bytes, body: bytes) -> None:
        sizes = f"{len(head)} {len(head) + len(body)}" if head else f"{len(body)}"
        line = (
            f"{'HMSG' if head else 'MSG'} {subject} {number} {f'{reply} ' if reply else ''}{sizes}"
        )
        self.write(line.encode() + b"\r\n" + head + body + b"\r\n")


class Server:
    """A server on what `jetstream` holds, which outlives it."""

    def __init__(self, jetstream: JetStream) -> None:
        self.jetstream = jetstream
        self._connections: list[_Connection] = []

    async def serve(self, host: str | None, port: int) -> asyncio.Server:
        """Listen from now on; `tick` must run beside."""
        self.jetstream.consumers.clear()  # they were in memory
        return await asyncio.start_server(self._connected, host, port)

    async def tick(self) -> None:
        """What must be done when nobody asks, until it is cancelled."""
        while True:
            await asyncio.sleep(TICK)
            self.jetstream.push(self.deliver)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer)
        self._connections.append(connection)
        connection.write(f"INFO {json.dumps(INFO)}\r\n".encode())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while line := await reader.readline():
                    await self._said(connection, line.decode().split(), reader)
        finally:
            self._connections.remove(connection)
            writer.close()

    async def _said(
        self, connection: _Connection, words: list[str], reader: asyncio.StreamReader
    ) -> None:
        verb, *rest = words or [""]
        if verb == "PING":
            connection.write(b"PONG\r\n")
        elif verb == "SUB":
            connection.subjects[rest[-1]] = rest[0]
        elif verb == "UNSUB":
            if len(rest) == 1:  # after so many messages, otherwise: the client counts them itself
                connection.subjects.pop(rest[0], None)
        elif verb in ("PUB", "HPUB"):
            size = int(rest[-1])
            payload = (await reader.readexactly(size + 2))[:size]
            sizes = 2 if verb == "HPUB" else 1
            split = int(rest[-2]) if verb == "HPUB" else 0
            reply = rest[1] if len(rest) > sizes + 1 else ""
            self.publish(rest[0], reply, payload[:split], payload[split:])

    def publish(self, subject: str, reply: str, head: bytes, body: bytes) -> None:
        """What somebody says: to JetStream, into a stream, or to those who subscribed to it."""
        if subject.startswith("$JS.API."):
            self.jetstream.ask(subject, body, reply, self.deliver)
            if ".CONSUMER.CREATE." in subject:
                self.jetstream.push(self.deliver)
            return
        heard = self.deliver(subject, reply, head, body)
        stream = self.jetstream.taking(subject)
        if stream is None:
            if reply and not heard:
                self.deliver(reply, "", status("503"), b"")
            return
        try:
            answer = {"stream": stream.name, "seq": stream.publish(subject, head, body)}
        except Refused as refused:
            answer = {"error": refused.error, "stream": stream.name, "seq": 0}
        if reply:
            self.deliver(reply, "", b"", json.dumps(answer).encode())
        self.jetstream.push(self.deliver, stream)

    def deliver(self, subject: str, reply: str, head: bytes, body: bytes, to: str = "") -> bool:
        """Give it to all who subscribed to `to`, else to its subject: whether anyone did."""
        heard = False
        for connection in self._connections:
            for number, pattern in connection.subjects.items():
                if matches(pattern, to or subject):
                    connection.tell(number, subject, reply, head, body)
                    heard = True
        return heard


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[str]:
    """A server of its own in this process, at this URL."""
    server = Server(JetStream())
    listening = await server.serve("127.0.0.1", 0)
    ticking = asyncio.create_task(server.tick())
    try:
        yield f"nats://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        ticking.cancel()
        listening.close()

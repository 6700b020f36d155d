"""A stream, as it comes: every message once, in order, however often the connection is lost."""

import asyncio
import time
from collections.abc import Callable

import structlog
from nats.aio.msg import Msg

from orders.errors import StorageFailed
from orders.journal.nats.connection import SECOND, NatsConnection, place
from orders.journal.nats.failures import Rejected

log = structlog.get_logger()

HEARTBEAT = 1  # seconds; a stream that is silent for longer than three of them is asked anew
LOOK = 0.25
AGAIN = 0.3


class Follower:
    """Gives `heard` the messages of a stream that lie after `position`, which it moves along."""

    def __init__(
        self, link: NatsConnection, stream: str, position: int, heard: Callable[[int, Msg], None]
    ) -> None:
        self.position = position
        self._link, self._stream, self._heard = link, stream, heard
        self._alive = 0.0
        self._torn = False  # whether something was lost on the way
        self._stopped = False
        self._task = link.keep(self._follow())

    async def stop(self) -> None:
        self._stopped = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while not self._stopped:
            self._alive, self._torn, inbox = time.monotonic(), False, None
            try:
                info = await self._link.api(f"STREAM.INFO.{self._stream}")
                if info["state"]["last_seq"] < self.position:
                    raise RuntimeError(f"{self._stream} lost its end: begin anew with what is left")
                inbox = await self._link.listen(self._take)
                name = await self._link.consume(
                    self._stream,
                    self.position + 1,
                    deliver_subject=inbox.subject,
                    flow_control=True,
                    idle_heartbeat=HEARTBEAT * SECOND,
                )
                while not self._torn and time.monotonic() < self._alive + 3 * HEARTBEAT:
                    await asyncio.sleep(LOOK)
                await self._link.say(f"$JS.API.CONSUMER.DELETE.{self._stream}.{name}")
            except Rejected as rejected:
                log.warning("not followed", stream=self._stream, error=str(rejected))
                await asyncio.sleep(AGAIN)
            except StorageFailed:
                await asyncio.sleep(AGAIN)
            finally:
                if inbox is not None:
                    await self._link.deafen(inbox)

    def _take(self, message: Msg) -> None:
        self._alive = time.monotonic()
        if message.headers and "Status" in message.headers:
            paused = message.reply or message.headers.get("Nats-Consumer-Stalled")
            if paused:
                self._link.soon(paused)
            delivered = int(message.headers.get("Nats-Last-Stream", 0))
            self._torn = self._torn or delivered > self.position
            return
        position = place(message)
        if position == self.position + 1:
            self.position = position
            self._heard(position, message)
        elif position > self.position:
            self._torn = True

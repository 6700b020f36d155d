"""A stream, as it comes: every message once, in order, however often the connection is lost."""

import asyncio
from collections.abc import Callable

import structlog
from nats.aio.msg import Msg

from orders.clock import monotonic
from orders.errors import StorageFailed
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import (
    NOT_FOUND,
    Rejected,
    stream_elsewhere,
    stream_lost,
    stream_sealed,
    unavailable,
)
from orders.journal.nats.ranges import SECOND, consume, place

log = structlog.get_logger()

HEARTBEAT = 1  # seconds; a stream that is silent for longer than three of them is asked again
LOOK = 0.25
CHECK = 3.0  # seconds between two looks at whether the stream is still the same
RETRY_DELAY = 0.3
LAGS = 10.0  # seconds that the new leader of a cluster may take to know all that is stored


class Follower:
    """Gives `on_message` what lies in a stream after `position`, which it moves along.

    `lost` says why what is written to the stream now would not be part of the same journal: it is
    gone, it is another one of that name, its beginning or its end is gone, or it is sealed.
    """

    def __init__(
        self,
        connection: NatsConnection,
        stream: str,
        subject: str,
        position: int,
        on_message: Callable[[int, Msg], None],
    ) -> None:
        self.position = position
        self._connection, self._on_message = connection, on_message
        self._stream, self._subject = stream, subject
        self.lost: StorageFailed | None = None
        self._began: tuple[str, int] | None = None  # when the stream was made, its first position
        self._first_at: str | None = None  # when what stands first was stored
        self._short_since: float | None = None  # when its end was missed
        self._alive = 0.0
        self._torn = False  # whether something was lost on the way
        self._stopped = False
        self._task = connection.keep(self._follow())

    async def stop(self) -> None:
        self._stopped = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        said = ""  # once, though it is tried again and again
        while not self._stopped:
            self._alive, self._torn, inbox = monotonic(), False, None
            try:
                await self._check()
                inbox = await self._connection.listen(self._take)
                name = await consume(
                    self._connection,
                    self._stream,
                    self.position + 1,
                    deliver_subject=inbox.subject,
                    flow_control=True,
                    idle_heartbeat=HEARTBEAT * SECOND,
                )
                checked, said = monotonic(), ""
                while self._is_heard():
                    await asyncio.sleep(LOOK)
                    if monotonic() > checked + CHECK:
                        checked = monotonic()
                        await self._check()
                await self._connection.say(f"$JS.API.CONSUMER.DELETE.{self._stream}.{name}")
            except Rejected as rejected:
                if said != (said := str(rejected)):
                    log.warning("not followed", stream=self._stream, error=said)
                await asyncio.sleep(RETRY_DELAY)
            except StorageFailed:
                await asyncio.sleep(RETRY_DELAY)
            finally:
                if inbox is not None:
                    await self._connection.deafen(inbox)

    async def _check(self) -> None:
        """See whether this is still the stream that it was; StorageFailed if not."""
        known = self.position  # more may come while the answer is on its way
        try:
            info = await self._connection.api(f"STREAM.INFO.{self._stream}")
        except Rejected as rejected:
            if rejected.code == NOT_FOUND:
                self.lost = stream_lost(self._stream, "is gone")
            raise
        except StorageFailed:
            self._short_since = None  # the next one to answer may have only just become leader
            raise
        state, made = info["state"], info["created"]
        began = self._began = self._began or (made, max(state["first_seq"], 1))
        self.lost, what = None, ""
        first_at = state.get("first_ts") if state["messages"] else None
        # Who leads a cluster after an upgrade may tell another time at which the stream was made;
        # that of what stands first is the same everywhere.
        if made != began[0] and (first_at is None or first_at != self._first_at):
            what = "is gone, and another has its name"
        elif state["last_seq"] < known:
            what = "has lost its end"
        elif state["first_seq"] > began[1]:
            what = "was purged"
        is_short = what == "has lost its end" and info["config"]["num_replicas"] > 1
        self._short_since = (self._short_since or monotonic()) if is_short else None
        if what:
            lags = self._short_since is not None and monotonic() < self._short_since + LAGS
            self.lost = unavailable() if lags else stream_lost(self._stream, what)
            raise self.lost
        self._first_at = first_at
        if self._subject not in info["config"].get("subjects", ()):
            self.lost = stream_elsewhere(self._stream, self._subject)
        elif info["config"].get("sealed") and state["last_seq"] == self.position:
            self.lost = stream_sealed(self._stream)

    def _is_heard(self) -> bool:
        """Whether it goes on well; asked for, since the library may swallow a cancelling."""
        is_alive = monotonic() < self._alive + 3 * HEARTBEAT
        return is_alive and not self._torn and not self._stopped

    def _take(self, message: Msg) -> None:
        self._alive = monotonic()
        if message.headers and "Status" in message.headers:
            paused = message.reply or message.headers.get("Nats-Consumer-Stalled")
            if paused:
                self._connection.soon(paused)
            delivered = int(message.headers.get("Nats-Last-Stream", 0))
            self._torn = self._torn or delivered > self.position
            return
        position = place(message)
        if position == self.position + 1:
            self.position = position
            self._on_message(position, message)
        elif position > self.position:
            self._torn = True

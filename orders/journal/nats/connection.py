"""The connection to NATS: publish and hear the answer, ask JetStream.

Nothing is buffered while the connection is away: what cannot be said now fails now, with
`engine_unavailable`, and the connection comes back by itself.
"""

import asyncio
import contextlib
import itertools
import re
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.errors import KeyWrongLastSequenceError, NotFoundError
from pydantic_core import from_json, to_json

from orders.clock import new_id
from orders.errors import CannotStart, StorageFailed
from orders.journal.nats import failures, starting
from orders.journal.nats.client import DirectClient, OnMessage
from orders.journal.nats.failures import FULL, Rejected, forbidden, unavailable
from orders.journal.nats.subjects import EXPECTED

log = structlog.get_logger()

#: Subject, text, headers.
Message = tuple[str, bytes, dict[str, str]]

OLDEST = (2, 10, 23)
CONNECT = 5.0  # seconds to find a server at start
SILENT = "nothing there speaks as a NATS server does"
RESETS = 5  # times that a server may hang up before one has read why
PINGS = 2  # seconds between two pings: a server that hangs is left for another


class NatsConnection:
    """One connection. `patience`: the seconds after which an unanswered request has failed."""

    def __init__(
        self, addresses: Sequence[str], creds: str | None, ca: str | None, patience: float
    ) -> None:
        self.addresses = addresses
        self.patience = patience
        self._creds, self._ca = creds, ca
        self._routes: dict[str, OnMessage] = {}
        self._tokens = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox = f"_INBOX.orders.{new_id()}"
        self.nc = DirectClient()
        self._said = ""
        self.forbidden = ""  # what this login was not allowed to do, the last time

    async def open(self) -> None:
        """Connect, or `CannotStart` with the reason in one line."""
        starting.check_addresses(self.addresses)
        wishes: dict[str, Any] = {"reconnect_time_wait": 0.25}
        if self._ca:
            wishes["tls"] = starting.trusting(self._ca)
        if self._creds:
            wishes["user_credentials"] = starting.readable(self._creds)
        is_secret = self._ca or any(one.startswith("tls://") for one in self.addresses)
        make = starting.EncryptedClient if is_secret else DirectClient

        async def connect() -> None:
            for last in reversed(range(RESETS)):
                self.nc = make()
                try:
                    await self.nc.connect(
                        list(self.addresses),
                        error_cb=self._failed,
                        reconnected_cb=self._returned,
                        max_reconnect_attempts=-1,
                        connect_timeout=2,
                        ping_interval=PINGS,
                        max_outstanding_pings=2,
                        pending_size=0,
                        name="orders",
                        **wishes,
                    )
                    break
                except ConnectionResetError:
                    if not last:
                        raise

        try:
            await starting.within(CONNECT, connect())
        except (OSError, NatsError, TimeoutError, ValueError) as error:
            said = await starting.overheard(self.addresses) or self._said or error or SILENT
            raise starting.unreachable(self.addresses, said) from None
        shown = starting.shown(self.addresses)
        version = self.nc.connected_server_version
        if (version.major, version.minor, version.patch) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            await self.nc.close()
            raise CannotStart(
                "engine_too_old",
                f"The NATS server at {shown} is {version}; before {oldest} JetStream could forget"
                " a whole stream, with all that it had accepted, when servers were killed: upgrade"
                f" it to {oldest} or newer.",
            )
        try:
            await self.api("INFO")
        except (StorageFailed, Rejected):
            await self.nc.close()
            raise starting.cannot_start(self.addresses, self.forbidden) or CannotStart(
                "engine_without_jetstream",
                f"The NATS server at {shown} keeps nothing: start it with JetStream, such as"
                " `nats-server -js -sd /var/lib/nats`, or enable it for this account.",
            ) from None
        await self._subscribe(f"{self._inbox}.>", self._heard)

    async def close(self) -> None:
        await self.nc.close()

    async def _failed(self, error: Exception) -> None:
        if isinstance(error, ConnectionResetError) and self._said:
            return  # the server said why before it hung up
        said = SILENT if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        is_refused = re.search("permissions|authorization|authentication", said, re.IGNORECASE)
        self.forbidden = said if is_refused else ""
        if said != self._said:  # it is tried again four times a second
            self._said = said
            log.warning("NATS", error=said)

    def unanswered(self, error: Exception | None = None) -> StorageFailed:
        """Why no answer came; `error` is what the library says of it."""
        if self.forbidden:
            return forbidden(self.forbidden)
        is_there = isinstance(error, NoRespondersError)
        return failures.without_jetstream() if is_there else unavailable()

    async def _returned(self) -> None:
        self._said = self.forbidden = ""
        log.warning("NATS is back", server=self.nc.connected_url and self.nc.connected_url.netloc)

    # ── saying and hearing ──────────────────────────────────────────────────────────────────

    def _heard(self, message: Msg) -> None:
        if heard := self._routes.get(message.subject[len(self._inbox) + 1 :]):
            heard(message)

    async def _subscribe(self, subject: str, on_message: OnMessage) -> Subscription:
        """Hear what is sent to a subject, in order."""

        def hear(message: Msg) -> None:
            try:
                on_message(message)
            except Exception as error:
                fail(error)

        async def take(message: Msg) -> None:
            hear(message)

        subscription = await self.nc.subscribe(
            subject, cb=take, pending_msgs_limit=0, pending_bytes_limit=0
        )
        self.nc.direct[subscription._id] = hear
        return subscription

    def _route(self, on_message: OnMessage) -> str:
        """Where an answer to something published is sent, to be given to `heard`."""
        token = str(next(self._tokens))
        self._routes[token] = on_message
        return f"{self._inbox}.{token}"

    async def listen(self, on_message: OnMessage) -> Subscription:
        """A subject to which consumers deliver; what they deliver names others."""
        try:
            return await self._subscribe(f"{self._inbox}-{next(self._tokens)}", on_message)
        except NatsError:
            raise unavailable() from None

    async def deafen(self, subscription: Subscription) -> None:
        """Hear no more of it."""
        self.nc.direct.pop(subscription._id, None)
        with contextlib.suppress(NatsError):
            await subscription.unsubscribe()

    async def say(self, subject: str, body: bytes = b"", reply: str = "", **headers: str) -> None:
        """Publish without waiting for an answer; lost while the connection is away."""
        try:
            await self.nc.publish(subject, body, reply, headers or None)
        except NatsError:
            log.debug("not said", subject=subject)

    async def finish(self) -> None:
        """Wait for the background tasks that end by themselves."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.patience)

    def soon(self, subject: str, body: bytes = b"") -> None:
        """Publish from where nothing can be waited for."""
        self.spawn(self.say(subject, body))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background that ends; a failure is loud."""
        self._tasks.add(self.keep(work))

    def keep(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do something in the background until it is cancelled."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            fail(error)

    async def store(self, messages: Sequence[Message]) -> list[int | Rejected | None]:
        """Publish into streams, all at once: of each its sequence, why not, or None if unknown.

        A message with an expectation is published again if no answer comes: twice does no harm.
        """
        if not messages:
            return []
        answers: list[int | Rejected | None] = [None] * len(messages)
        missing = dict.fromkeys(range(len(messages)))
        again: list[int] = []
        done = asyncio.Event()

        def answered(number: int, message: Msg) -> None:
            if number in missing and (answer := _stored(message)) is not None:
                if isinstance(answer, Rejected):
                    answer.sent_twice = number in again
                answers[number] = answer
                del missing[number]
                if not missing:
                    done.set()

        async def publish(numbers: Iterable[int]) -> None:
            for number in numbers:
                subject, body, headers = messages[number]
                await self.nc.publish(subject, body, replies[number], headers)

        replies = [self._route(partial(answered, number)) for number in range(len(messages))]
        try:
            async with asyncio.timeout(self.patience):
                await publish(range(len(messages)))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.patience / 2):
                        await done.wait()
                again += [number for number in missing if EXPECTED in messages[number][2]]
                await publish(again)
                await done.wait()
        except (TimeoutError, NatsError):
            pass  # those without an answer have none
        finally:
            for reply in replies:
                self._routes.pop(reply[len(self._inbox) + 1 :], None)
        return answers

    async def api(self, subject: str, /, patience: float | None = None, **asked: Any) -> Any:
        """Ask JetStream: its answer, `Rejected`, or `engine_unavailable`."""
        try:
            message = await self.nc.request(
                f"$JS.API.{subject}", to_json(asked) if asked else b"", patience or self.patience
            )
        except (NatsError, TimeoutError) as failed:
            raise self.unanswered(failed) from None
        answer = from_json(message.data)
        if error := answer.get("error"):
            if error.get("err_code") in failures.NOT_ENABLED:
                raise failures.without_jetstream()
            raise Rejected(error.get("err_code", error["code"]), error["description"])
        return answer

    async def kept(self, ask: Awaitable[Any]) -> Any:
        """The outcome of something asked of a bucket; None when it is not there."""
        try:
            return await ask
        except NotFoundError:
            return None
        except KeyWrongLastSequenceError:
            raise
        except (NatsError, TimeoutError) as error:
            raise self.unanswered(error) from None


def fail(error: BaseException) -> None:
    """End the process loudly: the library would only log it."""
    context = {"message": "the broker failed", "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)


def _stored(message: Msg) -> int | Rejected | None:
    if message.headers and message.headers.get("Status") == "503":
        return None  # nobody keeps this stream just now
    answer = from_json(message.data)
    if error := answer.get("error"):
        if error.get("code") == 503 and error.get("err_code") not in FULL:
            return None
        return Rejected(error.get("err_code", error["code"]), error["description"])
    return int(answer["seq"])

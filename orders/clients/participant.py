"""A participant for any Python program: publish events, iterate over those that come."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
from pydantic import ValidationError
from yarl import URL

from orders.clients.address import DEFAULT_URL, pause_before, understood
from orders.clients.api import fetch, room_url
from orders.clients.connection import Connection
from orders.clients.place import REMEMBERED, ResumePoint
from orders.clients.unanswered import PendingPublishes
from orders.clock import new_id, token
from orders.domain.envelope import Event
from orders.errors import Close, OrdersError, Refused, WrongParameter

log = logging.getLogger("orders.client")

#: Seconds until a request, or a handshake, counts as lost: where something on the way forgot the
#: connection (a router, a server without power), no answer ever comes.
ANSWER_WITHIN = 10.0
INBOX = 1_000  # events that may wait to be fetched before we read no further


class Closed(Refused):
    """The room is left: nothing more can be published."""


class Participant:
    """One participant of a room.

        async with Participant("http://localhost:8080", name="alice") as alice:
            event_id = await alice.publish("order_placed", {"id": 5})
            async for event in alice:
                if event.data.get("event") == event_id:
                    print(event.source, event.type)
                    break

    `room` and `name` are those in the address, else `main` and a guest's. `types` is what it
    subscribes to: a type such as `order_placed`, a beginning such as `order_*`, or several. `after`
    is the id of the last event seen, or `start`. With `ack="manual"` call `ack` for each event you
    are done with.

    It comes back by itself after a lost connection, goes on where it was, and shows no event
    twice, but for queued work that is handed over again (its `attempt` says so). Iterating ends
    when the server is done with it (close code 1000), and raises `Refused` when it must not
    come back. With `patient=True` it also waits for a server that is not there yet; otherwise
    entering raises `CannotStart`. A program that never iterates passes `listen=False`.

    `on_broker` is called with each `broker.` event; `name` and `modes` are what these last said.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        room: str | None = None,
        name: str | None = None,
        types: str | Iterable[str] | None = None,
        after: str | None = None,
        ack: Literal["auto", "manual"] = "auto",
        prefetch: int = 1,
        echo: bool = True,
        listen: bool = True,
        patient: bool = False,
        on_broker: Callable[[Event], None] | None = None,
    ) -> None:
        self.url, its_room, its_name = understood(url)
        self.room, self.name = room or its_room or "main", name or its_name
        self._query = {
            "types": types if types is None or isinstance(types, str) else ",".join(types),
            "ack": ack,
            "prefetch": str(prefetch),
            "echo": "true" if echo else "false",
            "session": token(24),
        }
        self._listen, self._patient, self._on_broker = listen, patient, on_broker
        self._place = ResumePoint(after)
        self._unanswered = PendingPublishes()
        self._inbox: asyncio.Queue[Event | None] = asyncio.Queue()
        self._read_on = asyncio.Event()
        self._settled: dict[str, None] = {}  # what we acked or nacked since it was handed to us
        self._ended: Exception | None = None
        self._last_error: OrdersError | None = None

    @property
    def modes(self) -> dict[str, str]:
        """How the room dispatches each type, `*` standing for all others."""
        return self._place.modes

    @property
    def is_open(self) -> bool:
        """Whether it is in the room, or will be again."""
        return self._ended is None

    def sees_first(self, event_id: str) -> bool:
        """Whether an event that was found elsewhere was not shown yet; it will not be any more."""
        return self._place.sees_first(event_id)

    def skip_waiting(self) -> None:
        """Never show what came and was not fetched yet: a reset made it a thing of the past."""
        while self._ended is None and not self._inbox.empty():
            self._inbox.get_nowait()
        self._read_on.set()

    # ── what a program does with it ─────────────────────────────────────────────────────────

    async def publish(self, type: str, data: dict[str, Any], *, id: str | None = None) -> str:
        """Publish one event; return its id once the journal has it.

        Raises `Refused` with the broker's explanation, or `StorageFailed`. Over a lost connection
        it is sent again under the same id, so it is in the log once.
        """
        self._check_joined()
        event_id = id or new_id()
        text = json.dumps({"id": event_id, "type": type, "data": data})
        Event.parse(text)
        if self._ended:
            raise self._ended
        answered = self._unanswered.add(event_id, text)
        self._read_on.set()
        try:
            await self._connection.send(text)
            await answered
        finally:
            self._unanswered.drop(event_id)
        return event_id

    async def ack(self, event: Event | str) -> None:
        """You are done with an event, or the one with this id; `Refused` for the second time.

        For news nothing is sent: nobody waits for its ack.
        """
        await self._settle("broker.ack", event)

    async def nack(self, event: Event | str, reason: str = "") -> None:
        """You cannot do this work: let another try."""
        await self._settle("broker.nack", event, reason=reason[:200])

    async def _settle(self, command: str, event: Event | str, **more: str) -> None:
        if isinstance(event, Event) and event.attempt is None:
            return
        event_id = event if isinstance(event, str) else event.id
        self._check_joined()
        if event_id in self._settled:
            raise Refused(
                "not_held",
                f"You acked or nacked the event {event_id} already: once for each delivery.",
            )
        self._settled[event_id] = None
        if len(self._settled) > REMEMBERED:
            del self._settled[next(iter(self._settled))]
        await self._command(command, event=event_id, **more)

    def _check_joined(self) -> None:
        if not hasattr(self, "_connection"):
            raise RuntimeError(
                "This participant has not joined yet: enter it first, such as"
                " `async with Participant(name='alice') as alice: …`."
            )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._inbox.get()
        self._read_on.set()
        if event is not None:
            return event
        self._inbox.put_nowait(None)  # anyone else who iterates ends as well
        if self._ended is None or isinstance(self._ended, Closed):
            raise StopAsyncIteration
        raise self._ended

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """What the server answers to `GET /api/rooms/{room}/{path}`; `Refused` as it explains.

        While there is no server it asks again.
        """
        url, attempt = room_url(self.url, self.room, path, **query), 0
        while self._ended is None:
            try:
                return await fetch(self._http, url)
            except (aiohttp.ClientError, TimeoutError) as error:
                log.debug("%s: %s", url, error)
            attempt += 1
            await asyncio.sleep(pause_before(attempt))
        raise self._ended

    # ── coming and going ────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN))
        self._connection = Connection(
            self._http, self._address, self._take, asyncio.sleep, patient=self._patient
        )
        self._welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._staying = asyncio.create_task(self._stay())
        try:
            await self._welcomed
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave the room. What is being published is not waited for."""
        self._end(Closed("closed", "The room is left: nothing more can be published."))
        await self._connection.close()
        self._staying.cancel()
        await asyncio.gather(self._staying, return_exceptions=True)
        await self._http.close()

    def _address(self) -> URL:
        query = {
            "room": self.room,
            "name": self.name,
            "after": self._place.after if self._listen else None,
            **self._query,
        }
        scheme = "wss" if self.url.scheme == "https" else "ws"
        given = {key: value for key, value in query.items() if value is not None}
        return self.url.joinpath("ws").with_scheme(scheme).with_query(given)

    async def _stay(self) -> None:
        try:
            await self._connection.stay()
            self._end(Closed("closed", "The server is done with this connection."))
        except WrongParameter as error:
            self._end(self._last_error or error)
        except Exception as error:
            self._end(error)

    def _end(self, error: Exception) -> None:
        """It is over: let everyone who waits know why."""
        if self._ended:
            return
        self._ended = error
        if not self._welcomed.done():
            self._welcomed.set_exception(error)
        self._unanswered.refuse_all(error)
        self._inbox.put_nowait(None)

    # ── what comes ──────────────────────────────────────────────────────────────────────────

    async def _take(self, text: str) -> None:
        try:
            event = Event.model_validate_json(text)
        except ValidationError as error:
            log.warning("not understood: %s", error)
            return
        if event.source == "broker" and event.type.startswith("broker."):
            await self._hear(event)
        elif self._place.is_new(event) and self._listen:
            self._settled.pop(event.id, None)
            self._inbox.put_nowait(event)
        # Read no further while too much waits, unless the answer to a publish must come through.
        while self._inbox.qsize() >= INBOX and not self._unanswered:
            self._read_on.clear()
            await self._read_on.wait()

    async def _hear(self, said: Event) -> None:
        """Act on a `broker.` event."""
        self._place.hear(said)
        if said.type == "broker.welcome":
            self.name = said.data["name"]
            self._connection.is_welcome = True
            if not self._welcomed.done():
                self._welcomed.set_result(None)
            if self._connection.close_code == Close.TOO_LARGE:
                self._unanswered.refuse_largest()
            for text in self._unanswered.texts:
                await self._connection.send(text)
        elif said.type == "broker.accepted":
            self._unanswered.accept(said.data["event"])
        elif said.type == "broker.error":
            is_welcome = self._connection.is_welcome
            self._last_error = self._unanswered.refuse_by(said, is_welcome=is_welcome)
            log.debug("refused: %s", self._last_error)
        if self._on_broker:
            self._on_broker(said)

    async def _command(self, type: str, **data: str) -> None:
        """Tell the broker something; its own id keeps an error apart from those of events."""
        command = {"id": new_id(), "type": type, "data": data}
        await self._connection.send(json.dumps(command))

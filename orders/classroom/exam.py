"""What a stage has at hand: the room as observers hear it, people to play, the host's API.

A stage says `failed` only for what crossed the wire, or for a silence that nothing else explains:
the student's connection answers a ping, our own is answered within 200 ms, and 5 s have passed.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, NoReturn, TypeVar

import aiohttp
from yarl import URL

from orders.clients.participant import Participant
from orders.clock import Chance, monotonic
from orders.domain.menu import MENU

SILENCE = 5.0  # seconds after which nothing has come
LONGEST = 60.0  # seconds that anything is waited for
ECHO = 200.0  # milliseconds in which our own connection must answer
JOIN = 1.0  # seconds in which we must be able to come into the room
QUIET = 0.4  # seconds in which what must not come would have come
ANSWERS = ("order_confirmed", "order_rejected")
NAMES = ("alice", "carol", "dora", "emil", "fay", "gus", "hana", "ivo", "jo", "kim", "lea", "max")

OURS = "-from-orders-"  # in our names, where the student has taken the usual one

T = TypeVar("T")
Event = dict[str, Any]


class Failed(Exception):
    """Four lines: what was sent, what was expected, what came, and a hint for this very mistake."""

    def __init__(
        self, sent: str, expected: str, came: str, hint: str, event: str | None = None
    ) -> None:
        super().__init__(came)
        self.lines = {"sent": sent, "expected": expected, "came": came, "hint": hint}
        self.event = event


class Unknown(Exception):
    """Nobody can tell: a sentence why."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that we sent. `since`: how many records had been heard before it."""

    id: str
    type: str
    source: str
    data: Event
    since: int

    def __str__(self) -> str:
        return f"{self.source} sent {self.type} {shown(self.data)}"


def _may_be_ours(name: str) -> bool:
    """Whether an examiner may have taken part under this name, now or in an earlier check."""
    return name in (*NAMES, "host", "examiner", "janitor") or OURS in name


def shown(data: Any) -> str:
    """JSON, short enough for a line."""
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:159]}…"


def described(event: Event) -> str:
    return f"{event['type']} {shown(event['data'])}"


class Exam:
    """One run through the stages, in the room of one student."""

    def __init__(
        self, http: aiohttp.ClientSession, server: URL, room: str, token: str, rng: Chance
    ) -> None:
        self.room, self.rng = room, rng
        self.address = str(server.with_scheme("ws").with_path("/ws").with_query(room=room))
        self.records: list[Event] = []
        self.present: dict[str, Event] = {}
        self.ours: set[str] = set()
        self.sent: set[str] = set()  # ids of our events
        self.known: set[str] = set()  # names of the student's, now or before
        self._http, self._server, self._token = http, server, token
        self._news = asyncio.Event()
        self._lost = False
        self._stack = contextlib.AsyncExitStack()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Exam"]:
        """Hear all that happens in the room, until this context ends."""
        address = self._server.with_scheme("ws").joinpath("observe", self.room)
        async with self._http.ws_connect(address, max_msg_size=0) as feed:
            for one in (await feed.receive_json())["snapshot"]["participants"]:
                self.present[one["name"]] = one
            self.known |= set(self.present)
            hearing = asyncio.create_task(self._hear(feed))
            try:
                async with self._stack:
                    yield self
            finally:
                await self.host("PUT", "modes", {"*": "relay", "order_placed": None})
                await self.until(lambda: not self.ours & set(self.present))
                hearing.cancel()

    async def _hear(self, feed: aiohttp.ClientWebSocketResponse) -> None:
        async for message in feed:
            for record in json.loads(message.data).get("records", ()):
                self.records.append(record)
                if record["kind"] == "joined":
                    self.present[record["name"]] = record
                    self.known |= {record["name"]} - self.ours
                elif record["kind"] == "subscribed" and record["name"] in self.present:
                    self.present[record["name"]]["types"] = record["types"]
                elif record["kind"] == "left":
                    self.present.pop(record["name"], None)
            self._news.set()
        self._lost = True
        self._news.set()

    # ── waiting ─────────────────────────────────────────────────────────────────────────────

    async def until(
        self, probe: Callable[[], T], seconds: float = SILENCE, *, moving: bool = False
    ) -> T | None:
        """The first true answer, asked again with all that happens; None once the time is over,
        which begins again with whatever happens if `moving`: a program may be slow."""
        deadline, last = monotonic() + seconds, monotonic() + LONGEST
        while not (found := probe()):
            if moving:
                deadline = min(monotonic() + seconds, last)
            if self._lost:
                raise Unknown("The examiner lost sight of the room: check again.")
            self._news.clear()
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    await self._news.wait()
            except TimeoutError:
                return probe() or None
        return found

    async def quiet(self) -> None:
        """Let what must not come, come."""
        await asyncio.sleep(QUIET)

    def students(self) -> list[str]:
        """Who is in the room and is none of us."""
        return [name for name in self.present if name not in self.ours]

    def since(self, sent: Sent, kind: str = "event") -> list[Event]:
        """The records of a kind since an event that we sent."""
        return [record for record in self.records[sent.since :] if record["kind"] == kind]

    def theirs(self, sent: Sent) -> list[Event]:
        """What the student sent since, oldest first."""
        events = [record["event"] for record in self.since(sent)]
        return [event for event in events if event["source"] not in self.ours]

    def about(self, sent: Sent, *types: str) -> list[Event]:
        """Those among them that name the event in `data.event`."""
        return [
            event
            for event in self.theirs(sent)
            if event["data"].get("event") == sent.id and (not types or event["type"] in types)
        ]

    async def words(
        self,
        type: str = "",
        seconds: float = SILENCE,
        is_right: Callable[[Event], bool] = bool,
    ) -> list[Event]:
        """What the student's programs have sent, at any time, also those that ended; waited for."""
        log = (await self.host("GET", "events?before=end&limit=1000"))["events"]

        def theirs() -> list[Event]:
            return [
                event
                for event in (*log, *(r["event"] for r in self.records if r["kind"] == "event"))
                if (event["source"] in self.known or not _may_be_ours(event["source"]))
                and type in ("", event["type"])
                and is_right(event)
            ]

        return await self.until(theirs, seconds) or []

    def near(self, sent: Sent) -> list[Event]:
        """Those that may be meant for it, and name no other event that we sent."""
        others = self.sent - {sent.id}
        return [one for one in self.theirs(sent) if one["data"].get("event") not in others]

    # ── people ──────────────────────────────────────────────────────────────────────────────

    async def join(self, name: str = "", **options: Any) -> Participant:
        """One of our participants, under this name or another that is free."""
        taken = self.known | set(self.present)
        free = (f"{name or 'guest'}{OURS}{number}" for number in count(1))
        wanted = [name] if name else NAMES
        name = next(one for one in chain(wanted, free) if one not in taken)
        self.ours.add(name)
        options = {"listen": False, "types": "nothing", **options}
        one = Participant(str(self._server), room=self.room, name=name, **options)
        await self._stack.enter_async_context(one)
        self.ours.add(one.name or name)
        await self.until(lambda: one.name in self.present)
        return one

    async def send(self, who: Participant, type: str, data: Event) -> Sent:
        """Publish as Alice or another: what the student said before is not about it."""
        since = len(self.records)
        id = await who.publish(type, data)
        self.sent.add(id)
        return Sent(id, type, who.name or "", data, since)

    def order(self, **more: Any) -> Event:
        """A good order, of this student's own numbers."""
        number, quantity = self.rng.randrange(100, 100_000), self.rng.randrange(1, 5)
        return {"id": number, "item": self.rng.choice(MENU), "quantity": quantity, **more}

    # ── the host's means ────────────────────────────────────────────────────────────────────

    async def host(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the room's API as the host."""
        path, _, query = path.partition("?")
        url = self._server.joinpath("api", "rooms", self.room, *filter(None, path.split("/")))
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._http.request(
            method, url.with_query(query), json=body, headers=headers
        ) as answer:
            if answer.status >= 500:
                raise Unknown(f"The server answered {answer.status}: check again.")
            return await answer.json()

    async def modes(self, everything: str, orders: str | None = None) -> None:
        """How all types are dispatched, and orders where that differs."""
        await self.host("PUT", "modes", {"*": everything, "order_placed": orders})

    async def fault(self, name: str, fault: str, **more: Any) -> None:
        await self.host("POST", f"participants/{name}/faults", {"fault": fault, **more})

    async def tidy(self) -> None:
        """Finish what an earlier check left in the queue."""
        async with asyncio.timeout(SILENCE):
            while True:
                queues = (await self.host("GET", ""))["queues"].get("order_placed", {})
                if not queues.get("ready") and not queues.get("in_flight"):
                    return
                for name in self.students():
                    await self.fault(name, "end_lease")
                janitor = await self.join(
                    "janitor", listen=True, types="order_placed", ack="manual"
                )
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(QUIET):
                        async for event in janitor:
                            await janitor.ack(event)
                await janitor.close()

    async def silence(
        self, sent: Sent, expected: str, hint: str, came: str = "nothing, within 5 s"
    ) -> NoReturn:
        """What must come did not: failed, if nothing but the student's program explains that."""
        answers = len(self.about(sent))
        await self.check_echo()
        if not self.students():
            gone = "your program left the room"
            raise Failed(str(sent), expected, gone, "See where it ended, and why.", sent.id)
        if len(self.about(sent)) > answers:
            raise Unknown("Your program answered after more than 5 s: is it busy? Check again.")
        raise Failed(str(sent), expected, came, hint, sent.id)

    async def check_echo(self) -> None:
        """`Unknown` unless our own connection is answered quickly, and theirs at all: then a
        silence is their program's."""
        began = monotonic()
        us = await self.join("examiner")
        took, ms = monotonic() - began, await self._ping(us.name or "")
        await us.close()
        if took > JOIN or ms is None or ms >= ECHO:
            raise Unknown("The server is busy, so a silence says nothing: check again.")
        for name in self.students():
            if await self._ping(name) is None and name in self.present:
                raise Unknown(
                    "Your program did not answer a ping: is it blocked, or the network slow?"
                )

    async def _ping(self, name: str) -> float | None:
        """Milliseconds until a participant has answered a ping; None if it did not."""
        answer: dict[str, float | None] = await self.host("POST", f"participants/{name}/ping")
        return answer.get("ms")

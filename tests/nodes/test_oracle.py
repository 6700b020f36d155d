"""The same random histories on SQLite, and on two nodes that share a NATS server.

Real servers, real sockets. Whatever happens, the fold of all records is what each node has, what
its journal restores and what the API says; and what is explained is what raw sockets received. A
socket that was cut received the beginning of it. All that is said is what the AsyncAPI document
says it is. `make oracle EXAMPLES=100` plays other ones.
"""

import asyncio
import contextlib
import itertools
import json
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from orders.app import RUNNER, create_app, found_at, make_engine
from orders.broker.queue import State
from orders.broker.records import Kind, Record
from orders.broker.room_state import RoomState
from orders.domain.envelope import id_text
from orders.domain.order_book import MemoryOrderBook
from orders.journal.base import Engine
from orders.server import Node
from orders.settings import Settings
from orders.web.keys import NODE, SERVER
from tests.histories import as_compared
from tests.nats_servers import Nats, required
from tests.nodes.conftest import hears
from tests.rooms import Room
from tests.transports import Nobody
from tests.unit.test_asyncapi import validator_of
from tests.wire import Wire, until

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "0"))
MOST = 5  # people at once
MOST_READ = 10_000
TYPES = ["news", "work", "order_placed", "order_confirmed"]
ANSWERS = ("broker.accepted", "broker.error")
LIMITS: dict[str, Any] = {"rate": 0, "max_attempts": 2}
#: Snapshots are taken of rooms that are as short as these.
SNAPSHOTS = {"orders.journal.nats.rooms.EVERY": 20, "orders.journal.nats.rooms.NEEDED": 5}

Act = tuple[str, tuple[Any, ...]]


def act(name: str, *arguments: Any) -> st.SearchStrategy[Act]:
    return st.tuples(st.just(name), st.tuples(*arguments))


WHO = st.integers(0, MOST - 1)
TYPE = st.sampled_from(TYPES)
PATTERNS = st.lists(st.sampled_from([*TYPES, "*", "wor*"]), min_size=1, max_size=3).map(",".join)
AFTER = st.sampled_from(["", "", "start", "last"])
HOST = st.sampled_from(["pause", "pause", "resume", "resume", "step", "step"])
ACTS = st.one_of(
    act("join", st.none() | PATTERNS, st.booleans(), st.booleans(), AFTER, st.booleans()),
    act("come_back", WHO, AFTER),
    act("leave", WHO, st.booleans()),
    act("send", WHO, TYPE, st.integers(1, 5)),
    act("send", WHO, TYPE, st.integers(1, 5)),
    act("all_send", TYPE, HOST),
    act("all_send", TYPE, HOST),
    act("take_a_name", WHO),
    act("post", TYPE),
    act("subscribe", WHO, PATTERNS, st.booleans()),
    act("answer", WHO, st.booleans()),
    act("answer", WHO, st.just(False)),
    act("set_mode", st.sampled_from(["*", *TYPES]), st.sampled_from(["relay", "pubsub", "queue"])),
    act("host", HOST),
    act("decide", st.sampled_from(["retry", "discard"])),
    act("mute", WHO, st.sampled_from(["mute", "unmute"])),
    act("reset"),
)


@dataclass(eq=False)
class Person:
    """One connection. `begins`: how much it had heard when the epoch began."""

    wire: Wire
    name: str
    session: str
    is_open: bool = True
    begins: int = 0

    @property
    def is_guest(self) -> bool:
        return self.name.startswith("guest-")

    def heard(self) -> list[dict[str, Any]]:
        """The events of this epoch."""
        return [e for e in self.wire.heard[self.begins :] if e["source"] != "broker"]


class History:
    """What happens on some nodes of one journal, and what must hold."""

    def __init__(self, http: aiohttp.ClientSession, nodes: list[tuple[str, Node]]) -> None:
        self.nodes = [node for _, node in nodes]
        self.rooms = [Room(http, _At(url)) for url, _ in nodes]
        self.http, self.urls = http, [url for url, _ in nodes]
        self.people: list[Person] = []
        self.accepted: list[str] = []
        self.base = RoomState("main")  # as the epoch began
        self._numbers, self._turns = itertools.count(1), itertools.count()
        self._observers: list[Wire] = []
        self._documented: dict[str, Any] = {}  # a validator for each type of message

    async def begin(self) -> None:
        async with self.http.get(f"{self.urls[0]}/asyncapi.json") as answer:
            api = await answer.json()
        self._documented = {type: validator_of(api, type) for type in api["components"]["messages"]}
        for url in self.urls:
            feed = await self.http.ws_connect(f"{url.replace('http', 'ws', 1)}/observe/main")
            self._observers.append(Wire(feed))
        await self.rooms[0].set_modes({"*": "pubsub", "work": "queue", "order_placed": "queue"})
        for manual in (True, False, True):
            await self.join(None, manual, True, "", True)
        for number, type in enumerate(TYPES):
            await self.send(number, type, 3)

    # ── what may happen ─────────────────────────────────────────────────────────────────────

    def _who(self, number: int) -> Person | None:
        here = [one for one in self.people if one.is_open]
        return here[number % len(here)] if here else None

    async def join(
        self, types: str | None, manual: bool, echo: bool, after: str, named: bool
    ) -> None:
        if sum(one.is_open for one in self.people) == MOST:
            return
        number = next(self._numbers)
        query = {"ack": "manual" if manual else "auto", "echo": str(echo).lower()}
        query |= {"types": types} if types else {}
        query |= {"name": f"p{number}"} if named else {}
        await self._come(query | {"session": f"session-{number:010}"}, after)

    async def come_back(self, number: int, after: str) -> None:
        """With the session it has, on another node where there is one."""
        old = self._who(number)
        if old is None or old.is_guest:
            return
        await self._come({"name": old.name, "session": old.session, "ack": "manual"}, after)
        await self._has_ended(old)

    async def _come(self, query: dict[str, str], after: str) -> None:
        last = (await self.rooms[0].get())["last"]
        if after and (after == "start" or last):
            query["after"] = "start" if after == "start" else last
        url = self.urls[next(self._turns) % len(self.urls)].replace("http", "ws", 1)
        wire = Wire(await self.http.ws_connect(url, params=query | {"prefetch": "2"}))
        name = (await wire.expect("broker.welcome"))["data"]["name"]
        self.people.append(Person(wire, name, query["session"]))

    async def leave(self, number: int, is_cut: bool) -> None:
        one = self._who(number)
        if one is None:
            return
        if is_cut:
            one.wire.cut()
        else:
            await one.wire.ws.close()
        await self._has_ended(one)

    @staticmethod
    async def _has_ended(one: Person) -> None:
        one.is_open = False
        while (message := await one.wire.message()).type is aiohttp.WSMsgType.TEXT:
            one.wire.heard.append(json.loads(message.data))

    async def send(self, number: int, type: str, count: int, **more: str) -> None:
        if one := self._who(number):
            await self._send(one, [self._event(type) | more for _ in range(count)])

    def _event(self, type: str) -> dict[str, Any]:
        number = next(self._numbers)
        data: dict[str, Any] = {}
        if type.startswith("order_"):
            data = {"id": number % 3 + 1} | ({"customer": "p1"} if number % 2 else {})
            data = {"id": data["id"]} if type == "order_placed" else data
        return {"id": str(uuid.UUID(int=number)), "type": type, "data": data}

    async def _send(self, one: Person, events: list[dict[str, Any]]) -> None:
        """All at once, and wait until each is answered."""
        before = sum(event["type"] in ANSWERS for event in one.wire.heard)
        for event in events:
            await one.wire.send(event)
        answers = (await hears(one.wire, before + len(events), *ANSWERS))[before:]
        self.accepted += [said["data"]["event"] for said in answers if said["type"] == ANSWERS[0]]

    async def all_send(self, type: str, act: str) -> None:
        """Everybody at once, while the host acts; who is heard does not hang on that."""
        here = [one for one in self.people if one.is_open]
        sends = [self._send(one, [self._event(type), self._event("news")]) for one in here]
        await asyncio.gather(*sends, self.host(act))

    async def take_a_name(self, number: int) -> None:
        """A guest speaks under a name for the first time."""
        one = self._who(number)
        if one is not None and one.is_guest and one.name not in await self._muted():
            source = f"p{next(self._numbers)}"
            await self._send(one, [self._event("news") | {"source": source}])
            one.name = source

    async def _muted(self) -> list[str]:
        return list((await self.rooms[0].get())["muted"])

    async def post(self, type: str) -> None:
        """The host publishes over HTTP."""
        event = self._event(type)
        url = f"{self.urls[-1]}/api/rooms/main/events?name=poster"
        async with self.http.post(url, json=event) as answer:
            assert answer.status == 201, await answer.text()
        self.accepted.append(event["id"])

    async def subscribe(self, number: int, types: str, is_more: bool) -> None:
        if one := self._who(number):
            kind = "broker.subscribe" if is_more else "broker.unsubscribe"
            await one.wire.send({"type": kind, "data": {"types": types.split(",")}})
            await one.wire.expect("broker.subscribed")

    async def answer(self, number: int, is_nack: bool) -> None:
        """Answer all that it was handed; of what it does not hold any more it hears so."""
        one = self._who(number)
        if one is None:
            return
        await one.wire.fence()
        for event in {e["id"]: e for e in one.heard() if "attempt" in e}:
            kind = "broker.nack" if is_nack else "broker.ack"
            await one.wire.send({"type": kind, "data": {"event": event}})
        await one.wire.fence()

    async def set_mode(self, type: str, mode: str) -> None:
        await self.rooms[0].set_modes({type: mode})
        await self._known_everywhere()

    async def host(self, act: str) -> None:
        await self.rooms[-1].act(f"/{act}")
        await self._known_everywhere()

    async def decide(self, how: str) -> None:
        letters = (await self.rooms[0].get("/dead-letters"))["dead_letters"]
        if letters:
            await self.rooms[0].act(f"/dead-letters/{letters[0]['event']['id']}/{how}")

    async def mute(self, number: int, how: str) -> None:
        one = self._who(number)
        if one is not None and (how == "mute" or one.name in await self._muted()):
            await self.rooms[0].act(f"/participants/{one.name}/{how}")
            await self._known_everywhere()

    async def reset(self) -> None:
        await self.check()
        epoch = self.base.epoch + 1
        self.base = (await self._fold()).next_epoch()
        for one in self.people:
            one.begins = len(one.wire.heard)
        await self.rooms[0].act("/reset")

        async def all_began_again() -> bool:
            return all(self._state(node).epoch == epoch for node in self.nodes)

        await until(all_began_again, "every node is in the next epoch")

    async def _known_everywhere(self) -> None:
        """Wait until what one node has been told is true on all."""
        wanted = max((self._state(node).epoch, self._state(node).head) for node in self.nodes)

        async def known() -> bool:
            states = [self._state(node) for node in self.nodes]
            return all((state.epoch, state.head) >= wanted for state in states)

        await until(known, "every node has all that was stored")

    @staticmethod
    def _state(node: Node) -> RoomState:
        return node.rooms["main"].state

    # ── what must hold ──────────────────────────────────────────────────────────────────────

    async def check(self) -> None:
        """Soon all is quiet, and then it holds."""
        failures: list[AssertionError] = []

        async def holds() -> bool:
            try:
                await self._check()
            except AssertionError as failure:
                failures.append(failure)
                return False
            return True

        try:
            await until(holds, "what is told is what happened")
        except AssertionError:
            raise failures[-1] from None

    async def _fold(self) -> RoomState:
        return fold(self.base, await read(self.nodes[0].engine))

    async def _check(self) -> None:
        for one in self.people:
            if one.is_open:
                await one.wire.fence()
        records = await read(self.nodes[0].engine)
        state = fold(self.base, records)
        assert sorted(state.members) == sorted(one.name for one in self.people if one.is_open)
        for node, room in zip(self.nodes, self.rooms, strict=True):
            assert as_told(self._state(node)) == as_told(state)
            await self._check_api(room, state, records)
        self._check_words()
        await self._check_sockets([r for r in records if r.kind is Kind.EVENT])
        assert len(await read(self.nodes[0].engine)) == len(records), "meanwhile more happened"

    @staticmethod
    async def _check_api(room: Room, state: RoomState, records: list[Record]) -> None:
        """What the API says of the room is the fold of its records."""
        said = await room.get()
        of_fold = [state.modes, state.paused, state.events, state.last, sorted(state.rules.muted)]
        assert [said[key] for key in ("modes", "paused", "events", "last", "muted")] == of_fold
        assert as_depths(said["queues"]) == as_depths(state.queue.depths())
        assert sorted(one["name"] for one in said["participants"]) == sorted(state.members)
        letters = (await room.get("/dead-letters"))["dead_letters"]
        dead = [
            (id_text(e.key), e.attempt, e.reason) for e in state.queue.oldest(99, (State.DEAD,))
        ]
        assert [(one["event"]["id"], one["attempts"], one["reason"]) for one in letters] == dead
        book = MemoryOrderBook()
        for record in records:
            if record.kind is Kind.EVENT and record.type.startswith("order_"):
                book.apply(record.parsed(), record.at)
        orders = from_json(to_json(book.newest(None, MOST_READ, None)))
        assert (await room.get("/orders"))["orders"] == orders
        ids = [id_text(record.key) for record in records if record.kind is Kind.EVENT]
        assert [event["id"] for event in await room.log()] == ids

    def _check_words(self) -> None:
        """Everything that was said is as it is documented."""
        for one in self.people:
            for said in one.wire.heard:
                if said["source"] == "broker":
                    self._documented[said["type"]].validate(said)
        for observer in self._observers:
            while not observer._inbox.empty():
                said = json.loads(observer._inbox.get_nowait().data)
                self._documented["snapshot" if "snapshot" in said else "records"].validate(said)

    async def _check_sockets(self, events: list[Record]) -> None:
        """Each event is explained by who received it."""
        by_name: dict[str, list[Person]] = {}
        for one in self.people:
            by_name.setdefault(one.name, []).append(one)
        heard = {name: Counter(e["id"] for one in ones for e in one.heard())
                 for name, ones in by_name.items()}  # fmt: skip
        expected: dict[str, list[str]] = {name: [] for name in by_name}
        for event, room in zip(events, itertools.cycle(self.rooms), strict=False):
            id = id_text(event.key)
            recipients = (await room.get(f"/events/{id}"))["recipients"]
            attempts = {one["name"]: one["attempts"] for one in recipients if one["received"]}
            assert attempts.keys() <= by_name.keys()
            for name, ones in by_name.items():
                count, told = heard[name][id], attempts.get(name, 0)
                if event.mode != "queue" and told:
                    expected[name].append(id)
                if event.mode != "queue" and len(ones) > 1:
                    count = min(count, 1)  # it read it once more after it had come back
                is_whole = all(one.is_open for one in ones)
                assert count == told if is_whole else count <= told, (name, id, recipients)
        queued = {id_text(event.key) for event in events if event.mode == "queue"}
        for name, ones in by_name.items():
            if len(ones) == 1:
                got = [e["id"] for e in ones[0].heard() if e["id"] not in queued]
                assert got == expected[name][: len(got)], name
                assert len(got) == len(expected[name]) or not ones[0].is_open, name


class _At:
    def __init__(self, url: str) -> None:
        self.url = url


def as_told(state: RoomState) -> dict[str, Any]:
    """All that a room is, but on which node somebody is: each calls itself nothing."""
    return as_compared(state, apart_from=("node",))


def as_depths(depths: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {type: counts for type, counts in depths.items() if any(counts.values())}


def fold(base: RoomState, records: list[Record]) -> RoomState:
    """The fold of an epoch's records, applied to how it began."""
    state = deepcopy(base)
    for record in records:
        state.apply(record)
    return state


async def read(engine: Engine) -> list[Record]:
    """All records of this epoch."""
    records: list[Record] = []
    while page := await engine.read("main", records[-1].position if records else 0, MOST_READ):
        records += page
    return records


@contextlib.asynccontextmanager
async def serving(**changes: Any) -> AsyncIterator[tuple[str, Node]]:
    """A real server in this process: where it is, and its node."""
    app = create_app(Settings(_env_file=None, port=0, **LIMITS, **changes))
    runner = web.AppRunner(app, **RUNNER)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found_at(app[SERVER], runner.addresses[0][1])
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", app[NODE]
    finally:
        await runner.cleanup()


async def play(acts: list[Act], nodes: int, **journal: Any) -> tuple[Any, ...]:
    """Play a history on so many nodes; what must be the same on every journal."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        servers = [await stack.enter_async_context(serving(**journal)) for _ in range(nodes)]
        history = History(http, servers)
        await history.begin()
        for name, arguments in acts:
            await getattr(history, name)(*arguments)
        await history.all_send("news", "step")
        await history.check()
        if history.nodes[0].rooms["main"].state.paused:
            await history.host("resume")
            await history.check()
        state = await history._fold()
        for one in history.people:
            if one.is_open:
                one.wire.cut()
    await check_restored(history.base, **journal)
    return sorted(history.accepted), state.modes, state.events, sorted(state.rules.muted)


async def check_restored(base: RoomState, **journal: Any) -> None:
    """A journal restores the fold of its records."""
    engine = make_engine(Settings(_env_file=None, **journal))
    engine.callbacks = Nobody()
    states = await engine.open()
    restored = await engine.enter("main", begin=False) if engine.shared else states[0]
    assert restored is not None
    assert as_told(restored) == as_told(fold(base, await read(engine)))
    assert restored.members == {}
    await engine.close()


async def on_both(acts: list[Act], directory: Path) -> None:
    on_sqlite = await play(acts, 1, journal=str(directory / "orders.db"))
    with Nats(directory / "nats", sync="2m") as nats:
        assert await play(acts, 2, engine=nats.url) == on_sqlite


@settings(
    max_examples=EXAMPLES or 3,
    derandomize=not EXAMPLES,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(acts=st.lists(ACTS, min_size=10, max_size=30))
def test_what_is_stored_restored_told_and_received_is_the_same_on_every_journal(
    acts: list[Act],
) -> None:
    required()
    patches = [patch(name, value) for name, value in SNAPSHOTS.items()]
    with contextlib.ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        asyncio.run(on_both(acts, Path(directory)))

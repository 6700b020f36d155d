"""Those who take part: each a real client on a machine of its own, noting what it sees."""

import asyncio
import contextlib
import itertools
import json
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import websockets
import yarl
from websockets.asyncio.client import connect

from orders.clients.bot import Bot
from orders.clients.participant import Participant
from orders.domain.envelope import Event
from orders.errors import OrdersError
from tests.simulation.world import URL, World

ITEMS = ("espresso", "apple pie", "pizza", None)
SOON = aiohttp.ClientTimeout(total=4)
#: aiohttp asserts that a connection outlives the answer to its handshake.
LOST = (
    *(aiohttp.ClientError, OSError, TimeoutError, AssertionError),
    websockets.WebSocketException,
)


@dataclass
class Scene:
    """What those who take part share. `calm`: troubles are over, so work is done; `over`: go."""

    world: World
    seed: int
    calm: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    resets: bool = False

    def chance(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}:{name}")


#: Somebody takes part under a name, as the options say.
Person = Callable[..., Awaitable[None]]


def new_id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def an_order(chance: random.Random, number: int) -> dict[str, Any]:
    order = {"id": number if chance.random() < 0.9 else max(1, number - 1)}
    item = chance.choice(ITEMS)
    return order | ({"item": item} if item else {})


@contextlib.asynccontextmanager
async def connected(library: str, path: str, **query: str) -> AsyncIterator[Any]:
    """A WebSocket by one of two libraries: something with `send`, and texts to iterate over."""
    url = yarl.URL(URL).with_scheme("ws").with_path(path).with_query(query)
    if library == "websockets":
        async with connect(
            str(url),
            compression=None,
            max_size=None,
            proxy=None,
            ping_interval=2,
            ping_timeout=3,
            open_timeout=4,
            close_timeout=1,
        ) as socket:
            yield socket
        return
    async with aiohttp.ClientSession(timeout=SOON) as http:
        async with asyncio.timeout(4):
            ws = await http.ws_connect(
                url, heartbeat=3, max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=1)
            )
        try:
            yield _Aiohttp(ws)
        finally:
            await ws.close()


class _Aiohttp:
    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws

    async def send(self, text: str) -> None:
        await self._ws.send_str(text)

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self._ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                yield message.data


# ── with the client that comes with Orders ──────────────────────────────────────────────────────


async def customer(scene: Scene, name: str, *, orders: int, tasks: int) -> None:
    """Alice: places orders and tasks, one after the other, and hears what was decided."""
    world, chance = scene.world, scene.chance(name)
    types = ["order_confirmed", "order_rejected"]
    echo, accepted = chance.random() < 0.5, list[tuple[str, str, dict[str, Any]]]()
    try:
        async with Participant(URL, name=name, patient=True, types=types, echo=echo) as me:
            listening = asyncio.create_task(_listen(world, name, me))
            work = ["order_placed"] * orders + ["task"] * tasks
            chance.shuffle(work)
            for number, type in enumerate(work, 1):
                data = an_order(chance, number) if type == "order_placed" else {"n": number}
                event = new_id(chance), type, data
                if accepted and not scene.resets and chance.random() < 0.15:
                    event = chance.choice(accepted)  # the same event once more
                if await _publish(world, name, me, *event):
                    accepted.append(event)
                await asyncio.sleep(chance.expovariate(1.2))
            await scene.over.wait()
            listening.cancel()
    except OrdersError as error:
        world.note(name, "ended", code=error.code)


async def _listen(world: World, name: str, me: Participant) -> None:
    with contextlib.suppress(OrdersError):
        async for event in me:
            world.note(name, "heard", event=event.id, type=event.type)


async def _publish(
    world: World, name: str, me: Participant, id: str, type: str, data: dict[str, Any]
) -> bool:
    for _ in range(4):
        world.note(name, "sent", event=id, type=type, data=data)
        try:
            await me.publish(type, data, id=id)
        except OrdersError as error:
            world.note(name, "refused", event=id, code=error.code)
            if not error.code.startswith("storage_"):
                return False
            await asyncio.sleep(1)
        else:
            world.note(name, "accepted", event=id)
            return True
    return False


async def bob(scene: Scene, name: str, *, delay: float, naive: bool = False) -> None:
    """Bob, the real one. A naive one does without his care."""
    world = scene.world

    def hear(said: Event) -> None:
        if said.data.get("code") == "reset":
            world.note(name, "reset")

    bot = Bot(URL, name=name, delay=delay, naive=naive, on_broker=hear)
    publish = bot.participant.publish

    async def noted(type: str, data: dict[str, Any], *, id: str | None = None) -> str:
        world.note(name, "answers", event=data["event"], type=type, id=id)
        return await publish(type, data, id=id)

    bot.participant.publish = noted  # type: ignore[method-assign]
    try:
        await bot.run()
    except OrdersError as error:
        world.note(name, "ended", code=error.code)


async def beacon(scene: Scene, name: str, *, room: str) -> None:
    """Alone in a quiet room, on a good network: says something, and waits until it hears it."""
    world = scene.world
    heard: dict[str, asyncio.Event] = {}
    async with Participant(URL, name=name, room=room, patient=True) as me:

        async def listen() -> None:
            async for event in me:
                if event.id in heard:
                    heard[event.id].set()

        listening = asyncio.create_task(listen())
        chance = scene.chance(name)
        while not scene.calm.is_set():
            id = new_id(chance)
            heard[id], began = asyncio.Event(), world.loop.now
            with contextlib.suppress(OrdersError):
                await me.publish("ping", {}, id=id)
                await heard[id].wait()
                world.note(name, "echo", began=began, took=world.loop.now - began)
            await asyncio.sleep(0.4)
        listening.cancel()


# ── with bare sockets ───────────────────────────────────────────────────────────────────────────


async def console(scene: Scene, name: str, *, library: str, types: str, restless: float) -> None:
    """Listens from the start, and comes back with `after`; `restless`: how often it leaves."""
    world, chance = scene.world, scene.chance(name)
    after, session = "start", f"session-of-{name}-----"
    while not scene.over.is_set():
        try:
            query = {"name": name, "session": session, "after": after, "types": types}
            async with connected(library, "/ws", **query) as socket:
                world.note(name, "connected", after=after, types=types)
                async for text in socket:
                    event = json.loads(text)
                    code = event["data"].get("code") if event["source"] == "broker" else None
                    if event["source"] != "broker":
                        world.note(name, "heard", event=event["id"], type=event["type"])
                        after = event["id"]
                        if not scene.calm.is_set() and chance.random() < restless:
                            break
                    elif code in ("reset", "unknown_position"):
                        world.note(name, code)
                        after = "start"
                        if code == "unknown_position":
                            break
        except LOST:
            pass
        await asyncio.sleep(chance.uniform(0.02, 0.3))


async def worker(scene: Scene, name: str, *, library: str, prefetch: int, care: float) -> None:
    """Works on tasks with ack=manual. `care` is how often it does what it should."""
    world, chance = scene.world, scene.chance(name)
    session = f"session-of-{name}------"
    query = {"name": name, "types": "task", "ack": "manual", "prefetch": str(prefetch)}
    query["session"] = session
    for number in itertools.count(1):
        if scene.over.is_set():
            return
        with contextlib.suppress(*LOST):
            async with connected(library, "/ws", **query) as socket:
                world.note(name, "connected", connection=number)
                async for text in socket:
                    event = json.loads(text)
                    if event["source"] == "broker":
                        if event["type"] == "broker.error":
                            world.note(name, "refused", code=event["data"]["code"])
                        continue
                    id, attempt = event["id"], event.get("attempt")
                    if attempt is None:  # news
                        world.note(name, "heard", event=id, type=event["type"])
                        continue
                    world.note(name, "handed", event=id, attempt=attempt, connection=number)
                    careful = scene.calm.is_set() or chance.random() < care
                    act = "ack" if careful else chance.choice(("nack", "forget", "leave", "twice"))
                    if act == "leave":
                        break
                    await asyncio.sleep(chance.expovariate(4))
                    if act == "forget":
                        continue
                    said = {"type": f"broker.{'nack' if act == 'nack' else 'ack'}"}
                    for _ in range(2 if act == "twice" else 1):
                        world.note(name, said["type"], event=id, connection=number)
                        await socket.send(json.dumps(said | {"data": {"event": id}}))
        world.note(name, "lost", connection=number)
        await asyncio.sleep(chance.uniform(0.05, 1.5))


async def pusher(scene: Scene, name: str, *, library: str, events: int, rate: float) -> None:
    """Sends without waiting for answers; what was not answered it sends again, in its order."""
    world, chance = scene.world, scene.chance(name)
    waiting: dict[str, str] = {}
    left = events
    session = f"session-of-{name}------"

    def make() -> str:
        id, data = new_id(chance), {"n": left, "pad": "x" * chance.choice((0, 10, 700))}
        world.note(name, "sent", event=id, type="tick", data=data)
        waiting[id] = json.dumps({"id": id, "type": "tick", "data": data})
        return waiting[id]

    async def push(socket: Any) -> None:
        nonlocal left
        with contextlib.suppress(*LOST):
            for text in list(waiting.values()):
                await socket.send(text)
            while left > 0:
                await asyncio.sleep(chance.expovariate(rate))
                for _ in range(min(left, chance.choice((1, 1, 5)))):
                    left -= 1
                    await socket.send(make())

    while (left > 0 or waiting) and not scene.over.is_set():
        with contextlib.suppress(*LOST):
            query = {"name": name, "session": session, "types": "nothing"}
            async with connected(library, "/ws", **query) as socket:
                world.note(name, "connected", again=list(waiting))
                pushing = asyncio.create_task(push(socket))
                try:
                    async for text in socket:
                        said = json.loads(text)
                        id = said["data"].get("event")
                        if id not in waiting or not said["type"].startswith("broker."):
                            continue
                        answer = {"broker.accepted": "accepted", "broker.error": "refused"}
                        what = answer[said["type"]]
                        more = {"code": said["data"]["code"]} if what == "refused" else {}
                        world.note(name, what, event=id, **more)
                        if not more.get("code", "").startswith("storage_"):
                            del waiting[id]
                        elif pushing.done():
                            await asyncio.sleep(1)
                            break
                        if left <= 0 and not waiting:
                            break
                finally:
                    pushing.cancel()
        await asyncio.sleep(chance.uniform(0.05, 1.5))


async def poster(scene: Scene, name: str, *, events: int) -> None:
    """Publishes over HTTP alone; what was not answered it posts again under the same id."""
    world, chance = scene.world, scene.chance(name)
    headers = {"Orders-Session": f"session-of-{name}------"}
    async with aiohttp.ClientSession(timeout=SOON, headers=headers) as http:
        for number in range(events):
            id, data = new_id(chance), {"n": number}
            event = {"id": id, "type": "note", "data": data, "source": name}
            for _ in range(30):
                world.note(name, "sent", event=id, type="note", data=data)
                try:
                    async with http.post(f"{URL}/api/rooms/main/events", json=event) as answer:
                        said = await answer.json()
                except LOST:
                    await asyncio.sleep(1)
                    continue
                if answer.status < 300:
                    world.note(name, "accepted", event=id)
                else:
                    world.note(name, "refused", event=id, code=said["error"]["code"])
                if answer.status < 500:
                    break
                await asyncio.sleep(1)
            await asyncio.sleep(chance.expovariate(1))


async def observer(scene: Scene, name: str, *, library: str) -> None:
    """The log page: follows the records of the room, from the start at each connection."""
    world, chance = scene.world, scene.chance(name)
    while not scene.over.is_set():
        with contextlib.suppress(*LOST):
            async with connected(library, "/observe/main", after="start") as socket:
                world.note(name, "connected")
                async for text in socket:
                    said = json.loads(text)
                    for record in said.get("records", ()):
                        if record["kind"] in ("event", "reset"):
                            event = record.get("event", {}).get("id")
                            world.note(name, "observed", kind=record["kind"], event=event)
                    if said.get("skipped"):
                        world.note(name, "skipped")
        await asyncio.sleep(chance.uniform(0.5, 2))


PEOPLE: dict[str, Person] = {
    "customer": customer,
    "bob": bob,
    "beacon": beacon,
    "console": console,
    "worker": worker,
    "pusher": pusher,
    "poster": poster,
    "observer": observer,
}

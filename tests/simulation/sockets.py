"""Those who take part by bare sockets and HTTP, as any program may."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import yarl
from websockets.asyncio.client import connect

from tests.simulation.scene import LOST, SOON, Scene, new_id


@contextlib.asynccontextmanager
async def connected(library: str, server: str, path: str, **query: str) -> AsyncIterator[Any]:
    """A WebSocket by one of two libraries: something with `send`, and texts to iterate over."""
    url = yarl.URL(server).with_scheme("ws").with_path(path).with_query(query)
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


async def console(scene: Scene, name: str, *, library: str, types: str, restless: float) -> None:
    """Listens from the start, and comes back with `after`; `restless`: how often it leaves."""
    world, chance = scene.world, scene.chance(name)
    after, session = "start", f"session-of-{name}-----"
    while not scene.over.is_set():
        try:
            query = {"name": name, "session": session, "after": after, "types": types}
            async with connected(library, scene.url(name), "/ws", **query) as socket:
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
            async with connected(library, scene.url(name), "/ws", **query) as socket:
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
            async with connected(library, scene.url(name), "/ws", **query) as socket:
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
    url = f"{scene.url(name)}/api/rooms/main/events"
    async with aiohttp.ClientSession(timeout=SOON, headers=headers) as http:
        for number in range(events):
            id, data = new_id(chance), {"n": number}
            event = {"id": id, "type": "note", "data": data, "source": name}
            for _ in range(30):
                world.note(name, "sent", event=id, type="note", data=data)
                try:
                    async with http.post(url, json=event) as answer:
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
    world, chance, url = scene.world, scene.chance(name), scene.url(name)
    while not scene.over.is_set():
        with contextlib.suppress(*LOST):
            async with connected(library, url, "/observe/main", after="start") as socket:
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

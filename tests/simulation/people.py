"""Those who take part: each a real client on a machine of its own, noting what it sees."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from orders.clients.bot import Bot
from orders.clients.participant import Participant
from orders.domain.envelope import Event
from orders.errors import OrdersError
from tests.simulation.scene import Scene, new_id
from tests.simulation.sockets import console, observer, poster, pusher, worker
from tests.simulation.world import World

ITEMS = ("espresso", "apple pie", "pizza", None)

#: Somebody takes part under a name, as the options say.
Person = Callable[..., Awaitable[None]]


def an_order(chance: random.Random, number: int) -> dict[str, Any]:
    order = {"id": number if chance.random() < 0.9 else max(1, number - 1)}
    item = chance.choice(ITEMS)
    return order | ({"item": item} if item else {})


async def customer(scene: Scene, name: str, *, orders: int, tasks: int) -> None:
    """Alice: places orders and tasks, one after the other, and hears what was decided."""
    world, chance = scene.world, scene.chance(name)
    types = ["order_confirmed", "order_rejected"]
    echo, accepted = chance.random() < 0.5, list[tuple[str, str, dict[str, Any]]]()
    url = scene.url(name)
    try:
        async with Participant(url, name=name, patient=True, types=types, echo=echo) as me:
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
        if said.data.get("code") in ("reset", "unknown_position"):
            world.note(name, "reset")

    bot = Bot(scene.url(name), name=name, delay=delay, naive=naive, on_broker=hear)
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
    async with Participant(scene.url(name), name=name, room=room, patient=True) as me:

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

"""What those who take part share."""

import asyncio
import random
import uuid
from dataclasses import dataclass, field

import aiohttp
import websockets

from tests.simulation.world import World

SOON = aiohttp.ClientTimeout(total=4)
#: aiohttp asserts that a connection outlives the answer to its handshake.
LOST = (
    *(aiohttp.ClientError, OSError, TimeoutError, AssertionError),
    websockets.WebSocketException,
)


@dataclass
class Scene:
    """`calm`: troubles are over, so work is done; `over`: go."""

    world: World
    seed: int
    calm: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    resets: bool = False

    def chance(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}:{name}")

    def url(self, name: str) -> str:
        """Of the server at which somebody takes part."""
        return self.world.url(name)


def new_id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))

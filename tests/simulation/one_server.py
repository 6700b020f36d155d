"""What may happen to the one server of a class, and to its disk."""

import asyncio
import contextlib
from pathlib import Path

from tests.simulation.stage import Stage
from tests.simulation.world import OneServer


class OneServerStage(Stage):
    world: OneServer

    def _build(self, folder: Path) -> None:
        self.world = OneServer(self.loop, folder, self.history, self.seed)
        self._restarting = asyncio.Lock()

    def _end_troubles(self) -> None:
        self.world.disk.trouble = None

    async def _kill(self, seconds: float) -> None:
        await self._end(seconds, has_power=True)

    async def _power(self, seconds: float) -> None:
        await self._end(seconds, has_power=False)

    async def _end(self, seconds: float, *, has_power: bool) -> None:
        async with self._restarting:
            self.world.kill(has_power=has_power)
            await self.world.restart(seconds)
            await asyncio.sleep(0.5)

    async def _at_sync(self, seconds: float, has_power: bool, syncs: int) -> None:
        """The process ends in the middle of a commit."""
        struck = asyncio.Event()
        left = syncs

        def sync() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.world.kill(has_power=has_power)
                struck.set()

        async with self._restarting:
            self.world.disk.on_sync = sync
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(struck.wait(), 5)
            self.world.disk.on_sync = lambda: None
            if struck.is_set():
                await self.world.restart(seconds)
                await asyncio.sleep(0.5)

    async def _stop(self, seconds: float) -> None:
        async with self._restarting:
            await self.world.stop()
            await self.world.restart(seconds)
            await asyncio.sleep(0.5)

    async def _disk(self, trouble: str, seconds: float) -> None:
        self.world.disk.trouble = trouble
        await asyncio.sleep(seconds)
        self.world.disk.trouble = None
        self.world.note("disk", "works again")

    async def _slow_disk(self, seconds: float, slowness: float) -> None:
        self.loop.slowness = slowness
        await asyncio.sleep(seconds)
        self.loop.slowness = 1.0

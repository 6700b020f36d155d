"""What tests ask a server over HTTP about its rooms."""

from typing import Any, Protocol

import aiohttp

from tests.wire import until


class Address(Protocol):
    """Whatever has an address: a server in this process, or one of its own."""

    @property
    def url(self) -> str: ...


class Room:
    """One room of a server, over HTTP; on loopback, as the host."""

    def __init__(self, http: aiohttp.ClientSession, server: Address, name: str = "main") -> None:
        self.http = http
        self.server = server
        self.path = f"/api/rooms/{name}"

    async def get(self, path: str = "", **query: str) -> Any:
        """The JSON at a path below the room; an error status fails the test."""
        url = f"{self.server.url}{self.path}{path}"
        async with self.http.get(url, params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def log(self, **query: str) -> list[dict[str, Any]]:
        """Every event of the room, oldest first."""
        events: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            page = await self.get("/events", **query, **({"after": after} if after else {}))
            events += page["events"]
            if (after := page["next"]) is None:
                return events

    async def set_modes(self, modes: dict[str, str | None]) -> None:
        async with self.http.put(f"{self.server.url}{self.path}/modes", json=modes) as answer:
            assert answer.status == 200, await answer.text()

    async def has_modes(self, modes: dict[str, str]) -> None:
        """Wait until the room has these modes: a switch on a page shows at once what was meant."""

        async def switched() -> bool:
            return bool((await self.get())["modes"] == modes)

        await until(switched, f"the modes are {modes}")

    async def act(self, path: str) -> Any:
        """Do what only the host may; the JSON that it is answered with."""
        async with self.http.post(f"{self.server.url}{self.path}{path}") as answer:
            assert answer.status in (200, 201), await answer.text()
            return await answer.json()

    async def names(self) -> list[str]:
        """Who is in the room."""
        return [one["name"] for one in (await self.get())["participants"]]

    async def has(self, name: str) -> None:
        """Wait until a participant of this name is in the room."""

        async def there() -> bool:
            return name in await self.names()

        await until(there, f"{name} is in the room")

    async def lacks(self, name: str) -> None:
        """Wait until no participant of this name is in the room."""

        async def gone() -> bool:
            return name not in await self.names()

        await until(gone, f"{name} is no longer in the room")

"""A class at its lesson: five students with raw clients, stage and log, and what is true."""

import asyncio
from typing import Any
from uuid import uuid4

import aiohttp
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import is_open
from tests.browser.watching import show
from tests.conftest import Connect
from tests.process import Process
from tests.rooms import Room
from tests.wire import Wire, until

#: Who is in the class, and what each asked for. Alice and carol are customers.
STUDENTS = {
    "alice": "order_confirmed,order_rejected",
    "carol": "order_confirmed,order_rejected",
    "dan": "order_placed",
    "eve": "order_*",
    "fay": "tea.*",
}

#: What the stage says once it is told of a mode; a radio button shows at once what was meant.
SENTENCES = {
    "Publish–subscribe": "Each receives only the types they asked for.",
    "Queue": "Each order goes to exactly one; answers go to those who asked.",
}


class Class:
    """The room `main` of a server process, seen on the stage and on the log."""

    def __init__(
        self, server: Process, connect: Connect, http: aiohttp.ClientSession, stage: Page, log: Page
    ) -> None:
        self.server, self.stage, self.log = server, stage, log
        self.room = Room(http, server)
        self._connect = connect
        self.students: dict[str, Wire] = {}

    async def come(self, *names: str) -> None:
        """Students come in, or back after the server was gone."""
        for name in names:
            wire = await self._connect(self.server, name=name, types=STUDENTS[name], echo="false")
            await wire.expect("broker.welcome", name=name)
            self.students[name] = wire
            await expect(self.figure(name)).to_have_attribute("data-online", "true")

    async def leave(self, name: str) -> None:
        await self.students.pop(name).ws.close()
        await self.room.lacks(name)

    async def restart(self) -> None:
        """The server is killed, its bots with it, and started again; the students come back."""
        self.server.kill()
        for page in (self.stage, self.log):
            await page.wait_for_selector('body[data-connection="offline"]')
        self.server.start()
        for page in (self.stage, self.log):
            await is_open(page)
        await self.come(*self.students)

    def figure(self, name: str) -> Locator:
        return self.stage.locator(f'[data-participant="{name}"]')

    async def switch(self, mode: str) -> None:
        """The teacher switches the mode, and the stage is told so: then it is in the journal."""
        radio = self.stage.get_by_role("radio", name=mode, exact=True)
        await radio.click()
        await expect(self.stage.get_by_text(SENTENCES[mode])).to_be_visible()
        await expect(radio).to_be_checked()

    async def place(self, name: str, **data: Any) -> str:
        """A student places an order; its event's id, once it is stored."""
        event = {"id": str(uuid4()), "type": "order_placed", "data": data}
        await self.students[name].send(event)
        await self.students[name].expect("broker.accepted", event=event["id"])
        return str(event["id"])

    async def send_bot(self, name: str, thinks: int) -> None:
        """The teacher sends in a bot, which must get this name."""
        await show(self.stage, "tools")
        await self.stage.get_by_label("How long the bot thinks").select_option(f"{thinks}")
        tools = self.stage.get_by_role("group", name="The host’s tools")
        await tools.get_by_role("button", name="Send in a bot").click()
        await expect(self.figure(name)).to_have_attribute("data-online", "true")

    async def answers(self, *orders: str) -> list[dict[str, Any]]:
        """The answers to these events, once each has one."""

        async def all_answered() -> list[dict[str, Any]]:
            found = [e for e in await self.room.log() if e["data"].get("event") in orders]
            return found if {e["data"]["event"] for e in found} == set(orders) else []

        return await until(all_answered, "every order is answered")

    async def heard(self, event: str) -> set[str]:
        """Which students have got this event over their own WebSocket."""
        await asyncio.gather(*(wire.fence() for wire in self.students.values()))
        return {
            name
            for name, wire in self.students.items()
            if any(one["id"] == event for one in wire.heard)
        }

    # ── what the pages tell ─────────────────────────────────────────────────────────────────────

    async def explained(self, page: Page, event: str) -> dict[str, str]:
        """Open the event on a page: who received it, and why."""
        panel = page.locator(f'[data-explains="{event}"]')
        rows = panel.locator("[data-recipient]")
        if not await panel.count():
            opener = ".diagram-body" if page is self.stage else "#log-grid"
            await page.locator(f'{opener} [data-event="{event}"]').first.click()
        await expect(rows.first).to_be_visible()
        received = panel.locator('[data-recipient][data-received="true"]')
        return dict(
            await received.evaluate_all(
                "rows => rows.map((row) => [row.dataset.recipient, row.closest('li').innerText])"
            )
        )

    async def drawn(self, event: str) -> set[str]:
        """To whom the sequence diagram draws an arrow from the broker with this event."""
        found: set[str] = set()
        arrows = f'.diagram-body [data-event="{event}"]'
        for kind in ("given", "handed"):
            told = self.stage.locator(f'{arrows}[data-row="{kind}"]')
            labels = "rows => rows.map(row => row.getAttribute('aria-label'))"
            for words in await told.evaluate_all(labels):
                _, _, names = words.rpartition(": ") if kind == "given" else words.partition(" to ")
                if kind == "handed":
                    names = names.partition(":")[0]
                found |= {name.removesuffix(", who asked") for name in names.split(", ")}
        return found - {"who asked"}

    async def all_tell(self, event: str, *received: str) -> None:
        """Stage, diagram, log and HTTP say that these received it: no more and no fewer."""
        assert set(await self._told(event)) == set(received)
        if await self.stage.locator("#stage-explain:visible").count():
            await self.stage.keyboard.press("Escape")  # while one reads, the diagram stands still
        await show(self.stage, "diagram")

        async def drawn() -> bool:
            return await self.drawn(event) == set(received)

        await until(drawn, f"the diagram draws arrows to {received}")
        for page in (self.stage, self.log):
            await self._tells(page, event)

    async def _told(self, event: str) -> dict[str, str]:
        """What HTTP says of the event: who received it, and why."""
        told = await self.room.get(f"/events/{event}")
        return {one["name"]: one["why"] for one in told["recipients"] if one["received"]}

    async def _tells(self, page: Page, event: str) -> None:
        """Wait until a page says of the event what HTTP says; why changes once it is acked."""

        async def told() -> bool:
            api, explained = await self._told(event), await self.explained(page, event)
            return explained.keys() == api.keys() and all(
                api[name] in why for name, why in explained.items()
            )

        await until(told, "the page tells who received it, and why, as HTTP does")


async def open_class(
    server: Process, connect: Connect, http: aiohttp.ClientSession, open_page: OpenPage
) -> Class:
    """The stage and the log are open, and nobody is here yet."""
    size = {"width": 1920, "height": 1080}
    stage, log = [
        await is_open(await open_page(server, path, may_lose_server=True, viewport=size))
        for path in ("/stage", "/log")
    ]
    return Class(server, connect, http, stage, log)

"""`orders check`: a student's program, examined by the server, stage by stage."""

import asyncio
from typing import Any

import aiohttp
from yarl import URL

from orders.cli.output import as_json, note, paint, printable, say
from orders.cli.progress import progress
from orders.clients.address import understood
from orders.clients.api import fetch, room_url
from orders.clock import monotonic
from orders.errors import CannotStart, Refused

EXIT = {"passed": 0, "failed": 1, "unknown": 2}
WAITS = 60.0  # seconds for the program to come into a room that was begun for it
LOOK = 0.25  # seconds between two looks at the verdicts


async def check_program(
    url: str, room: str | None, session: str | None, stage: int, seed: int | None, *, json: bool
) -> int:
    """Begin an exercise unless there is a room, have it checked, and say what comes of it."""
    server = understood(url).server
    try:
        async with aiohttp.ClientSession() as http:
            if room is None:
                room, session = await _begin(http, server, json=json)
            wish = {"stage": stage} if seed is None else {"stage": stage, "seed": seed}
            headers = {"Orders-Session": session} if session else {}
            url_of_room = server / "api" / "exercises" / room
            asked = await _post(http, url_of_room / "check", wish, headers)
            return await _follow(http, url_of_room, asked["check"], json=json)
    except aiohttp.ClientError:
        raise CannotStart(
            "no_server", f"No server answers at {server}: start one, or give its address."
        ) from None


async def _post(
    http: aiohttp.ClientSession, url: URL, body: Any, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    async with http.post(url, json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
    if response.status >= 400:
        raise Refused(answer["error"]["code"], answer["error"]["message"])
    return answer


async def _begin(http: aiohttp.ClientSession, server: URL, *, json: bool) -> tuple[str, str]:
    """A new room, as soon as the program is in it."""
    begun = await _post(http, server / "api" / "exercises", {})
    if json:
        say(as_json(begun))
    else:
        say(f"Let your program connect to  {paint(begun['url'], 'placed')}")
        note(f"Again later: orders check --room {begun['room']} --session {begun['session']}")
    deadline = monotonic() + WAITS
    url = room_url(server, begun["room"])
    with progress("waiting for your program"):
        while not (await fetch(http, url))["participants"] and monotonic() < deadline:
            await asyncio.sleep(LOOK)
    return begun["room"], begun["session"]


async def _follow(http: aiohttp.ClientSession, url: URL, check: str, *, json: bool) -> int:
    """Say each verdict of a check as it comes; the exit code."""
    said, ahead, code = 0, 0, EXIT["unknown"]
    while True:
        with progress(f"{ahead} before you" if ahead else f"stage {said + 1}"):
            new, running = await _news(http, url, check, said, ahead)
        for one in new:
            said, code = one["stage"], EXIT[one["verdict"]]
            say(as_json(one) if json else _told(one, url.origin()))
        if running is None:
            return code
        if running["ahead"] != ahead and not json:
            note(f"{running['ahead']} before you." if running["ahead"] else "It is your turn.")
        ahead = running["ahead"]


async def _news(
    http: aiohttp.ClientSession, url: URL, check: str, said: int, ahead: int
) -> tuple[list[Any], Any]:
    """What to say next: verdicts of stages after `said`, and the check while it still runs."""
    while True:
        stands = await fetch(http, url)
        new = [one for one in stands["stages"] if one["check"] == check and one["stage"] > said]
        running = stands["running"]
        if running is None or running["check"] != check:
            return new, None
        if new or running["ahead"] != ahead:
            return new, running
        await asyncio.sleep(LOOK)


def _told(one: dict[str, Any], server: URL) -> str:
    from orders.classroom.exercises import STAGES

    colour = {"passed": "confirmed", "failed": "rejected", "unknown": "muted"}[one["verdict"]]
    lines = [f"{one['stage']:>2}  {STAGES[one['stage'] - 1].title:<44} {one['verdict']}"]
    lines[0] = paint(lines[0], colour)
    lines += [f"    {key + ':':<9} {value}" for key, value in one.get("failure", {}).items()]
    if "reason" in one:
        lines.append(f"    {one['reason']}")
    if "link" in one:
        lines.append(f"    See the diagram: {server.join(URL(one['link']))}")
    if one["verdict"] != "passed":
        lines.append(f"    The same orders again: --seed {one['seed']}")
    return "\n".join(printable(line) if "\x1b" not in line else line for line in lines)

"""Have Bobs examined, many at once, and say what came of it as text."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp

from orders.classroom.examiner import Verdict, examine
from orders.classroom.exercises import STAGES
from tests.exercises.bobs import Bob, at_work

#: Of the servers whose students are examined here: a wrong one is answered a second later.
TOKEN = "the-token-of-the-host"
GOLDEN = Path(__file__).parents[1] / "data" / "verdicts.txt"
SEED = 7  # of the golden verdicts
AT_ONCE = 20
TRIES = 5  # a busy machine makes a verdict unknown, which is no verdict
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ADDRESS = re.compile(r"ws://\S+")


async def examined(url: str, bob: type[Bob], seed: int, stages: Iterable[int]) -> list[Verdict]:
    """What the examiner says of a Bob in a room of its own."""
    said: list[Verdict] = []
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{url}/api/exercises", json={}) as answer:
            room = await answer.json()
        async with at_work(bob(room["url"], seed)):
            await examine(url, room["room"], TOKEN, stages, seed, said.append)
    return said


def up_to(bob: type[Bob]) -> list[int]:
    """The stages of a whole check: up to the one at which a Bob is wrong."""
    return list(range(1, (bob.STAGE or len(STAGES)) + 1))


def its_own(bob: type[Bob]) -> list[int]:
    """The stage at which a Bob is wrong, and the one that waits until it is there."""
    return sorted({1, bob.STAGE})


async def of_all(
    url: str,
    bobs: Iterable[type[Bob]],
    seed: int,
    stages: Callable[[type[Bob]], Iterable[int]] = up_to,
) -> dict[str, list[Verdict]]:
    """The same of many, some at once; again where nobody could tell."""
    places = asyncio.Semaphore(AT_ONCE)
    found: dict[str, list[Verdict]] = {}

    async def one(bob: type[Bob]) -> None:
        for _ in range(TRIES):
            async with places:
                found[bob.__name__] = await examined(url, bob, seed, stages(bob))
            if found[bob.__name__][-1]["verdict"] != "unknown":
                return

    async with asyncio.TaskGroup() as tasks:
        for bob in bobs:
            tasks.create_task(one(bob))
    return found


async def of_seeds(url: str, bob: type[Bob], seeds: Iterable[int], at_once: int) -> list[str]:
    """The last verdict on one Bob with each seed; failures are printed."""
    places = asyncio.Semaphore(at_once)

    async def one(seed: int) -> str:
        async with places:
            last = (await examined(url, bob, seed, up_to(bob)))[-1]
        if last["verdict"] == "failed":
            print(f"seed {seed}: {as_text(bob.__name__, last)}")
        return str(last["verdict"])

    return list(await asyncio.gather(*(one(seed) for seed in seeds)))


async def of_class(url: str, students: int) -> tuple[list[str], list[float]]:
    """A class that all has itself checked at once by the server: the last verdict on each, and
    after how many seconds it came."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(number: int) -> tuple[str, float]:
            async with http.post(f"{url}/api/exercises", json={"name": f"s{number}"}) as answer:
                room = await answer.json()
            path = f"{url}/api/exercises/{room['room']}"
            async with at_work(Bob(room["url"], number)):
                began = time.monotonic()
                async with http.post(f"{path}/check", json={"seed": number}) as answer:
                    assert answer.status == 202
                while True:
                    await asyncio.sleep(1)
                    async with http.get(path) as answer:
                        stands = await answer.json()
                    if stands["running"] is None:
                        return stands["stages"][-1]["verdict"], time.monotonic() - began

        came = await asyncio.gather(*(one(number) for number in range(students)))
    return [verdict for verdict, _ in came], sorted(seconds for _, seconds in came)


def as_text(name: str, verdict: Verdict) -> str:
    """A verdict as the golden file has it."""
    lines: dict[str, Any] = verdict.get("failure") or {"reason": verdict.get("reason")}
    told = "\n".join(f"{key + ':':<9} {value}" for key, value in lines.items())
    told = ADDRESS.sub("ws://…", UUID.sub("<id>", told))
    return f"{name}, stage {verdict['stage']}: {verdict['verdict']}\n{told}\n"

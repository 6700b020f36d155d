"""Each language's solution, checked many times on one server: python -m tests.starters --help

Prints how the last stage of each run was judged, by language; a `failed` is told, and none may be.
"""

import argparse
import asyncio
import collections
import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import async_playwright

from tests.exercises.found_out import as_text
from tests.process import Process
from tests.starters.languages import LANGUAGES, Begin, pages_of, runs_of
from tests.wire import until

SAYS_EVERY = 30.0  # seconds


async def checked(http: aiohttp.ClientSession, url: str, begin: Begin, seed: int) -> dict[str, Any]:
    """The last verdict of a whole check, by an examiner of the server's own."""
    async with http.post(f"{url}/api/exercises", json={}) as answer:
        assert answer.status == 201, await answer.text()
        room = await answer.json()
    path, stands = f"{url}/api/exercises/{room['room']}", {}

    async def is_there() -> bool:
        async with http.get(f"{url}/api/rooms/{room['room']}") as answer:
            return bool((await answer.json())["participants"])

    async def is_done() -> bool:
        async with http.get(path) as answer:
            stands.update(await answer.json())
        return stands["running"] is None

    async with begin(room["url"]):
        await until(is_there, "the program is in its room")
        async with http.post(f"{path}/check", json={"seed": seed}) as answer:
            assert answer.status == 202, await answer.text()
        for _ in range(5):  # an examiner may have to wait for its turn
            with contextlib.suppress(AssertionError):
                await until(is_done, "the check is done")
                break
    async with http.delete(f"{url}/api/rooms/{room['room']}"):
        return dict(stands["stages"][-1])


async def many(
    url: str, programs: dict[str, Begin], runs: int, at_once: int
) -> dict[str, collections.Counter[str]]:
    """The verdicts of so many runs of each program, by its name; they take turns."""
    counts = {name: collections.Counter[str]() for name in programs}
    waiting = iter([(seed, name) for seed in range(runs) for name in programs])
    said = time.monotonic()
    async with aiohttp.ClientSession() as http:

        async def worker() -> None:
            nonlocal said
            for seed, name in waiting:
                verdict = await checked(http, url, programs[name], seed)
                counts[name][verdict["verdict"]] += 1
                if verdict["verdict"] != "passed":
                    print(as_text(f"{name}, seed {seed}", verdict), flush=True)
                if time.monotonic() > said + SAYS_EVERY:
                    said = time.monotonic()
                    print(
                        f"{sum(map(collections.Counter.total, counts.values()))} runs", flush=True
                    )

        await asyncio.gather(*(worker() for _ in range(at_once)))
    return counts


async def main(url: str, options: argparse.Namespace) -> int:
    """As the command line says: 0, or 1 where a verdict was `failed`."""
    async with async_playwright() as playwright:
        programs = {one.name: runs_of(one) for one in LANGUAGES if not one.missing}
        if options.chromium:
            browser = await playwright.chromium.launch(
                executable_path=options.chromium, args=["--no-sandbox", "--disable-quic"]
            )
            programs["browser"] = pages_of(browser)
        wanted = options.only.split(",") if options.only else list(programs)
        chosen = {name: programs[name] for name in wanted}
        for one in LANGUAGES:
            if one.missing:
                print(f"{one.name} is left out: {', '.join(one.missing)} not installed")
        counts = await many(url, chosen, options.runs, options.at_once)
    for name, count in counts.items():
        print(f"{name:<14} " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(count.items())))
    return int(any(count["failed"] for count in counts.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="of each (200)")
    parser.add_argument("--at-once", type=int, default=8, help="(8)")
    parser.add_argument("--only", default="", help="such as node,bash")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="'' leaves it out")
    with tempfile.TemporaryDirectory() as directory, Process(Path(directory)) as server:
        sys.exit(asyncio.run(main(server.url, parser.parse_args())))

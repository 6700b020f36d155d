"""A failure stays where it happens: python -m tests.io_faults [CALL …]

One run of a server is repeated, and each time another of its calls on the journal's files fails
(strace makes it): the first, the second, and so on to the last, in each thread that makes such
calls. The server must answer with a refusal, or end with one sentence that names the file; nothing
that it accepted may be missing after a restart, and `/readyz` must be true to what it takes.
"""

import argparse
import asyncio
import itertools
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.process import Process
from tests.wire import DEADLINE, until

CALLS = (
    *("openat", "access", "newfstatat", "fcntl", "pread64", "pwrite64", "ftruncate"),
    *("fdatasync", "fsync", "unlink", "mmap", "close", "fchown"),
)
FILES = ("", "-wal", "-shm", "-journal", ".lock", ".lock-journal")
PLACED, ANSWERED, TICKS = "order_placed", "order_confirmed", 4
READ = ("/events?before=end", "/events?format=csv", "/orders", "/dead-letters", "/records")
#: Python looks for modules in its own folder first, which is the journal's, unless it is told not.
PROGRAM = (sys.executable, "-P", "-m", "orders")


@dataclass
class Run:
    """What one run did: `hit` the calls that failed, `accepted` the ids it promised to keep."""

    call: str
    number: int
    hit: int = 0
    accepted: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    ended: str = ""


def options(strace: str, call: str, number: int, error: str, directory: Path) -> list[str]:
    """The call of strace that makes the so many-th `call` on the journal fail, in each thread."""
    journal = directory / "orders.db"
    paths = [str(directory), *(f"{journal}{ending}" for ending in FILES)]
    return [
        *(strace, "-f", "-qq", "-o", str(directory / "trace")),
        *itertools.chain.from_iterable(("-P", path) for path in paths),
        *("-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}"),
    ]


def start_run(strace: str, call: str, number: int, error: str, directory: Path) -> Run:
    """A server whose start meets a failure: it comes up, or says why not."""
    run = Run(call, number)
    command = options(strace, call, number, error, directory)
    server = Process(directory, wrapper=tuple(command), program=PROGRAM)
    try:
        server.start()
    except AssertionError:
        run.ended = last_words(server)
    else:
        asyncio.run(work(server, run))
        run.ended = stop(server)
    finally:
        server.kill()
    run.hit = (directory / "trace").read_text(errors="replace").count("(INJECTED)")
    check(Process(directory), run)
    return run


def running_run(strace: str, call: str, number: int, error: str, directory: Path) -> Run:
    """A server that meets a failure while it runs, or while it ends."""
    run = Run(call, number)
    with Process(directory) as server:
        with failing(server, options(strace, call, number, error, directory)):
            asyncio.run(work(server, run))
            run.ended = stop(server)
        run.hit = (directory / "trace").read_text(errors="replace").count("(INJECTED)")
        assert "Traceback" not in server.log, server.log
    check(Process(directory), run)
    return run


def seed(directory: Path) -> None:
    """A journal with something in it, left by a kill, so that a start has to read."""
    with Process(directory) as server:
        asyncio.run(work(server, Run("", 0)))
        server.kill()


@contextmanager
def failing(server: Process, command: list[str]) -> Iterator[None]:
    """strace is attached to a running server until this context ends."""
    said = server.directory / "strace"
    with said.open("wb") as output:
        command = [option for option in command if option != "-qq"]
        attached = subprocess.Popen([*command, "-p", str(server.pid)], stderr=output)
    try:
        deadline = time.monotonic() + DEADLINE
        while "attached" not in said.read_text():
            assert attached.poll() is None, said.read_text()
            assert time.monotonic() < deadline, "strace was never attached"
            time.sleep(0.01)
        yield
    finally:
        if attached.poll() is None:
            attached.send_signal(signal.SIGINT)
        attached.wait(DEADLINE)


# ── what is done ────────────────────────────────────────────────────────────────────────────────


async def work(server: Process, run: Run) -> None:
    """A little of everything that reads or writes; the server may end meanwhile."""
    with suppress(aiohttp.ClientError, ConnectionError):
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(DEADLINE)) as http:
            await _work(http, server, run)


async def _work(http: aiohttp.ClientSession, server: Process, run: Run) -> None:
    room = f"{server.url}/api/rooms/main"

    async def ask(method: str, path: str, json: object = None) -> Any:
        async with http.request(method, room + path, json=json) as answer:
            said = await answer.read()
            if answer.status >= 400:
                code = (await answer.json())["error"]["code"]
                assert code != "internal_error", said
                run.refused[code] += 1
                return {}
            return await answer.json() if path.find("format") < 0 else {}

    async def publish(type: str, **data: Any) -> None:
        event = await ask("POST", "/events?name=alice", {"type": type, "data": data})
        if event:
            run.accepted.append(event["event"])

    for number in range(TICKS):
        await publish("tick", n=number)
    await ask("PUT", "/modes", {PLACED: "queue"})
    await publish(PLACED, id=1)
    await ask("POST", "/pause")
    await publish(PLACED, id=2)
    await ask("POST", "/resume")
    async with http.ws_connect(
        f"{server.url}/ws?name=bob&ack=manual&types={PLACED}&after=start&prefetch=9"
    ) as bob:
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                async for message in bob:
                    event = message.json()
                    if event["type"] == PLACED:
                        await bob.send_json({"type": "broker.ack", "data": {"event": event["id"]}})
                        if event["data"]["id"] == 2:
                            break
    for path in READ:
        await ask("GET", path)
    for event in run.accepted[:1]:
        await ask("GET", f"/events/{event}")
    await publish("tick", n=TICKS)
    await truly_ready(http, server, run)


async def truly_ready(http: aiohttp.ClientSession, server: Process, run: Run) -> None:
    """Where `/readyz` says yes, an event is taken; it says so in the end, for one call failed."""

    async def is_ready() -> bool:
        async with http.get(f"{server.url}/readyz") as answer:
            assert answer.status in (200, 503), answer.status
            said = await answer.json()
            return answer.status == 200 or said["error"]["code"] == "journal_lost"

    async def is_true() -> bool:
        event, url = {"type": "tick", "data": {"n": "last"}}, f"{server.url}/api/rooms/main/events"
        async with http.post(f"{url}?name=alice", json=event) as answer:
            said = await answer.json()
            if answer.status < 400:
                run.accepted.append(said["event"])
            async with http.get(f"{server.url}/readyz") as ready:
                return (answer.status < 400) == (ready.status == 200)

    await until(is_ready, "it is ready, or says that its journal is lost")
    await until(is_true, "what it says of being ready is what it does")


# ── what must be true ───────────────────────────────────────────────────────────────────────────


def stop(server: Process) -> str:
    """End it, if it has not ended by itself; what it said where that was not as it should."""
    code = server.stop()
    return "" if code == 0 else last_words(server)


def last_words(server: Process) -> str:
    """The one sentence with which it ended, which names the journal."""
    said = server.log.strip().splitlines()
    assert "Traceback" not in server.log, server.log
    assert said and "orders.db" in said[-1], server.log
    return said[-1]


def check(server: Process, run: Run) -> None:
    """After a restart all that was accepted is in the log, in its order, each once."""
    with server:
        ids = asyncio.run(_log(server))
        assert "Traceback" not in server.log, server.log
    there = [id for id in ids if id in set(run.accepted)]
    assert there == run.accepted, f"{set(run.accepted) - set(ids)} are missing"
    assert len(ids) == len(set(ids))


async def _log(server: Process) -> list[str]:
    async with aiohttp.ClientSession() as http:
        url = f"{server.url}/api/rooms/main/events?limit=1000"
        async with http.get(url) as answer:
            return [event["id"] for event in (await answer.json())["events"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calls", nargs="*", help=f"some of {', '.join(CALLS)}")
    parser.add_argument("--error", default="EIO", help="what fails (EIO)")
    parser.add_argument("--step", type=int, default=1, help="every so many-th call (1)")
    chosen = parser.parse_args()
    strace = shutil.which("strace")
    if strace is None:
        sys.exit("strace is needed: apt-get install strace")
    home = Path(tempfile.mkdtemp(prefix="orders-io-"))
    (home / "seed").mkdir()
    seed(home / "seed")
    wrong = 0
    for call in chosen.calls or CALLS:
        for phase in (start_run, running_run):
            runs: list[Run] = []
            for number in itertools.count(1, chosen.step):
                directory = home / f"{call}-{phase.__name__}-{number}"
                shutil.copytree(home / "seed", directory)
                try:
                    run = phase(strace, call, number, chosen.error, directory)
                except AssertionError as error:
                    wrong += 1
                    print(f"{call} {number}, {phase.__name__}: {error}", flush=True)
                    continue
                shutil.rmtree(directory)
                if not run.hit:
                    break
                runs.append(run)
            ended = sum(bool(run.ended) for run in runs)
            refused = sum((run.refused for run in runs), Counter[str]())
            print(
                f"{call:<10} {phase.__name__:<12} {len(runs)} runs, {ended} ended with a sentence,"
                f" refusals: {dict(refused)}",
                flush=True,
            )
    print("Nothing was lost, and each failure had its answer." if not wrong else f"{wrong} WRONG")
    if not wrong:
        shutil.rmtree(home)
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())

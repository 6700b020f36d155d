"""A class: latency for all of it, answers to a question, a reader that stops, memory under attack.

python -m benchmarks.classroom              all four
python -m benchmarks.classroom latency      500 connections, each getting 10 events a second
python -m benchmarks.classroom answers      300 phones hear of a question, and answer within 5 s
python -m benchmarks.classroom stopped      callbacks of a reader that stops; how soon it is gone
python -m benchmarks.classroom attack       memory while stopped readers, floods and giants go on
"""

import argparse
import asyncio
import json
import os
import random
import re
import resource
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from benchmarks import servers, wire
from benchmarks.wire import PING, PONG

PERCENT = 99
WITHIN = 5.0  # seconds in which a class answers
MIB = 1 << 20


class Arrivals:
    """How long each event took, in seconds: it carries the time at which it was sent."""

    SENT = re.compile(rb'"at":(\d+)')

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._tail: dict[int, bytes] = {}

    def hear(self, number: int, sock: socket.socket) -> Callable[[memoryview], None]:
        """What to do with what one socket got: note how late it is, and answer pings."""

        def heard(piece: memoryview) -> None:
            text = self._tail.get(number, b"") + bytes(piece)
            now, end = time.monotonic_ns(), 0
            if PING in text:  # which no JSON text can hold
                sock.send(PONG)
            for found in self.SENT.finditer(text):
                if found.end() < len(text):  # else its digits may go on in the next piece
                    self.seconds.append((now - int(found[1])) / 1e9)
                    end = found.end()
            self._tail[number] = text[max(end, len(text) - 64) :]

        return heard

    def percentile(self, percent: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Class:
    """So many who listen, and one who sends at a steady pace."""

    def __init__(self, port: int, count: int) -> None:
        self.load = wire.Load()
        self.arrivals = Arrivals()
        for number in range(count):
            sock, _ = wire.connect(port, f"/ws?name=student-{number}&quiet=true")
            self.load.add(sock, self.arrivals.hear(number, sock))
        self._sender, _ = wire.connect(port, "/ws?name=teacher&quiet=true&echo=false&types=no")
        self.load.add(self._sender, Arrivals().hear(0, self._sender))

    def run(self, seconds: float, rate: float, size: int) -> Arrivals:
        """Send for so long; return what arrived of it, once all has."""
        self.arrivals.seconds.clear()
        began = time.monotonic()
        for number in range(int(seconds * rate)):
            self.load.turn(0)
            while (left := began + number / rate - time.monotonic()) > 0:
                self.load.turn(left)
            event = {"type": "tick", "data": {"text": "x" * size, "at": time.monotonic_ns()}}
            self._sender.setblocking(True)
            self._sender.sendall(wire.frame(json.dumps(event).encode()))
            self._sender.setblocking(False)
        while self.load.turn(0.5):
            pass
        return self.arrivals


def latency(core: int, options: argparse.Namespace) -> None:
    with servers.orders(core) as server:
        everyone = Class(server.port, options.connections)
        everyone.run(2, 10, 100)
        arrivals = everyone.run(options.seconds, 10, 100)
        expected = options.connections * int(options.seconds * 10)
        p50, p99, longest = (arrivals.percentile(percent) * 1000 for percent in (50, 99, 100))
        print(
            f"latency: {len(arrivals.seconds)} of {expected} deliveries to {options.connections}"
            f" connections, each 10 a second for {options.seconds:g} s: p50 {p50:.1f} ms,"
            f" p99 {p99:.1f} ms, the longest {longest:.1f} ms;"
            f" the server took {server.memory / MIB:.0f} MiB"
        )
        everyone.load.close()


def answers(core: int, options: argparse.Namespace) -> None:
    """Each phone hears the notice, fetches the question, and answers when its owner has thought."""
    with servers.orders(core) as server:
        asyncio.run(_ask(server, options.phones))


async def _ask(server: servers.Server, phones: int) -> None:
    room = f"http://127.0.0.1:{server.port}/api/rooms/main"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        fetched: list[float] = []
        answered: list[float] = []
        there = asyncio.Semaphore(0)

        async def phone(number: int) -> None:
            session = f"the-session-of-{number}"
            path = f"/ws?name=student-{number}&session={session}&types=order_confirmed"
            headers = {"Orders-Session": session}
            async with http.ws_connect(f"http://127.0.0.1:{server.port}{path}") as ws:
                there.release()
                async for message in ws:
                    if message.json()["data"].get("code") == "question":
                        break
                began = time.monotonic()
                async with http.get(f"{room}/questions", headers=headers) as answer:
                    (question,) = (await answer.json())["questions"]
                fetched.append(time.monotonic() - began)
                await asyncio.sleep(random.uniform(0, WITHIN))
                began, choice = time.monotonic(), random.choice(question["choices"])["choice"]
                url = f"{room}/questions/{question['id']}/answers"
                async with http.post(url, json={"choice": choice}, headers=headers) as answer:
                    if answer.status != 204:
                        raise SystemExit(await answer.text())
                answered.append(time.monotonic() - began)

        async with asyncio.TaskGroup() as tasks:
            for number in range(phones):
                tasks.create_task(phone(number))
            for _ in range(phones):
                await there.acquire()
            async with http.post(f"{room}/questions", json={"kind": "receivers"}) as asked:
                id = (await asked.json())["id"]
        async with http.post(f"{room}/questions/{id}/close") as closed:
            counted = sum((await closed.json())["votes"][0].values())
    parts = []
    for what, times in (("the question was there", fetched), ("an answer was stored", answered)):
        p50, p99 = (sorted(times)[int(len(times) * part)] * 1000 for part in (0.5, 0.99))
        parts.append(f"{what} after p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"answers: {counted} of {phones} phones answered within {WITHIN:g} s; {', '.join(parts)}")


def stopped(core: int, options: argparse.Namespace) -> None:
    """The same load with and without a reader that has stopped; medians of several runs."""
    with servers.orders(core, rate=0) as server:
        everyone = Class(server.port, 20)
        pace = 8.0, 50.0, 30_000  # seconds, events a second, bytes
        everyone.run(*pace)
        without, beside, gone = [], [], []
        for _ in range(options.runs):
            without.append(everyone.run(*pace).percentile(PERCENT))
            before = _sockets(server)
            stalled = _stop_reading(server.port)
            since = time.monotonic()
            beside.append(everyone.run(*pace).percentile(PERCENT))
            while _sockets(server) > before:
                everyone.run(0.1, *pace[1:])
                if time.monotonic() - since > 60:
                    raise SystemExit("a reader that stopped is there after a minute")
            gone.append(time.monotonic() - since)
            stalled.close()
        beside_, without_ = statistics.median(beside) * 1000, statistics.median(without) * 1000
        print(
            f"stopped: its socket was freed at most {max(gone):.1f} s after it stopped; p99 of its"
            f" callbacks {beside_:.1f} ms beside it, {without_:.1f} ms without it (medians of"
            f" {options.runs} runs)"
        )
        everyone.load.close()


def attack(core: int, options: argparse.Namespace) -> None:
    """Stopped readers, floods of nonsense and of the largest messages, and who never finishes."""
    with servers.orders(core) as server:
        everyone = Class(server.port, 200)
        before = peak = server.memory
        stalled = [_stop_reading(server.port) for _ in range(100)]
        half = [wire.connect(server.port, f"/ws?name=half-{n}")[0] for n in range(100)]
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        for sock in half:
            sock.send(wire.frame(b"x" * 65_000)[:60_000])
        giant = wire.frame(json.dumps({"type": "big", "data": {"x": "x" * 65_000}}).encode())
        shouts = [
            (_Shouter(server.port, n, giant), _Shouter(server.port, n, b"")) for n in range(20)
        ]
        until = time.monotonic() + options.attack_seconds
        while time.monotonic() < until:
            for pair in shouts:
                for shouter in pair:
                    shouter.shout()
            everyone.load.turn(0.01)
            peak = max(peak, server.memory)
        print(
            f"attack: {peak / MIB:.0f} MiB at most, {before / MIB:.0f} MiB before it: 100 readers"
            " that stopped, 100 messages that never end, 200 silent connections, 20 who send the"
            f" largest messages and 20 nonsense as fast as they can, {options.attack_seconds:g} s"
        )
        for sock in (*stalled, *half, *idle):
            sock.close()
        everyone.load.close()


class _Shouter:
    """Sends the same as fast as it can, reads nothing, and comes back when it is cut off."""

    def __init__(self, port: int, number: int, text: bytes) -> None:
        self._port, self._number = port, number
        self._text = text or wire.frame(b"nonsense") * 200
        self._sock: socket.socket | None = None
        self._rest = b""

    def shout(self) -> None:
        try:
            if self._sock is None:
                self._sock, _ = wire.connect(self._port, f"/ws?name=shouter-{self._number}")
                self._rest = b""
            self._rest = self._rest or self._text
            self._rest = self._rest[self._sock.send(self._rest) :]
        except BlockingIOError:
            pass
        except OSError:
            if self._sock is not None:
                self._sock.close()
            self._sock = None


def _stop_reading(port: int) -> socket.socket:
    sock, _ = wire.connect(port, "/ws?name=stopped")
    return sock


def _sockets(server: servers.Server) -> int:
    links = Path(f"/proc/{server.pid}/fd").iterdir()
    return sum("socket:" in os.readlink(link) for link in links)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", help="latency, answers, stopped, attack (all)")
    parser.add_argument("--connections", type=int, default=500, help="(500)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of latency (60)")
    parser.add_argument("--phones", type=int, default=300, help="of answers (300)")
    parser.add_argument("--runs", type=int, default=5, help="of stopped (5)")
    parser.add_argument("--attack-seconds", type=float, default=30.0, help="(30)")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    core = min(os.sched_getaffinity(0))
    for measure in (latency, answers, stopped, attack):
        if not options.which or measure.__name__ in options.which:
            measure(core, options)


if __name__ == "__main__":
    main()

"""Those who keep within every limit, or a little beyond, and mean no good: a process of its own.

    python -m benchmarks.attackers nonsense 20 8080

They go on until this process is ended, and come back when they are closed.
"""

import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import idle, wire

PING = b"\x89\x80\0\0\0\0"
SIZE = 63_000  # bytes of a large message
BYTES = 256_000  # a second, that one may send
HELD = re.compile(rb'"id":"([0-9a-f-]{36})","type":"job"')
COMES_BACK = 0.2  # seconds after it was closed


@dataclass(frozen=True)
class Attack:
    """`frames` are sent in turn, `rate` a second by each; `query` is how each connects."""

    says: str
    frames: Callable[[], Iterator[bytes]]
    rate: float
    query: str = "echo=false"
    nacks: bool = False
    first: bytes = b""


def event(data: str, type: str = "tick") -> bytes:
    return wire.frame(f'{{"type":"{type}","data":{data}}}'.encode())


def again(*frames: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.cycle(frames)


def _patterns() -> Iterator[bytes]:
    """Subscriptions that never come twice, so that no audience is shared."""
    for number in itertools.count():
        types = [f"p{number}_{n}_*" for n in range(60)]
        for kind, named in (("subscribe", types), ("unsubscribe", types)):
            yield event(json.dumps({"types": named}), f"broker.{kind}")


def _new_types() -> Iterator[bytes]:
    return (event("{}", f"t{os.urandom(4).hex()}") for _ in itertools.count())


BRACKETS = event('{"a":[' + "[]," * (SIZE // 3) + "[]]}")
NONSENSE = [wire.frame(text) for text in (b"x" * SIZE, b'{"a":' * (SIZE // 5), b'"' + b"\\" * SIZE)]
LARGE = event(json.dumps({"text": "x" * SIZE}))
COMMAS = event(json.dumps({"text": '",' * (SIZE // 3)}))
VALUES = event('{"a":[' + ",".join(["1e5"] * 900) + "]}")

ATTACKS = {
    "brackets": Attack("63 KB of [[],[],…], 50 a second", again(BRACKETS), 50),
    "nonsense": Attack("63 KB of nonsense, 50 a second", again(*NONSENSE), 50),
    "pings": Attack("pings without end", again(PING * 100), 200),
    "largest": Attack("events of 63 KB at the byte limit", again(LARGE), BYTES / SIZE),
    "patterns": Attack("subscriptions of 60 patterns at the byte limit", _patterns, 200),
    "nacks": Attack(
        "nacks, with prefetch=100", again(), 0, "ack=manual&prefetch=100&types=job", nacks=True
    ),
    # relatives of these
    "lawful": Attack(
        "brackets, nonsense, commas at the byte limit",
        again(BRACKETS, *NONSENSE, COMMAS),
        BYTES / SIZE,
    ),
    "small": Attack("small events, 49 a second", again(event('{"id":5}')), 49),
    "values": Attack("events of 990 numbers, 45 a second", again(VALUES), 45),
    "types": Attack("events of types that never come twice, 45 a second", _new_types, 45),
    "acks": Attack(
        "acks of what nobody holds, 450 a second",
        again(event(json.dumps({"event": "0" * 8 + "-0000-4000-8000-" + "0" * 12}), "broker.ack")),
        450,
    ),
    "fragments": Attack(
        "a message in empty pieces, without end",
        again(b"\x00\x80\0\0\0\0" * 1000),
        100,
        first=b"\x01\x80\0\0\0\0",
    ),
    "flood": Attack("63 KB of nonsense as fast as it is read", again(*NONSENSE), 2000),
}


class Attacker:
    """One who attacks, comes back when it is closed, and attacks again."""

    def __init__(self, attack: Attack, port: int, number: int, room: str) -> None:
        self._attack, self._port = attack, port
        self._path = f"/ws?room={room}&name=a{number}&{attack.query}"

    async def run(self) -> None:
        while True:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._once()
            await asyncio.sleep(COMES_BACK)

    async def _once(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(idle.handshake(self._port, self._path))
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self._attack.first)
            reading = asyncio.create_task(self._read(reader, writer))
            sending = asyncio.create_task(self._send(writer))
            await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            sending.cancel()
        finally:
            writer.transport.abort()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        rate, loop = self._attack.rate, asyncio.get_running_loop()
        if not rate:
            await asyncio.Event().wait()
        begun = loop.time() + random.random() / rate
        for number, frame in enumerate(self._attack.frames()):
            await asyncio.sleep(max(0.0, begun + number / rate - loop.time()))
            writer.write(frame)
            await writer.drain()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1 << 18):
            if self._attack.nacks:
                for held in HELD.findall(piece):
                    writer.write(event(json.dumps({"event": held.decode()}), "broker.nack"))


async def main() -> None:
    os.nice(10)  # on the same core is the neighbour: what is measured is the server's delay
    name, count, port, room = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    attackers = [Attacker(ATTACKS[name], port, number, room) for number in range(count)]
    await asyncio.gather(*(attacker.run() for attacker in attackers))


if __name__ == "__main__":
    asyncio.run(main())

"""What the wire's page says of a connection is what tshark says of the same bytes.

Needs tshark (Debian: apt-get install tshark) and leave to capture; without either it is skipped.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from orders.classroom.wire_frames import KEPT
from tests.conftest import Start
from tests.integration.test_wire import Viewer
from tests.raw import CLOSE, Raw, frame, upgrade
from tests.wire import DEADLINE


@contextlib.asynccontextmanager
async def captured(dumpcap: str, port: int, file: Path) -> AsyncIterator[None]:
    """Everything that passes the loopback from or to a port goes into this file."""
    flags = ("-i", "lo", "-f", f"tcp port {port}", "-w", str(file), "-B", "64")
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(dumpcap, *flags, stderr=pipe, stdout=null)
    assert process.stderr is not None
    said = b""
    async with asyncio.timeout(DEADLINE):
        while b"File: " not in said:
            said += (piece := await process.stderr.read(4096))
            if not piece:
                pytest.skip(f"capturing is not permitted here: {said.decode().strip()[-200:]}")
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def dissected(file: Path, port: int, client: int) -> list[dict[str, Any]]:
    """The frames between a server's port and a client's, as tshark tells them."""
    flags = ("-d", f"tcp.port=={port},http", "-Y", f"websocket and tcp.port=={client}")
    shape = ("-T", "json", "-x", "--no-duplicate-keys", "-J", "websocket tcp")
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "tshark", "-r", str(file), *shape, *flags, stdout=pipe, stderr=null
    )
    out, _ = await process.communicate()
    frames = []
    for packet in json.loads(out or b"[]"):
        layers = packet["_source"]["layers"]
        sender = "client" if layers["tcp"]["tcp.srcport"] == str(client) else "server"
        found = layers["websocket"]
        frames += [(sender, one) for one in (found if isinstance(found, list) else [found])]
    return by_direction(told(sender, one) for sender, one in frames)


def by_direction(frames: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """A packet passes the network before it is read: only within one direction is order certain."""
    return sorted(frames, key=lambda one: str(one["from"]))


def told(sender: str, found: dict[str, Any]) -> dict[str, Any]:
    """A frame of tshark's as ours are."""

    def raw(name: str) -> str:
        value: str = found.get(f"websocket.{name}_raw", [""])[0]
        return value[: 2 * KEPT]

    short = int(found["websocket.payload_length"])
    form = {126: 16, 127: 64}.get(short, 7)
    length = short if form == 7 else int(found[f"websocket.payload_length_ext_{form}"])
    masked = found["websocket.mask"] == "1"
    frame = {
        "from": sender,
        "fin": found["websocket.fin"] == "1",
        "rsv": int(found["websocket.rsv"], 16),
        "opcode": int(found["websocket.opcode"]),
        "masked": masked,
        "key": raw("masking_key") if masked else None,
        "form": form,
        "length": length,
        "raw": raw("masked_payload" if masked else "payload"),
    }
    if masked:
        frame["plain"] = raw("payload")
    if int(found["websocket.opcode"]) == CLOSE and length:
        closing = found["websocket.payload"]["websocket.payload.close"]
        frame["code"] = int(closing["websocket.payload.close.status_code"])
    return frame


def ours(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Our frames, with what tshark has to say of them."""
    names = ("from", "fin", "rsv", "opcode", "masked", "key", "form", "length", "raw", "plain")
    shown = [{name: one[name] for name in names if name in one} for one in frames]
    for one, whole in zip(shown, frames, strict=True):
        if "close" in whole:
            one["code"] = whole["close"]["code"]
    return by_direction(shown)


async def test_every_frame_equals_what_tshark_dissects(
    dumpcap: str, start: Start, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server, file = start("--rate", "0"), tmp_path / "wire.pcapng"
    async with captured(dumpcap, server.port, file):
        viewer = await Viewer.look(http, server, "eve")
        await viewer.until(state="waiting")
        async with connect(f"ws://localhost:{server.port}/ws?name=eve") as eve:
            client = eve.local_address[1]
            await eve.recv()

            async def in_parts() -> AsyncIterator[str]:
                yield '{"type": "order_placed", '
                await eve.ping(b"between the parts")
                yield '"data": {"id": 5, "item": "café"'
                yield "}}"

            await eve.send(in_parts())
            for message in ("x" * 125, "x" * 126, b"\x00\xff", "y" * 65536, ""):
                await eve.send(message)
            await (await eve.ping(b"done?"))
            await eve.close(4321, "bye")
        await viewer.until(state="closed")

        waits = await Viewer.look(http, server, "raw")
        await waits.until(state="waiting")
        async with Raw.open(server.port) as raw:
            await raw.send(upgrade("/ws?name=raw"))
            await raw.status()
            await raw.frame()  # it is in
            await raw.send(frame(1, b"one") + frame(9, b"two") + frame(1, b"x" * 40, size_bytes=8))
            await raw.send(frame(3, b"what?"))  # the server closes with 1002
            await waits.frame(**{"kind": "close", "from": "server"})
        await waits.until(state="closed")
        for port, looked in ((client, viewer), (raw.port, waits)):
            async with asyncio.timeout(DEADLINE):  # dumpcap writes when it likes
                while (found := await dissected(file, server.port, port)) != ours(looked.frames):
                    if len(found) >= len(looked.frames):
                        break
                    await asyncio.sleep(0.2)
            assert ours(looked.frames) == found
            assert looked.skipped == 0
    forms = {(one["from"], one["form"]) for one in viewer.frames}
    assert {("client", 7), ("client", 16), ("client", 64), ("server", 16)} <= forms
    assert {one["kind"] for one in viewer.frames} == {
        *("text", "binary", "continuation", "ping", "pong", "close")
    }

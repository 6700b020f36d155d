"""The client class that any program may import: against a real server, and against unkind ones."""

import asyncio
import contextlib
import inspect
import json
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web

from orders.clients import connection
from orders.clients.bot import Bot
from orders.clients.participant import INBOX, Participant
from orders.clients.sync import Participant as SyncParticipant
from orders.errors import CannotStart, Close, Refused
from tests.conftest import Connect, Serve, Start
from tests.process import environment
from tests.rooms import Room
from tests.wire import DEADLINE, until

Script = Callable[[web.WebSocketResponse, web.Request], Awaitable[None]]


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long the pauses are is tested without waiting for them."""
    monkeypatch.setattr(connection, "pause_before", lambda attempt, close_code=None: 0.01)


class Unkind:
    """A server that plays one script for each connection, and remembers their queries."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.queries: list[dict[str, str]] = []
        self.url = ""

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.queries.append(dict(request.query))
        script = self.scripts.pop(0) if self.scripts else stay
        await script(ws, request)
        return ws

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Unkind"]:
        app = web.Application()
        app.router.add_get("/ws", self._ws)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield self
        await runner.cleanup()


async def say(ws: web.WebSocketResponse, type: str, **data: Any) -> None:
    source = "broker" if type.startswith("broker.") else "zoe"
    event = {"id": str(uuid4()), "type": type, "created": "1", "source": source, "data": data}
    await ws.send_str(json.dumps(event))


async def welcome(ws: web.WebSocketResponse, last: str | None = None) -> None:
    await say(ws, "broker.welcome", name="alice", modes={"*": "relay"}, last=last)


async def hear(ws: web.WebSocketResponse) -> dict[str, Any]:
    event: dict[str, Any] = await ws.receive_json()
    return event


async def stay(ws: web.WebSocketResponse, request: web.Request) -> None:
    """A kind connection: it accepts what it hears."""
    await welcome(ws)
    async for message in ws:
        await say(ws, "broker.accepted", event=json.loads(message.data)["id"])


def closing(code: int, *, welcomes: bool = True) -> Script:
    async def script(ws: web.WebSocketResponse, request: web.Request) -> None:
        if welcomes:
            await welcome(ws)
        await ws.close(code=code)

    return script


# ── against a real server ───────────────────────────────────────────────────────────────────────


async def test_the_example_in_its_docstring_works(
    server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    example = textwrap.dedent("\n".join(inspect.getdoc(Participant).split("\n")[2:8]))  # type: ignore[union-attr]
    assert example.startswith("async with Participant(")
    source = f"async def example():\n{textwrap.indent(example, '    ')}"
    names: dict[str, Any] = {"Participant": Participant}
    exec(source.replace("http://localhost:8080", server.url), names)
    bob = asyncio.create_task(Bot(server.url).run())
    await asyncio.wait_for(names["example"](), DEADLINE)
    bob.cancel()
    await asyncio.gather(bob, return_exceptions=True)
    assert capsys.readouterr().out == "bob order_confirmed\n"


async def test_what_the_broker_refuses_is_raised_as_it_explains_it(
    server: Any, connect: Connect
) -> None:
    zoe = await connect(server, name="zoe")
    taken = str(uuid4())
    await zoe.send({"id": taken, "type": "note_left", "data": {}})
    await zoe.expect("broker.accepted")
    async with Participant(server.url, name="alice") as alice:
        with pytest.raises(Refused) as refused:
            await alice.publish("note_left", {}, id=taken)
        assert refused.value.code == "id_conflict"
        with pytest.raises(Refused) as refused:
            await alice.publish("Not A Type", {})
        assert refused.value.code == "wrong_type"
        with pytest.raises(Refused) as refused:
            await alice.publish("note_left", {"n": float("nan")})
        assert refused.value.code == "wrong_number"
        assert await alice.publish("note_left", {})


async def test_a_wrong_parameter_is_raised_on_entering(server: Any) -> None:
    with pytest.raises(Refused, match="room"):
        async with Participant(server.url, room="No Such Room!"):
            pass
    with pytest.raises(Refused, match="start"):
        async with Participant(server.url, after="yesterday"):
            pass


async def test_an_event_too_large_is_refused_and_the_next_one_taken(server: Any) -> None:
    async with Participant(server.url, name="alice") as alice:
        with pytest.raises(Refused) as refused:
            await asyncio.wait_for(alice.publish("big", {"x": "x" * 100_000}), DEADLINE)
        assert refused.value.code == "too_large"
        assert await alice.publish("small", {})
        assert alice.name == "alice"


async def test_it_goes_on_where_it_was_without_a_gap_or_a_repeat(start: Start) -> None:
    server = start("--rate", "0")
    async with (
        Participant(server.url, name="alice", listen=False) as alice,
        Participant(server.url, name="bob") as bob,
    ):
        sent: list[str] = []

        async def send_all() -> None:
            for n in range(300):
                sent.append(await alice.publish("counted", {"n": n}))  # noqa: PERF401

        sending = asyncio.create_task(send_all())
        for enough in (60, 120, 180):

            async def is_enough(enough: int = enough) -> bool:
                return len(sent) > enough

            await until(is_enough, f"{enough} events accepted")
            server.kill()
            server.start()
        await asyncio.wait_for(sending, DEADLINE)
        got = [await asyncio.wait_for(anext(bob), DEADLINE) for _ in range(300)]
        await alice.publish("ended", {})
        last = await asyncio.wait_for(anext(bob), DEADLINE)
    assert [event.id for event in got] == sent
    assert last.type == "ended"


async def test_a_slow_reader_gets_everything_and_reads_no_further_than_it_must(
    serve: Serve,
) -> None:
    count = INBOX * 2
    async with serve(rate=0) as server, Participant(server.url, name="reader") as reader:
        async with Participant(server.url, name="alice", echo=False, listen=False) as alice:
            for n in range(0, count, 50):
                batch = (alice.publish("counted", {"n": m}) for m in range(n, n + 50))
                await asyncio.gather(*batch)
        got: list[int] = []
        while len(got) < count:
            got.append((await asyncio.wait_for(anext(reader), DEADLINE)).data["n"])
            if len(got) % 500 == 0:
                assert reader._inbox.qsize() <= INBOX
    assert got == list(range(count))


async def test_a_name_in_use_is_told_and_kept(server: Any) -> None:
    async with Participant(server.url, name="bob"), Participant(server.url, name="bob") as second:
        assert second.name == "bob-2"
        with pytest.raises(Refused):
            await second.publish("big", {"x": "x" * 100_000})
        assert await second.publish("small", {})
        assert second.name == "bob-2"


# ── against unkind ones ─────────────────────────────────────────────────────────────────────────


async def test_an_event_without_an_answer_is_sent_again_under_the_same_id() -> None:
    heard = []

    async def vanish(ws: web.WebSocketResponse, request: web.Request) -> None:
        await welcome(ws)
        heard.append(await hear(ws))
        assert request.transport is not None
        request.transport.abort()

    async def accept(ws: web.WebSocketResponse, request: web.Request) -> None:
        await welcome(ws)
        heard.append(await hear(ws))
        await say(ws, "broker.accepted", event=heard[-1]["id"], duplicate=True)
        await ws.receive()

    async with (
        Unkind(vanish, accept).running() as server,
        Participant(server.url, name="alice") as alice,
    ):
        event_id = await asyncio.wait_for(alice.publish("note_left", {"a": 1}), DEADLINE)
    assert [event["id"] for event in heard] == [event_id, event_id]
    assert heard[0] == heard[1]


@pytest.mark.parametrize("code", [1001, 1011, 4001, 4002, 4004])
async def test_it_comes_back_with_its_session_name_and_place(code: int) -> None:
    async with Unkind(closing(code)).running() as server:
        async with Participant(server.url) as alice:
            await asyncio.wait_for(alice.publish("note_left", {}), DEADLINE)
        first, second = server.queries
    assert "name" not in first
    assert second["name"] == "alice"
    assert second["session"] == first["session"]
    assert second["after"] == "start"


@pytest.mark.parametrize(
    ("code", "expected"), [(Close.TAKEN_OVER, "taken_over"), (Close.REMOVED, "removed")]
)
async def test_where_it_must_not_come_back_it_does_not_and_says_why(
    code: int, expected: str
) -> None:
    async with Unkind(closing(code)).running() as server:
        async with Participant(server.url) as alice:
            with pytest.raises(Refused) as refused:
                await asyncio.wait_for(anext(alice), DEADLINE)
            assert refused.value.code == expected
            with pytest.raises(Refused) as again:
                await alice.publish("note_left", {})
            assert again.value.code == expected
        assert len(server.queries) == 1


async def test_iterating_ends_when_the_server_is_done_with_us() -> None:
    async with Unkind(closing(1000)).running() as server:
        async with Participant(server.url) as alice:
            assert [event async for event in alice] == []
        assert len(server.queries) == 1


async def test_nobody_there_is_said_at_once_or_waited_for() -> None:
    async with Unkind().running() as server:
        url = server.url
    with pytest.raises(CannotStart, match=url):
        async with Participant(url):
            pass
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), Participant(url, patient=True):
            pass


async def test_a_server_of_somebody_elses_is_said_to_be_none_of_ours() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with pytest.raises(Refused, match="HTTP 404"):
        async with Participant(f"http://127.0.0.1:{runner.addresses[0][1]}", patient=True):
            pass
    await runner.cleanup()


async def test_what_is_not_understood_is_passed_over() -> None:
    async def babble(ws: web.WebSocketResponse, request: web.Request) -> None:
        await welcome(ws)
        await ws.send_str("{")
        await ws.send_str('{"type": "note_left"}')
        await ws.send_bytes(b"\x00")
        await say(ws, "note_left", n=1)
        await ws.receive()

    async with Unkind(babble).running() as server, Participant(server.url) as alice:
        event = await asyncio.wait_for(anext(alice), DEADLINE)
    assert event.data == {"n": 1}


async def test_a_type_may_be_given_alone_and_the_room_by_the_address(server: Any) -> None:
    address = f"{server.url}/customer?room=pair-7"
    async with (
        Participant(address, name="alice") as alice,
        Participant(server.url, room="pair-7", name="bob", types="order_placed") as bob,
    ):
        assert (alice.room, bob.room) == ("pair-7", "pair-7")
        sent = await alice.publish("order_placed", {"id": 5})
        event = await anext(bob)
        assert event.id == sent
        await bob.ack(event.id)


async def test_publishing_before_joining_is_explained() -> None:
    participant = Participant(name="alice")
    for early in (participant.publish("tick", {}), participant.ack("an-id")):
        with pytest.raises(RuntimeError, match="async with Participant"):
            await early


@pytest.mark.settings(lease=60)
async def test_work_is_acked_once_for_each_delivery(
    server: Any, http: aiohttp.ClientSession
) -> None:
    await Room(http, server).set_modes({"order_placed": "queue"})
    async with (
        Participant(server.url, name="alice") as alice,
        Participant(server.url, name="bob", types="order_placed", ack="manual") as bob,
    ):
        await alice.publish("order_placed", {"id": 5})
        event = await anext(bob)
        assert event.attempt == 1
        await bob.nack(event, "busy")
        with pytest.raises(Refused, match="already") as refused:
            await bob.ack(event)
        assert refused.value.code == "not_held"
        again = await anext(bob)
        assert (again.id, again.attempt) == (event.id, 2)
        await bob.ack(again.id)
        with pytest.raises(Refused, match="already"):
            await bob.ack(again)


async def test_a_first_program_needs_no_await(server: Any) -> None:
    def program() -> list[int]:
        seen = []
        with SyncParticipant(server.url, name="alice") as alice:
            assert (alice.name, alice.room) == ("alice", "main")
            for number in (1, 2, 3):
                alice.publish("order_placed", {"id": number})
            for event in alice:
                seen.append(event.data["id"])
                if len(seen) == 3:
                    break
            with pytest.raises(Refused, match="`type`"):
                alice.publish("Order Placed", {})
        with pytest.raises(RuntimeError, match="with Participant"):
            alice.publish("order_placed", {"id": 4})
        return seen

    assert await asyncio.to_thread(program) == [1, 2, 3]


async def test_ctrl_c_ends_a_first_program_silently(server: Any, tmp_path: Path) -> None:
    program = (
        "import signal\n"
        "from orders.clients.sync import Participant\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # as in a terminal
        f"with Participant({server.url!r}, name='alice') as alice:\n"
        "    print('here', flush=True)\n"
        "    for event in alice: pass\n"
        "print('after', flush=True)\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        env=environment(),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), DEADLINE) == b"here\n"
    process.send_signal(signal.SIGINT)
    out, noted = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert (out, noted, process.returncode) == (b"after\n", b"", 0)

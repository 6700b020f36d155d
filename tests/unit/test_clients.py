"""What a client knows without a server: addresses, pauses, its place in the log, its memory."""

import asyncio
import re
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import aiohttp
import pytest
from yarl import URL

from orders.app import create_app
from orders.clients.address import LONGEST_PAUSE, PLACES, pause_before, understood
from orders.clients.bot import Bot, Handled
from orders.clients.connection import Connection
from orders.clients.memory import REMEMBERED, Memory
from orders.clients.participant import Participant
from orders.clients.place import ResumePoint
from orders.clients.unanswered import PendingPublishes
from orders.domain.envelope import Event
from orders.errors import CannotStart, Close, Refused
from tests.conftest import MakeSettings
from tests.wire import DEADLINE


def uuid(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


def event(n: int, type: str = "order_placed", source: str = "alice", **more: Any) -> Event:
    fields = {"id": uuid(n), "type": type, "created": "1", "source": source, "data": {"id": n}}
    return Event.model_validate(fields | more)


def broker(type: str, **data: Any) -> Event:
    return event(999, f"broker.{type}", "broker", data=data)


def welcomed(last: str | None = None, after: str | None = None, **modes: str) -> ResumePoint:
    place = ResumePoint(after)
    place.hear(broker("welcome", last=last, modes={"*": "relay", **modes}))
    return place


@pytest.mark.parametrize(
    "address",
    [
        "school:9000",
        "http://school:9000",
        "http://school:9000/",
        "ws://school:9000/ws?room=a",
        "http://school:9000/customer?room=a&name=alice",
    ],
)
def test_a_server_is_known_by_any_of_its_addresses(address: str) -> None:
    assert str(understood(address).server) == "http://school:9000"


def test_a_secure_server_stays_secure() -> None:
    assert str(understood("wss://school.example/ws").server) == "https://school.example"


@pytest.mark.parametrize("address", ["", "ftp://school", "http://", "http://school:port", "::"])
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(Refused, match="http://localhost:8080"):
        understood(address)


@pytest.mark.parametrize(
    ("address", "room"),
    [
        ("http://school/log?room=pair-7", "pair-7"),
        (" http://school/?room=pair-7&own=#own\n", "pair-7"),
        ("ws://school/ws/?room=pair-7", "pair-7"),
        ("ws://school/observe/pair-7", "pair-7"),
        ("http://school/api/rooms/pair-7/events?type=order_placed", "pair-7"),
        ("http://school/api/exercises/ex-4kd82mxa", "ex-4kd82mxa"),
        ("http://school/stage", None),
        ("http://school/host?token=secret", None),
        ("ws://school/", None),
    ],
)
def test_an_address_names_its_room(address: str, room: str | None) -> None:
    assert understood(address).room == room


def test_the_address_of_a_websocket_names_who_joins() -> None:
    assert understood("ws://school/ws?room=a&name=alice").name == "alice"
    assert understood("http://school/customer?name=alice").name is None, "that is somebody else"


@pytest.mark.parametrize(
    ("address", "example"),
    [
        ("http://school/rooms/zz", "http://school/?room=zz"),
        ("school:8080/room/Zz", "http://school:8080/?room=pair-7"),
        ("school/zz", "http://school/?room=zz"),
        ("http://school/static/ui.css", "http://school/?room=pair-7"),
        ("ws://school/socket?room=zz", "http://school/?room=zz"),
        ("ws://school/ws?types=order_placed", "types="),
    ],
)
def test_what_an_address_says_and_nobody_reads_is_refused(address: str, example: str) -> None:
    with pytest.raises(Refused, match=re.escape(example)):
        understood(address)


def test_every_page_of_the_server_is_an_address(make_settings: MakeSettings) -> None:
    ways = {way.canonical.strip("/") for way in create_app(make_settings()).router.resources()}
    pages = {way for way in ways if way.isalpha()} - {"healthz", "readyz", "metrics", "styleguide"}
    assert pages | {""} == set(PLACES)


def test_pauses_grow_to_a_limit_and_are_never_the_same() -> None:
    first = [pause_before(1) for _ in range(200)]
    late = [pause_before(40) for _ in range(200)]
    assert min(first) > 0
    assert max(first) <= 0.5 < max(late) <= LONGEST_PAUSE
    assert len(set(late)) > 100


@pytest.mark.parametrize(
    ("code", "least", "most"), [(Close.GOING_AWAY, 0, 5), (Close.TOO_MANY, 10, 12), (4004, 30, 40)]
)
def test_a_close_code_says_how_long_to_stay_away(code: int, least: float, most: float) -> None:
    assert all(least <= pause_before(1, code) <= most for _ in range(100))


def test_a_newcomer_goes_on_from_the_newest_event_there_was() -> None:
    assert welcomed(last=uuid(7)).after == uuid(7)
    assert welcomed(last=None).after == "start"
    assert welcomed(last=uuid(7), after=uuid(3)).after == uuid(3)


def test_no_event_is_shown_twice_and_the_last_one_is_the_place() -> None:
    place = welcomed()
    assert [place.is_new(event(n)) for n in (1, 2, 1, 2, 3)] == [True, True, False, False, True]
    assert place.after == uuid(3)


def test_queued_work_does_not_move_the_place() -> None:
    place = welcomed(last=uuid(7), order_placed="queue")
    assert place.is_new(event(2))
    assert place.is_new(event(3, attempt=1))
    assert place.after == uuid(7)
    assert place.is_new(event(8, "order_confirmed"))
    assert place.after == uuid(8)


def test_work_that_is_handed_over_again_is_shown_again() -> None:
    place = welcomed()
    assert place.is_new(event(1, attempt=1))
    assert place.is_new(event(1, attempt=2))
    assert event(1, attempt=2).attempt == 2
    assert event(1).attempt is None


def test_modes_are_followed() -> None:
    place = welcomed(last=uuid(7))
    place.hear(broker("modes", modes={"*": "pubsub", "order_placed": "queue"}))
    place.is_new(event(8))
    assert place.after == uuid(7)


def test_a_lost_place_is_the_newest_event_and_a_reset_room_is_seen_from_its_start() -> None:
    place = welcomed(last=uuid(7), after=uuid(3))
    place.is_new(event(8))
    place.hear(broker("error", code="unknown_position"))
    assert place.after == uuid(7)
    assert place.is_new(event(8)), "sent again after a reset it is another event"
    place.hear(broker("notice", code="reset"))
    assert place.after == "start"
    assert place.is_new(event(8))


def test_memory_folds_what_it_hears_and_does_not_grow_without_end() -> None:
    memory = Memory()
    for n in range(1, REMEMBERED + 11):
        memory.learn(event(n))
    assert memory.get("alice", "10") is None
    assert memory.get("alice", "11") is not None
    oldest = memory.oldest_pending("11", None)
    assert oldest is not None
    assert oldest.event == uuid(11)
    confirmed = {"id": 11, "customer": "alice", "event": uuid(11)}
    memory.learn(event(999_999, "order_confirmed", "bob", data=confirmed))
    assert memory.oldest_pending("11", "alice") is None
    memory.forget_all()
    assert memory.get("alice", "11") is None


@pytest.mark.parametrize(
    "said",
    [broker("notice", code="reset", message=""), broker("error", code="unknown_position")],
    ids=["there", "away"],
)
async def test_bob_drops_what_he_knew_before_a_reset_and_what_he_had_not_looked_at_yet(
    said: Event,
) -> None:
    """Seed 4078 of the simulation: who was away as the room began again took an order that was
    sent again for one that he had answered."""
    bot = Bot()
    bot.participant._connection = Mock(is_welcome=True)
    bot._memory.learn(event(3))
    listening = asyncio.create_task(bot._listen())
    await asyncio.sleep(0)
    # Both in one read from the socket: nobody has fetched the order when the reset is heard.
    await bot.participant._take(event(1).model_dump_json())
    await bot.participant._take(said.model_dump_json())
    await bot.participant._take(event(2).model_dump_json())
    while bot._waiting.empty():
        await asyncio.sleep(0)
    assert bot._waiting.get_nowait() == event(2)
    assert bot._waiting.empty()
    assert bot._memory.get("alice", "3") is None
    listening.cancel()


async def test_what_is_not_let_in_says_nothing_of_what_was_published_before() -> None:
    """Seed 1412 of the simulation: Bob gave up an answer, since the room was locked as he came
    back."""
    waiting = PendingPublishes()
    answered = waiting.add("1", "{}")
    said = broker("error", code="room_locked", message="The host locked the room.")
    assert waiting.refuse_by(said, is_welcome=False).code == "room_locked"
    assert not answered.done() and waiting.texts == ["{}"]
    waiting.refuse_by(said, is_welcome=True)
    with pytest.raises(Refused):
        await answered


class LostAtOnce:
    """Connections are lost right after their handshake, where aiohttp asserts that they are not."""

    def __init__(self) -> None:
        self.attempts = 0

    def ws_connect(self, *args: object, **more: object) -> Any:
        self.attempts += 1
        assert self.attempts > 2, "transport is not None"
        raise aiohttp.WSServerHandshakeError(Mock(), (), status=403)


async def test_one_that_is_lost_right_after_its_handshake_comes_back() -> None:
    http, pauses = LostAtOnce(), list[float]()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    connection = Connection(
        cast(aiohttp.ClientSession, http),
        lambda: URL("ws://school/ws"),
        AsyncMock(),
        sleep,
        patient=True,
    )
    with pytest.raises(Refused, match="HTTP 403"):
        await connection.stay()
    assert (http.attempts, len(pauses)) == (3, 2)


async def test_what_is_never_answered_counts_as_lost_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A router forgot the connection, say: no answer ever comes, and no reset either."""
    asked = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    monkeypatch.setattr("orders.clients.participant.ANSWER_WITHIN", 0.05)
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(CannotStart):
        async with Participant(f"http://127.0.0.1:{port}"):
            pass
    assert asked.is_set()
    server.close()


async def test_bob_answers_nobody_before_he_knows_who_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seed 3033 of the simulation: of a number placed twice, the one before he came was left out
    of the list, since the other was confirmed by then."""
    bot, is_listed, handled = Bot(), asyncio.Event(), asyncio.Event()

    async def list_orders(**asked: str) -> list[Any]:
        await is_listed.wait()
        return []

    async def handle(placed: Event, resets: int) -> Handled:
        handled.set()
        return Handled(placed)

    monkeypatch.setattr(bot, "_orders", list_orders)
    monkeypatch.setattr(bot, "_handle", handle)
    monkeypatch.setattr(bot.participant, "ack", AsyncMock())
    bot._waiting.put_nowait(event(1))
    work = [asyncio.ensure_future(one()) for one in (bot._answer_all, bot._take_up_pending)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert not handled.is_set()
    is_listed.set()
    async with asyncio.timeout(DEADLINE):
        await handled.wait()
    for one in work:
        one.cancel()

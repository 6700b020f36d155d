"""A class predicts: nothing leaks before its time, nothing is lost, and the journal is right."""

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest

from tests.conftest import Connect, Serve
from tests.rooms import Address
from tests.wire import Wire

TOKEN = "the-token-of-the-host"
HOST = {"Authorization": f"Bearer {TOKEN}"}
QUEUE = {"*": "pubsub", "order_placed": "queue"}

pytestmark = pytest.mark.settings(host_token=TOKEN)  # a wrong one is answered a second later


class Asking:
    """The room `main` of a server where only the token makes one the host."""

    def __init__(self, http: aiohttp.ClientSession, server: Address, connect: Connect) -> None:
        self.http, self.server, self._connect = http, server, connect
        self.wires: dict[str, Wire] = {}

    async def come(self, *names: str, types: str = "order_confirmed", **query: Any) -> None:
        for name in names:
            who = {"name": name, "types": types, "session": session(name), **query}
            self.wires[name] = await self._connect(self.server, **who)
            await self.wires[name].expect("broker.welcome")

    async def send(self, name: str, type: str = "order_placed", **data: Any) -> None:
        await self.wires[name].send({"type": type, "data": data})
        await self.wires[name].expect("broker.accepted")

    async def call(
        self, method: str, path: str, sent: Any = None, **headers: str
    ) -> tuple[int, Any]:
        url = f"{self.server.url}/api/rooms/main{path}"
        async with self.http.request(method, url, json=sent, headers=headers) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            return answer.status, json.loads(text) if is_json else text

    async def host(self, path: str, sent: Any = None, method: str = "POST") -> Any:
        status, told = await self.call(method, path, sent, **HOST)
        assert status in (200, 201), told
        return told

    async def ask(self, kind: str = "receivers", **more: str) -> str:
        return str((await self.host("/questions", {"kind": kind, **more}))["id"])

    async def answer(self, id: str, name: str, choice: str) -> tuple[int, str | None]:
        """The status, and the code of a refusal."""
        headers = {"Orders-Session": session(name)}
        status, told = await self.call(
            "POST", f"/questions/{id}/answers", {"choice": choice}, **headers
        )
        return status, told["error"]["code"] if told else None

    async def act(self, id: str, *what: str) -> Any:
        for one in what:
            told = await self.host(f"/questions/{id}/{one}")
        return told

    async def question(self, **headers: str) -> Any:
        return (await self.call("GET", "/questions", **headers))[1]["questions"][-1]


def session(name: str) -> str:
    return f"the-session-of-{name}"


# ── what anyone can see ─────────────────────────────────────────────────────────────────────────

API = [
    *("", "/events", "/records", "/orders", "/queue", "/dead-letters", "/questions", "/lesson"),
    *("/events?format=jsonl", "/events?format=csv", "/events?format=mermaid"),
    *("/questions?format=csv", "/records?latest=500"),
    *("/export?format=html", "/export?format=html&names=true", "/letter"),
]
PAGES = ("/", "/customer?name=ann", "/confirmer", "/log", "/stage", "/join", "/readyz", "/metrics")
#: What differs from one run to another.
CHANCE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|1[0-9]{12}|:[0-9]{4,5}\b"
    r'|"at":[0-9]+|orders_(batches_total|event_loop_stall_seconds) .*'
)


async def observed(asking: Asking) -> str:
    """All that the observers' feed has said of the room since its beginning."""
    there = (await asking.call("GET", "/records?limit=1000"))[1]["records"]
    url = f"{asking.server.url}/observe/main?after=start"
    feed = Wire(await asking.http.ws_connect(url))
    records: list[Any] = []
    while len(records) < len(there):
        new = (await feed.next()).get("records", [])
        records += [one for one in new if one["kind"] not in ("bots", "slow", "refused")]
    await feed.ws.close()
    return json.dumps(records)


async def seen(asking: Asking) -> dict[str, str]:
    """All that a student, an observer and the host can get out of the server, but for chance."""
    found = {"observed": await observed(asking)}
    people = {"student": {"Orders-Session": session("ann")}, "observer": {}, "host": HOST}
    for who, headers in people.items():
        for path in [f"/api/rooms/main{path}" for path in API] + list(PAGES):
            async with asking.http.get(asking.server.url + path, headers=headers) as answer:
                found[f"{who} {path}"] = await answer.text()
    for name, wire in asking.wires.items():
        await wire.fence()
        found[f"heard by {name}"] = json.dumps([one["data"] for one in wire.heard])
    return {what: CHANCE.sub("…", text) for what, text in found.items()}


async def seen_of(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession, *choices: str
) -> list[dict[str, str]]:
    """What is seen of a room in which this was chosen: in both rounds, and once closed."""
    found = []
    async with serve(lan=True, host_token=TOKEN, journal="memory") as server:
        asking = Asking(http, server, connect)
        await asking.come("ann", "ben")
        id = await asking.ask()
        await asking.send("ann", id=5)
        for then in ("again", "close"):
            for name, choice in zip(("ann", "ben"), choices, strict=True):
                assert await asking.answer(id, name, choice) == (204, None)
            found.append(await seen(asking))
            await asking.act(id, *(("close", "again") if then == "again" else ("close",)))
        return [*found, await seen(asking)]


async def test_what_anyone_sees_is_the_same_whatever_was_answered_until_it_is_closed(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    one = await seen_of(serve, connect, http, "everyone", "nobody")
    other = await seen_of(serve, connect, http, "exactly_one", "exactly_one")
    assert one[0] == other[0]
    assert one[1] == other[1]
    assert '"answers":2' in one[0]["student /api/rooms/main/questions"]
    assert '"kind": "answered"' in one[0]["observed"]
    assert "order_placed" in one[0]["student /api/rooms/main/export?format=html"]
    assert {what for what in one[2] if one[2][what] != other[2][what]} == {
        "host /api/rooms/main/questions",
        "host /api/rooms/main/questions?format=csv",
    }, "and it would be seen if it were not"


# ── what stays ──────────────────────────────────────────────────────────────────────────────────


async def test_an_open_question_and_its_answers_survive_a_restart_and_closed_stays_closed(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(lan=True, host_token=TOKEN) as server:
        asking = Asking(http, server, connect)
        await asking.come("ann", "ben")
        id = await asking.ask()
        news = await asking.wires["ann"].expect("broker.notice", code="question")
        assert "Who receives the next event?" in news["data"]["message"]
        await asking.send("ann", id=5)
        assert await asking.answer(id, "ann", "everyone") == (204, None)
        assert (await asking.question(**{"Orders-Session": session("ann")}))["answered"] is True
    async with serve(lan=True, host_token=TOKEN) as server:
        asking = Asking(http, server, connect)
        assert await asking.answer(id, "ann", "nobody") == (403, "not_in_room")
        await asking.come("ann", "ben", "late", types="order_*")
        for wire in asking.wires.values():
            await wire.expect("broker.notice", code="question")
        assert await asking.answer(id, "ann", "nobody") == (409, "already_answered")
        assert await asking.answer(id, "ben", "nobody") == (204, None)
        assert await asking.answer(id, "late", "nobody") == (204, None)
        for what in ("resume", "step"):
            status, told = await asking.call("POST", f"/{what}", **HOST)
            assert (status, told["error"]["code"]) == (409, "question_open")
        assert (await asking.act(id, "close"))["votes"][0]["nobody"] == 2
        assert await asking.answer(id, "late", "everyone") == (409, "question_closed")
    async with serve(lan=True, host_token=TOKEN) as server:
        asking = Asking(http, server, connect)
        await asking.come("ann", "ben", types="order_*")
        assert await asking.answer(id, "ben", "everyone") == (409, "question_closed")
        assert "votes" not in await asking.question()
        await asking.act(id, "again")
        assert await asking.answer(id, "ann", "those_who_asked") == (204, None)
        assert all(not wire.of_type("order_placed") for wire in asking.wires.values())
        told = await asking.act(id, "close", "reveal")
        await asking.wires["ben"].expect("order_placed")
    assert told["truth"] == "everyone"
    assert [{k: n for k, n in votes.items() if n} for votes in told["votes"]] == [
        {"everyone": 1, "nobody": 2},
        {"those_who_asked": 1},
    ]


async def test_a_new_beginning_has_no_question(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    asking = Asking(http, server, connect)
    id = await asking.ask()
    await asking.host("/reset")
    assert (await asking.call("GET", "/questions"))[1] == {"questions": []}
    assert (await asking.call("POST", f"/questions/{id}/close"))[0] == 404
    assert await asking.ask() != id


# ── the truth ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("modes", "truth", "heard_by"),
    [
        ({"*": "relay"}, "everyone", {"ann", "bob", "dan"}),
        ({"*": "pubsub"}, "those_who_asked", {"bob", "dan"}),
        (QUEUE, "bob", {"bob"}),
    ],
)
async def test_the_truth_is_what_came_over_the_wire(
    server: Any,
    connect: Connect,
    http: aiohttp.ClientSession,
    modes: dict[str, str],
    truth: str,
    heard_by: set[str],
) -> None:
    asking = Asking(http, server, connect)
    await asking.host("/modes", modes, "PUT")
    await asking.come("ann")
    await asking.come("bob", "dan", types="order_placed", ack="manual")
    id = await asking.ask()
    await asking.send("ann", id=5)
    question = await asking.question()
    assert truth in {one["choice"] for one in question["choices"]}
    told = await asking.act(id, "close", "reveal")
    for wire in asking.wires.values():
        await wire.fence()
    heard = {name for name, wire in asking.wires.items() if wire.of_type("order_placed")}
    assert (heard, told["truth"], told["so_far"]) == (heard_by, truth, False)
    assert (await asking.question())["event"] == told["event"]
    assert not (await asking.call("GET", ""))[1]["paused"]


async def test_in_a_room_that_was_paused_before_each_question_lets_one_event_go(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    asking = Asking(http, server, connect)
    await asking.come("ann")
    await asking.host("/pause")
    for number in (1, 2):
        await asking.send("ann", id=number)
    for number in (1, 2):
        id = await asking.ask()
        assert (await asking.question())["text"] == f"Who receives ann’s order {number}?"
        await asking.act(id, "close", "reveal")
        await asking.wires["ann"].expect("order_placed", id=number)
        assert (await asking.call("GET", ""))[1]["paused"]


async def test_what_becomes_of_an_order_is_told_as_far_as_it_has_come(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    asking = Asking(http, server, connect)
    await asking.come("carol")
    await asking.come("bob", types="order_placed")
    id = await asking.ask("outcome", order="carol/5")
    await asking.send("carol", id=4)
    await asking.send("carol", id=5)
    told = await asking.act(id, "close", "reveal")
    assert (told["truth"], told["so_far"]) == ("waits", True)
    for truth in ("confirmed_once", "more_than_once"):
        await asking.send("bob", "order_confirmed", id=5, customer="carol", event=told["event"])
        assert (await asking.act(id, "reveal"))["truth"] == truth
    id = await asking.ask("outcome")
    await asking.send("carol", id=6)
    assert (await asking.act(id, "close", "reveal"))["text"] == "What becomes of carol’s order 6?"
    placed = (await asking.question())["event"]
    await asking.send("bob", "order_rejected", id=6, customer="carol", event=placed)
    assert (await asking.act(id, "reveal"))["truth"] == "rejected"


async def test_of_an_order_that_was_placed_before_and_of_none_at_all(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    asking = Asking(http, server, connect)
    await asking.come("carol")
    await asking.send("carol", id=5)
    id = await asking.ask("outcome", order="carol/5")
    assert (await asking.question())["event"]
    assert (await asking.act(id, "close", "reveal"))["truth"] == "waits"
    id = await asking.ask()
    told = await asking.act(id, "close", "reveal")
    assert (told["truth"], told["why"]) == (None, "No event came.")


# ── what is refused ─────────────────────────────────────────────────────────────────────────────


async def test_the_host_alone_acts_and_each_refusal_says_what_to_do(
    serve: Serve, connect: Connect, http: aiohttp.ClientSession
) -> None:
    async with serve(lan=True, host_token=TOKEN) as server:
        asking = Asking(http, server, connect)
        await asking.come("ann")

        async def refusal(method: str, path: str, sent: Any = None, **headers: str) -> Any:
            status, told = await asking.call(method, path, sent, **headers)
            assert len(told["error"]["message"]) > 20
            return status, told["error"]["code"]

        assert await refusal("POST", "/questions", {"kind": "receivers"}) == (403, "not_host")
        wishes: list[Any] = [
            {},
            {"kind": "why"},
            {"kind": "receivers", "order": "carol/5"},
            {"kind": "outcome", "order": "5"},
            {"kind": "outcome", "order": "a b/5"},
            {"kind": "outcome", "order": 5},
        ]
        for wrong in wishes:
            assert await refusal("POST", "/questions", wrong, **HOST) == (400, "wrong_request")
        assert not (await asking.call("GET", ""))[1]["paused"]
        id = await asking.ask()
        for what in ("close", "again", "reveal"):
            assert await refusal("POST", f"/questions/{id}/{what}") == (403, "not_host")
        assert await refusal("GET", "/questions?format=csv") == (403, "not_host")
        for what in ("again", "reveal"):
            told = await refusal("POST", f"/questions/{id}/{what}", **HOST)
            assert told == (409, "question_open")
        asked = await refusal("POST", "/questions", {"kind": "outcome"}, **HOST)
        assert asked == (409, "question_open")
        assert await asking.answer(id, "ann", "maybe") == (422, "unknown_choice")
        assert await asking.answer("1", "ann", "nobody") == (404, "unknown_question")
        assert await asking.answer(id, "nobody-here", "nobody") == (403, "not_in_room")
        answers, ann = f"/questions/{id}/answers", {"Orders-Session": session("ann")}
        nonsense: list[Any] = [{}, {"choice": 5}, {"choice": "nobody", "name": "ben"}, []]
        for wrong in nonsense:
            assert await refusal("POST", answers, wrong, **ann) == (400, "wrong_request")
        late = {"choice": "nobody", "round": 2}
        assert await refusal("POST", answers, late, **ann) == (409, "question_closed")
        await asking.act(id, "close", "again", "close")
        again = await refusal("POST", f"/questions/{id}/again", **HOST)
        assert again == (409, "question_closed")
        await asking.act(id, "reveal", "reveal")
        closed = await refusal("POST", f"/questions/{id}/close", **HOST)
        assert closed == (409, "question_revealed")


async def test_the_tabs_of_a_browser_have_one_vote_and_two_at_once_count_once(
    server: Any, connect: Connect, http: aiohttp.ClientSession
) -> None:
    asking = Asking(http, server, connect)
    await asking.come("ann", "ann-2")
    id = await asking.ask()
    statuses = []
    for name in ("ann", "ann-2"):
        headers = {"Orders-Session": session(name), "Origin": server.url}
        headers["Cookie"] = "orders_device=a-device-of-anns-own"
        sent = {"choice": "nobody"}
        answers = f"/questions/{id}/answers"
        statuses.append((await asking.call("POST", answers, sent, **headers))[0])
    assert statuses == [204, 409]
    await asking.come("ben")
    together = await asyncio.gather(*(asking.answer(id, "ben", "nobody") for _ in range(5)))
    assert sorted(status for status, _ in together) == [204, 409, 409, 409, 409]
    assert (await asking.question())["answers"] == 2

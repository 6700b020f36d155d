"""The history checker of the simulation: a history that keeps all promises, and each broken."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.simulation.history import Fact, History
from tests.simulation.page import page
from tests.simulation.plan import kinds, plan
from tests.simulation.promises import PROMISES, broken

E1, E2, E3, E4 = (f"{n:08d}-0000-4000-8000-000000000000" for n in range(1, 5))
ABOUT = ("host", "world", "disk")  # whom an act is about that is no participant
ORDER = {"id": 1}
ANSWER = {"id": 1, "customer": "alice1", "event": E1}


def fact(at: float, who: str, what: str, **more: Any) -> Fact:
    return {"at": at, "who": who, "what": what, **more}


def event(id: str, type: str, source: str, data: Any, mode: str = "relay") -> Fact:
    body = {"id": id, "type": type, "source": source, "data": data}
    return {"kind": "event", "event": id, "mode": mode, "body": body}


def control(kind: str, id: str | None = None, at: int = 0, **data: Any) -> Fact:
    return {"kind": kind, "event": id, "mode": "", "data": data, "at": at}


def kept() -> History:
    """Alice orders, Bob confirms, a worker is done with a task, and a pause holds one event."""
    records = [
        event(E1, "order_placed", "alice1", ORDER),
        event(E2, "order_confirmed", "bob1", ANSWER),
        event(E3, "task", "alice1", {"n": 1}, "queue"),
        control("handed", E3, name="worker1", attempt=1, lease=5.0),
        control("settled", E3, name="worker1"),
        control("left", at=1000, name="worker1", last=5),
        control("paused", paused=True),
        event(E4, "tick", "pusher1", {"n": 1}),
        control("paused", paused=False),
    ]
    people = [{"name": name} for name in ("alice1", "bob1", "console1")]
    facts = [
        fact(0, "bob1", "comes", prefetch=None, text="bob"),
        fact(0, "worker1", "comes", prefetch=1, text="worker"),
        fact(0, "console1", "connected", after="start", types="*"),
        fact(0, "observer1", "connected"),
        fact(1, "alice1", "sent", event=E1, type="order_placed", data=ORDER),
        fact(1, "alice1", "accepted", event=E1),
        fact(1, "console1", "heard", event=E1, type="order_placed"),
        fact(1, "console1", "heard", event=E2, type="order_confirmed"),
        fact(2, "alice1", "sent", event=E3, type="task", data={"n": 1}),
        fact(2, "alice1", "accepted", event=E3),
        fact(2, "worker1", "handed", event=E3, attempt=1, connection=1),
        fact(2, "worker1", "broker.ack", event=E3, connection=1),
        fact(3, "host", "did", act="POST participants/alice1/mute", status=200, began=2.9),
        fact(3, "pusher1", "sent", event=E4, type="tick", data={"n": 1}),
        fact(3, "pusher1", "accepted", event=E4),
        fact(4, "host", "did", act="POST resume", status=200, began=3.9),
        fact(4, "console1", "heard", event=E4, type="tick"),
        *(fact(4, "observer1", "observed", kind="event", event=e) for e in (E1, E2, E3, E4)),
        fact(4, "beacon", "echo", began=3.9, took=0.1),
        fact(5, "api", "room", room={"participants": people}),
        fact(5, "api", "orders", orders=[{"event": E1, "state": "confirmed"}]),
        fact(5, "api", "why", event=E1, recipients=[named("console1", True)]),
    ]
    numbered = [{"position": n, "at": 0, **record} for n, record in enumerate(records, 1)]
    return History(facts, {"main": [numbered]})


def named(name: str, received: bool) -> dict[str, Any]:
    return {"name": name, "received": received, "why": "…"}


Change = Callable[[list[Fact], list[Fact]], object]  # of the facts, and of the epoch


def insert(records: list[Fact], index: int, *new: Fact) -> None:
    records[index:index] = [{"at": 0, **record} for record in new]
    for position, record in enumerate(records, 1):
        record["position"] = position


def add(*new: Fact) -> Change:
    return lambda facts, _: facts.extend(new)


def put(index: int, *new: Fact) -> Change:
    return lambda _, records: insert(records, index, *new)


def drop(what: str, id: str) -> Change:
    def change(facts: list[Fact], _: list[Fact]) -> None:
        facts[:] = [f for f in facts if (f["what"], f.get("event")) != (what, id)]

    return change


def late_release(_: list[Fact], records: list[Fact]) -> None:
    """The worker leaves while it holds the task, which is settled five seconds later."""
    left = records.pop(5)
    insert(records, 4, left)
    records[5].update(at=6000)


HANDED = control("handed", E3, name="worker1", attempt=1, lease=5.0)
BREAKING: dict[str, Change] = {
    "accepted means stored": lambda _, records: records[7]["body"].update(data={"n": 9}),
    "stored once and never invented": put(9, event("other", "tick", "pusher1", {})),
    "refused means not stored": lambda facts, _: facts.__setitem__(
        14, fact(3, "pusher1", "refused", event=E4, code="muted")
    ),
    "without gaps": lambda _, records: records[8].update(position=12),
    "senders keep their order": lambda _, records: insert(records, 0, records.pop(2)),
    "confirmed once": put(9, event("other", "order_confirmed", "bob2", ANSWER)),
    "everything is answered": lambda _, records: records[1]["body"].update(type="order_seen"),
    "nobody speaks while muted": add(
        fact(3.2, "alice1", "sent", event="other", type="tick", data={}),
        fact(3.3, "alice1", "accepted", event="other"),
    ),
    "nothing passes a pause": add(fact(3.5, "console1", "heard", event=E4, type="tick")),
    "consoles hear the log": drop("heard", E2),
    "why is what was received": lambda facts, _: facts[-1].update(
        recipients=[named("console1", False)]
    ),
    "observers see the log": drop("observed", E3),
    "rooms do not stall each other": add(fact(4, "beacon", "echo", began=1.0, took=3.0)),
    "attempts are counted": lambda _, records: records[3]["data"].update(attempt=2),
    "one holds it": put(4, HANDED | {"data": {**HANDED["data"], "attempt": 2}}),
    "settled by an ack": drop("broker.ack", E3),
    "the last of the queue is done": lambda facts, records: (
        facts[-3]["room"]["participants"].append({"name": "worker2"}),
        records[4].update(kind="released"),
    ),
    "nobody holds more than it asked for": put(
        4,
        event("e5", "task", "alice1", {}, "queue"),
        control("handed", "e5", name="worker1", attempt=1, lease=5.0),
    ),
    "what the gone held is given back": late_release,
    "what is handed over is recorded": add(
        fact(2, "worker1", "handed", event=E1, attempt=1, connection=1)
    ),
}


def test_a_history_that_keeps_its_promises_breaks_none() -> None:
    assert broken(kept()) == []


def test_an_answer_before_its_order_answers_nothing() -> None:
    """Seed 4078: after a reset both were sent again, the answer first."""
    history = kept()
    epoch = history.journal["main"][0]
    insert(epoch, 0, event("early", "order_confirmed", "bob1", ANSWER))
    history.facts.append(fact(1, "console1", "heard", event="early", type="order_confirmed"))
    assert not {s for s in broken(history) if not s.startswith(("consoles", "observers"))}
    epoch[2]["body"]["type"] = "order_seen"
    assert "everything is answered" in {s.partition(":")[0] for s in broken(history)}


def test_what_is_heard_again_after_a_reset_is_of_the_next_epoch() -> None:
    """Seed 3150: what was sent again after a reset was taken for what was heard before it."""
    history = kept()
    first, more = deepcopy(history.journal["main"][0]), deepcopy(history.journal["main"][0])
    insert(more, 9, event("more", "tick", "pusher1", {}))
    history.journal["main"] = [first, more, []]
    heard = [f for f in history.facts if (f["who"], f["what"]) == ("console1", "heard")]
    reset = fact(5, "console1", "reset")
    again = [*heard, fact(6, "console1", "heard", event="more", type="tick")]
    history.facts += [reset, *again, reset]
    found = {s for s in broken(history) if s.startswith("consoles")}
    assert not found
    came_back = fact(5, "console1", "connected", after=E4, types="*")
    history.facts.insert(history.facts.index(reset), came_back)
    assert not {s for s in broken(history) if s.startswith("consoles")}, "in the same epoch"
    del history.facts[history.facts.index(reset) : -2]  # it never heard of the reset
    assert not {s for s in broken(history) if s.startswith("consoles")}, "in the next epoch"
    history.facts.insert(-2, again[0])
    assert {s for s in broken(history) if s.startswith("consoles")}


def test_what_is_heard_first_may_stand_in_an_epoch_of_before_one_came() -> None:
    """Seed 47409: Bob answered an order again after a reset, and the console came after that."""
    history = kept()
    first, second = deepcopy(history.journal["main"][0]), deepcopy(history.journal["main"][0])
    second[:] = [r for r in second if r["event"] == E4]
    insert(second, 1, event("more", "tick", "pusher1", {}))
    history.journal["main"] = [first, second, []]
    history.facts = [f for f in history.facts if f["what"] == "connected"]
    heard = [fact(5, "console1", "heard", event=one, type="tick") for one in (E4, "more")]
    history.facts += [*heard, fact(6, "console1", "reset")]
    assert not {s for s in broken(history) if s.startswith("consoles")}
    history.facts.remove(heard[0])
    assert {s for s in broken(history) if s.startswith("consoles")}


def test_who_was_only_thought_to_be_gone_holds_what_it_held() -> None:
    """Seed 2 of two nodes: one waited long for NATS; the other said that its people had left."""
    history = kept()
    records = history.journal["main"][0]
    late_release([], records)
    assert {s for s in broken(history) if s.startswith("what the gone held")}
    insert(records, 5, control("joined", at=4000, name="worker1", was="worker1"))
    assert not {s for s in broken(history) if s.startswith("what the gone held")}


@pytest.mark.parametrize("promise", BREAKING)
def test_each_promise_that_is_broken_is_found(promise: str) -> None:
    history = deepcopy(kept())
    BREAKING[promise](history.facts, history.journal["main"][0])
    assert promise in {sentence.partition(":")[0] for sentence in broken(history)}


def test_after_a_reset_it_is_found_when_bob_answers_an_order_of_before() -> None:
    history = kept()
    history.journal["main"].append([])
    history.facts += [fact(6, "bob1", "reset"), fact(7, "bob1", "answers", event=E1)]
    assert any(one.startswith("nothing of before a reset") for one in broken(history))


def test_every_promise_was_broken_here() -> None:
    names = {promise.__name__.replace("_", " ") for promise in PROMISES}
    assert names == BREAKING.keys() | {"nothing of before a reset is answered"}


def test_a_seed_is_a_plan_that_comes_again_and_can_be_played_in_part() -> None:
    acts = plan(17)
    assert acts == plan(17) != plan(18)
    numbers = {act.number for act in acts}
    assert numbers == set(range(len(acts)))
    assert [act.number for act in plan(17, {0, 2})] == [
        a.number for a in acts if a.number in (0, 2)
    ]


@pytest.mark.parametrize("nodes", [1, 2])
def test_all_that_may_happen_happens_within_three_hundred_seeds(nodes: int) -> None:
    drawn = {
        act.kind for seed in range(300) for act in plan(seed, nodes=nodes) if act.name in ABOUT
    }
    assert drawn == set(kinds(nodes))


def test_why_need_not_know_what_was_heard_from_a_process_that_could_not_write_it() -> None:
    """Seeds 2086 and 2191: who had come was to be written once the disk would take it again."""
    heard = [fact(5, "console1", "heard", event=E4, type="tick")]
    why = [fact(9, "api", "why", event=E4, recipients=[named("console1", False)])]
    for troubles, is_broken in (
        ([], True),
        ([fact(4, "plan", "act", text="4.0 s  disk disk (trouble full)")], True),
        (
            [
                fact(4, "plan", "act", text="4.0 s  disk disk (trouble full)"),
                fact(6, "server", "lost power"),
            ],
            False,
        ),
    ):
        history = kept()
        history.facts += [*troubles, *heard, *why]
        found = any(one.startswith("why is what was received") for one in broken(history))
        assert found is is_broken


def test_a_page_marks_what_a_broken_promise_names_and_lets_nothing_be_code() -> None:
    history = kept()
    history.facts.append(fact(9, "alice1", "sent", event=E2, data="<script>"))
    text = page(17, "make simulate SEED=17", plan(17), history, [f"{E2} is lost, <b>here</b>"])
    assert 'class="alice1 named"' in text
    assert "&lt;script&gt;" in text
    assert "<b>here" not in text

"""The promises about queues: see `promises`."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from tests.simulation.history import Fact, History

MAX_ATTEMPTS = 3
PREFETCH = {"bob": 1, "naive": 1}


def _courses(epoch: list[Fact]) -> dict[str, list[Fact]]:
    """Each queued event of an epoch: its record, and those about it, in order."""
    queued = {r["event"]: [r] for r in epoch if r["kind"] == "event" and r["mode"] == "queue"}
    for record in epoch:
        if record["event"] in queued and record["kind"] in KINDS:
            queued[record["event"]].append(record)
    return queued


KINDS = ("handed", "settled", "released", "dead", "retried", "discarded")


def attempts_are_counted(history: History) -> Iterator[str]:
    """Attempts are 1, 2, 3, …; the last that fails makes a dead letter, and no other does."""
    for epoch in history.journal.get("main", ()):
        for id, course in _courses(epoch).items():
            attempt = 0
            for record in course[1:]:
                data = record["data"]
                if record["kind"] == "handed":
                    if data["attempt"] != attempt + 1:
                        yield f"attempt {data['attempt']} of {id} is number {attempt + 1}"
                    attempt = data["attempt"]
                elif record["kind"] == "released":
                    attempt = data.get("attempt", attempt)
                    if attempt >= MAX_ATTEMPTS:
                        yield f"{id} is ready again after its last attempt"
                elif record["kind"] == "dead" and attempt < MAX_ATTEMPTS:
                    yield f"{id} is a dead letter after {attempt} attempts"
                elif record["kind"] == "retried":
                    attempt = 0


def one_holds_it(history: History) -> Iterator[str]:
    """An event is handed to one at a time, and settled by its holder alone."""
    for epoch in history.journal.get("main", ()):
        for id, course in _courses(epoch).items():
            state, holder = "ready", None
            for record in course[1:]:
                kind, data = record["kind"], record["data"]
                if kind == "handed":
                    if state != "ready":
                        yield f"{id} is {state} by {holder}, and was handed to {data['name']}"
                    holder = data["name"]
                    state = "held" if data["lease"] is not None else "settled"
                elif kind == "settled":
                    if (state, holder) != ("held", data["name"]):
                        yield f"{id} is {state} by {holder}, and {data['name']} settled it"
                    state = "settled"
                elif kind in ("released", "dead"):
                    if state != "held":
                        yield f"{id} is {state}, and was given back"
                    state = "ready" if kind == "released" else "dead"
                elif kind == "retried":
                    state = "ready"


def settled_by_an_ack(history: History) -> Iterator[str]:
    """With ack=manual only an ack settles an event."""
    acked = {(fact["who"], fact["event"]) for fact in history.of("broker.ack")}
    for epoch in history.journal.get("main", ()):
        for id, course in _courses(epoch).items():
            for record in course:
                if record["kind"] != "settled":
                    continue
                who = record["data"]["name"]
                if who.startswith("worker") and (who.split("-")[0], id) not in acked:
                    yield f"{id} is settled by {who}, who never acked it"


def the_last_of_the_queue_is_done(history: History) -> Iterator[str]:
    """Once all is calm, nothing that somebody works on waits any more."""
    works = {"order_placed": "bob", "task": "worker"}
    final = history.journal.get("main", [[]])[-1]
    here = {one["name"] for fact in history.of("room") for one in fact["room"]["participants"]}
    for id, course in _courses(final).items():
        type = course[0]["body"]["type"]
        state = course[-1]["kind"]
        is_done = state in ("settled", "discarded", "dead") or (
            state == "handed" and course[-1]["data"]["lease"] is None
        )
        who = works.get(type)
        if who and any(name.startswith(who) for name in here) and not is_done:
            yield f"{id} ({type}) is {state} at the end"


def nobody_holds_more_than_it_asked_for(history: History) -> Iterator[str]:
    """Nobody holds more events than its prefetch."""
    prefetch = {fact["who"]: fact["prefetch"] for fact in history.of("comes") if fact["prefetch"]}
    for epoch in history.journal.get("main", ()):
        holder: dict[str, str] = {}
        queued = _courses(epoch)
        for record in epoch:
            if record["kind"] not in KINDS or record["event"] not in queued:
                continue
            holder.pop(record["event"], None)
            if record["kind"] == "handed" and record["data"]["lease"] is not None:
                name = record["data"]["name"]
                holder[record["event"]] = name
                most = prefetch.get(name.split("-")[0], PREFETCH.get(name.rstrip("0123456789-")))
                held = sum(1 for one in holder.values() if one == name)
                if most is not None and held > most:
                    yield f"{name} holds {held} events with prefetch {most}"


def what_the_gone_held_is_given_back(history: History) -> Iterator[str]:
    """When somebody leaves, what it held is given back there and then, not when its lease ends."""
    for epoch in history.journal.get("main", ()):
        holder: dict[str, dict[str, None]] = defaultdict(dict)
        queued = _courses(epoch)
        for index, record in enumerate(epoch):
            if record["kind"] in KINDS and record["event"] not in queued:
                continue
            if record["kind"] in KINDS:
                for held in holder.values():
                    held.pop(record["event"], None)
            if record["kind"] == "handed" and record["data"]["lease"] is not None:
                holder[record["data"]["name"]][record["event"]] = None
            if record["kind"] != "left" or record["data"].get("to"):
                continue
            name = record["data"]["name"]
            gone = list(holder) if name is None else [name]
            for one in gone:
                for id in holder[one]:
                    later = epoch[index + 1 :]
                    returned = next((r for r in later if _is_about(r, id) or _stays(r, one)), None)
                    if returned is None or _stays(returned, one):
                        continue
                    late = (returned["at"] - record["at"]) / 1000
                    if late > 1:
                        yield f"{id} was given back {late:.1f} s after {one} had left"


def _is_about(record: Fact, id: str) -> bool:
    return record["event"] == id and record["kind"] in ("released", "dead", "settled")


def _stays(record: Fact, name: str) -> bool:
    """Whether its node says that it was only thought to be gone."""
    return bool(record["kind"] == "joined" and record["data"].get("was") == name)


def what_is_handed_over_is_recorded(history: History) -> Iterator[str]:
    """What a worker received, the journal says it was handed, unless the server died right then."""
    if any(True for _ in history.of("killed", "lost power", "works again", "cannot start")):
        return
    handed = {
        (record["data"]["name"].split("-")[0], record["event"], record["data"]["attempt"])
        for epoch in history.journal.get("main", ())
        for record in epoch
        if record["kind"] == "handed"
    }
    for fact in history.of("handed"):
        if (fact["who"], fact["event"], fact["attempt"]) not in handed:
            yield f"{fact['who']} got {fact['event']}, which is not in the journal"


PROMISES: tuple[Callable[[History], Iterator[str]], ...] = (
    attempts_are_counted,
    one_holds_it,
    settled_by_an_ack,
    the_last_of_the_queue_is_done,
    nobody_holds_more_than_it_asked_for,
    what_the_gone_held_is_given_back,
    what_is_handed_over_is_recorded,
)

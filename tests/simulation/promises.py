"""Whether a history keeps every promise of docs/guarantees.md.

It knows nothing of the code: it reads what participants, the host and the disk saw. Each function
is one promise, and yields a sentence for each time it was broken.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from tests.simulation import hearing_promises, queue_promises
from tests.simulation.history import Fact, History, events, in_one_epoch

Promise = Callable[[History], Iterator[str]]
STALL = 1.5  # virtual seconds
ANSWERS = ("order_confirmed", "order_rejected")
#: After what the quiet room may be late, and for how long: its server or its disk was away.
DISTURBING = ("up", "killed", "lost power", "ended", "cannot start")


def accepted_means_stored(history: History) -> Iterator[str]:
    """No accepted event is lost, and none is altered."""
    stored = {
        (record["event"], record["body"]["type"], json.dumps(record["body"]["data"]))
        for epochs in history.journal.values()
        for epoch in epochs
        for record in events(epoch)
    }
    sent = {fact["event"]: fact for fact in history.of("sent")}
    for fact in history.of("accepted"):
        said = sent[fact["event"]]
        if (fact["event"], said["type"], json.dumps(said["data"])) not in stored:
            yield f"{fact['who']}'s {fact['event']} was accepted at {fact['at']} and is lost"


def stored_once_and_never_invented(history: History) -> Iterator[str]:
    """An id is in a log once, and nothing is there that nobody sent."""
    sent = {fact["event"] for fact in history.of("sent")}
    for epoch in history.journal.get("main", ()):
        for id, count in Counter(record["event"] for record in events(epoch)).items():
            if count > 1:
                yield f"{id} is {count} times in the log"
        for record in events(epoch):
            ours = record["body"]["source"].startswith(("alice", "pusher", "poster"))
            if ours and record["event"] not in sent:
                yield f"{record['event']} is in the log, and nobody sent it"


def refused_means_not_stored(history: History) -> Iterator[str]:
    """What was refused for what it is, and never sent again, is not in the log."""
    stored = {r["event"] for epoch in history.journal.get("main", ()) for r in events(epoch)}
    answers: dict[str, list[str]] = defaultdict(list)
    for fact in history.of("accepted", "refused"):
        answers[fact.get("event", "")].append(fact.get("code", ""))
    sent = Counter(fact["event"] for fact in history.of("sent"))
    sent.update(id for fact in history.of("connected") for id in fact.get("again", ()))
    for fact in history.of("refused"):
        id, code = fact.get("event"), fact["code"]
        repeats = fact["who"].startswith("alice")  # by itself, over a new connection
        certain = answers[id or ""] == [code] and code in ("muted", "name_taken", "kicked")
        if certain and not repeats and id in stored and sent[id] == 1:
            yield f"{id} was refused as {code}, and is in the log"


def without_gaps(history: History) -> Iterator[str]:
    """Positions of an epoch are 1, 2, 3, …"""
    for room, epochs in history.journal.items():
        for number, epoch in enumerate(epochs, 1):
            if [record["position"] for record in epoch] != list(range(1, len(epoch) + 1)):
                yield f"the positions of epoch {number} of {room} have a gap"


def senders_keep_their_order(history: History) -> Iterator[str]:
    """Events of one sender stand in the order in which they were accepted."""
    single = in_one_epoch(history)
    for epoch in history.journal.get("main", ()):
        place = {r["event"]: r["position"] for r in events(epoch) if r["event"] in single}
        for who in {fact["who"] for fact in history.of("accepted")}:
            ids = list(dict.fromkeys(f["event"] for f in history.of("accepted", who=who)))
            places = [place[id] for id in ids if id in place]
            refused = any(True for _ in history.of("refused", who=who))
            if not refused and places != sorted(places):
                yield f"the events of {who} are in another order than it sent them"


def confirmed_once(history: History) -> Iterator[str]:
    """Careful Bobs confirm an order once."""
    for epoch in history.journal.get("main", ()):
        confirmed = Counter(
            _number(answer["data"].get("customer"), answer)
            for answer in _answers(epoch)
            if answer["type"] == "order_confirmed" and answer["source"].startswith("bob")
        )
        for order, count in confirmed.items():
            if count > 1:
                yield f"careful Bobs confirmed the order {order} {count} times"


def _answers(epoch: list[Fact]) -> Iterator[Any]:
    """The answers to orders that stand before them. One that stands before its order answers
    nothing: both were sent again after a reset."""
    placed = set()
    for record in events(epoch):
        body = record["body"]
        if body["type"] == "order_placed":
            placed.add(record["event"])
        elif body["type"] in ANSWERS and body["data"].get("event") in placed:
            yield body


def _number(customer: str, body: Any) -> tuple[str, str]:
    return customer, json.dumps(body["data"].get("id"))


def nothing_of_before_a_reset_is_answered(history: History) -> Iterator[str]:
    """Once Bob has heard of a reset he answers no order of before."""
    placed = {fact["event"]: fact["at"] for fact in history.of("sent", type="order_placed")}
    *past, final = history.journal.get("main", [[]])
    if len(past) != 1:  # which of several it heard of nobody can tell
        return
    before = {record["event"] for epoch in past for record in events(epoch)}
    before &= placed.keys() - {record["event"] for record in events(final)}
    resets = [fact for fact in history.of("reset") if fact["who"].startswith("bob")][-1:]
    for fact in history.of("answers"):
        for reset in resets:
            was_heard = reset["who"] == fact["who"] and reset["at"] < fact["at"]
            if was_heard and fact["event"] in before and placed[fact["event"]] < reset["at"]:
                yield f"{fact['who']} answered {fact['event']} after the reset at {reset['at']}"


def everything_is_answered(history: History) -> Iterator[str]:
    """Once all is calm, every order has its answer, and the API says the same as the log."""
    final = history.journal.get("main", [[]])[-1]
    answers = list(_answers(final))
    answered = {body["data"]["event"] for body in answers}
    dead = {fact["event"] for fact in history.of("dead at the end")}
    bobs = {fact["who"] for fact in history.of("comes") if fact["who"].startswith("bob")}
    has_bob = bool(bobs - {fact["who"] for fact in history.of("ended")})
    confirmed = {
        _number(body["data"].get("customer"), body)
        for body in answers
        if body["type"] == "order_confirmed"
    }
    for record in events(final):
        body = record["body"]
        # A number that is confirmed is answered; whether a Bob lived to refuse a second placing of
        # it is chance.
        is_free = _number(body["source"], body) not in confirmed
        is_order = body["type"] == "order_placed" and is_free
        if is_order and has_bob and record["event"] not in answered | dead:
            yield f"the order {record['event']} was never answered"
    for fact in history.of("orders"):
        for order in fact["orders"]:
            if (order["state"] == "placed") == (order["event"] in answered):
                yield f"the API calls {order['event']} {order['state']}; the log does not"


def nobody_speaks_while_muted(history: History) -> Iterator[str]:
    """What a muted participant sends is refused until that is lifted."""
    done = [f for f in history.of("did") if "/mute" in f["act"] or "/unmute" in f["act"]]
    for muted in done:
        name = muted["act"].split("/")[-2]
        if not muted["act"].endswith("/mute") or muted["status"] != 200:
            continue
        ends = [f for f in done if f["at"] > muted["at"] and f["act"].endswith(f"{name}/unmute")]
        until = min((f["began"] for f in ends), default=1e9)
        for sent in history.of("sent", who=name):
            if not muted["at"] < sent["at"] < until:
                continue
            for fact in history.of("accepted", who=name, event=sent["event"]):
                first = next(iter(history.of("sent", event=sent["event"])))
                if first is sent and sent["at"] < fact["at"] < until:
                    yield f"{name} was muted at {muted['at']}, and {sent['event']} was accepted"


def nothing_passes_a_pause(history: History) -> Iterator[str]:
    """While the room is paused nobody hears what comes, but for single steps."""
    single = in_one_epoch(history)
    for epoch in history.journal.get("main", ()):
        since, held = None, dict[str, int]()
        for record in epoch:
            if record["kind"] == "paused":
                since = record["position"] if record["data"]["paused"] else None
                if since is None:
                    break  # one pause of an epoch says enough
            elif record["kind"] == "stepped":
                held.pop(record["event"], None)
            elif since is not None and record["kind"] == "event" and record["mode"] != "queue":
                held[record["event"]] = record["position"]
        resumed = min(
            (f["began"] for f in history.of("did") if f["act"] == "POST resume"), default=1e9
        )
        for fact in history.of("heard"):
            if fact["event"] in held.keys() & single and fact["at"] < resumed:
                yield f"{fact['who']} heard {fact['event']} while the room was paused"


def rooms_do_not_stall_each_other(history: History) -> Iterator[str]:
    """A quiet room is answered at once, whatever happens in another."""
    disturbed = [fact["at"] for fact in history.of(*DISTURBING)]
    # which reach the quiet room, too
    its_own = ("disk", "sync", "'server'", "'node", "cut off", "forgotten", "nats")
    disturbed += [f["at"] for f in history.of("act") if any(one in f["text"] for one in its_own)]
    disturbed += [fact["at"] for fact in history.of("works again", "healed")]
    for fact in history.of("echo"):
        began, ended = fact["began"], fact["at"]
        if fact["took"] > STALL and not any(began - 12 < at < ended + 1 for at in disturbed):
            yield f"the quiet room waited {fact['took']:.2f} s at {ended:.1f}"


PROMISES: tuple[Promise, ...] = (
    accepted_means_stored,
    stored_once_and_never_invented,
    refused_means_not_stored,
    without_gaps,
    senders_keep_their_order,
    confirmed_once,
    nothing_of_before_a_reset_is_answered,
    everything_is_answered,
    nobody_speaks_while_muted,
    nothing_passes_a_pause,
    rooms_do_not_stall_each_other,
    *hearing_promises.PROMISES,
    *queue_promises.PROMISES,
)


def broken(history: History) -> list[str]:
    """Each broken promise, with what shows it."""
    return [
        f"{promise.__name__.replace('_', ' ')}: {sentence}"
        for promise in PROMISES
        for sentence in promise(history)
    ]

"""The promises about what somebody hears, and is told of it: see `promises`."""

from collections.abc import Callable, Iterator

from tests.simulation.history import Fact, History, events


def consoles_hear_the_log(history: History) -> Iterator[str]:
    """Coming back with `after`, one hears exactly what one missed, in order, then what is new."""
    for who in _names(history, "console"):
        types = _types_of(history, who)
        wanted = [
            [r["event"] for r in events(epoch) if _is_for(r, types)]
            for epoch in history.journal.get("main", ())
        ]
        heard: list[list[str]] = [[]]
        for fact in history.of("heard", "reset", "unknown_position", who=who):
            if fact["what"] == "heard":
                heard[-1].append(fact["event"])
            else:
                heard.append([])
        epoch = 0
        for number, part in enumerate(heard):
            is_last = number == len(heard) - 1
            if is_last:
                epoch = len(wanted) - 1
            while not is_last and epoch < len(wanted) and part and part[0] not in wanted[epoch]:
                epoch += 1
            there = wanted[epoch] if 0 <= epoch < len(wanted) else []
            whole = there if is_last else there[: len(part)]
            if part != whole:
                yield f"{who}: {_difference(part, whole)}"
            epoch += bool(part)  # after a reset the same may be heard of the next one


def _difference(heard: list[str], there: list[str]) -> str:
    for number, (one, other) in enumerate(zip(heard, there, strict=False)):
        if one != other:
            what = "again" if one in heard[:number] else f"before {other}"
            return f"heard {one} {what}, as number {number + 1}"
    if len(heard) > len(there):
        return f"heard {heard[len(there)]}, which was not for it, or again"
    return f"never heard {there[len(heard)]}, number {len(heard) + 1} of {len(there)}"


def why_is_what_was_received(history: History) -> Iterator[str]:
    """Why an event reached somebody, or did not, is what came to its socket."""
    final = history.journal.get("main", [[]])[-1]
    mode = {r["event"]: r for r in events(final)}
    forgotten = _forgotten(history)
    for fact in history.of("why"):
        for one in fact["recipients"]:
            if not one["name"].startswith("console"):
                continue
            times = [f["at"] for f in history.of("heard", who=one["name"], event=fact["event"])]
            if any(began < at < ended for at in times for began, ended in forgotten):
                continue
            heard = bool(times)
            if heard != one["received"] and fact["event"] in mode:
                says = "received" if one["received"] else "not received"
                yield (
                    f"{one['name']} {'heard' if heard else 'did not hear'} {fact['event']}, and why"
                    f" says {says}: {one['why']}"
                )


def _forgotten(history: History) -> list[tuple[float, float]]:
    """From when until when what somebody heard is lost: the disk did not take who came, and the
    process that knew it ended."""
    found: list[tuple[float, float]] = []
    began = None
    for fact in history.of("act", "killed", "lost power"):
        if fact["what"] == "act":
            began = fact["at"] if began is None and "(trouble" in fact["text"] else began
        elif began is not None:
            found.append((began, fact["at"]))
            began = None
    return found


def observers_see_the_log(history: History) -> Iterator[str]:
    """The feed says what the journal says, in its order."""
    for who in _names(history, "observer"):
        if any(True for _ in history.of("skipped", who=who)):
            continue
        final = [r["event"] for r in events(history.journal["main"][-1])]
        seen: list[str] = []
        for fact in history.of("observed", "connected", who=who):
            if fact["what"] == "connected" or fact["kind"] == "reset":
                seen = []
            else:
                seen.append(fact["event"])
        if seen != final:
            yield f"{who}: {_difference(seen, final).replace('heard', 'saw')}"


def _names(history: History, kind: str) -> list[str]:
    return list(dict.fromkeys(f["who"] for f in history.facts if f["who"].startswith(kind)))


def _types_of(history: History, who: str) -> str:
    return next(str(fact["types"]) for fact in history.of("connected", who=who))


def _is_for(record: Fact, types: str) -> bool:
    if record["mode"] == "relay":
        return True
    return record["mode"] == "pubsub" and str(record["body"]["type"]).startswith(types[:-1])


PROMISES: tuple[Callable[[History], Iterator[str]], ...] = (
    consoles_hear_the_log,
    why_is_what_was_received,
    observers_see_the_log,
)

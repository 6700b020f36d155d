"""The promises about what somebody hears, and is told of it: see `promises`."""

from collections.abc import Callable, Iterator

from tests.simulation.history import Fact, History, events, in_one_epoch


def consoles_hear_the_log(history: History) -> Iterator[str]:
    """Coming back with `after`, one hears exactly what one missed, in order, then what is new."""
    for who in _names(history, "console"):
        types = _types_of(history, who)
        wanted = [
            [r["event"] for r in events(epoch) if _is_for(r, types)]
            for epoch in history.journal.get("main", ())
        ]
        epoch = 0
        for after, part in (parts := _parts(history, who)):
            is_last = part is parts[-1][1]
            if not part and not is_last:
                continue
            rests = [_after(after, whole) for whole in wanted]
            if after:  # it goes on where it was, or where that event was sent again
                epoch = max(0, epoch - 1)
            if is_last:
                epoch = len(wanted) - 1
            else:  # one answer may stand in several epochs: what was heard after it tells which
                holding = [n for n in range(epoch, len(wanted)) if part[0] in rests[n]]
                exact = [n for n in holding if rests[n][: len(part)] == part]
                epoch = next(iter(exact or holding), len(wanted))
            there = rests[epoch] if 0 <= epoch < len(wanted) else []
            whole = there if is_last else there[: len(part)]
            if part != whole:
                yield f"{who}: {_difference(part, whole)}"
            epoch += 1  # after a reset the same may be heard of the next one


def _parts(history: History, who: str) -> list[tuple[str | None, list[str]]]:
    """What somebody heard, cut where it heard of a reset, and where it came back with the id of an
    event that stands in two epochs: nobody can tell which of them is meant."""
    single = in_one_epoch(history)
    parts: list[tuple[str | None, list[str]]] = [(None, [])]
    for fact in history.of("heard", "reset", "unknown_position", "connected", who=who):
        if fact["what"] == "heard":
            parts[-1][1].append(fact["event"])
        elif fact["what"] != "connected":
            parts.append((None, []))
        elif fact["after"] != "start" and fact["after"] not in single:
            parts.append((fact["after"], []))
    return parts


def _after(id: str | None, events: list[str]) -> list[str]:
    if id is None:
        return events
    return events[events.index(id) + 1 :] if id in events else []


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
    there = in_one_epoch(history) & {r["event"] for r in events(final)}
    forgotten = _forgotten(history)
    for fact in history.of("why"):
        for one in fact["recipients"]:
            if not one["name"].startswith("console"):
                continue
            times = [f["at"] for f in history.of("heard", who=one["name"], event=fact["event"])]
            if any(began < at < ended for at in times for began, ended in forgotten):
                continue
            heard = bool(times)
            if heard != one["received"] and fact["event"] in there:
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

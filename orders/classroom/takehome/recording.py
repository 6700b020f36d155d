"""What a file to take home replays: the records of a room, and why each event went where it did.

    {"room": or null, "names": true or false, "modes": of the room, "bots", "questions", "captions",
     "records": [as the observers' feed has them], "explained": {event: a number of a reason},
     "reasons": [[[received, attempts, why, [name, …]], …], …]}

Most events are received by the same people for the same reasons, so these are told once.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from heapq import merge
from operator import attrgetter
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from pydantic_core import from_json

from orders.broker.explain import Recipient, explain
from orders.broker.records import EVENT, PRESENCE_KINDS, QUEUE_KINDS, Kind, Record
from orders.classroom.questions import KINDS, Question, Questions, listed
from orders.classroom.questions_truth import OUR_CODES, OUTCOMES, words
from orders.classroom.takehome.mask import Mask
from orders.clock import monotonic
from orders.domain.envelope import id_text
from orders.web.observe import observed

#: The kinds that the pages draw.
SHOWN = {EVENT, *PRESENCE_KINDS, *QUEUE_KINDS, Kind.MODES, Kind.FAULT, "scene"}
SLICE = 0.005  # seconds of work; then it is the turn of others for as long


def script_text(value: object) -> str:
    """JSON of nothing but ASCII that no `<script>` ends at, so it is harmless in any page."""
    return str(htmlsafe_json_dumps(value, separators=(",", ":")))


async def recording(
    about: dict[str, Any], records: Iterable[Record], mask: Mask | None
) -> AsyncIterator[str]:
    """The text of a recording, piece by piece; `about` is all of it but records and reasons.

    `records` are those of one epoch, oldest first. What is told is worked out from the masked ones.
    """
    turn = _Turn()
    kept: list[Record] = []
    yield script_text(about)[:-1] + ',"records":['
    for record in records:
        one = record if mask is None else mask.masked(record)
        if one is None or one.kind not in SHOWN:
            continue
        yield ("," if kept else "") + script_text(observed(one))
        kept.append(one)
        await turn.over()
    yield '],"explained":{'
    presence = [record for record in kept if record.kind in PRESENCE_KINDS]
    moves: dict[int, list[Record]] = defaultdict(list)
    for record in kept:
        if record.about and record.kind not in PRESENCE_KINDS:
            moves[record.about].append(record)
    numbers: dict[str, int] = {}
    first = True
    for event in (record for record in kept if record.kind is EVENT):
        controls = merge(presence, moves[event.position], key=attrgetter("position"))
        reasons = script_text(_grouped(explain(event, controls)))
        number = numbers.setdefault(reasons, len(numbers))
        yield f"{'' if first else ','}{script_text(from_json(event.body)['id'])}:{number}"
        first = False
        await turn.over()
    yield '},"reasons":[' + ",".join(numbers) + "]}"


def _grouped(recipients: list[Recipient]) -> list[Any]:
    """Names by what is said of them."""
    groups: dict[tuple[bool, int, str], list[str]] = defaultdict(list)
    for one in recipients:
        groups[one.received, one.attempts, one.why].append(one.name)
    return [[*said, names] for said, names in groups.items()]


class _Turn:
    """Long work in slices: others who wait for the server are served in between."""

    def __init__(self) -> None:
        self._begun = monotonic()

    async def over(self) -> None:
        if monotonic() - self._begun > SLICE:
            await asyncio.sleep(SLICE)
            self._begun = monotonic()


# ── what the class was asked ────────────────────────────────────────────────────────────────────


def asked(records: list[Record], mask: Mask | None) -> list[dict[str, Any]]:
    """The questions whose truth was shown, in the shape of the API; masked, they say no why."""
    known = Questions()
    for record in records:
        if record.kind in KINDS:
            known.apply(record)
    revealed = [one for one in known.by_id.values() if one.state == "revealed"]
    if mask is None:
        return [one.shape(is_host=False) for one in revealed]
    events = {id_text(record.key): record for record in records if record.kind is EVENT}
    return [_masked(one, events.get(one.event or ""), mask) for one in revealed]


def _masked(question: Question, event: Record | None, mask: Mask) -> dict[str, Any]:
    def code(choice: str) -> str:
        return choice if choice in OUR_CODES | OUTCOMES.keys() else mask.name(choice)

    about = mask.masked(event) if event else None
    order = None
    if about is not None and about.type == "order_placed":
        order, about = f"{about.source}/{about.data['data'].get('id', '')}", None
    ours = {code(one): text for one, text in question.choices.items() if code(one) == one}
    return {
        "text": words(question.kind, about, order),
        "choices": listed({code(one): ours.get(one, code(one)) for one in question.choices}),
        "votes": [{code(one): n for one, n in votes.items()} for votes in question.votes],
        "truth": question.truth and code(question.truth),
        "so_far": question.so_far,
    }

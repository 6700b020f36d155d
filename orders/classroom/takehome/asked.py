"""What the class was asked, as a file tells it: counts of both rounds, and what was right."""

from typing import Any

from orders.broker.records import EVENT, Record
from orders.classroom.questions import KINDS, Question, Questions, listed
from orders.classroom.questions_truth import OUR_CODES, OUTCOMES, words
from orders.classroom.takehome.mask import Mask
from orders.domain.envelope import id_text


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

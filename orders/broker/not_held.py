"""Why a participant does not hold the event that it acks or nacks: one true sentence a case."""

from orders.broker.participants import Participant
from orders.broker.queue import Entry, State
from orders.errors import Refused

REMEMBERED = 100  # events that a participant is known to have had, the newest


def remember(participant: Participant, key: bytes, how: str) -> None:
    """A participant does not hold an event any more: it `acked` it, or `lost` or `returned` it."""
    participant.past.pop(key, None)
    participant.past[key] = how
    if len(participant.past) > REMEMBERED:
        del participant.past[next(iter(participant.past))]


def not_held(participant: Participant, key: bytes, event: str, entry: Entry | None) -> Refused:
    """The refusal of an ack or nack; `entry` is how the event stands in its queue, if it does."""
    how = participant.past.get(key)
    if how == "acked":
        why = "you acked it already, and once is enough."
    elif how == "returned":
        why = "you gave it back already."
    elif how == "lost" and entry is not None and entry.state is State.HELD:
        why = f"your lease ended before you acked it, and {entry.name} has it now."
    elif how == "lost":
        why = "your lease ended before you acked it. Ack each event before its lease ends."
    elif entry is not None and entry.state is State.HELD:
        why = f"{entry.name} holds it: it was never yours."
    elif participant.ack == "auto":
        why = "with ack=auto handing an event over settles it. To ack, connect with ack=manual."
    else:
        why = "it was never handed to you from a queue. What is relayed or published needs no ack."
    return Refused("not_held", f"You do not hold the event {event}: {why}")

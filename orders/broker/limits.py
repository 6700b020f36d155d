"""How much a participant may send: two buckets of tokens, one for events and one for commands."""

from dataclasses import dataclass

from orders.broker.participants import Participant
from orders.errors import Refused

COMMAND_RATE = 10  # commands have a bucket of their own, this many times as large


@dataclass(frozen=True, slots=True)
class Limits:
    """What one participant, one room and the server may use. Rates are messages a second."""

    rate: float = 50.0
    burst: int = 100
    abusive_grace: float = 5.0
    max_participants: int = 1000
    max_rooms: int = 100


def fill(participant: Participant, limits: Limits) -> None:
    """Full buckets, for one who has just come."""
    participant.tokens = float(limits.burst)
    participant.command_tokens = float(limits.burst * COMMAND_RATE)


def spend(participant: Participant, limits: Limits, is_command: bool, clock: float) -> None:
    """Take one token, or refuse; `over_since` remembers since when there was none."""
    if not limits.rate:
        return
    _refill(participant, limits, clock)
    if is_command and participant.command_tokens >= 1:
        participant.command_tokens -= 1
    elif not is_command and participant.tokens >= 1:
        participant.tokens -= 1
    else:
        if participant.over_since is None:
            participant.over_since = clock
        raise Refused(
            "rate_limited",
            f"You send more than {limits.rate:g} events a second: this one was not taken."
            " Wait a moment, and send it again.",
        )


def is_abusive(participant: Participant, limits: Limits, clock: float) -> bool:
    """Whether it has sent too much for too long, without a pause."""
    over = participant.over_since
    return over is not None and clock - over >= limits.abusive_grace


def _refill(participant: Participant, limits: Limits, clock: float) -> None:
    rate, burst = limits.rate, float(limits.burst)
    passed, participant.refilled = clock - participant.refilled, clock
    participant.tokens = min(participant.tokens + passed * rate, burst)
    participant.command_tokens = min(
        participant.command_tokens + passed * rate * COMMAND_RATE, burst * COMMAND_RATE
    )
    if min(participant.tokens, participant.command_tokens / COMMAND_RATE) >= burst / 2:
        participant.over_since = None  # it paused

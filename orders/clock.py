"""Time and randomness: everything else takes them from here, so a simulation can replace both."""

import itertools
import random
import secrets
import time

#: Seconds of a steady clock: deadlines, rates and measurements.
monotonic = time.monotonic
#: Whatever chance decides, but secrets.
rng = random.Random()  # noqa: S311 - nothing that must not be guessed

#: Seconds by which a timer must be late for its process to have been stopped, not only busy.
ASLEEP = 1.0

_count = itertools.count(rng.getrandbits(46))
_prefix, _prefix_of = "", 0


def token(size: int = 16) -> str:
    """A secret of so many random bytes, in characters that a URL may hold."""
    return secrets.token_urlsafe(size)


def now_ms() -> int:
    """The broker's clock: epoch milliseconds."""
    return time.time_ns() // 1_000_000


def stamp() -> tuple[int, str]:
    """The broker's clock, and a UUID (version 7) made then.

    That is the time, then randomness, so that ids made here lie side by side. Every accepted event
    costs one, so what is random is drawn once a millisecond, and counted on.
    """
    global _prefix, _prefix_of
    now = now_ms()
    if now != _prefix_of:
        _prefix_of = now
        high = f"{now:012x}7{rng.getrandbits(12):03x}{0x8000 | rng.getrandbits(14):04x}"
        _prefix = f"{high[:8]}-{high[8:12]}-{high[12:16]}-{high[16:]}-"
    return now, f"{_prefix}{next(_count) & 0xFFFFFFFFFFFF:012x}"


def new_id() -> str:
    """A UUID: see `stamp`."""
    return stamp()[1]


def slept(late: float) -> float:
    """What of the seconds by which a timer was late counts as sleep (a lid, a SIGSTOP), else 0.

    What happens while nobody here could notice is held against nobody.
    """
    return late if late > ASLEEP else 0.0


Chance = random.Random


def seeded(seed: int) -> Chance:
    """Chance that comes again with its seed."""
    return Chance(seed)

"""Time and ids, which the layers below take as arguments."""

import random
import time


def now_ms() -> int:
    """The broker's clock: epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A UUID (version 7): the time, then randomness, so that ids made here lie side by side."""
    high = (now_ms() << 16) | 0x7000 | random.getrandbits(12)
    low = (0b10 << 62) | random.getrandbits(62)
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

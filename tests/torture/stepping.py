"""`orders` on a machine whose clock is set while it runs: python -P stepping.py FILE serve …

FILE says by how many seconds the time of day is off; it is read at the start and at each SIGUSR1.
What measures durations goes on, as it does on a real machine.
"""

import signal
import sys
import time
from pathlib import Path

_file = Path(sys.argv.pop(1))
_real = time.time_ns
_off = 0


def _step(*_: object) -> None:
    global _off
    _off = int(float(_file.read_text()) * 1e9)


_step()
signal.signal(signal.SIGUSR1, _step)
time.time_ns = lambda: _real() + _off
time.time = lambda: (_real() + _off) / 1e9

if __name__ == "__main__":
    from orders.__main__ import main

    main()

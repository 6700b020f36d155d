"""What is being done, on a terminal: for all that takes longer than a second."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from shutil import get_terminal_size

from orders.cli.output import paint
from orders.clock import monotonic

PATIENCE = 1.0  # seconds until anything is shown
PAUSE = 0.2  # seconds between two looks
CLEAR = "\r\x1b[K"


@contextlib.contextmanager
def progress(doing: str, *, beside_output: bool = False) -> Iterator[Callable[[str], None]]:
    """A line on stderr with what the block is `doing`, and for how long; gone at its end.

    The block is given a function that changes these words. Nothing is shown where stderr is no
    terminal, nor `beside_output` that goes to one itself.
    """
    words, ended, is_shown = [doing], threading.Event(), False

    def tell(doing: str) -> None:
        words[0] = doing

    def show_until_ended() -> None:
        nonlocal is_shown
        begun = monotonic()
        while not ended.wait(PAUSE if is_shown else PATIENCE):
            is_shown = True
            show(f"{words[0]}, {monotonic() - begun:.0f} s …")

    if not sys.stderr.isatty() or (beside_output and sys.stdout.isatty()):
        yield tell
        return
    showing = threading.Thread(target=show_until_ended, daemon=True)
    showing.start()
    try:
        yield tell
    finally:
        ended.set()
        showing.join()
        if is_shown:
            show("")


def show(words: str) -> None:
    """Put these words in place of what was shown before, where stderr is a terminal."""
    if sys.stderr.isatty():
        line = paint(words[: get_terminal_size().columns - 1], "muted", sys.stderr) if words else ""
        print(CLEAR + line, end="", file=sys.stderr, flush=True)

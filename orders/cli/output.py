"""What the commands print: for people in colour on a terminal, for programs as JSON lines."""

import contextlib
import errno
import io
import json
import logging
import os
import sys
import time
import unicodedata
from collections.abc import Iterator
from typing import IO, Any

from orders.errors import CannotStart

_COLOURS = {"placed": 34, "confirmed": 32, "rejected": 31, "muted": 90, "broker": 35}
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # Unicode's categories
_JOINERS = "\u200c\u200d"  # within words of some languages, and within emoji


def printable(text: str) -> str:
    """A text of somebody else's, safe on a terminal: what steers it or turns it around is named."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_named(char) if _steers(char) else char for char in text)


def _steers(char: str) -> bool:
    return unicodedata.category(char) in _STEERING and char not in _JOINERS


def _named(char: str) -> str:
    """As JSON writes it, so that JSON stays what it is."""
    return json.dumps(char)[1:-1] if char > "\x7f" else f"\\u{ord(char):04x}"


def as_json(value: Any) -> str:
    """One line of JSON, in which nothing steers the terminal."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return printable(text if can_show(text) else json.dumps(value))


def is_coloured(stream: IO[str]) -> bool:
    """Whether this stream takes colour: a terminal does, unless NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: IO[str] | None = None) -> str:
    """The text in a colour of our own, where colours are taken."""
    if not is_coloured(stream or sys.stdout):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def say(text: str) -> None:
    """A line of output, at once even into a pipe."""
    with writing_out():
        print(text, flush=True)


@contextlib.contextmanager
def writing_out() -> Iterator[None]:
    """Write to a pipe for as long as it is read; to what takes no more, `CannotStart`."""
    try:
        yield
    except BrokenPipeError:
        _silence()
    except OSError as error:
        raise _cannot_write(error) from None


@contextlib.contextmanager
def written_out() -> Iterator[None]:
    """At the end all that was printed is written, by whatever code; else `CannotStart`."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _cannot_write(error) from None
    finally:
        with writing_out():
            sys.stdout.flush()


def _cannot_write(error: OSError) -> CannotStart:
    _silence()
    return CannotStart("cannot_write", f"The output cannot be written: {error.strerror or error}.")


def _silence() -> None:
    """Nobody reads our output any more, or it cannot be written: nothing more is tried."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def have_streams() -> None:
    """Started without standard streams, as a service may be, we get some that lead nowhere.

    Else a file that is opened later would take their place, and what is printed.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: the missing one
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def take_any_character() -> None:
    """What an output cannot show, as on a Windows console or with LANG=C, is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def can_show(text: str) -> bool:
    """Whether standard output can show these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def note(text: str) -> None:
    """A line about what we are doing: on stderr, so that output stays clean.

    Where that is closed or full nobody can be told, and what we are doing goes on.
    """
    try:
        print(paint(text, "muted", sys.stderr), file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class Noting(logging.Handler):
    """Notes what the client logs: that a connection was lost, say."""

    def emit(self, record: logging.LogRecord) -> None:
        note(printable(record.getMessage()))


def note_connections() -> None:
    """Say it when the connection is lost, for commands that come back by themselves."""
    log = logging.getLogger("orders.client")
    log.setLevel(logging.INFO)
    log.addHandler(Noting())


def clock(milliseconds: int | None = None) -> str:
    """A time of day, now or then, for a person."""
    return time.strftime(
        "%H:%M:%S", time.localtime(None if milliseconds is None else milliseconds / 1000)
    )

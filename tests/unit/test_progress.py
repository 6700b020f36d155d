"""What is being done is shown on a terminal alone, and wiped away at the end."""

import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orders.broker.records import Kind, control
from orders.cli import progress
from orders.cli.doctor import say_findings
from orders.journal.sqlite.engine import SqliteEngine
from orders.settings import Settings


class Stream(io.StringIO):
    """A stream that is a terminal, or not; sets `seen` once it is written to."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal
        self.seen = threading.Event()

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        written = super().write(text)
        self.seen.set()
        return written


@pytest.fixture(autouse=True)
def _without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize(
    ("err", "out", "beside_output", "said"),
    [
        (True, False, True, True),
        (True, True, False, True),
        (True, True, True, False),
        (False, False, False, False),
    ],
)
def test_progress_is_for_a_terminal_that_shows_nothing_else(
    monkeypatch: pytest.MonkeyPatch, err: bool, out: bool, beside_output: bool, said: bool
) -> None:
    terminal = Stream(err)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", Stream(out))
    monkeypatch.setattr(progress, "PATIENCE", 0)
    with progress.progress("looking", beside_output=beside_output) as tell:
        assert terminal.seen.wait(10 if said else 0.05) is said
        tell("2 of 3 events")
        terminal.seen.clear()
        assert terminal.seen.wait(10 if said else 0.05) is said
    text = terminal.getvalue()
    if said:
        assert text.startswith(f"{progress.CLEAR}looking, 0 s …{progress.CLEAR}2 of 3 events")
        assert text.endswith(progress.CLEAR)
    else:
        assert text == ""


@pytest.mark.parametrize("save", [None, "saved.db"])
async def test_the_doctor_says_how_far_it_is_with_a_journal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, save: str | None
) -> None:
    told: list[str] = []

    @contextlib.contextmanager
    def shown(doing: str) -> Iterator[Callable[[str], None]]:
        yield told.append

    monkeypatch.setattr("orders.cli.doctor.progress", shown)
    engine = SqliteEngine(tmp_path / "class.db")
    await engine.open()
    await engine.append([control("main", Kind.PAUSED, 1, paused=True)])
    await engine.close()
    settings = Settings(port=0, journal=str(tmp_path / "class.db"))
    assert say_findings(settings, tmp_path / save if save else None) == 0
    assert told[:2] == ["checking the journal's file", "0 records checked"]
    assert ("copying 1 record" in told) is bool(save)


def test_what_is_quick_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Stream(True)
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.progress("looking") as tell:
        tell("looked")
    assert terminal.getvalue() == ""


def test_a_line_is_no_longer_than_the_terminal_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    terminal = Stream(True)
    monkeypatch.setattr(sys, "stderr", terminal)
    progress.show("0123456789")
    assert terminal.getvalue() == f"{progress.CLEAR}012345678"

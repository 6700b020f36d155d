"""How far an export has come is said on a terminal alone, and wiped away at the end."""

import asyncio
import io
import sys
from collections.abc import AsyncIterator

import pytest

from orders.cli import progress
from tests.wire import until


class Stream(io.StringIO):
    """A stream that is a terminal, or not."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("err", "out", "beside_output", "said"),
    [
        (True, False, True, True),
        (True, True, False, True),
        (True, True, True, False),
        (False, False, False, False),
    ],
)
async def test_progress_is_for_a_terminal_that_shows_nothing_else(
    monkeypatch: pytest.MonkeyPatch, err: bool, out: bool, beside_output: bool, said: bool
) -> None:
    terminal = Stream(err)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", Stream(out))
    monkeypatch.setattr(progress, "PATIENCE", 0)
    monkeypatch.setattr(progress, "PAUSE", 0)

    async def shown() -> bool:
        return "2 of 3 events" in terminal.getvalue()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"a": 1}\n{"b": 2}\n'
        if said:
            await until(shown, "it says how far it is")
        for _ in range(20):  # here it would have said so
            await asyncio.sleep(0)
        yield b"{}\n"

    parts = progress.shown(slow(), 3, beside_output=beside_output)
    assert b"".join([part async for part in parts]) == b'{"a": 1}\n{"b": 2}\n{}\n'
    if said:
        assert terminal.getvalue().endswith(progress.CLEAR)
    else:
        assert terminal.getvalue() == ""


async def test_what_is_quick_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Stream(True)
    monkeypatch.setattr(sys, "stderr", terminal)

    async def quick() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(0)

    assert [part async for part in progress.shown(quick(), None, beside_output=False)] == [b"x"]
    assert terminal.getvalue() == ""

"""`orders` commands that run for a while, as processes of their own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.forked import Forked
from tests.process import environment
from tests.wire import DEADLINE, until


class Command:
    """An `orders` command. What it prints on stdout is in `said`, on stderr in `noted`."""

    def __init__(self, directory: Path, *arguments: str, stdin: bool = False, **env: str) -> None:
        self._files = [directory / f"{id(self)}.{name}" for name in ("out", "err")]
        self.process: subprocess.Popen[bytes] | Forked
        if not stdin and not env:
            self._files[0].touch()
            self._files[1].touch()
            self.process = Forked([*arguments], directory, environment(), *self._files)
            return
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orders", *arguments],
                cwd=directory,
                env=environment(**env),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._files[0].read_text(encoding="utf-8")

    @property
    def noted(self) -> str:
        return self._files[1].read_text(encoding="utf-8")

    async def until_said(self, text: str, times: int = 1) -> str:
        """Wait until the text stands on stdout (or stderr) that often; return all of stdout."""

        async def probe() -> bool:
            found = (self.said + self.noted).count(text) >= times
            assert found or self.process.poll() is None, f"it ended: {self.said}{self.noted}"
            return found

        await until(probe, f"{text!r} {times} times in {self._files[0]}")
        return self.said

    async def ended(self) -> int:
        """Wait until it ends; its exit code."""
        return await asyncio.to_thread(self.process.wait, DEADLINE)

    def send(self, number: signal.Signals) -> None:
        """A signal to it alone."""
        self.process.send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and whatever it started and left behind in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()  # before it had a session of its own
        self.process.wait(DEADLINE)
        if self.process.stdin is not None:
            self.process.stdin.close()

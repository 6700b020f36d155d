"""`orders` as a real process.

It can be killed with SIGKILL, and started again on the same port and journal.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.forked import Forked
from tests.wire import DEADLINE

ROOT = Path(__file__).parents[1]


class Process:
    """`orders serve` on a port and journal of its own.

    `url` and `port` are known once it has started; what it printed in all its lives is in `log`.
    `program`: what is started instead of `orders`; `wrapper`: what starts it, such as strace.
    """

    def __init__(
        self,
        directory: Path,
        *flags: str,
        wrapper: tuple[str, ...] = (),
        program: tuple[str, ...] = (),
    ) -> None:
        self.directory = directory
        self.program = program
        self.log_path = directory / "server.log"
        self.flags = flags
        self.wrapper = wrapper
        self.source = ROOT  # the checkout that it is started from
        self.port = 0
        self._process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def start(self) -> Self:
        """Start it, or start it again on the port it had; return once it is ready for events."""
        seen = self.log_path.stat().st_size if self.log_path.exists() else 0
        given = ["serve", "--port", str(self.port)]
        given += ["--journal", str(self.directory / "orders.db"), *self.flags]
        env = environment(PYTHONPATH=str(self.source))
        if self.wrapper or self.program:
            program = self.program or (sys.executable, "-m", "orders")
            with self.log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    [*self.wrapper, *program, *given],
                    cwd=self.directory,
                    env=env,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        else:
            self.log_path.touch()
            log_path = self.log_path.absolute()
            self._process = Forked(given, self.directory, env, log_path, log_path)
        deadline = time.monotonic() + DEADLINE
        while not self._ready(seen):
            assert self._process.poll() is None, f"it ended: {self.log}"
            assert time.monotonic() < deadline, f"it never became ready: {self.log}"
            time.sleep(0.02)
        return self

    def _ready(self, seen: int) -> bool:
        if not self.port:
            found = re.search(rb"Open http://[^:]+:(\d+)", self.log_path.read_bytes()[seen:])
            if found is None:
                return False
            self.port = int(found[1])
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=DEADLINE) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, to it and whatever it started."""
        self._end(signal.SIGKILL)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it as a service manager would, with SIGTERM; return its exit code."""
        return self._end(number)

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            os.killpg(process.pid, number)
        try:
            return process.wait(DEADLINE)
        finally:
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


def environment(**more: str) -> dict[str, str]:
    """This environment without settings of Orders, and with this source tree to import from."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **more}


@contextmanager
def running(*arguments: str, cwd: Path) -> Iterator[Forked]:
    """An `orders` command that goes on until it is ended, such as a bot; what it prints is lost."""
    process = Forked([*arguments], cwd, environment(), Path(os.devnull), Path(os.devnull))
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE)


def orders(
    *arguments: str, cwd: Path, wrapper: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run an `orders` command to its end."""
    command = [*wrapper, sys.executable, "-m", "orders", *arguments]
    if wrapper:
        env = environment()
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
    with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
        process = Forked([*arguments], cwd, environment(), Path(out.name), Path(err.name))
        try:
            code = process.wait(DEADLINE)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, code, out.read(), err.read())

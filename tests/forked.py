"""`orders` as a process that begins with its libraries loaded: they take longer than all else.

The libraries are loaded once, by a process of `multiprocessing` that waits; what is forked from it
imports Orders itself. From then on it is a process like any other, with its own id and session.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

#: All that `orders` imports that is not ours.
LIBRARIES = (
    *("aiohttp.web", "aiohttp_jinja2", "ifaddr", "itsdangerous", "prometheus_client"),
    *("pydantic_settings", "segno", "structlog", "typer", "sqlite3", "nats"),
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*LIBRARIES])


class Forked:
    """`orders` with these arguments; as far as the tests use it, a `subprocess.Popen`.

    `PYTHONPATH` in `env` is the tree that it is imported from. Output is appended to files.
    """

    stdin = None

    def __init__(
        self, arguments: list[str], cwd: Path, env: Mapping[str, str], out: Path, err: Path
    ) -> None:
        given = arguments, str(cwd), {**env}, str(out), str(err)
        self._process = _context.Process(target=_become, args=given, daemon=True)
        self._process.start()
        self.pid = self._process.pid or 0

    def poll(self) -> int | None:
        """Its exit code, None while it runs; of a signal that ended it, the negative number."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("orders", timeout or 0.0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """A signal to it alone, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(arguments: list[str], cwd: str, env: dict[str, str], out: str, err: str) -> None:
    """In the new process: be `python -m orders`."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, stream.fileno())
        os.close(file)
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.argv = ["orders", *arguments]
    sys.path.insert(0, env["PYTHONPATH"])
    from orders.__main__ import main

    main()

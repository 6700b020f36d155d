"""The files of deploy/ made fit for a test, and the programs that read them."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.wire import DEADLINE

DEPLOY = Path(__file__).parents[1] / "deploy"


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on: these servers cannot tell which they took."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def changed(file: str, **changes: str) -> str:
    """A file of deploy/ with these texts replaced, each of which must be there."""
    text = (DEPLOY / file).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{file} says {old!r} no more"
        text = text.replace(old, new)
    return text


@contextmanager
def program(command: list[str], log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs until the end of this context, which ends it with SIGTERM."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **variables}
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(DEADLINE)

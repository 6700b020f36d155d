"""deploy/nats.conf, read by three real servers; only addresses and directories are changed."""

import re
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import aiohttp
import nats
import pytest
from nats.js.api import StorageType, StreamConfig

from tests.deployed import DEPLOY, changed, free_ports, program
from tests.wire import until

NAMES = ("nats-1", "nats-2", "nats-3")


@pytest.fixture
def nats_server() -> str:
    """The real server, which the wheel puts beside Python itself."""
    return str(Path(sysconfig.get_path("scripts")) / "nats-server")


class Cluster:
    """Three servers from nats.conf on loopback; `clients` and `monitors` are their ports."""

    def __init__(self, directory: Path, nats_server: str) -> None:
        ports = free_ports(9)
        self.clients, self.monitors, routes = ports[:3], ports[3:6], ports[6:]
        self.commands = {}
        for name, client, monitor, route in zip(
            NAMES, self.clients, self.monitors, routes, strict=True
        ):
            listens = {
                "0.0.0.0:4222": f"127.0.0.1:{client}",
                "0.0.0.0:8222": f"127.0.0.1:{monitor}",
                "0.0.0.0:6222": f"127.0.0.1:{route}",
                '"/data"': f'"{directory / name}"',
            }
            to = {f"{n}:6222": f"127.0.0.1:{p}" for n, p in zip(NAMES, routes, strict=True)}
            path = directory / f"{name}.conf"
            path.write_text(changed("nats.conf", **listens, **to), encoding="utf-8")
            self.commands[name] = [nats_server, "--config", str(path)]


def test_nats_accepts_its_configuration_as_it_stands(nats_server: str) -> None:
    command = [nats_server, "-t", "--config", str(DEPLOY / "nats.conf")]
    for variables, code in (({"NATS_NAME": "nats-1"}, 0), ({}, 1)):
        seen = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert seen.returncode == code, seen.stderr
    assert "NATS_NAME" in seen.stderr


@pytest.fixture
def cluster(tmp_path: Path, nats_server: str) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, nats_server)
    with ExitStack() as running:
        for name, command in cluster.commands.items():
            log = tmp_path / f"{name}.log"
            running.enter_context(program(command, log, NATS_NAME=name))
        yield cluster


async def test_three_servers_make_a_cluster_that_syncs_before_it_acknowledges(
    cluster: Cluster, http: aiohttp.ClientSession
) -> None:
    health = _health_path()

    async def is_healthy(port: int) -> bool:
        try:
            async with http.get(f"http://127.0.0.1:{port}{health}") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    for port in cluster.monitors:
        await until(partial(is_healthy, port), "a leader is elected")
        async with http.get(f"http://127.0.0.1:{port}/varz") as answer:
            config = (await answer.json())["jetstream"]["config"]
        assert config["sync_always"] is True
    servers = [f"nats://127.0.0.1:{port}" for port in cluster.clients]
    async with await nats.connect(servers) as client:
        jetstream = client.jetstream()
        config = StreamConfig("TRIED", subjects=["tried"], storage=StorageType.FILE, num_replicas=3)

        async def is_made() -> bool:
            try:
                return bool(await jetstream.add_stream(config))
            except nats.errors.Error:
                return False

        await until(is_made, "a stream of three replicas")
        assert (await jetstream.publish("tried", b"1")).seq == 1
        info = await jetstream.stream_info("TRIED")
        assert info.cluster is not None
        assert info.cluster.name == "orders"
        others = {replica.name for replica in info.cluster.replicas or []}
        assert others | {info.cluster.leader} == set(NAMES)


def _health_path() -> str:
    """What compose.yaml asks each server: the path and query of its health check."""
    found = re.findall(r"http://127\.0\.0\.1:8222(/\S+?)\"", (DEPLOY / "compose.yaml").read_text())
    assert len(found) == 1
    return str(found[0])

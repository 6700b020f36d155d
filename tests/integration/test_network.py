"""Which address a class is told, on machines with several networks: Wi-Fi, VPN, Docker, link-local.

Each runs in a network namespace of its own, in which these networks are there in earnest.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import environment
from tests.wire import DEADLINE

WIFI, ETHERNET = "wlan0 192.168.1.23/24", "eth0 10.20.0.7/16"
OTHERS = ("tun0 10.8.0.2/24", "docker0 172.17.0.1/16", "eth1 169.254.7.7/16")
BY_WIFI = "default via 192.168.1.1 dev wlan0"


def in_networks(networks: tuple[str, ...], routes: tuple[str, ...], command: str) -> str:
    """What a command prints on a machine with these networks and routes."""
    lines = ["ip link set lo up"]
    for network in networks:
        name, address = network.split()
        lines += [f"ip link add {name} type veth peer name far-{name}"]
        lines += [f"ip link set {name} up; ip link set far-{name} up"]
        lines += [f"ip addr add {address} dev {name}"]
    lines += [f"ip route add {route}" for route in routes]
    script = "set -e; " + "; ".join(lines)
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    unshare = ["unshare", *as_root, "--net", "sh", "-c"]
    try:
        subprocess.run([*unshare, script], check=True, capture_output=True, timeout=DEADLINE)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system does not let us make network namespaces")
    ended = subprocess.run(
        [*unshare, f"{script}; {command}"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return ended.stdout + ended.stderr


def orders(*arguments: str) -> str:
    return shlex.join([sys.executable, "-m", "orders", *arguments])


@pytest.mark.parametrize(
    ("networks", "routes", "expected"),
    [
        ((*OTHERS, WIFI), (BY_WIFI,), ["192.168.1.23", "10.8.0.2", "172.17.0.1"]),
        ((*OTHERS, WIFI), (), ["192.168.1.23", "10.8.0.2", "172.17.0.1"]),
        ((*OTHERS, WIFI), (BY_WIFI, "0.0.0.0/1 dev tun0"), ["192.168.1.23"]),
        ((*OTHERS, WIFI), ("default dev tun0",), ["192.168.1.23", "10.8.0.2"]),
        ((ETHERNET, WIFI), (BY_WIFI,), ["192.168.1.23", "10.20.0.7"]),
        ((ETHERNET, WIFI), (BY_WIFI + " metric 600", "default dev eth0"), ["10.20.0.7"]),
        (("eth1 169.254.7.7/16",), (), []),
    ],
)
def test_the_address_that_a_phone_reaches_comes_first_and_link_local_never(
    networks: tuple[str, ...], routes: tuple[str, ...], expected: list[str]
) -> None:
    code = "from orders.network import lan_addresses; print(*lan_addresses())"
    found = in_networks(networks, routes, shlex.join([sys.executable, "-c", code])).split()
    assert found[: len(expected)] == expected
    assert not any(address.startswith("169.254.") for address in found)


def test_terminal_doctor_and_pages_tell_the_same_address(tmp_path: Path) -> None:
    serve = orders("serve", "--lan", "--port", "8080", "--journal", str(tmp_path / "orders.db"))
    ask = (
        "import time, urllib.request\n"
        "for _ in range(600):\n"
        "    try: print(urllib.request.urlopen('http://localhost:8080/').read().decode()); break\n"
        "    except OSError: time.sleep(0.05)\n"
    )
    python = shlex.join([sys.executable, "-c", ask])
    said = in_networks(
        (*OTHERS, WIFI),
        (BY_WIFI,),
        f"{serve} & {python}; {orders('doctor', '--lan')} || true; kill $!; wait",
    )
    assert re.findall(r"for the class: (\S+)", said)[0] == "http://192.168.1.23:8080"
    assert "projector: http://192.168.1.23:8080/join" in said
    assert "Open http://192.168.1.23:8080/host?token=" in said
    assert 'alt="QR code of http://192.168.1.23:8080/"' in said
    assert "open http://192.168.1.23:8080 on a phone" in said
    assert re.findall(r"(\S+) is an address of this machine", said)[0] == "192.168.1.23"
    assert "169.254." not in said


def test_the_teacher_may_choose_the_address(tmp_path: Path) -> None:
    for chosen in ("10.8.0.2", "orders.school.example"):
        serve = orders("serve", "--lan", "--port", "0", "--journal", "memory", "--address", chosen)
        out = shlex.quote(str(tmp_path / chosen))
        wait = f"until grep -q 'the class' {out}; do kill -0 $! || exit; sleep 0.1; done"
        command = f"{serve} > {out} & {wait}; kill $!; wait; cat {out}"
        said = in_networks((*OTHERS, WIFI), (BY_WIFI,), command)
        assert re.findall(r"for the class: http://([^:]+):", said)[0] == chosen

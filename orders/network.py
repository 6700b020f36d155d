"""The addresses of this machine: one list for the QR code, the pages, the terminal and `doctor`."""

import ipaddress
import re
import socket
from pathlib import Path

import ifaddr

#: Networks within this machine or to far away: no phone of the classroom reaches us by them.
_is_virtual = re.compile(
    r"docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|lxc|podman|tun|tap|wg|ppp|utun|zt|tailscale"
    r"|.*(virtual|hyper-v|vethernet|vmware|wireguard|openvpn|tailscale|zerotier|wintun|tap-windows)",
    re.IGNORECASE,
).match
_ROUTES = Path("/proc/net/route")


def own_addresses() -> set[str]:
    """Every address of this machine."""
    return {
        ip.ip if isinstance(ip.ip, str) else ip.ip[0]
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    }


def lan_addresses(chosen: str | None = None) -> list[str]:
    """The IPv4 addresses by which others may reach this machine, the likeliest first.

    `chosen` comes before all. Then whatever is no VPN and no network of virtual machines, there
    the one of the default route, then private ones. Those of loopback and link-local never.
    """
    found, routed = {}, _default_interface()
    for adapter in ifaddr.get_adapters():
        virtual = bool(_is_virtual(adapter.name) or _is_virtual(adapter.nice_name))
        for ip in adapter.ips:
            if not isinstance(ip.ip, str):
                continue
            address = ipaddress.IPv4Address(ip.ip)
            if not address.is_loopback and not address.is_link_local:
                is_default = routed in (adapter.name, ip.ip)
                found[ip.ip] = (virtual, not is_default, not address.is_private, address)
    best_first = sorted(found, key=found.__getitem__)
    return list(dict.fromkeys([chosen, *best_first] if chosen else best_first))


def _default_interface() -> str | None:
    """What the default route leads through: an interface, or one of its addresses."""
    try:
        rows = [row.split() for row in _ROUTES.read_text(encoding="ascii").splitlines()[1:]]
    except OSError:  # not Linux: ask which address would be used; nothing is sent
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))
            except OSError:
                return None
            return str(probe.getsockname()[0])
    # Columns: interface, destination, gateway, flags, …, 6: metric, 7: mask.
    routes = [(int(row[6]), row[0]) for row in rows if row[1] == row[7] == "00000000"]
    return min(routes)[1] if routes else None

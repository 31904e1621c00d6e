# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as data: hosts, networks, addresses, and every text that follows from them. Pure: no effects in here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

SUITES = ("bookworm", "trixie")
SECOND_OCTETS = {"demo": 87, "test": 86, "bench": 85, "second": 84}
# Two instances for tests, so that these run side by side.
TEST_INSTANCES = ("test", "second")


@dataclass(frozen=True)
class Network:
    """A bridge of the lab; the controller has its first address. Without ``internal`` it is routed and masqueraded.

    Internal ones carry IPv6, too; the way to package registries does not, since few machines have IPv6 to pass on.
    """

    name: str
    third_octet: int
    internal: bool


@dataclass(frozen=True)
class Host:
    """A systemd host: its inventory group, its image, its last octet on each network; the first network carries SSH."""

    name: str
    group: str
    image: str
    octets: Mapping[str, int]


NETWORKS = (
    Network("management", 3, internal=False),
    Network("outside", 1, internal=True),
    Network("beyond", 2, internal=True),
)
HOSTS = (
    Host("authority", "authority", "base", {"management": 10}),
    Host("gateway1", "gateways", "base", {"management": 21, "outside": 21, "beyond": 21}),
    Host("gateway2", "gateways", "base", {"management": 22, "outside": 22, "beyond": 22}),
    Host("alice", "clients", "client", {"outside": 11}),
    Host("bob", "clients", "client", {"outside": 12}),
    Host("internet", "outside_world", "internet", {"beyond": 80}),
    Host("nameserver", "nameservers", "nameserver", {"management": 53, "outside": 53}),
)
# The zone of the gateways' names, and the key with which the controller writes in it.
ZONE = "lab.example"
CONTROLLER_KEY = "controller"
# The certificate authority for web pages, on the name server's host; its own HTTPS certificate is from acme-ca.pem.
ACME_NAME = "acme.outside.example"
ACME_PORT = 14000
BENCH_GATEWAYS = 10
# The instance of the benchmark `converge`: many gateways, and nobody who uses them.
BENCH_HOSTS = (
    HOSTS[0],
    *(
        Host(f"gateway{number}", "gateways", "base", dict.fromkeys(("management", "outside", "beyond"), 20 + number))
        for number in range(1, BENCH_GATEWAYS + 1)
    ),
)
# The other gateway has the role's own listeners, which carry IPv4 only.
DUAL_STACK_GATEWAY = "gateway1"


class Action(Enum):
    """What a host needs to stand as wanted."""

    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    KEEP = "keep"


@dataclass(frozen=True)
class Actual:
    """A container as found: the engine's word for its state, and the fingerprint it was made from."""

    state: str
    fingerprint: str


def plan_host(wanted_fingerprint: str, actual: Actual | None) -> Action:
    """Decide what a host needs. A container that was made but never started lacks its keys: it is made again."""
    if actual is None:
        return Action.CREATE
    if actual.fingerprint != wanted_fingerprint or actual.state not in ("running", "exited", "stopped"):
        return Action.RECREATE
    return Action.KEEP if actual.state == "running" else Action.START


def hosts_of(instance: str) -> tuple[Host, ...]:
    """The hosts of an instance."""
    return BENCH_HOSTS if instance == "bench" else HOSTS


def container_name(instance: str, host: str) -> str:
    """Name of the container of a host."""
    return f"psg-{instance}-{host}"


def network_name(instance: str, network: str) -> str:
    """Name of a network in the engine."""
    return f"psg-{instance}-{network}"


def subnet(instance: str, network: Network) -> str:
    """A network's prefix, such as ``10.87.1.0/24``."""
    return f"10.{SECOND_OCTETS[instance]}.{network.third_octet}.0/24"


def address(instance: str, host: Host, network: str) -> str:
    """A host's address on a network; ``KeyError`` when it is not on it."""
    third_octet = next(each.third_octet for each in NETWORKS if each.name == network)
    return f"10.{SECOND_OCTETS[instance]}.{third_octet}.{host.octets[network]}"


def subnets(instance: str, network: Network) -> list[str]:
    """All of a network's prefixes: IPv4, and ``fd00:87:1::/64`` where it carries IPv6."""
    ipv6 = f"fd00:{SECOND_OCTETS[instance]}:{network.third_octet}::/64"
    return [subnet(instance, network), *([ipv6] if network.internal else [])]


def address6(instance: str, host: Host, network: str) -> str:
    """A host's IPv6 address on a network; it ends like its IPv4 address."""
    third_octet = next(each.third_octet for each in NETWORKS if each.name == network)
    return f"fd00:{SECOND_OCTETS[instance]}:{third_octet}::{host.octets[network]}"


def mac_address(instance: str, host: Host, network: str) -> str:
    """A host's hardware address on a network: its own through every restart, so that no neighbour holds a stale one."""
    octets = address(instance, host, network).split(".")
    return ":".join(["02", "00", *(f"{int(octet):02x}" for octet in octets)])


def gateway_addresses(instance: str) -> dict[str, str]:
    """The addresses at which users reach the gateways, by host name."""
    return {host.name: address(instance, host, "outside") for host in hosts_of(instance) if host.group == "gateways"}


def gateway_addresses6(instance: str) -> dict[str, str]:
    """The same over IPv6."""
    return {host.name: address6(instance, host, "outside") for host in hosts_of(instance) if host.group == "gateways"}


def internet_address6(instance: str) -> str:
    """The IPv6 address of what lies outside."""
    return next(address6(instance, host, "beyond") for host in HOSTS if host.group == "outside_world")


def internet_address(instance: str) -> str:
    """The address of what lies outside, which users reach through a tunnel only; in ``bench`` nothing is there."""
    return next(address(instance, host, "beyond") for host in HOSTS if host.group == "outside_world")


def ssh_address(instance: str, host: Host) -> str:
    """The address on which this machine reaches the host."""
    return address(instance, host, next(iter(host.octets)))


def parse_suites(
    debian12: str, debian13: str, before: Mapping[str, str], *, hosts: Iterable[Host] = HOSTS
) -> dict[str, str]:
    """Suite of every host: as asked, else as it was before, else Debian 12. ``ValueError`` names an unknown host."""
    names = [host.name for host in hosts]
    suites = {name: before.get(name, SUITES[0]) for name in names}
    for suite, text in zip(SUITES, (debian12, debian13)):
        for name in filter(None, text.split(",")):
            if name not in suites:
                raise ValueError(f"no host {name!r}: there are {' '.join(names)}")
            suites[name] = suite
    return suites


def render_hosts_file(instance: str, host: Host) -> str:
    """A host's ``/etc/hosts``: itself, and those it shares a network with, at the first network they share."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", f"127.0.1.1 {host.name}"]
    for peer in hosts_of(instance):
        shared = [name for name in peer.octets if name in host.octets]
        if peer.name != host.name and shared:
            lines.append(f"{address(instance, peer, shared[0])} {peer.name}")
    return "\n".join(lines) + "\n"


def nameserver_address(instance: str, network: str = "outside") -> str:
    """The address of the name server: users ask it from outside, gateways by the network of the management."""
    return next(address(instance, host, network) for host in HOSTS if host.name == "nameserver")


def nameserver_address6(instance: str) -> str:
    """The IPv6 address of the name server."""
    return next(address6(instance, host, "outside") for host in HOSTS if host.name == "nameserver")


def render_resolver(instance: str, host: Host, machine_resolver: str) -> str:
    """A host's ``/etc/resolv.conf``: itself where it answers names, the machine's where it gets out, else the lab's."""
    if host.name in ("internet", "nameserver"):
        return "nameserver 127.0.0.1\n"
    if "management" in host.octets:
        return machine_resolver
    return f"nameserver {nameserver_address(instance)}\n"


def _zone_file(zone: str, *records: str) -> str:
    head = f"$TTL 60\n@ IN SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 5\n@ IN NS ns.{zone}.\n"
    return head + "".join(f"{record}\n" for record in records)


def render_name_service(instance: str, secret: str, machine_resolver: str) -> dict[str, str]:
    """The name server's own files by path: a zone of gateways, which takes updates, and names for users to look up.

    What lies beyond the gateways is known to the gateways alone: they ask by the network of the management. All other
    names it has from this machine's own resolver.

    :param secret: The controller's TSIG secret, Base64.
    :param machine_resolver: A ``resolv.conf`` that hosts of the lab can use.
    """
    words = [line.split() for line in machine_resolver.splitlines()]
    others = [line[1] for line in words if line[:1] == ["nameserver"] and len(line) > 1]
    forwarders = f" forward only; forwarders {{ {'; '.join(others)}; }};" if others else ""
    own, beyond = nameserver_address(instance), internet_address(instance)
    management = subnet(instance, NETWORKS[0])
    return {
        "etc/bind/named.conf": (
            'include "/etc/bind/rndc.key";\n'
            'controls { inet 127.0.0.1 allow { localhost; } keys { "rndc-key"; }; };\n'
            'include "/etc/bind/privatespace/controller.key";\n'
            'include "/etc/bind/privatespace/keys.conf";\n'
            'options { directory "/var/cache/bind"; listen-on-v6 { any; }; recursion yes; allow-recursion { any; };'
            f" dnssec-validation no; empty-zones-enable no;{forwarders} }};\n"
            f'zone "{ZONE}" {{ type primary; file "/var/lib/bind/{ZONE}";'
            ' include "/etc/bind/privatespace/policy.conf"; };\n'
            'zone "outside.example" { type primary; file "/etc/bind/lab/outside.example"; };\n'
            'zone "internet.lab" { type primary; file "/etc/bind/lab/internet.lab";'
            f" allow-query {{ 127.0.0.0/8; {management}; }}; }};\n"
        ),
        "etc/bind/privatespace/controller.key": (
            f'key "{CONTROLLER_KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
        ),
        "etc/bind/privatespace/keys.conf": "# The keys of the gateways are not known yet.\n",
        "etc/bind/privatespace/policy.conf": f"update-policy {{ grant {CONTROLLER_KEY} zonesub ANY; }};\n",
        f"var/lib/bind/{ZONE}": _zone_file(ZONE, f"ns IN A {own}", f"ns IN AAAA {nameserver_address6(instance)}"),
        "etc/bind/lab/outside.example": _zone_file(
            "outside.example", *(f"{name} IN A {own}" for name in ("ns", "www", "acme"))
        ),
        "etc/bind/lab/internet.lab": _zone_file(
            "internet.lab", f"ns IN A {own}", f"@ IN A {beyond}", f"www IN A {beyond}"
        ),
    }


def render_ssh_config(instance: str, state: Path, control: Path) -> str:
    """Client configuration for ``ssh -F``: names and addresses, known host keys, one shared connection a host."""
    own = state / instance
    blocks = [
        f"Host {host.name}\n    HostName {ssh_address(instance, host)}\n    HostKeyAlias {host.name}\n"
        for host in hosts_of(instance)
    ]
    common = {
        "User": "root",
        "IdentityFile": f'"{own / "id_ed25519"}"',
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f'"{own / "known_hosts"}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "PreferredAuthentications": "publickey",
        "LogLevel": "ERROR",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "6",
        "ControlMaster": "auto",
        "ControlPersist": "60",
        "ControlPath": f'"{control}/%h"',
    }
    return "".join(blocks) + "Host *\n" + "".join(f"    {key} {value}\n" for key, value in common.items())


def render_known_hosts(instance: str, public_keys: Mapping[str, str]) -> str:
    """A known_hosts file for names and addresses, from ``TYPE KEY COMMENT`` lines by host name."""
    lines = []
    for host in hosts_of(instance):
        names = [host.name, *(address(instance, host, network) for network in host.octets)]
        lines.append(f"{','.join(names)} {' '.join(public_keys[host.name].split()[:2])}")
    return "\n".join(lines) + "\n"


def inventory_name(host: Host) -> str:
    """The host's name in the inventory: Ansible warns of a host that is called like its group."""
    return f"{host.name}1" if host.name == host.group else host.name


def _group_variables(instance: str, state: Path) -> dict[str, dict[str, Any]]:
    """What an administrator would set for a group: the token's PIN, where gateways ask for names and certificates."""
    pin = state / instance / "hsm-pin"
    return {
        "authority": {
            "pki_common_name": f"Lab {instance} CA",
            "pki_hsm_pin": f"{{{{ lookup('ansible.builtin.file', '{pin}') }}}}",
        },
        "gateways": (
            # Nobody answers names there.
            {"dnsmasq_enabled": False}
            if instance == "bench"
            else {
                "dnsmasq_upstreams": [nameserver_address(instance, "management")],
                "dnsmasq_probe_name": "www.outside.example",
                # All addresses of the lab are private, and perhaps that of the machine's package mirror, too.
                "dnsmasq_rebind_protection": False,
                "acme_enabled": True,
                "acme_directory": f"https://{ACME_NAME}:{ACME_PORT}/dir",
                "acme_ca_bundle": str(state / instance / "acme-ca.pem"),
                "portal_company": "Lab",
            }
        ),
    }


def _name_variables(instance: str, state: Path) -> dict[str, Any]:
    """What an administrator would set for the names of gateways; ``bench`` has no name server."""
    if instance == "bench":
        return {}
    secret = state / instance / "dns-key"
    return {
        "dns_zone": ZONE,
        "dns_servers": [nameserver_address(instance)],
        "dns_key_name": CONTROLLER_KEY,
        "dns_key_secret": f"{{{{ lookup('ansible.builtin.file', '{secret}') }}}}",
        "dns_policy_folder": str(state / instance / "dns"),
        "dns_policy_host": "nameserver",
        "dns_announce_sources": ["interface"],
        "dns_announce_interface": "outside",
        "dns_announce_private_addresses": True,
        "dns_fleet_label": "vpn",
    }


def dual_stack_listeners(instance: str) -> list[dict[str, Any]]:
    """The role's own listeners, with IPv6 inside the tunnel."""
    prefix = f"fd00:{SECOND_OCTETS[instance]}"
    return [
        {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20", "network6": f"{prefix}:91::/64"},
        {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.16.0/20", "network6": f"{prefix}:92::/64"},
    ]


def build_inventory(instance: str, state: Path) -> dict[str, Any]:
    """The Ansible inventory. Gateways offer their outside address to users; Ansible itself comes by management."""
    groups: dict[str, Any] = {}
    for host in hosts_of(instance):
        variables: dict[str, Any] = {"ansible_host": ssh_address(instance, host)}
        variables.update({f"lab_{network}_address": address(instance, host, network) for network in host.octets})
        inside = [network.name for network in NETWORKS if network.internal and network.name in host.octets]
        variables.update({f"lab_{network}_address6": address6(instance, host, network) for network in inside})
        if host.group == "gateways" and instance in TEST_INSTANCES:
            # Most tests choose a gateway and a protocol; users of the demonstration go by the names.
            variables["openvpn_public_address"] = address(instance, host, "outside")
        if host.name == DUAL_STACK_GATEWAY:
            variables["openvpn_listeners"] = dual_stack_listeners(instance)
        groups.setdefault(host.group, {"hosts": {}})["hosts"][inventory_name(host)] = variables
    for group, variables in _group_variables(instance, state).items():
        groups[group]["vars"] = variables
    common = {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_args": f'-F "{state / instance / "ssh_config"}"',
        "ansible_pipelining": True,
        "lab_instance": instance,
        **_name_variables(instance, state),
    }
    return {"all": {"vars": common, "children": groups}}


def render_ansible_config(instance: str, state: Path) -> str:
    """An ansible.cfg for the instance: its inventory, this checkout as the collection, nothing in the home folder."""
    return (
        "[defaults]\n"
        f"inventory = {state / instance / 'inventory.yml'}\n"
        f"home = {state / 'ansible'}\n"
        f"collections_path = {state / 'collections'}\n"
        "retry_files_enabled = false\n"
        "forks = 10\n"
        "timeout = 20\n"
        "\n[connection]\npipelining = true\n"
    )

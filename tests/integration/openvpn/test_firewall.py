"""The rules of the firewall, loaded into a kernel and met by packets.

    alice, bob (behind tun-udp), eve (behind tun-tcp) --- gateway --- outside 10.78.0.2

The tunnels are virtual cables that bear the names of OpenVPN's devices: what the rules see is the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import command

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_firewall import openvpn_firewall

TALK = Path(__file__).with_name("packets.py")
PREFIX = f"psgf{os.getpid()}"
GATEWAY, OUTSIDE = f"{PREFIX}g", f"{PREFIX}o"
PROCESSES = (
    {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/24", "network6": "fd00:91::/64"},
    {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.1.0/24"},
)
SPREAD = [
    {
        "name": f"udp-{number}",
        "listener": "udp",
        "protocol": "udp",
        "port": port,
        "public_port": 1194,
        "network": network,
    }
    for number, port, network in ((1, 1194, "10.91.0.0/25"), (2, 21196, "10.91.0.128/25"))
]
# Who is behind which tunnel, with which addresses.
CLIENTS = {
    "alice": ("tun-udp", ["10.91.0.200/24", "fd00:91::2/64"]),
    "bob": ("tun-udp", ["10.91.0.201/24", "fd00:91::3/64"]),
    "eve": ("tun-tcp", ["10.91.1.7/24", "192.168.7.1/24"]),
}
BRIDGE_MAC = "02:00:00:00:00:01"
NEAR, FAR, NEAR6 = "10.78.0.2", "10.79.0.2", "fd78::2"


def ip(namespace: str, *argv: str) -> None:
    command("ip", "-n", namespace, *argv)


def inside(namespace: str, *argv: str) -> str:
    return command("ip", "netns", "exec", namespace, *argv)


def join(client: str, device: str, addresses: list[str]) -> None:
    """A client on the bridge that stands for a tunnel; every packet passes through the gateway."""
    namespace = f"{PREFIX}{client}"
    command("ip", "netns", "add", namespace)
    ip(GATEWAY, "link", "add", f"v-{client}", "type", "veth", "peer", "name", "tun0", "netns", namespace)
    ip(GATEWAY, "link", "set", f"v-{client}", "master", device, "up")
    # Ports of a bridge that do not see each other: as in a tunnel, packets between clients go by the kernel's routes.
    ip(GATEWAY, "link", "set", f"v-{client}", "type", "bridge_slave", "isolated", "on")
    for one in addresses:
        host = f"{one.split('/')[0]}/{128 if ':' in one else 32}"
        ip(namespace, "address", "add", host, "dev", "tun0", *(("nodad",) if ":" in one else ()))
    ip(namespace, "link", "set", "lo", "up")
    ip(namespace, "link", "set", "tun0", "up")
    gateway = "10.91.0.1" if device == "tun-udp" else "10.91.1.1"
    ip(namespace, "route", "add", gateway, "dev", "tun0")
    ip(namespace, "route", "add", "default", "via", gateway)
    if any(":" in one for one in addresses):
        # A tunnel knows no neighbour discovery, and the rules let none pass.
        ip(namespace, "-6", "neighbour", "add", "fd00:91::1", "lladdr", BRIDGE_MAC, "dev", "tun0")
        own = json.loads(command("ip", "-n", namespace, "--json", "link", "show", "tun0"))[0]["address"]
        ip(GATEWAY, "-6", "neighbour", "add", addresses[1].split("/")[0], "lladdr", own, "dev", device)
        ip(namespace, "-6", "route", "add", "fd00:91::1", "dev", "tun0")
        ip(namespace, "-6", "route", "add", "default", "via", "fd00:91::1")


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    try:
        for namespace in (GATEWAY, OUTSIDE):
            command("ip", "netns", "add", namespace)
            ip(namespace, "link", "set", "lo", "up")
        ip(GATEWAY, "link", "add", "out", "type", "veth", "peer", "name", "eth0", "netns", OUTSIDE)
        for namespace, device, last in ((GATEWAY, "out", 1), (OUTSIDE, "eth0", 2)):
            ip(namespace, "link", "set", device, "up")
            for address in (f"10.78.0.{last}/24", f"10.79.0.{last}/24", f"fd78::{last}/64"):
                ip(namespace, "address", "add", address, "dev", device, *(("nodad",) if ":" in address else ()))
        for device, addresses in (("tun-udp", ["10.91.0.1/24", "fd00:91::1/64"]), ("tun-tcp", ["10.91.1.1/24"])):
            ip(GATEWAY, "link", "add", device, "address", BRIDGE_MAC, "type", "bridge")
            ip(GATEWAY, "link", "set", device, "up")
            for address in addresses:
                ip(GATEWAY, "address", "add", address, "dev", device, *(("nodad",) if ":" in address else ()))
        ip(GATEWAY, "route", "add", "192.168.7.0/24", "dev", "tun-tcp")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            inside(GATEWAY, "sysctl", "-qw", f"{key}=1")
        for client, (device, addresses) in CLIENTS.items():
            join(client, device, addresses)
        yield
    finally:
        for name in (GATEWAY, OUTSIDE, *(f"{PREFIX}{client}" for client in CLIENTS)):
            command("ip", "netns", "delete", name, check=False)


def load(processes: Any = PROCESSES, **options: Any) -> None:
    text = openvpn_firewall(processes, **options)
    subprocess.run(
        ("ip", "netns", "exec", GATEWAY, "nft", "--file", "-"), input=text, text=True, check=True, timeout=30
    )


def group(name: str, *members: str, networks: Any = None, default: bool = False, reach: bool = False) -> dict[str, Any]:
    return {
        "name": name, "default": default, "networks": networks, "reach_members": reach,
        "addresses": [one for one in members if ":" not in one], "addresses6": [one for one in members if ":" in one],
    }  # fmt: skip


def reaches(
    client: str, target: str, port: int = 5353, *, source: str = "-", local: int = 0, via: str = OUTSIDE
) -> bool:
    """Whether a packet of a client to a port gets its answer."""
    server = via if via in (GATEWAY, OUTSIDE) else f"{PREFIX}{via}"
    argv = ("ip", "netns", "exec", server, sys.executable, str(TALK), "answer", target, str(port))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as answering:
        try:
            assert answering.stdout is not None
            answering.stdout.readline()
            return "answered" in inside(
                f"{PREFIX}{client}", sys.executable, str(TALK), "ask", target, str(port), source, str(local)
            )
        finally:
            answering.terminate()


def dropped(comment: str) -> int:
    """How many packets the rules with a comment have dropped."""
    found = json.loads(inside(GATEWAY, "nft", "--json", "list", "table", "inet", "privatespace"))["nftables"]
    rules = [one["rule"] for one in found if one.get("rule", {}).get("comment") == comment]
    return sum(part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part)


@pytest.mark.usefixtures("network")
class TestFirewall:
    def test_without_groups_clients_reach_everything_but_each_other(self) -> None:
        load()
        assert reaches("alice", NEAR)
        assert reaches("alice", NEAR6)
        assert reaches("eve", FAR)
        assert not reaches("alice", "10.91.0.201", via="bob")
        assert not reaches("alice", "10.91.1.7", via="eve")
        assert not reaches("alice", "fd00:91::3", via="bob")
        assert dropped("clients do not reach each other") >= 3

    def test_clients_reach_each_other_where_they_may(self) -> None:
        load(client_to_client=True)
        assert reaches("alice", "10.91.0.201", via="bob")
        assert reaches("alice", "10.91.1.7", via="eve")
        assert reaches("alice", "fd00:91::3", via="bob")

    def test_of_the_gateway_itself_clients_reach_what_is_open(self) -> None:
        load(udp_ports=[53])
        assert reaches("alice", "10.91.0.1", 53, via=GATEWAY)
        assert not reaches("alice", "10.91.0.1", 54, via=GATEWAY)
        assert not reaches("alice", "10.78.0.1", 54, via=GATEWAY)

    def test_a_group_reaches_its_networks_and_no_others(self) -> None:
        sales = group("sales", "10.91.0.200", "fd00:91::2", networks=["10.78.0.0/24"])
        load(groups=[group("staff", default=True), sales], udp_ports=[53])
        assert reaches("alice", NEAR)
        assert not reaches("alice", FAR)
        assert not reaches("alice", NEAR6)
        assert reaches("alice", "10.91.0.1", 53, via=GATEWAY)
        assert reaches("bob", FAR)
        assert reaches("bob", NEAR6)
        assert dropped("not for the group sales") >= 2

    def test_the_default_group_has_limits_too(self) -> None:
        load(groups=[group("guests", default=True, networks=[]), group("staff", "10.91.0.200")])
        assert reaches("alice", FAR)
        assert not reaches("bob", NEAR)
        assert not reaches("eve", NEAR)

    def test_members_reach_each_other_where_they_may(self) -> None:
        members = ("10.91.0.200", "10.91.0.201")
        load(groups=[group("staff", default=True), group("ops", *members, networks=[], reach=True)])
        assert reaches("alice", "10.91.0.201", via="bob")
        assert not reaches("alice", "10.91.1.7", via="eve")
        assert not reaches("eve", "10.91.0.201", via="bob")
        load(groups=[group("staff", default=True, reach=True), group("ops", "10.91.0.201")])
        assert reaches("alice", "10.91.1.7", via="eve")
        assert not reaches("alice", "10.91.0.201", via="bob")

    def test_a_connection_ends_with_the_right_to_it(self) -> None:
        load()
        assert reaches("alice", NEAR, local=4000)
        load(groups=[group("nothing", default=True, networks=[])])
        assert not reaches("alice", NEAR, local=4000)

    def test_a_network_behind_a_device_has_the_rights_of_its_group(self) -> None:
        behind = {"tcp": ["192.168.7.0/24"]}
        ops = group("ops", "10.91.1.7", "192.168.7.0/24", networks=["10.78.0.0/24"])
        load(groups=[group("staff", default=True), ops], client_networks=behind)
        assert reaches("eve", NEAR, source="192.168.7.1")
        assert not reaches("eve", FAR, source="192.168.7.1")
        assert reaches("alice", "192.168.7.1", via="eve")

    def test_a_packet_with_a_source_of_somebody_else_is_dropped(self) -> None:
        load(masquerade=False)
        assert not reaches("eve", NEAR, source="192.168.7.1")
        assert dropped("no address of this tunnel") >= 1
        load(groups=[group("none", default=True, networks=[]), group("ops", "10.91.0.200")])
        ip(f"{PREFIX}eve", "address", "add", "10.91.0.200/32", "dev", "lo")
        before = dropped("no address of this tunnel")
        assert not reaches("eve", NEAR, source="10.91.0.200")
        assert dropped("no address of this tunnel") > before

    def test_nobody_opens_connections_to_clients(self) -> None:
        load()
        ip(OUTSIDE, "route", "replace", "10.91.0.0/24", "via", "10.78.0.1")
        argv = ("ip", "netns", "exec", f"{PREFIX}alice", sys.executable, str(TALK), "answer", "10.91.0.200", "5353")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as answering:
            assert answering.stdout is not None
            answering.stdout.readline()
            asked = inside(OUTSIDE, sys.executable, str(TALK), "ask", "10.91.0.200", "5353", "-")
            answering.terminate()
        assert "answered" not in asked
        assert dropped("nobody opens connections to clients") >= 1

    @pytest.mark.parametrize("target", ["10.78.0.1", "fd78::1"])
    def test_a_flood_of_handshakes_from_one_place_is_stopped(self, target: str) -> None:
        load(handshakes_per_second=1, handshake_burst=20)
        inside(OUTSIDE, sys.executable, str(TALK), "flood", target, "1194", "100")
        lost = dropped("too many new connections from one place")
        assert 70 <= lost <= 80
        load(handshakes_per_second=1, handshake_burst=200)
        inside(OUTSIDE, sys.executable, str(TALK), "flood", target, "1194", "100")
        assert dropped("too many new connections from one place") == 0

    def test_all_of_an_ipv6_network_is_one_place(self) -> None:
        ip(OUTSIDE, "address", "replace", "fd78::3/64", "dev", "eth0", "nodad")
        load(handshakes_per_second=1, handshake_burst=20)
        for source in ("fd78::2", "fd78::3"):
            inside(OUTSIDE, sys.executable, str(TALK), "flood", "fd78::1", "1194", "20", source)
        assert dropped("too many new connections from one place") >= 15

    def test_a_flood_of_tcp_connections_is_stopped(self) -> None:
        load(handshakes_per_second=1, handshake_burst=20)
        assert inside(OUTSIDE, sys.executable, str(TALK), "connect", "10.78.0.1", "443", "30").strip() == "20"
        assert dropped("too many new connections from one place") >= 10

    def test_another_source_is_not_held_up_by_a_flood(self) -> None:
        load(handshakes_per_second=1, handshake_burst=5)
        inside(OUTSIDE, sys.executable, str(TALK), "flood", "10.78.0.1", "1194", "50")
        before = dropped("too many new connections from one place")
        inside(OUTSIDE, sys.executable, str(TALK), "flood", "10.79.0.1", "1194", "5")
        assert dropped("too many new connections from one place") == before

    def test_clients_are_spread_over_the_processes_of_a_listener(self) -> None:
        load(SPREAD)
        argv = ("ip", "netns", "exec", GATEWAY, sys.executable, str(TALK), "count", "10.78.0.1", "1194", "21196")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as counting:
            assert counting.stdout is not None
            counting.stdout.readline()
            answers = inside(OUTSIDE, sys.executable, str(TALK), "flood", "10.78.0.1", "1194", "100")
            counted = json.loads(counting.stdout.readline())
        assert sum(counted) == 100
        assert min(counted) >= 20
        assert int(answers) == 100, "answers come from the public port"

    def test_tables_of_others_are_left_alone(self) -> None:
        inside(GATEWAY, "nft", "add", "table", "inet", "others")
        load()
        load()
        assert inside(GATEWAY, "nft", "list", "tables").split("\n")[:2].count("table inet others") == 1
        inside(GATEWAY, "nft", "delete", "table", "inet", "others")
